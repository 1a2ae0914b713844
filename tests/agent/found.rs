//! What the simulator found once stays found by name. Each test opens with what went wrong.

use super::bench::*;
use codling::agent::{Activity, Entry, Event, FoundState, Output, Turn};
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
    let turn = bench.engine(vec![created]);
    assert_eq!(begun(&turn).map(|(_, what)| what), Some(Activity::Discard));
}
