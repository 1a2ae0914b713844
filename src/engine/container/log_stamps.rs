//! The stamps that Docker puts before each frame, and what they are good for in a log that is followed.
//!
//! A Docker 20.10 that rotates a log while it is followed gives the beginning of the new file twice, as much of it as there
//! was when it noticed. Within a stream the stamps only grow, so what comes again stands before what came last.

use super::super::OutputStream;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a stamp at most: `2026-11-25T10:27:28.839868141+01:00` and a blank.
pub(super) const STAMP_MAX: usize = 36;
/// Its part before the zone, which is that of the daemon.
const PLAIN_LENGTH: usize = 29;
/// How far back a frame may stand that comes again. What stands before that was stamped by a clock that was set back since,
/// and is new.
const REPEAT_NANOS_MAX: u128 = 60_000_000_000;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    Again,
}

/// Reads a stamp without its blank; `None` if it is none.
pub(super) fn parse(stamp: &[u8]) -> Option<u128> {
    let plain = str::from_utf8(stamp.get(..PLAIN_LENGTH)?).ok()?;
    let time: SystemTime = humantime::parse_rfc3339(&format!("{plain}Z")).ok()?;
    time.duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_nanos())
}

/// The latest stamps of both streams.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    stdout: Latest,
    stderr: Latest,
}

#[derive(Debug, Default)]
struct Latest {
    nanos: u128,
    /// Frames that had it: the parts of a long line share one.
    frames: u32,
    /// How many of those came again, while frames come again.
    again: Option<u32>,
}

impl Stamps {
    pub(super) fn judge(&mut self, stream: OutputStream, nanos: u128) -> Verdict {
        let latest = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        if nanos < latest.nanos && latest.nanos - nanos <= REPEAT_NANOS_MAX {
            latest.again = Some(0);
            return Verdict::Again;
        }
        if nanos != latest.nanos {
            *latest = Latest {
                nanos,
                frames: 1,
                again: None,
            };
            return Verdict::New;
        }
        match &mut latest.again {
            Some(again) if *again < latest.frames => {
                *again += 1;
                Verdict::Again
            }
            _ => {
                latest.frames = latest.frames.saturating_add(1);
                Verdict::New
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Again, New};
    use super::*;

    fn judged(stamps: &[u128]) -> Vec<Verdict> {
        let mut judge = Stamps::default();
        let stamps = stamps.iter();
        stamps
            .map(|nanos| judge.judge(OutputStream::Stdout, *nanos))
            .collect()
    }

    #[test]
    fn what_comes_again_is_passed_over_up_to_where_it_had_come() {
        assert_eq!(
            judged(&[10, 20, 20, 30, 30, 20, 20, 30, 30, 30, 40, 10, 40, 50]),
            [
                New, New, New, New, New, Again, Again, Again, Again, New, New, Again, Again, New
            ]
        );
    }

    #[test]
    fn frames_of_one_stamp_are_parts_of_a_line_and_all_new() {
        assert_eq!(judged(&[10, 10, 10, 20]), [New; 4]);
    }

    #[test]
    fn each_stream_has_its_own_order() {
        let mut judge = Stamps::default();
        assert_eq!(judge.judge(OutputStream::Stderr, 20), New);
        assert_eq!(judge.judge(OutputStream::Stdout, 10), New);
        assert_eq!(judge.judge(OutputStream::Stderr, 10), Again);
    }

    #[test]
    fn a_clock_that_was_set_back_hides_nothing() {
        let hour = 3_600_000_000_000;
        assert_eq!(judged(&[2 * hour, hour, hour + 1]), [New; 3]);
    }

    #[test]
    fn a_stamp_is_read_in_any_zone_and_nothing_else_is_one() {
        let nanos = parse(b"1970-01-01T00:00:01.000000002Z");
        assert_eq!(nanos, Some(1_000_000_002));
        assert_eq!(parse(b"1970-01-01T00:00:01.000000002+01:00"), nanos);
        for text in [&b"hello"[..], b"", b"a line that is long enough to be one"] {
            assert_eq!(parse(text), None);
        }
    }
}
