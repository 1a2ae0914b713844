//! Moments as clients read them.

use crate::model::UnixMs;
use std::time::{Duration, UNIX_EPOCH};

/// The zero time of Go: what is shown while the board's clock was not set.
const UNSET: &str = "0001-01-01T00:00:00Z";

/// The last moment with a four-digit year; later ones could not be read by anybody.
const LAST_MS: u64 = 253_402_300_799_999;

/// RFC 3339 with milliseconds (rest-api.md 3.8).
pub(super) fn rfc3339(moment: Option<UnixMs>) -> String {
    match moment {
        Some(UnixMs(ms)) if ms <= LAST_MS => {
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
        }
        _ => UNSET.to_owned(),
    }
}

/// Nanoseconds since 1970 (rest-api.md 3.3); 0 while the clock was not set.
pub(super) fn nanoseconds(moment: Option<UnixMs>) -> i64 {
    let UnixMs(ms) = moment.unwrap_or(UnixMs(0));
    i64::try_from(ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unset_clock_shows_the_zero_time_and_no_moment_panics() {
        assert_eq!(rfc3339(None), "0001-01-01T00:00:00Z");
        assert_eq!(rfc3339(Some(UnixMs(u64::MAX))), "0001-01-01T00:00:00Z");
        assert_eq!(rfc3339(Some(UnixMs(LAST_MS))), "9999-12-31T23:59:59.999Z");
        assert_eq!(
            rfc3339(Some(UnixMs(1_748_779_200_123))),
            "2025-06-01T12:00:00.123Z"
        );
        assert_eq!(nanoseconds(None), 0);
        assert_eq!(
            nanoseconds(Some(UnixMs(1_748_779_200_123))),
            1_748_779_200_123_000_000
        );
        assert_eq!(nanoseconds(Some(UnixMs(u64::MAX))), i64::MAX);
    }
}
