//! What a job wants one execution of at a time, and how each of these stands.

use crate::model::{Deadline, Execution, ExecutionState, JobRecord, JobType, NodeId, Now};
use std::collections::BTreeSet;

/// One of the things that a job is to have running, or to have run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Replica {
    /// This partition, on whichever node.
    Partition(u32),
    /// The one of this node.
    On(NodeId),
}

impl Replica {
    /// Its number among the job's partitions. A job on every node has one everywhere.
    pub(super) fn partition(&self) -> u32 {
        match self {
            Self::Partition(partition) => *partition,
            Self::On(_) => 0,
        }
    }

    /// Whether it may run there.
    pub(super) fn may_be_on(&self, node: &NodeId) -> bool {
        match self {
            Self::Partition(_) => true,
            Self::On(own) => own == node,
        }
    }

    /// Which one an execution is of.
    pub(super) fn of(job_type: JobType, execution: &Execution) -> Self {
        match job_type.is_on_every_node() {
            true => Self::On(execution.node_id.clone()),
            false => Self::Partition(execution.partition),
        }
    }
}

/// How a replica of the latest version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// None of its executions is open, has completed, or has ended a moment ago.
    Missing,
    /// It is started again, but not before this.
    Pausing(Deadline),
    /// An execution is open.
    Open,
    /// One has completed, and nothing more is wanted.
    Complete,
}

/// All replicas, in order, each with its standing. One pass over the executions: a job may have a thousand of them, and
/// is looked at when each ends.
pub(super) fn replicas(
    record: &JobRecord,
    nodes: &BTreeSet<NodeId>,
    now: Now,
) -> Vec<(Replica, Standing)> {
    let job = &record.job;
    let wanted: Vec<Replica> = match job.job_type {
        JobType::Batch | JobType::Service => (0..job.count).map(Replica::Partition).collect(),
        JobType::Daemon => nodes.iter().cloned().map(Replica::On).collect(),
        JobType::Ops => {
            // A node that took it and has gone since is waited for.
            let took = record
                .latest_executions()
                .filter(|execution| execution.state != ExecutionState::AskForBidRejected);
            let took = took.map(|execution| &execution.node_id);
            let all: BTreeSet<&NodeId> = nodes.iter().chain(took).collect();
            all.into_iter().cloned().map(Replica::On).collect()
        }
    };
    let mut standings = vec![Standing::Missing; wanted.len()];
    for execution in record.latest_executions() {
        let replica = Replica::of(job.job_type, execution);
        let Ok(index) = wanted.binary_search(&replica) else {
            continue;
        };
        if let Some(standing) = standing(job.job_type, execution, now)
            && standings[index] != Standing::Complete
        {
            standings[index] = standing;
        }
    }
    wanted.into_iter().zip(standings).collect()
}

/// What one execution says of its replica, if anything; what a later one says counts more.
fn standing(job_type: JobType, execution: &Execution, now: Now) -> Option<Standing> {
    match execution.state {
        state if !state.is_terminal() => Some(Standing::Open),
        ExecutionState::AskForBidRejected | ExecutionState::BidRejected => None,
        _ if job_type.is_kept_running() => {
            let pause = execution.upkeep.and_then(|upkeep| upkeep.pause);
            let pause = pause.filter(|pause| !pause.is_due(now));
            Some(pause.map_or(Standing::Missing, |pause| {
                Standing::Pausing(pause.deadline())
            }))
        }
        ExecutionState::Completed => Some(Standing::Complete),
        _ => None,
    }
}
