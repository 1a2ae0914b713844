//! An engine that a power cut does not reach: what containers did stays done.

use codling::agent::{Found, FoundState};
use codling::model::{ContainerId, ExecutionId, JobType};
use std::collections::BTreeMap;

/// Containers by execution, and every start there ever was.
#[derive(Clone, Debug, Default)]
pub(super) struct Engine {
    containers: BTreeMap<ExecutionId, FoundState>,
    /// What each container is of.
    made: BTreeMap<ExecutionId, Made>,
    starts: BTreeMap<ExecutionId, u32>,
}

/// What a container will do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    /// What it will exit with.
    pub(super) code: i64,
    pub(super) job_type: JobType,
}

impl Engine {
    /// Creating twice is creating once.
    pub(super) fn create(&mut self, execution: &ExecutionId, made: Made) -> ContainerId {
        self.made.insert(execution.clone(), made);
        self.containers
            .entry(execution.clone())
            .or_insert(FoundState::Created);
        container(execution)
    }

    /// Starts what was never started.
    pub(super) fn start(&mut self, execution: &ExecutionId) {
        if self.containers.get(execution) == Some(&FoundState::Created) {
            self.containers
                .insert(execution.clone(), FoundState::Running);
            *self.starts.entry(execution.clone()).or_default() += 1;
        }
    }

    /// What a container is of.
    pub(super) fn made(&self, execution: &ExecutionId) -> Made {
        self.made[execution]
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self, execution: &ExecutionId) -> bool {
        self.containers.get(execution) == Some(&FoundState::Exited)
    }

    /// Whether it runs.
    pub(super) fn runs(&self, execution: &ExecutionId) -> bool {
        self.containers.get(execution) == Some(&FoundState::Running)
    }

    /// The container's process ends.
    pub(super) fn end(&mut self, execution: &ExecutionId) {
        if let Some(state) = self.containers.get_mut(execution) {
            *state = FoundState::Exited;
        }
    }

    pub(super) fn remove(&mut self, execution: &ExecutionId) {
        self.containers.remove(execution);
    }

    pub(super) fn found(&self) -> Vec<Found> {
        let found = |(execution, state): (&ExecutionId, &FoundState)| Found {
            container: container(execution),
            execution: execution.clone(),
            state: *state,
        };
        self.containers.iter().map(found).collect()
    }

    /// Executions that were started more than once.
    pub(super) fn started_twice(&self) -> Vec<&ExecutionId> {
        self.starts
            .iter()
            .filter(|(_, starts)| **starts > 1)
            .map(|(execution, _)| execution)
            .collect()
    }
}

fn container(execution: &ExecutionId) -> ContainerId {
    ContainerId(format!("c-{execution}"))
}
