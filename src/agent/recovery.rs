//! What every stored state means after a crash.
//!
//! **One file against the engine** (after `Event::EngineFound`; `found` is what carries this node's label):
//!
//! | stored in executions.db | no container | created | running | exited | cut off by a reboot |
//! |---|---|---|---|---|---|
//! | nothing | - | discard | discard | discard | discard |
//! | Accepted | prepare again | start | adopt | collect | failed: ContainerLost |
//! | Running | failed: ContainerLost | start | adopt | collect | failed: ContainerLost |
//! | Publishing | failed: ContainerLost | publish again | publish again | publish again | publish again |
//! | Ended, not acknowledged | say it again, then discard | = | = | = | = |
//! | Ended, acknowledged | - | discard | discard | discard | discard |
//!
//! Adopt, collect and start are the one activity `Run`: it starts only what was never started, awaits the end only of
//! what has not ended, and reads the output and the true exit code. What was found unstarted may never have been looked
//! at, so whether its image is made for this machine is seen before it is started. What is created had room set aside for it, and gets
//! it back before anything else does: a start that was on its way at the crash may take effect for a while. So the engine
//! is asked once more when that is over; what is not wanted any more waits for this, and what came late is swept.
//!
//! **A reboot is not a crash of the agent.** What ran when the board lost its power ended with it, and engines call that
//! by other names: Podman shows the container as created, Docker as exited with 255, and a board that is shut down in good
//! order ends it by a signal. Whoever collected that would report the power cut as the job's own end, or start a
//! container that has half done its work. So where a container bears these signs and was last seen in another boot, it is
//! lost: its requester runs it anew, as another execution. What ended by itself before the board did keeps its exit code.
//!
//! **Between the two files** (jobs.db is committed first):
//!
//! - (a) jobs.db has an execution of this node that executions.db lacks: the requester asks again, and the compute side
//!   takes it like a first ask. Nothing had been started, for a start waits for both files.
//! - (b) executions.db has one whose requester is this node and jobs.db lacks its job. Was its container never started,
//!   then jobs.db was cut off before it: forget it, discard the container. But a start waits for both files, so if it
//!   was started, then an earlier start lost jobs.db: let it end; its outcome is acknowledged.
//! - (c) jobs.db says ended, executions.db says running: collect again; the requester answers "already so".
//!
//! **A file that is new in this start**, because it was damaged or is kept in memory, is made good from the other one before
//! any of this: jobs from executions (`requester::rebuild`), executions from jobs and containers (`compute::rebuild`).
//!
//! **Ride-alongs that were lost**: a lost bid or Running leaves the state before it, which the tables above cover; a lost
//! Publishing is a Running whose container has exited, so it is collected and published again; a lost acknowledgement is
//! said again and acknowledged again.

use crate::agent::{Found, FoundState};
use crate::model::{ComputeState, ContainerId, RunOutput};

/// What to do with one unfinished execution of executions.db.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Wait for capacity, then prepare.
    Prepare,
    /// Prepared, and as far as is known never started: start, if it is still wanted.
    Start(ContainerId),
    /// Adopt or collect.
    Run(ContainerId),
    /// Publish what was collected.
    Publish(ContainerId, RunOutput),
    /// It was cut off or vanished, and how it ended is not known.
    Lost,
    /// Nobody was promised it; its container, if any, belongs to nothing.
    Forget,
    /// It is over; only its delivery is due.
    Deliver,
}

/// The first table, and case (b).
pub(crate) fn remedy(
    state: &ComputeState,
    found: Option<&Found>,
    home: Home,
    boot: Boot,
) -> Remedy {
    let was_started = found.is_some_and(|found| found.state != FoundState::Created);
    if home == Home::CutOff && *state == ComputeState::Accepted && !was_started {
        return Remedy::Forget;
    }
    match (state, found) {
        (ComputeState::Ended { .. }, _) => Remedy::Deliver,
        (ComputeState::Accepted, None) => Remedy::Prepare,
        (ComputeState::Accepted | ComputeState::Running { .. }, Some(found)) => {
            let container = found.container.clone();
            match found.state {
                FoundState::Created => Remedy::Start(container),
                FoundState::CutOff if boot == Boot::Other => Remedy::Lost,
                FoundState::Running | FoundState::Exited | FoundState::CutOff => {
                    Remedy::Run(container)
                }
            }
        }
        (ComputeState::Publishing { output, .. }, Some(found)) => {
            Remedy::Publish(found.container.clone(), output.clone())
        }
        (ComputeState::Running { .. } | ComputeState::Publishing { .. }, None) => Remedy::Lost,
    }
}

/// When an execution's container was last seen to run, or else when it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boot {
    /// In this boot of the board.
    Same,
    /// In another, or that is not known.
    Other,
}

/// Whether an execution's requester may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// It may: another node, or this one, which does.
    Known,
    /// jobs.db lacks its job, and was cut off before it unless it was started.
    CutOff,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ExecutionId;

    fn found(state: FoundState) -> Found {
        Found {
            container: ContainerId::from("c"),
            execution: ExecutionId::from("e-1"),
            state,
        }
    }

    #[test]
    fn an_execution_without_its_job_is_forgotten_only_if_its_container_was_never_started() {
        use FoundState::{Created, CutOff, Exited, Running};
        let of = |state: Option<FoundState>| {
            remedy(
                &ComputeState::Accepted,
                state.map(found).as_ref(),
                Home::CutOff,
                Boot::Same,
            )
        };
        assert_eq!(of(None), Remedy::Forget);
        assert_eq!(of(Some(Created)), Remedy::Forget);
        for started in [Running, Exited, CutOff] {
            assert_eq!(of(Some(started)), Remedy::Run(ContainerId::from("c")));
        }
    }
}
