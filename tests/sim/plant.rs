//! Bugs planted into the harness, so that the rules can show that they find such.

/// At most one a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    None,
    /// A reply leaves with its turn, not once that is durable.
    ReplyBeforeDurable,
    /// An ask leaves with its turn, not once that is durable.
    AskBeforeDurable,
    /// executions.db is committed before jobs.db.
    FilesInWrongOrder,
    /// What was prepared for a cancelled execution is not discarded.
    NotDiscardedAfterCancel,
    /// A publish waits until the ride-along of its turn is durable.
    PublishWaitsForRideAlong,
}
