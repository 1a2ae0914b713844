//! Saying something again, ever more rarely, until it is answered.

use crate::model::{Deadline, Now};

/// A pending repetition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    at: Deadline,
    wait_ms: u64,
}

/// The first repetition: longer than a round trip over a bad link.
const FIRST_MS: u64 = 2_000;
/// The slowest: a fleet that was away for days is heard again within minutes.
const SLOWEST_MS: u64 = 5 * 60 * 1_000;

impl Retry {
    /// Said just now.
    pub(crate) fn start(now: Now) -> Self {
        Self {
            at: Deadline(now.boot_ms + FIRST_MS),
            wait_ms: FIRST_MS,
        }
    }

    /// When to say it again.
    pub(crate) fn at(&self) -> Deadline {
        self.at
    }

    /// Whether it is to be said again now; if so, the next time is set.
    pub(crate) fn is_due(&mut self, now: Now) -> bool {
        if now.boot_ms < self.at.0 {
            return false;
        }
        self.wait_ms = (self.wait_ms * 2).min(SLOWEST_MS);
        self.at = Deadline(now.boot_ms + self.wait_ms);
        true
    }
}
