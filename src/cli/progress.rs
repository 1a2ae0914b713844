//! How far long work is, on stderr: one line that is written over on a terminal, a line now and then elsewhere.

use super::console::{Console, is_watched};
use crate::board::BootClock;
use std::io::{self, Read};
use std::path::Path;

/// Between two looks of a person.
const PACE_WATCHED_MS: u64 = 250;
/// Between two lines of a log.
const PACE_LOGGED_MS: u64 = 10_000;

/// Bytes on their way from a reader. What is done before its first pace is over is done in silence.
#[derive(Debug)]
pub(super) struct Counted<R> {
    inner: R,
    /// How many there are in all, where that is known.
    total: Option<u64>,
    passed: u64,
    clock: BootClock,
    pace_ms: u64,
    told_ms: u64,
    line: Line,
}

/// What stands on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Nothing was told.
    None,
    /// A line that the next one is written over.
    Open,
    /// Lines that stay.
    Whole,
}

impl<R> Counted<R> {
    pub(super) fn new(inner: R, total: Option<u64>) -> Self {
        let clock = BootClock::read(Path::new("/"));
        Self {
            inner,
            total,
            passed: 0,
            clock,
            pace_ms: if is_watched() {
                PACE_WATCHED_MS
            } else {
                PACE_LOGGED_MS
            },
            told_ms: clock.now().boot_ms,
            line: Line::None,
        }
    }

    fn passed(&mut self, bytes: u64) {
        self.passed += bytes;
        let now_ms = self.clock.now().boot_ms;
        if now_ms.saturating_sub(self.told_ms) < self.pace_ms {
            return;
        }
        self.told_ms = now_ms;
        let passed = self.passed / 1_000_000;
        let text = match self.total {
            Some(total) => format!("sent {passed} of {} MB to the engine", total / 1_000_000),
            None => format!("sent {passed} MB to the engine"),
        };
        if self.pace_ms == PACE_WATCHED_MS {
            Console.over(&text);
            self.line = Line::Open;
        } else {
            Console.tell(&text);
            self.line = Line::Whole;
        }
    }

    /// The rest is the engine's work, which may take as long again.
    fn ended(&mut self) {
        let text = format!(
            "sent {} MB; the engine unpacks them",
            self.passed / 1_000_000
        );
        match std::mem::replace(&mut self.line, Line::None) {
            Line::None => {}
            Line::Open => {
                Console.over(&text);
                Console.err(b"\n");
            }
            Line::Whole => Console.tell(&text),
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match count {
            0 => self.ended(),
            count => self.passed(u64::try_from(count).unwrap_or(0)),
        }
        Ok(count)
    }
}

/// What is told next gets a line of its own.
impl<R> Drop for Counted<R> {
    fn drop(&mut self) {
        if self.line == Line::Open {
            Console.err(b"\n");
        }
    }
}
