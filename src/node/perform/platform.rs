//! Whether an image is made for this machine: known before anything is started.

use super::{Tools, failure};
use crate::engine::ImageFacts;
use crate::model::{Failure, FailureKind};

/// Whether the engine runs an image of this platform. An image that has gone meanwhile is for `create` to miss.
pub(super) async fn is_for_this_machine(
    tools: &Tools,
    image: &str,
    facts: Option<ImageFacts>,
) -> Result<(), Failure> {
    let Some(facts) = facts else {
        return Ok(());
    };
    // From memory: it answered a moment ago.
    let engine = tools.engine.connect().await;
    let own = engine.map_err(|error| failure(&error))?.platform;
    if own.runs(&facts.platform) {
        return Ok(());
    }
    let built = facts.platform;
    let message = format!("the image \"{image}\" is built for {built}, and this node runs {own}");
    Err(Failure::new(FailureKind::WrongPlatform, message))
}
