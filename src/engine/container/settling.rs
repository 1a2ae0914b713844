//! Growing pauses in which an engine is asked again for what it is about to know.

use super::bounds::{SETTLE_PAUSE, SETTLE_PAUSE_MAX};
use async_io::Timer;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Settling {
    pause: Duration,
    left: Duration,
}

impl Settling {
    /// For at most `limit`, and the pause in which it ends.
    pub(super) fn within(limit: Duration) -> Self {
        Self {
            pause: SETTLE_PAUSE,
            left: limit,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.left.is_zero()
    }

    pub(super) async fn pause(&mut self) {
        Timer::after(self.pause).await;
        self.left = self.left.saturating_sub(self.pause);
        self.pause = (self.pause * 2).min(SETTLE_PAUSE_MAX);
    }
}
