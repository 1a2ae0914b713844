//! Saying something again, ever more rarely, until it is answered.

use crate::model::{Deadline, Now};

/// A pending repetition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    at: Deadline,
    wait_ms: u64,
    pace: &'static Pace,
}

/// How long the waits are.
#[derive(Debug)]
struct Pace {
    first_ms: u64,
    slowest_ms: u64,
}

/// First longer than a round trip over a bad link; then so that a fleet that was away for days is heard again within
/// minutes.
const PACE: Pace = Pace {
    first_ms: 2_000,
    slowest_ms: 5 * 60 * 1_000,
};
/// First longer than any message is under way; then so rarely that a node sleeps through the days of a partition.
const RARE: Pace = Pace {
    first_ms: 5 * 60 * 1_000,
    slowest_ms: 60 * 60 * 1_000,
};

impl Retry {
    /// Said just now.
    pub(crate) fn start(now: Now) -> Self {
        Self::at_pace(&PACE, now)
    }

    /// To be said only if there is time: for what is nearly always known already.
    pub(crate) fn rare(now: Now) -> Self {
        Self::at_pace(&RARE, now)
    }

    fn at_pace(pace: &'static Pace, now: Now) -> Self {
        Self {
            at: Deadline(now.boot_ms + pace.first_ms),
            wait_ms: pace.first_ms,
            pace,
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
        self.wait_ms = (self.wait_ms * 2).min(self.pace.slowest_ms);
        self.at = Deadline(now.boot_ms + self.wait_ms);
        true
    }

    /// Whether it has been said again.
    pub(crate) fn was_due(&self) -> bool {
        self.wait_ms > self.pace.first_ms
    }
}
