//! What the simulator found once stays found by name. Each test opens with what went wrong.

use super::bench::*;
use codling::agent::{
    Activity, ActivityResult, Entry, Event, FoundState, Output, Progress, RunFailure, Turn,
};
use codling::model::*;

fn asked(turn: &Turn) -> Vec<(NodeId, ExecutionId, u32)> {
    let asks = turn.outputs.iter().filter_map(|output| match output {
        Output::Send {
            to,
            message:
                Message::Ask {
                    execution,
                    partition,
                    ..
                },
        } => Some((to.clone(), execution.clone(), *partition)),
        _ => None,
    });
    asks.collect()
}

fn bid(execution: &ExecutionId, verdict: BidVerdict) -> Message {
    Message::Bid {
        execution: execution.clone(),
        verdict,
    }
}

fn failed(execution: &ExecutionId, kind: FailureKind) -> Message {
    let outcome = Outcome::Failed {
        failure: Failure::new(kind, "it failed"),
        output: None,
    };
    Message::Outcome {
        execution: execution.clone(),
        outcome: Box::new(outcome),
    }
}

fn requester() -> Bench {
    Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000))
}

/// A bid was accepted, and after a crash nobody knew: the execution was given up for silence while it ran.
#[test]
fn that_a_remote_bid_is_accepted_is_a_promise() {
    let mut requester = requester();
    requester.see("b");
    let turn = requester.submit(&plain(), None);
    let (node, execution, _) = asked(&turn)[0].clone();
    let accepted = bid(&execution, BidVerdict::Accepted);
    let turn = requester.hear(node.as_str(), accepted.clone());
    assert!(
        matches!(said(&turn)[..], [Message::AcceptBid { .. }]),
        "{turn:?}"
    );
    assert!(turn.writes.has_promise(), "{turn:?}");
    let again = requester.hear(node.as_str(), accepted);
    assert!(!again.writes.has_promise(), "once is enough: {again:?}");
}

/// An ask was planned beside a partition that could never be placed; it was cancelled before it was asked, and for ever.
#[test]
fn nothing_is_planned_for_a_job_that_fails_in_the_same_look() {
    let mut requester = requester();
    requester.see("b");
    requester.see("c");
    let patient = Timeouts {
        queue_s: 300,
        ..Timeouts::default()
    };
    let mut job = job("100m", patient);
    job.count = 2;
    let mut open = asked(&requester.submit(&job, None));
    // Partition 1: `b` declines for now, `c` fails it for good. Partition 0 runs on `c`.
    let mut on_c = None;
    while let Some((node, execution, partition)) = open.pop() {
        let message = match (partition, node.as_str()) {
            (_, "b") => bid(
                &execution,
                BidVerdict::Rejected(RejectReason::QueueFull { limit: 1 }),
            ),
            (1, _) => failed(&execution, FailureKind::ImageNotFound),
            (_, _) => {
                on_c = Some(execution.clone());
                bid(&execution, BidVerdict::Accepted)
            }
        };
        open.extend(asked(&requester.hear(node.as_str(), message)));
    }
    requester.event(Event::PeerGone {
        node: NodeId::from("b"),
    });
    let turn = requester.hear("c", failed(&on_c.unwrap(), FailureKind::ContainerLost));
    let (_, record) = stored_job(&turn);
    assert_eq!(record.job.state, JobState::Failed);
    assert!(!record.is_live(), "{:?}", record.executions);
}

/// A node was silent for three minutes. That failed one replica and with it the job, and in the same moment another one,
/// which had been accepted and was about to be stopped, was given up while it ran.
#[test]
fn what_was_accepted_is_not_given_up_in_the_moment_in_which_silence_fails_its_job() {
    let mut first = requester();
    first.see("b");
    let mut job = plain();
    job.count = 2;
    let open = asked(&first.submit(&job, None));
    let accepted = open.iter().map(|(_, execution, _)| execution).max();
    let accepted = accepted.unwrap().clone();
    let turn = first.hear("b", bid(&accepted, BidVerdict::Accepted));
    let stored = StoredState {
        live_jobs: vec![stored_job(&turn).1.clone()],
        ..StoredState::default()
    };
    let mut second = Bench::of(NodeRoles::Requester, stored, early(60_000));
    second.first_turn();
    let record = loop {
        let due = second.next_deadline_ms().expect("it is asked again");
        let turn = second.wait_until(due);
        match turn.writes.jobs.into_values().next() {
            Some((_, Write::Put(record))) if record.job.state == JobState::Failed => break record,
            _ => {}
        }
    };
    let mut executions = record.executions.iter();
    let execution = executions.find(|one| one.id == accepted).unwrap();
    assert!(!execution.state.is_terminal(), "{execution:?}");
    assert_eq!(execution.desired, DesiredState::Stopped);
}

/// A node declined, was asked again and took it, and the first answer came last: the execution was taken for declined while
/// it ran, and another one was planned beside it.
#[test]
fn a_refusal_that_is_overtaken_by_a_later_acceptance_is_not_heard() {
    let mut requester = requester();
    requester.see("b");
    let mut service = plain();
    service.job_type = JobType::Service;
    let (_, execution, _) = asked(&requester.submit(&service, None))[0].clone();
    let refusal = || {
        bid(
            &execution,
            BidVerdict::Rejected(RejectReason::EngineAway {
                why: "nothing answers".to_owned(),
            }),
        )
    };
    requester.hear("b", bid(&execution, BidVerdict::Accepted));
    let turn = requester.hear("b", refusal());
    assert!(
        turn.writes.jobs.is_empty(),
        "its bid was accepted: {turn:?}"
    );
    let accepted = Message::Accepted {
        execution: execution.clone(),
        resources: None,
    };
    requester.hear("b", accepted);
    let turn = requester.hear("b", refusal());
    assert!(turn.writes.jobs.is_empty(), "it may run: {turn:?}");
    assert_eq!(asked(&turn), []);
}

/// A node's job and its execution as they are stored when both were accepted.
fn accepted_here() -> StoredState {
    let turn = Bench::fresh().submit(&plain(), None);
    StoredState {
        live_jobs: vec![stored_job(&turn).1.clone()],
        live_executions: vec![stored_execution(&turn).1.clone()],
        ..StoredState::default()
    }
}

/// A start that was on its way at the crash took effect while its room was given to another execution.
#[test]
fn a_container_that_was_created_is_started_after_a_crash_and_not_made_again() {
    let stored = accepted_here();
    let created = container(stored.live_executions[0].id.as_str(), FoundState::Created);
    let mut bench = Bench::recover(stored, early(60_000));
    bench.first_turn();
    let turn = bench.engine(vec![created.clone()]);
    let expected = Activity::Run {
        container: created.container,
        entry: Entry::Found,
    };
    assert_eq!(begun(&turn).map(|(_, what)| what), Some(expected));
}

/// jobs.db said stopped and executions.db accepted: the container was started to be stopped.
#[test]
fn what_was_accepted_for_a_job_that_is_over_is_not_started_after_a_crash() {
    let mut stored = accepted_here();
    stored.live_jobs.clear();
    let created = container(stored.live_executions[0].id.as_str(), FoundState::Created);
    let mut bench = Bench::recover(stored, early(60_000));
    bench.first_turn();
    let turn = bench.engine(vec![created.clone()]);
    assert_eq!(begun(&turn), None);
    // The start may have been on its way: the engine is asked once more before the end is said.
    let turn = bench.wait_until(120_000);
    assert!(finds(&turn), "{turn:?}");
    let turn = bench.engine(vec![created]);
    assert_eq!(begun(&turn).map(|(_, what)| what), Some(Activity::Discard));
}

/// A create that a dead process had sent took effect after the new one had looked: its container stayed for ever.
#[test]
fn the_engine_is_asked_once_more_after_a_start() {
    let mut bench = Bench::fresh();
    let turn = bench.wait_until(60_000);
    assert!(finds(&turn) && turn.outputs.len() == 1, "{turn:?}");
    let turn = bench.engine(vec![container("e-late", FoundState::Created)]);
    assert_eq!(begun(&turn).map(|(_, what)| what), Some(Activity::Discard));
}

/// A container of a lost executions.db ran on, unaccounted, while its room was given to another.
#[test]
fn nothing_is_prepared_while_a_container_that_belongs_to_nothing_still_runs() {
    let mut bench = Bench::recover(StoredState::default(), early(1_000));
    let turn = bench.engine(vec![container("e-stray", FoundState::Running)]);
    let (sweep, activity) = begun(&turn).expect("it is swept");
    assert_eq!(activity, Activity::Discard);
    let turn = bench.submit(&plain(), None);
    assert_eq!(begun(&turn), None);
    let turn = bench.done(&sweep, ActivityResult::Discarded(Ok(())));
    assert!(matches!(begun(&turn), Some((_, Activity::Prepare(_)))));
}

/// Two executions lost patience at once; the end of the first made room for the second, which ended while it was being
/// prepared.
#[test]
fn an_execution_that_gets_room_in_the_moment_it_loses_patience_is_not_ended_beside_its_activity() {
    let mut bench = Bench::fresh();
    for (id, cpu, queue_s) in [("e-0", "0.5", 0), ("e-1", "1", 10), ("e-2", "0.5", 10)] {
        let patience = Timeouts {
            queue_s,
            ..Timeouts::default()
        };
        bench.hear(OTHER, ask(id, &job(cpu, patience)));
        bench.hear(OTHER, accept_bid(id));
    }
    let turn = bench.wait_until(20_000);
    assert!(
        matches!(said(&turn)[..], [Message::Outcome { .. }]),
        "one ends: {turn:?}"
    );
    assert!(matches!(begun(&turn), Some((_, Activity::Prepare(_)))));
}

/// jobs.db was lost; the first start let its containers run on, the second removed them.
#[test]
fn a_container_whose_job_was_lost_runs_to_its_end_over_any_number_of_starts() {
    let mut stored = accepted_here();
    stored.live_jobs.clear();
    let id = stored.live_executions[0].id.clone();
    stored.orphaned_executions = vec![id.clone()];
    for jobs_file in [FileHistory::New, FileHistory::Kept, FileHistory::Kept] {
        stored.jobs_file = jobs_file;
        let mut bench = Bench::recover(stored.clone(), early(60_000));
        bench.first_turn();
        let turn = bench.engine(vec![container(id.as_str(), FoundState::Running)]);
        let (id, activity) = begun(&turn).expect("it is adopted");
        assert!(matches!(activity, Activity::Run { .. }), "{activity:?}");
        let progress = Progress::Started;
        let turn = bench.event(Event::Progress { id, progress });
        let stops = |output: &Output| matches!(output, Output::Stop { .. });
        assert!(!turn.outputs.iter().any(stops), "{turn:?}");
    }
}

/// A list that was made before a container was started came after its run was cut off: it was said to be lost.
#[test]
fn a_list_that_was_asked_for_before_an_execution_was_in_doubt_does_not_decide_it() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    let progress = Progress::Started;
    bench.event(Event::Progress {
        id: run.clone(),
        progress,
    });
    bench.now.boot_ms += 10_000;
    let away = RunFailure {
        failure: Failure::new(FailureKind::EngineAway, "the connection broke"),
        output: None,
    };
    let turn = bench.done(&run, ActivityResult::Ran(Err(away)));
    let number = turn.outputs.iter().find_map(|output| match output {
        Output::Find { number } => Some(*number),
        _ => None,
    });
    let number = number.expect("the engine is asked");
    let turn = bench.engine_at(number - 1, vec![]);
    assert!(turn.outputs.is_empty(), "{turn:?}");
    let turn = bench.engine_at(number, vec![container("e-1", FoundState::Running)]);
    assert!(matches!(begun(&turn), Some((_, Activity::Run { .. }))));
}
