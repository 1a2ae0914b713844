//! `Discard`: nothing of the execution is left.

use super::leash::{Leash, Pull};
use super::{Tools, failure, let_go};
use crate::model::{ExecutionId, Failure};

/// By label, not by a remembered id: it also takes what an unfinished create left behind. Followers of the log have all
/// of it first.
pub(super) async fn discard(
    tools: &Tools,
    execution: &ExecutionId,
    leash: &Leash,
) -> Result<(), Failure> {
    // A stop is about the run, which is over.
    if let Err(Pull::LetGo) = leash.or_pulled(tools.followers.done_with(execution)).await {
        return Err(let_go());
    }
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
    tools.followers.gone(execution);
    Ok(())
}
