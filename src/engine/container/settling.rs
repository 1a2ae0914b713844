//! Growing pauses in which an engine is asked again for what it is about to know.

use super::bounds::{SETTLE_PAUSE, SETTLE_PAUSE_MAX};
use async_io::Timer;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Settling {
    pause: Duration,
    left: Duration,
    taken: Duration,
}

impl Settling {
    /// For at most `limit`, and the pause in which it ends.
    pub(super) fn within(limit: Duration) -> Self {
        Self {
            pause: SETTLE_PAUSE,
            left: limit,
            taken: Duration::ZERO,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.left.is_zero()
    }

    /// Whether its pauses have taken this long.
    pub(super) fn has_taken(&self, time: Duration) -> bool {
        self.taken >= time
    }

    pub(super) async fn pause(&mut self) {
        Timer::after(self.pause).await;
        self.left = self.left.saturating_sub(self.pause);
        self.taken += self.pause;
        self.pause = (self.pause * 2).min(SETTLE_PAUSE_MAX);
    }
}
