//! The agent alone, event by event: what the simulator found once stays found by name.

mod single;

use codling::agent::{
    Activity, ActivityResult, Entry, Event, Found, FoundState, Output, Progress, Turn,
};
use codling::model::{
    ApiRequest, BidVerdict, ContainerId, EngineFacts, ExecutionId, Failure, FailureKind, JobState,
    Message, NodeId, NodeRoles, Outcome, RejectReason, RequestId, StoredState, Write, WriteKind,
};
use single::{Single, batch_job};
use std::collections::BTreeMap;

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

fn begun(turn: &Turn) -> Vec<&Activity> {
    let begun = turn.outputs.iter().filter_map(|output| match output {
        Output::Begin { activity, .. } => Some(activity),
        _ => None,
    });
    begun.collect()
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

/// A bid was accepted, and after a crash nobody knew: the execution was given up for silence while it ran.
#[test]
fn that_a_remote_bid_is_accepted_is_a_promise() {
    let mut requester = Single::new(NodeRoles::Requester);
    requester.sees("b");
    let turn = requester.submit(batch_job(1));
    let (node, execution, _) = asked(&turn)[0].clone();
    let turn = requester.hears(&node, bid(&execution, BidVerdict::Accepted));
    let accepts = turn.outputs.iter().any(|output| {
        matches!(
            output,
            Output::Send {
                message: Message::AcceptBid { .. },
                ..
            }
        )
    });
    assert!(accepts && turn.writes.has_promise(), "{turn:?}");
    let again = requester.hears(&node, bid(&execution, BidVerdict::Accepted));
    assert!(!again.writes.has_promise(), "once is enough: {again:?}");
}

/// An ask was planned beside a partition that could never be placed; it was cancelled before it was asked, and for ever.
#[test]
fn nothing_is_planned_for_a_job_that_fails_in_the_same_look() {
    let mut requester = Single::new(NodeRoles::Requester);
    requester.sees("b");
    requester.sees("c");
    let mut job = batch_job(2);
    job.task.timeouts.queue_s = 300;
    let mut open = asked(&requester.submit(job));
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
        open.extend(asked(&requester.hears(&node, message)));
    }
    requester.handle(Event::PeerGone {
        node: NodeId::from("b"),
    });
    let c = NodeId::from("c");
    let turn = requester.hears(&c, failed(&on_c.unwrap(), FailureKind::ContainerLost));
    let record = turn.writes.jobs.into_values().next().unwrap().1;
    let Write::Put(record) = record else {
        panic!("deleted");
    };
    assert_eq!(record.job.state, JobState::Failed);
    assert!(!record.is_live(), "{:?}", record.executions);
}

fn recovered_with_created(node: &mut Single) -> (StoredState, ExecutionId, ContainerId) {
    let turn = node.submit(batch_job(1));
    assert!(matches!(begun(&turn)[..], [Activity::Prepare(_)]));
    let stored = node.stored();
    let execution = stored.live_executions[0].id.clone();
    (stored, execution, ContainerId::from("c-1"))
}

/// A start that was on its way at the crash took effect while its room was given to another execution.
#[test]
fn a_container_that_was_created_is_started_after_a_crash_and_not_made_again() {
    let mut node = Single::new(NodeRoles::Both);
    node.finds(Vec::new());
    let (stored, execution, container) = recovered_with_created(&mut node);
    node.restart(stored);
    let found = Found {
        container: container.clone(),
        execution,
        state: FoundState::Created,
    };
    let turn = node.finds(vec![found]);
    let expected = Activity::Run {
        container,
        entry: Entry::Found,
    };
    assert_eq!(begun(&turn), [&expected]);
}

/// jobs.db said stopped and executions.db accepted: the container was started to be stopped.
#[test]
fn what_was_accepted_for_a_job_that_is_over_is_not_started_after_a_crash() {
    let mut node = Single::new(NodeRoles::Both);
    node.finds(Vec::new());
    let (mut stored, execution, container) = recovered_with_created(&mut node);
    stored.live_jobs.clear();
    node.restart(stored);
    let found = Found {
        container,
        execution,
        state: FoundState::Created,
    };
    let turn = node.finds(vec![found]);
    assert!(
        matches!(begun(&turn)[..], [Activity::Discard]),
        "{:?}",
        turn.outputs
    );
}

/// What a quiet local job costs: one batch at its beginning, one at its end, and its story.
#[test]
fn a_local_job_is_two_turns_with_promises() {
    let mut node = Single::new(NodeRoles::Both);
    node.finds(Vec::new());
    let mut promises = 0;
    let mut count = |turn: &Turn| promises += u64::from(turn.writes.has_promise());
    let turn = node.submit(batch_job(1));
    count(&turn);
    let turn = node.completes(ActivityResult::Prepared(Ok(ContainerId::from("c-1"))));
    count(&turn);
    let id = node.latest.clone().unwrap();
    node.handle(Event::Progress {
        id,
        progress: Progress::Started,
    });
    count(&node.turn());
    let turn = node.completes(ActivityResult::Ran(Ok(Default::default())));
    count(&turn);
    let turn = node.completes(ActivityResult::Discarded(Ok(())));
    count(&turn);
    assert_eq!(promises, 2);
}
