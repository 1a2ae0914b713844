//! Lines for the operator on stderr. Repeats are folded, lengths bounded, and no stranger's text steers a terminal.
//!
//! ```text
//!  log::info! -- enabled? -- bounded (line.rs) -- folded (fold.rs) -- format (line.rs) -- stderr
//! ```
//! Nothing here starts a timer: the count of a repeated line is told with the next line after its window, or at the end.

mod fold;
mod line;

pub(super) use line::Style;

use crate::board::BootClock;
use crate::node::LogCounts;
use fold::{Fold, Told};
use line::Stamp;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// The crate whose lines are for operators; others are heard from `warn` up, and at `trace` in full.
const OWN: &str = "codling";
/// Whose lines from `info` down hold what passes through: a job's output. Never for a log.
const TALKATIVE: [&str; 2] = ["tungstenite", "async_tungstenite"];

/// Installs the logger of this process. A second call changes nothing.
pub(super) fn install(level: LevelFilter, style: Style, clock: BootClock, counts: Arc<LogCounts>) {
    let logger = Logger {
        level,
        style,
        clock,
        counts,
        fold: Mutex::new(Fold::default()),
    };
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(level);
    }
}

/// A line about what ends the process, in the format of its log and whatever its level.
pub(super) fn last_line(style: Style, clock: BootClock, text: &str) -> String {
    let told = Told {
        level: Level::Error,
        text: line::bounded(text).to_owned(),
        repeated: None,
    };
    style.line(&told, &stamp(clock)) + "\n"
}

struct Logger {
    level: LevelFilter,
    style: Style,
    clock: BootClock,
    counts: Arc<LogCounts>,
    fold: Mutex<Fold>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target().split("::").next().unwrap_or_default();
        let is_full = self.level == LevelFilter::Trace && !TALKATIVE.contains(&target);
        let limit = if target == OWN || is_full {
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
        let text = record.args().to_string();
        let bounded = line::bounded(&text);
        if bounded.len() < text.len() {
            self.counts.cut.fetch_add(1, Ordering::Relaxed);
        }
        let now_ms = self.clock.now().boot_ms;
        // A thread that panicked with the lock held aborted the process; in tests the table is still whole.
        let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        let told = fold.hear(record.level(), bounded, now_ms);
        if told.last().is_none_or(|told| told.repeated.is_some()) {
            self.counts.folded.fetch_add(1, Ordering::Relaxed);
        }
        self.write(&told);
    }

    /// Tells the counts that are left; called once, at the end.
    fn flush(&self) {
        let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        let told = fold.finish(self.clock.now().boot_ms);
        self.write(&told);
    }
}

impl Logger {
    fn write(&self, told: &[Told]) {
        let mut stderr = std::io::stderr().lock();
        for told in told {
            let mut text = self.style.line(told, &stamp(self.clock));
            text.push('\n');
            // Without stderr there is nobody to tell, but for the count.
            let counter = match stderr.write_all(text.as_bytes()) {
                Ok(()) => &self.counts.written,
                Err(_) => &self.counts.dropped,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// RFC 3339, or seconds since boot while the wall clock is not set.
fn stamp(clock: BootClock) -> Stamp {
    let now = clock.now();
    match now.wall {
        Some(wall) => Stamp::Wall(
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(wall.0))
                .to_string(),
        ),
        None => Stamp::Boot(now.boot_ms),
    }
}
