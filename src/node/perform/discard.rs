//! `Discard`: nothing of the execution is left.

use super::{Tools, failure};
use crate::model::{ExecutionId, Failure};

/// By label, not by a remembered id: it also takes what an unfinished create left behind.
pub(super) async fn discard(tools: &Tools, execution: &ExecutionId) -> Result<(), Failure> {
    let engine = tools.engine.as_ref();
    for container in engine
        .found_of(&tools.node, execution)
        .await
        .map_err(|error| failure(&error))?
    {
        engine
            .remove(&container)
            .await
            .map_err(|error| failure(&error))?;
    }
    Ok(())
}
