//! Whether an image is made for this machine: known before anything is started.

use super::{Tools, failure};
use crate::engine::ImageFacts;
use crate::model::{Failure, FailureKind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an image that was looked at is not looked at again: a burst of jobs of one image asks for it once. One that
/// gets its name meanwhile, for another machine, fails as the kernel says.
const SEEN_FOR: Duration = Duration::from_secs(60);
/// Images that are remembered so.
const SEEN_MAX: usize = 16;

/// Images that were seen to be made for this machine, by the names that jobs gave, and when.
#[derive(Debug, Default)]
pub(super) struct Suitable(Mutex<heapless::Deque<(String, Instant), SEEN_MAX>>);

impl Suitable {
    pub(super) fn has(&self, image: &str) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .any(|(name, at)| name == image && at.elapsed() < SEEN_FOR)
    }

    // What an engine said is dated here, beside the decisions.
    #[allow(clippy::disallowed_methods)]
    fn keep(&self, image: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_full() {
            seen.pop_front();
        }
        // There is room now.
        let _ = seen.push_back((image.to_owned(), Instant::now()));
    }
}

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
        tools.suitable.keep(image);
        return Ok(());
    }
    let built = facts.platform;
    let message = format!("the image \"{image}\" is built for {built}, and this node runs {own}");
    Err(Failure::new(FailureKind::WrongPlatform, message))
}
