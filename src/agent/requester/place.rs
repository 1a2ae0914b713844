//! Which node is asked next for a partition, or why none is.

use crate::agent::ids::execution_id;
use crate::model::{Execution, ExecutionState, Failure, JobRecord, NodeId, RejectReason};
use std::collections::BTreeSet;

/// Attempts at one partition that may fail before the job does: enough for a fleet where some boards are ill, few enough
/// that a job which fails everywhere ends.
pub(super) const ATTEMPTS_MAX: usize = 8;

/// Attempts of one partition that may fail on one node, and only for passing reasons.
const ATTEMPTS_PER_NODE_MAX: usize = 2;

/// Why a job is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It is new, or one of its executions changed.
    First,
    /// Time has passed, or a node or an engine came back: who declined for now is asked again.
    Again,
}

/// Where the next attempt goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// Ask this node.
    Ask(NodeId),
    /// Nobody fits now; somebody may later.
    Wait(String, &'static str),
    /// Nobody ever will: why, and what the user can do.
    Never(Reason),
}

/// Why a partition cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) message: String,
    pub(super) hint: &'static str,
    /// The failure's name, when an execution failed.
    pub(super) code: Option<&'static str>,
}

/// Decides for one partition that has neither a running nor a completed execution.
pub(super) fn place(
    record: &JobRecord,
    partition: u32,
    nodes: &BTreeSet<NodeId>,
    occasion: Occasion,
) -> Placement {
    let attempts: Vec<&Execution> = record
        .latest_executions()
        .filter(|execution| execution.partition == partition)
        .collect();
    let failures: Vec<(&NodeId, &Failure)> = attempts
        .iter()
        .filter_map(|execution| {
            execution
                .failure
                .as_ref()
                .map(|failure| (&execution.node_id, failure))
        })
        .collect();
    if let Some((_, failure)) = failures.last()
        && (!failure.kind.may_try_elsewhere() || failures.len() >= ATTEMPTS_MAX)
    {
        return Placement::Never(failed(failure));
    }
    let candidates = nodes.iter().filter(|node| {
        let here: Vec<&Failure> = failures
            .iter()
            .filter(|(other, _)| other == node)
            .map(|(_, failure)| *failure)
            .collect();
        let declined = attempts
            .iter()
            .rfind(|execution| {
                execution.node_id == **node && execution.state == ExecutionState::AskForBidRejected
            })
            .and_then(|execution| execution.reject.as_ref());
        let may_again =
            declined.is_none_or(|reason| reason.is_transient() && occasion == Occasion::Again);
        may_again
            && here.len() < ATTEMPTS_PER_NODE_MAX
            && here.iter().all(|failure| failure.kind.is_transient())
    });
    let attempt = next_attempt(record, partition);
    let job = &record.job;
    // Fewest attempts first, then an order that differs from job to job, so that a fleet shares the work.
    let best = candidates.min_by_key(|node| {
        let tried = attempts
            .iter()
            .filter(|execution| execution.node_id == **node)
            .count();
        (
            tried,
            execution_id(&job.id, job.version, partition, attempt, node),
        )
    });
    best.map_or_else(
        || nobody(&attempts, &failures, nodes),
        |node| Placement::Ask(node.clone()),
    )
}

/// The number of the next attempt: never one that was used.
pub(super) fn next_attempt(record: &JobRecord, partition: u32) -> u32 {
    let used = record
        .latest_executions()
        .filter(|execution| execution.partition == partition);
    used.map(|execution| execution.attempt + 1)
        .max()
        .unwrap_or(0)
}

fn nobody(
    attempts: &[&Execution],
    failures: &[(&NodeId, &Failure)],
    nodes: &BTreeSet<NodeId>,
) -> Placement {
    let declined: Vec<(&NodeId, &RejectReason)> = nodes
        .iter()
        .filter_map(|node| {
            let last = attempts
                .iter()
                .rfind(|execution| execution.node_id == *node)?;
            last.reject.as_ref().map(|reason| (node, reason))
        })
        .collect();
    if let Some((node, reason)) = declined.iter().find(|(_, reason)| reason.is_transient()) {
        return Placement::Wait(
            format!("no node can take the job now: node {node} {reason}"),
            reason.hint(),
        );
    }
    if let Some((_, failure)) = failures.last() {
        return Placement::Never(failed(failure));
    }
    match declined.first() {
        Some((node, reason)) => Placement::Never(Reason {
            message: format!("no node can run the job: node {node} {reason}"),
            hint: reason.hint(),
            code: None,
        }),
        None => Placement::Wait(
            "no compute node is connected".to_owned(),
            "start a node with --node-type requester,compute, or connect one with --peer",
        ),
    }
}

fn failed(failure: &Failure) -> Reason {
    Reason {
        message: failure.message.clone(),
        hint: failure.kind.hint(),
        code: Some(failure.kind.name()),
    }
}
