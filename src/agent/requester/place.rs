//! Which node is asked next for a partition, or why none is.

use super::replica::Replica;
use crate::agent::ids::execution_id;
use crate::model::{Execution, Failure, FailureKind, JobRecord, JobType, NodeId, RejectReason};
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
    /// Time has passed, or an engine came back: who declined for now is asked again.
    Again,
    /// A node has come, or this one has started: what is kept running asks even who declined for good, for it may have
    /// come with other labels or more room.
    Start,
}

/// Where the next attempt goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// Ask this node.
    Ask(NodeId),
    /// Nobody fits now; somebody may later.
    Wait(Reason),
    /// None of the nodes that are there ever will.
    Unfit(Reason),
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

/// Decides for one replica that has neither a running nor a completed execution.
pub(super) fn place(
    record: &JobRecord,
    replica: &Replica,
    nodes: &BTreeSet<NodeId>,
    occasion: Occasion,
) -> Placement {
    let job_type = record.job.job_type;
    let attempts: Vec<&Execution> = record
        .latest_executions()
        .filter(|execution| Replica::of(job_type, execution) == *replica)
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
        && is_final(job_type, failure.kind, failures.len())
    {
        return Placement::Never(failed(failure));
    }
    let nodes: Vec<&NodeId> = nodes
        .iter()
        .filter(|node| replica.may_be_on(node))
        .collect();
    let candidates = nodes.iter().copied().filter(|node| {
        let here: Vec<&Failure> = failures
            .iter()
            .filter(|(other, _)| other == node)
            .map(|(_, failure)| *failure)
            .collect();
        let last = attempts.iter().rfind(|one| one.node_id == **node);
        let declined = last.and_then(|execution| execution.reject.as_ref());
        let may_again = match occasion {
            Occasion::First => declined.is_none(),
            Occasion::Start if job_type.is_kept_running() => true,
            Occasion::Again | Occasion::Start => declined.is_none_or(RejectReason::is_transient),
        };
        let may_retry = job_type.is_kept_running()
            || here.len() < ATTEMPTS_PER_NODE_MAX
                && here.iter().all(|failure| failure.kind.is_transient());
        may_again && may_retry
    });
    let attempt = next_attempt(record, replica);
    let job = &record.job;
    // Fewest attempts first, then an order that differs from job to job, so that a fleet shares the work.
    let best = candidates.min_by_key(|node| {
        let tried = attempts
            .iter()
            .filter(|execution| execution.node_id == **node)
            .count();
        (
            tried,
            execution_id(&job.id, job.version, replica.partition(), attempt, node),
        )
    });
    best.map_or_else(
        || nobody(job_type, &attempts, &failures, &nodes),
        |node| Placement::Ask(node.clone()),
    )
}

/// The number of the next attempt: never one that was used.
pub(super) fn next_attempt(record: &JobRecord, replica: &Replica) -> u32 {
    let job_type = record.job.job_type;
    let used = record
        .latest_executions()
        .filter(|execution| Replica::of(job_type, execution) == *replica);
    used.map(|execution| execution.attempt + 1)
        .max()
        .unwrap_or(0)
}

/// Whether a replica that has failed so often, and so last, is given up.
pub(super) fn is_final(job_type: JobType, kind: FailureKind, failures: usize) -> bool {
    match job_type {
        JobType::Batch | JobType::Ops => !kind.may_try_elsewhere() || failures >= ATTEMPTS_MAX,
        // The image may come, the engine may be set right: only a spec stays as it is.
        JobType::Service | JobType::Daemon => kind == FailureKind::BadSpec,
    }
}

fn nobody(
    job_type: JobType,
    attempts: &[&Execution],
    failures: &[(&NodeId, &Failure)],
    nodes: &[&NodeId],
) -> Placement {
    let declined: Vec<(&NodeId, &RejectReason)> = nodes
        .iter()
        .filter_map(|node| {
            let last = attempts
                .iter()
                .rfind(|execution| execution.node_id == **node)?;
            last.reject.as_ref().map(|reason| (*node, reason))
        })
        .collect();
    if let Some((node, reason)) = declined.iter().find(|(_, reason)| reason.is_transient()) {
        return Placement::Wait(Reason {
            message: format!("no node can take the job now: node {node} {reason}"),
            hint: reason.hint(),
            code: None,
        });
    }
    if let Some((_, failure)) = failures.last()
        && !job_type.is_kept_running()
    {
        return Placement::Never(failed(failure));
    }
    match declined.first() {
        Some((node, reason)) => Placement::Unfit(Reason {
            message: format!("no node can run the job: node {node} {reason}"),
            hint: reason.hint(),
            code: None,
        }),
        None => Placement::Wait(nobody_is_there()),
    }
}

/// Why a job waits when there is no node at all.
pub(super) fn nobody_is_there() -> Reason {
    Reason {
        message: "no compute node is connected".to_owned(),
        hint: "start a node with --node-type requester,compute, or connect one with --peer",
        code: None,
    }
}

fn failed(failure: &Failure) -> Reason {
    Reason {
        message: failure.message.clone(),
        hint: failure.kind.hint(),
        code: Some(failure.kind.name()),
    }
}
