//! Executions whose file was lost, made good from the jobs of this node and from the containers that are there.
//!
//! How far an execution had come is not known, only that it may have been started: a container that is found goes on, one
//! that is missing is a failure, `StoreLost`. Containers for other nodes' jobs are swept; their requesters ask again.

use super::Compute;
use crate::model::{ComputeState, ContainerId, ExecutionRecord, JobRecord, NodeId, Now};

/// The container of an execution that was made good, until the engine says which it is.
const NOT_KNOWN: &str = "";

/// Whether an execution was made good, and no container of it has been found.
pub(super) fn is_rebuilt(record: &ExecutionRecord) -> bool {
    matches!(&record.state, ComputeState::Running { container } if container.as_str() == NOT_KNOWN)
}

impl Compute {
    /// The executions that these jobs expect of this node.
    pub(crate) fn lost_executions(
        &self,
        jobs: &[JobRecord],
        me: &NodeId,
        now: Now,
    ) -> Vec<ExecutionRecord> {
        let mut lost = Vec::new();
        for record in jobs {
            let Ok(requested) = record.job.task.resources.parse() else {
                continue;
            };
            let resources = self.capacity.resolve(&requested);
            let open = record.latest_executions();
            let open = open.filter(|one| one.node_id == *me && !one.state.is_terminal());
            lost.extend(open.map(|execution| ExecutionRecord {
                id: execution.id.clone(),
                job: record.job.clone(),
                partition: execution.partition,
                requester: me.clone(),
                resources,
                state: ComputeState::Running {
                    container: ContainerId::from(NOT_KNOWN),
                },
                timer: None,
                accepted: now,
                away: None,
                ran_in: None,
            }));
        }
        lost
    }
}
