//! `Discard`: nothing of the execution is left.

use super::leash::{Leash, Pull};
use super::{Tools, failure, let_go};
use crate::engine::{EngineError, container_name};
use crate::model::{ContainerId, ExecutionId, Failure};

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
    let found = engine.found_of(&tools.node, execution).await;
    let mut found = found.map_err(|error| failure(&error))?;
    if found.is_empty() {
        // A Podman that was killed while it made the container shows none, and keeps its files under the name.
        let name = ContainerId(container_name(execution));
        if let Err(EngineError::NoSuchContainer { .. }) = engine.inspect(&name).await {
            found.push(name);
        }
    }
    for container in found {
        engine
            .remove(&container)
            .await
            .map_err(|error| failure(&error))?;
    }
    tools.followers.gone(execution);
    Ok(())
}
