//! What an agent does with what its store holds, before and after the engine answers.

use super::bench::*;
use codling::agent::{Activity, ActivityResult, Entry, Event, FoundState, Output, Progress, Turn};
use codling::model::*;

fn running(id: &str) -> ComputeState {
    ComputeState::Running {
        container: ContainerId(format!("container of {id}")),
    }
}

fn stored(executions: Vec<ExecutionRecord>) -> StoredState {
    StoredState {
        live_executions: executions,
        ..StoredState::default()
    }
}

#[test]
fn nothing_is_begun_before_the_engine_has_said_what_it_has() {
    for state in [ComputeState::Accepted, running("e-1")] {
        let record = record("e-1", &plain(), state, early(0));
        let mut bench = Bench::recover(stored(vec![record]), early(1_000));
        let turn = bench.first_turn();
        assert!(finds(&turn), "{turn:?}");
        assert_eq!(begun(&turn), None);
        assert!(!turn.writes.has_promise(), "{turn:?}");
    }
}

#[test]
fn a_container_that_was_accepted_or_ran_is_adopted_and_never_prepared_anew() {
    for state in [ComputeState::Accepted, running("e-1")] {
        for view in [FoundState::Running, FoundState::Exited] {
            let record = record("e-1", &plain(), state.clone(), early(0));
            let mut bench = Bench::recover(stored(vec![record]), early(1_000));
            let turn = bench.engine(vec![container("e-1", view)]);
            let (_, activity) = begun(&turn).expect("it goes on");
            let expected = Activity::Run {
                container: ContainerId::from("container of e-1"),
                entry: Entry::Found,
            };
            assert_eq!(activity, expected, "{state:?} x {view:?}");
        }
    }
}

#[test]
fn an_outcome_that_was_not_acknowledged_is_said_again_at_once() {
    let ended = ComputeState::Ended {
        outcome: completed(6),
        delivery: Delivery::Pending,
        ended: None,
    };
    let record = record("e-1", &plain(), ended, early(0));
    let mut bench = Bench::recover(stored(vec![record]), early(1_000));
    let turn = bench.first_turn();
    assert!(
        matches!(said(&turn)[..], [Message::Outcome { .. }]),
        "{turn:?}"
    );
    // Its container stays until then.
    let turn = bench.engine(vec![container("e-1", FoundState::Exited)]);
    assert_eq!(begun(&turn), None);
}

#[test]
fn a_container_of_nothing_is_discarded_and_its_execution_can_be_asked_for_when_it_is_gone() {
    let mut bench = Bench::recover(StoredState::default(), early(1_000));
    let turn = bench.engine(vec![container("e-1", FoundState::Created)]);
    let (sweep, activity) = begun(&turn).expect("it is swept");
    assert_eq!(activity, Activity::Discard);
    let turn = bench.hear(OTHER, ask("e-1", &plain()));
    assert_eq!(said(&turn), Vec::<&Message>::new(), "not while it is swept");
    bench.done(&sweep, ActivityResult::Discarded(Ok(())));
    let turn = bench.hear(OTHER, ask("e-1", &plain()));
    let verdict = BidVerdict::Accepted;
    let execution = ExecutionId::from("e-1");
    assert_eq!(said(&turn), [&Message::Bid { execution, verdict }]);
}

#[test]
fn an_ask_that_comes_before_the_engine_has_answered_waits_for_its_answer() {
    let mut bench = Bench::recover(StoredState::default(), early(1_000));
    let turn = bench.hear(OTHER, ask("e-1", &plain()));
    assert_eq!(said(&turn), Vec::<&Message>::new());
    let turn = bench.engine(vec![]);
    assert!(
        matches!(
            said(&turn)[..],
            [Message::Bid {
                verdict: BidVerdict::Accepted,
                ..
            }]
        ),
        "{turn:?}"
    );
}

#[test]
fn an_execution_that_executions_db_lacks_is_asked_for_again_under_its_id() {
    let mut first = Bench::fresh();
    let turn = first.submit(&plain(), None);
    let (_, job) = stored_job(&turn);
    let (_, execution) = stored_execution(&turn);
    // The crash came between the two files.
    let state = StoredState {
        live_jobs: vec![job.clone()],
        ..StoredState::default()
    };
    let mut second = Bench::recover(state, early(60_000));
    second.first_turn();
    let turn = second.engine(vec![]);
    let (kind, again) = stored_execution(&turn);
    assert_eq!((kind, &again.id), (WriteKind::Promise, &execution.id));
    assert!(matches!(begun(&turn), Some((_, Activity::Prepare(_)))));
}

#[test]
fn an_execution_whose_job_was_not_stored_is_forgotten_and_its_container_removed() {
    let mut first = Bench::fresh();
    let turn = first.submit(&plain(), None);
    let (_, execution) = stored_execution(&turn);
    let state = StoredState {
        live_executions: vec![execution.clone()],
        orphaned_executions: vec![execution.id.clone()],
        ..StoredState::default()
    };
    let mut second = Bench::recover(state, early(60_000));
    second.first_turn();
    let turn = second.engine(vec![container(execution.id.as_str(), FoundState::Created)]);
    let forgotten = turn.writes.executions.get(&execution.id);
    assert!(
        matches!(forgotten, Some((_, Write::Delete))),
        "{forgotten:?}"
    );
    let (id, activity) = begun(&turn).expect("its container goes");
    assert_eq!(
        (id.execution, activity),
        (execution.id.clone(), Activity::Discard)
    );
}

#[test]
fn a_running_jobs_time_goes_on_through_a_reboot_and_its_adoption_does_not_start_it_anew() {
    let limited = job(
        "100m",
        Timeouts {
            execution_s: 100,
            ..Timeouts::default()
        },
    );
    let mut ran = record("e-1", &limited, running("e-1"), early(0));
    ran.timer = Some(Timer::start(early(10_000), 100_000));
    // Another boot, 70 s after the timer was started.
    let mut bench = Bench::recover(stored(vec![ran]), at(2, 5_000, 80_000));
    let turn = bench.engine(vec![container("e-1", FoundState::Running)]);
    let (id, _) = begun(&turn).unwrap();
    assert_eq!(bench.next_deadline_ms(), Some(5_000 + 30_000));
    let progress = Progress::Started;
    bench.event(Event::Progress {
        id: id.clone(),
        progress,
    });
    assert_eq!(bench.next_deadline_ms(), Some(5_000 + 30_000));
    let turn = bench.wait_until(35_000);
    assert_eq!(turn.outputs, [Output::Stop { id }]);
}

#[test]
fn a_container_that_ended_while_its_node_was_down_is_not_timed_out_for_the_time_since() {
    let limited = job(
        "100m",
        Timeouts {
            execution_s: 100,
            ..Timeouts::default()
        },
    );
    let mut ran = record("e-1", &limited, running("e-1"), early(0));
    ran.timer = Some(Timer::start(early(10_000), 100_000));
    // An hour later.
    let mut bench = Bench::recover(stored(vec![ran]), early(3_600_000));
    let turn = bench.engine(vec![container("e-1", FoundState::Exited)]);
    let (id, _) = begun(&turn).unwrap();
    let turn = bench.wait_until(3_600_001);
    assert_eq!(turn.outputs, []);
    let turn = bench.done(&id, ActivityResult::Ran(Ok(output(5))));
    let execution = ExecutionId::from("e-1");
    let outcome = Box::new(completed(5));
    assert_eq!(said(&turn), [&Message::Outcome { execution, outcome }]);
}

#[test]
fn a_jobs_total_time_goes_on_through_a_reboot() {
    let limited = job(
        "100m",
        Timeouts {
            total_s: 100,
            ..Timeouts::default()
        },
    );
    let mut first = Bench::fresh();
    let turn = first.submit(&limited, None);
    let (_, record) = stored_job(&turn);
    let state = StoredState {
        live_jobs: vec![record.clone()],
        ..StoredState::default()
    };
    // Submitted at 1 s of the first boot; another boot, 60 s later, without an engine.
    let mut second = Bench::recover(state, at(2, 5_000, 61_000));
    let mut turn = second.first_turn();
    while !ends_a_job(&turn) {
        let due = second.next_deadline_ms().expect("its time ends");
        turn = second.wait_until(due);
    }
    assert_eq!(stored_job(&turn).1.job.state, JobState::Failed);
    assert_eq!(second.now.boot_ms, 5_000 + 40_000);
}

fn ends_a_job(turn: &Turn) -> bool {
    turn.writes
        .jobs
        .values()
        .any(|(_, write)| matches!(write, Write::Put(record) if record.job.state.is_terminal()))
}

#[test]
fn a_token_names_its_job_after_a_restart_while_it_runs_and_when_it_has_ended() {
    let mut first = Bench::fresh();
    let turn = first.submit(&plain(), Some("token"));
    let (_, record) = stored_job(&turn);
    let summary = JobSummary {
        id: record.job.id.clone(),
        tokens: record.tokens().cloned().collect(),
    };
    let live = StoredState {
        live_jobs: vec![record.clone()],
        ..StoredState::default()
    };
    let ended = StoredState {
        ended_jobs: vec![summary],
        last_job: Some(record.job.id.clone()),
        ..StoredState::default()
    };
    for state in [live, ended] {
        let mut second = Bench::recover(state, early(60_000));
        second.first_turn();
        let again = second.submit(&plain(), Some("token"));
        let ApiReply::Submitted { job, .. } = reply(&again) else {
            panic!("{again:?}");
        };
        assert_eq!(*job, record.job.id);
    }
}
