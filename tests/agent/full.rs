//! A store whose disk is full: how things end is stored, nothing new is, and what waited goes on when there is room.

use super::bench::*;
use codling::agent::{Activity, ActivityResult, Event, FoundState, RunFailure};
use codling::model::*;

fn full(bench: &mut Bench) {
    let turn = bench.event(Event::Room(StoreRoom::EndsOnly));
    assert!(!turn.writes.has_promise(), "{:?}", turn.writes);
}

fn is_refused(bench: &mut Bench, token: Option<&str>) {
    let turn = bench.submit(&plain(), token);
    assert_eq!(reply(&turn), &ApiReply::Denied(DenyReason::StoreFull));
    assert!(turn.writes.jobs.is_empty() && turn.writes.executions.is_empty());
}

/// A submission, its job and what prepares it.
fn submitted(bench: &mut Bench, token: Option<&str>) -> (ApiReply, JobRecord) {
    let turn = bench.submit(&plain(), token);
    (reply(&turn).clone(), stored_job(&turn).1.clone())
}

#[test]
fn on_a_full_disk_a_new_job_is_refused_and_taken_under_the_same_token_when_there_is_room() {
    let mut bench = Bench::fresh();
    full(&mut bench);
    is_refused(&mut bench, None);
    is_refused(&mut bench, Some("t"));
    is_refused(&mut bench, Some("t"));
    bench.event(Event::Room(StoreRoom::Enough));
    let (first, _) = submitted(&mut bench, Some("t"));
    assert!(matches!(first, ApiReply::Submitted { .. }), "{first:?}");
    let turn = bench.submit(&plain(), Some("t"));
    assert_eq!(reply(&turn), &first);
}

#[test]
fn on_a_full_disk_a_token_that_came_before_names_its_job() {
    let mut bench = Bench::fresh();
    let (first, _) = submitted(&mut bench, Some("t"));
    full(&mut bench);
    let turn = bench.submit(&plain(), Some("t"));
    assert_eq!(reply(&turn), &first);
}

#[test]
fn on_a_full_disk_a_job_is_neither_updated_nor_run_again_but_stopped() {
    let mut bench = Bench::fresh();
    let (_, job) = submitted(&mut bench, None);
    full(&mut bench);
    is_refused(&mut bench, None);
    let turn = bench.request(ApiRequest::Rerun {
        job: job.job.id.clone(),
        version: 0,
        reason: String::new(),
        idempotency: None,
        stored: Stored::Unread,
    });
    assert_eq!(reply(&turn), &ApiReply::Denied(DenyReason::StoreFull));
    assert!(turn.writes.jobs.is_empty());
    let turn = bench.request(ApiRequest::Stop {
        job: job.job.id,
        reason: String::new(),
    });
    let (kind, stopped) = stored_job(&turn);
    assert_eq!(kind, WriteKind::Promise);
    assert_eq!(stopped.job.state, JobState::Stopped);
}

#[test]
fn on_a_full_disk_what_runs_goes_on_and_its_end_is_stored() {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&plain(), None);
    let (prepare, _) = begun(&turn).unwrap();
    full(&mut bench);
    let turn = bench.done(&prepare, ActivityResult::Prepared(Ok("c".into())));
    let (run, activity) = begun(&turn).expect("it goes on");
    assert!(matches!(activity, Activity::Run { .. }), "{activity:?}");
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(4))));
    assert_eq!(stored_job(&turn).1.job.state, JobState::Completed);
    let (kind, execution) = stored_execution(&turn);
    assert_eq!(kind, WriteKind::Promise);
    assert!(execution.state.is_terminal());
}

#[test]
fn a_stored_job_whose_execution_was_not_stored_any_more_waits_for_room_and_does_not_fail() {
    // What a commit leaves that landed in jobs.db and found no space in executions.db.
    let (_, job) = submitted(&mut Bench::fresh(), None);
    let stored = StoredState {
        live_jobs: vec![job],
        room: StoreRoom::EndsOnly,
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, early(2_000));
    bench.first_turn();
    bench.engine(vec![]);
    // Longer than a node may take to bid.
    for minute in 1..=10 {
        let turn = bench.wait_until(2_000 + minute * 60_000);
        assert!(!turn.writes.has_promise(), "{:?}", turn.writes);
        assert_eq!(begun(&turn), None);
    }
    let turn = bench.event(Event::Room(StoreRoom::Enough));
    assert_eq!(stored_execution(&turn).0, WriteKind::Promise);
    let (_, activity) = begun(&turn).expect("it is prepared");
    assert!(matches!(activity, Activity::Prepare(_)), "{activity:?}");
}

#[test]
fn on_a_full_disk_the_second_attempt_of_a_job_waits_for_room() {
    let (_, job) = submitted(&mut Bench::fresh(), None);
    let id = job.executions[0].id.clone();
    let container_of = format!("{id}");
    let accepted = ExecutionRecord {
        requester: NodeId::from(ME),
        job: job.job.clone(),
        ..record(&container_of, &job.job, ComputeState::Accepted, early(0))
    };
    let stored = StoredState {
        live_jobs: vec![job],
        live_executions: vec![accepted],
        room: StoreRoom::EndsOnly,
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, early(2_000));
    bench.first_turn();
    let turn = bench.engine(vec![container(&container_of, FoundState::Running)]);
    let (run, _) = begun(&turn).expect("it is adopted");
    let lost = RunFailure {
        failure: Failure::new(FailureKind::ContainerLost, "the container is gone"),
        output: None,
    };
    assert!(lost.failure.kind.is_transient());
    let turn = bench.done(&run, ActivityResult::Ran(Err(lost)));
    let (_, job) = stored_job(&turn);
    assert!(!job.job.state.is_terminal(), "{:?}", job.job);
    assert_eq!(job.executions.len(), 1, "nothing new is planned");
    let turn = bench.event(Event::Room(StoreRoom::Enough));
    assert_eq!(stored_job(&turn).1.executions.len(), 2);
}

#[test]
fn when_there_is_room_again_the_board_is_read_however_fresh_its_last_reading_is() {
    let mut bench = Bench::fresh();
    full(&mut bench);
    bench.event(Event::Board(BoardReading::default()));
    assert!(bench.wants_board(&Event::Room(StoreRoom::Enough)));
}

#[test]
fn on_a_full_disk_another_nodes_ask_is_declined_for_now() {
    let mut bench = Bench::fresh();
    full(&mut bench);
    let turn = bench.hear(OTHER, ask("e-1", &plain()));
    let declined = Message::Bid {
        execution: ExecutionId::from("e-1"),
        verdict: BidVerdict::Rejected(RejectReason::StoreFull),
    };
    assert_eq!(said(&turn), [&declined]);
    assert!(RejectReason::StoreFull.is_transient());
}
