//! What a node could do without.

use super::{ExecutionId, PulledImage};

/// Whether anything is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneMode {
    /// Only told.
    DryRun,
    /// Removed.
    Remove,
}

/// Records beyond what is kept of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Everything that a node holds and has no use for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prunable {
    /// Ended jobs beyond what is kept.
    pub jobs: Overdue,
    /// Ended executions beyond what is kept.
    pub executions: Overdue,
    /// Images that were pulled for jobs and that no execution needs.
    pub images: Vec<PulledImage>,
    /// Executions that are over or unknown, of which the engine still has a container.
    pub containers: Vec<ExecutionId>,
}
