//! A board's clocks: one that can be trusted since boot, and one that often cannot.

use codling::model::{BootId, Now, UnixMs};

/// What the wall clock shows at the beginning, when it is right: well after any build date.
const WALL_BEGIN_MS: u64 = 1_800_000_000_000;
/// When the program was built, a month before: a clock that stands before that is not believed.
const BUILT_MS: u64 = WALL_BEGIN_MS - 30 * 24 * 60 * 60 * 1_000;

/// One node's clocks, as an offset from the world's true time in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    boots: u8,
    booted_ms: u64,
    /// How far the wall clock is off, in milliseconds; `None` while it is not set.
    wall_off_ms: Option<i64>,
    /// How far behind and how far ahead it has been, as far as it was set.
    behind_ms: Option<i64>,
    ahead_ms: Option<i64>,
    has_stepped: bool,
}

impl Clock {
    pub(super) fn new(wall_off_ms: Option<i64>) -> Self {
        Self {
            boots: 1,
            booted_ms: 0,
            wall_off_ms,
            behind_ms: wall_off_ms,
            ahead_ms: wall_off_ms,
            has_stepped: false,
        }
    }

    /// What the node is told at true time `at_ms`.
    pub(super) fn now(&self, at_ms: u64) -> Now {
        Now {
            boot: BootId([self.boots; 16]),
            boot_ms: at_ms - self.booted_ms,
            wall: self.wall(at_ms),
        }
    }

    fn wall(&self, at_ms: u64) -> Option<UnixMs> {
        let wall_ms = (WALL_BEGIN_MS + at_ms).saturating_add_signed(self.wall_off_ms?);
        (wall_ms >= BUILT_MS).then_some(UnixMs(wall_ms))
    }

    /// The true time at which CLOCK_BOOTTIME shows `boot_ms`.
    pub(super) fn true_ms(&self, boot_ms: u64) -> u64 {
        self.booted_ms.saturating_add(boot_ms)
    }

    /// A reboot: CLOCK_BOOTTIME begins anew.
    pub(super) fn reboot(&mut self, at_ms: u64) {
        self.boots += 1;
        self.booted_ms = at_ms;
    }

    /// Someone sets the wall clock, or a board without battery loses it.
    pub(super) fn step(&mut self, wall_off_ms: Option<i64>) {
        self.has_stepped |= self.wall_off_ms != wall_off_ms;
        self.wall_off_ms = wall_off_ms;
        self.behind_ms = self.behind_ms.into_iter().chain(wall_off_ms).min();
        self.ahead_ms = self.ahead_ms.max(wall_off_ms);
    }

    /// How old something may look at true time `at_ms`, at the most.
    pub(super) fn oldest_ms(&self, at_ms: u64) -> u64 {
        let stepped = self.ahead_ms.zip(self.behind_ms);
        at_ms.saturating_add_signed(stepped.map_or(0, |(ahead, behind)| ahead - behind))
    }

    /// Whether the wall clock was ever set.
    pub(super) fn has_stepped(&self) -> bool {
        self.has_stepped
    }
}
