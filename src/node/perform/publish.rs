//! `Publish`: results to where the job wants them. The only publisher so far is the one that does nothing.

use crate::model::{Failure, FailureKind, SpecConfig};

/// Where the results are now: nowhere but in the execution's `RunOutput`.
pub(super) fn publish(publisher: &SpecConfig) -> Result<SpecConfig, Failure> {
    if publisher.is_none() || publisher.is("noop") {
        return Ok(SpecConfig::default());
    }
    // No bid is made for such a job; a record of a later release, after a roll back, may still hold one.
    Err(Failure::new(
        FailureKind::BadSpec,
        format!(
            "this node does not have the publisher \"{}\"",
            publisher.kind
        ),
    ))
}
