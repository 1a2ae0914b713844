//! Lines for the operator on stderr: time, level, message. Repeats are folded.

use crate::board::BootClock;
use log::{LevelFilter, Log, Metadata, Record};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// The crate whose lines are for operators; others are heard from `warn` up, and at `trace` in full.
const OWN: &str = "codling";

/// Installs the logger of this process. A second call changes nothing.
pub(super) fn install(level: LevelFilter, clock: BootClock) {
    let logger = Logger {
        level,
        clock,
        last: Mutex::new(Repeats::default()),
    };
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(level);
    }
}

struct Logger {
    level: LevelFilter,
    clock: BootClock,
    last: Mutex<Repeats>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_own = metadata.target().split("::").next() == Some(OWN);
        let limit = if is_own || self.level == LevelFilter::Trace {
            self.level
        } else {
            self.level.min(LevelFilter::Warn)
        };
        metadata.level() <= limit
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = format!(
            "{:<5} {}",
            record.level(),
            super::console::plain(&record.args().to_string())
        );
        // A thread that panicked with the lock held aborted the process; in tests the text is still whole.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stderr = std::io::stderr().lock();
        let stamp = self.stamp();
        for text in last.fold(line) {
            // Without stderr there is nobody to tell.
            let _ = writeln!(stderr, "{stamp} {text}");
        }
    }

    fn flush(&self) {}
}

impl Logger {
    /// RFC 3339, or seconds since boot while the wall clock is not set.
    fn stamp(&self) -> String {
        let now = self.clock.now();
        match now.wall {
            Some(wall) => {
                humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(wall.0))
                    .to_string()
            }
            None => format!("boot+{}.{:03}s", now.boot_ms / 1_000, now.boot_ms % 1_000),
        }
    }
}

/// The last line and how often it came again.
#[derive(Default)]
struct Repeats {
    line: String,
    again: u64,
}

impl Repeats {
    /// What to write now that `line` came: it, once; its 10th, 100th, 1,000th repeat with the count; and the count of
    /// the line before when another one ends a series.
    fn fold(&mut self, line: String) -> Vec<String> {
        if line == self.line {
            self.again += 1;
            return if self.again >= 10 && is_power_of_ten(self.again) {
                vec![format!("{line} (again, {} times)", self.again)]
            } else {
                Vec::new()
            };
        }
        let mut lines = Vec::new();
        if self.again > 0 && !is_power_of_ten(self.again) || self.again == 1 {
            lines.push(format!("{} (again, {} times)", self.line, self.again));
        }
        lines.push(line.clone());
        *self = Self { line, again: 0 };
        lines
    }
}

fn is_power_of_ten(mut number: u64) -> bool {
    while number >= 10 && number.is_multiple_of(10) {
        number /= 10;
    }
    number == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_line_is_folded_with_a_count_and_none_is_lost() {
        let mut repeats = Repeats::default();
        let mut written = Vec::new();
        for line in std::iter::repeat_n("a", 13).chain(["b", "b", "c"]) {
            written.extend(repeats.fold(line.to_owned()));
        }
        assert_eq!(
            written,
            [
                "a",
                "a (again, 10 times)",
                "a (again, 12 times)",
                "b",
                "b (again, 1 times)",
                "c"
            ]
        );
    }
}
