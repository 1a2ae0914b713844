//! Time as boards have it: a boot clock that can be trusted, and a wall clock that often cannot.

use minicbor::{Decode, Encode};
use std::time::{Duration, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct UnixMs(#[n(0)] pub u64);

/// The last moment with a four-digit year.
const LAST: UnixMs = UnixMs(253_402_300_799_999);

impl std::fmt::Display for UnixMs {
    /// RFC 3339 in UTC, to the second.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let moment = UNIX_EPOCH + Duration::from_millis((*self).min(LAST).0);
        write!(f, "{}", humantime::format_rfc3339_seconds(moment))
    }
}

/// The kernel's id of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct BootId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// A moment. `wall` is `None` while the clock stands before this program's build date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Now {
    /// Which boot `boot_ms` counts from.
    #[n(0)]
    pub boot: BootId,
    /// CLOCK_BOOTTIME in milliseconds; never steps, counts suspended time.
    #[n(1)]
    pub boot_ms: u64,
    /// The wall clock, when it can be believed.
    #[n(2)]
    pub wall: Option<UnixMs>,
}

impl Now {
    /// Milliseconds from `self` to `later`: exact within one boot; across boots by the wall clock if both are set, else
    /// nothing has passed. Never negative.
    #[must_use]
    pub fn until(&self, later: &Now) -> u64 {
        if self.boot == later.boot {
            return later.boot_ms.saturating_sub(self.boot_ms);
        }
        match (self.wall, later.wall) {
            (Some(from), Some(to)) => to.0.saturating_sub(from.0),
            _ => 0,
        }
    }
}

/// Call `handle(Event::Timeout, ..)` at or after this value of CLOCK_BOOTTIME in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(pub u64);

/// A span that counts on through restarts and reboots. A step of the wall clock within one boot moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Timer {
    /// When the span was last anchored.
    #[n(0)]
    pub since: Now,
    /// Milliseconds spent before that.
    #[n(1)]
    pub spent_ms: u64,
    /// Milliseconds allowed.
    #[n(2)]
    pub limit_ms: u64,
}

impl Timer {
    /// Starts counting at `now`.
    #[must_use]
    pub fn start(now: Now, limit_ms: u64) -> Self {
        Self {
            since: now,
            spent_ms: 0,
            limit_ms,
        }
    }

    /// Milliseconds spent so far.
    #[must_use]
    pub fn spent(&self, now: Now) -> u64 {
        self.spent_ms.saturating_add(self.since.until(&now))
    }

    /// Whether the limit is reached.
    #[must_use]
    pub fn is_due(&self, now: Now) -> bool {
        self.spent(now) >= self.limit_ms
    }

    /// The same span anchored at `now`, as done after a restart, so that `deadline` speaks of this boot.
    #[must_use]
    pub fn rebase(&self, now: Now) -> Self {
        Self {
            since: now,
            spent_ms: self.spent(now),
            limit_ms: self.limit_ms,
        }
    }

    /// When the limit is reached on this boot's clock. Only meaningful once anchored in this boot (`rebase`).
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        Deadline(
            self.since
                .boot_ms
                .saturating_add(self.limit_ms.saturating_sub(self.spent_ms)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot: u8, boot_ms: u64, wall: Option<u64>) -> Now {
        Now {
            boot: BootId([boot; 16]),
            boot_ms,
            wall: wall.map(UnixMs),
        }
    }

    #[test]
    fn a_moment_is_shown_in_utc_and_the_last_that_can_be_is_the_end_of_the_year_9999() {
        assert_eq!(
            UnixMs(1_748_779_200_999).to_string(),
            "2025-06-01T12:00:00Z"
        );
        assert_eq!(UnixMs(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn a_wall_clock_step_within_one_boot_moves_no_timer() {
        let timer = Timer::start(at(1, 1_000, Some(5)), 10_000);
        assert_eq!(timer.spent(at(1, 3_000, Some(900_000_000))), 2_000);
        assert_eq!(timer.spent(at(1, 3_000, None)), 2_000);
    }

    #[test]
    fn across_boots_the_wall_clock_counts_only_when_both_ends_know_it() {
        let timer = Timer::start(at(1, 1_000, Some(50_000)), 10_000);
        assert_eq!(timer.spent(at(2, 10, Some(57_000))), 7_000);
        assert_eq!(timer.spent(at(2, 10, None)), 0);
        assert_eq!(timer.spent(at(2, 10, Some(1))), 0);
    }

    #[test]
    fn a_rebased_timer_keeps_what_was_spent() {
        let timer = Timer::start(at(1, 0, Some(50_000)), 10_000).rebase(at(2, 100, Some(54_000)));
        assert_eq!(timer.deadline(), Deadline(100 + 6_000));
        assert!(!timer.is_due(at(2, 6_099, None)));
        assert!(timer.is_due(at(2, 6_100, None)));
    }
}
