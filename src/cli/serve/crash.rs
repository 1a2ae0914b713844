//! What a panic leaves before it ends the process: a report on stderr and in the data directory.
//!
//! A panic is a bug, and nothing that runs on after one can be trusted; what was promised is on disk. So the hook reports and
//! aborts, in every build, and the init system starts the node again, which tells of it.

use crate::board::BootClock;
use crate::config::Surroundings;
use crate::node::{CRASH_BYTES_MAX, CRASH_FILE, Recent};
use std::backtrace::Backtrace;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Most bytes of a panic's own words.
const MESSAGE_MAX: usize = 1_024;

/// What a report needs, kept by the hook: it is the one thing of a process that all its nodes share.
#[derive(Debug)]
pub(super) struct CrashReport {
    /// Where `crash.txt` goes.
    pub(super) data_dir: PathBuf,
    /// What happened last.
    pub(super) recent: Arc<Recent>,
    /// Which build this is.
    pub(super) build_id: Option<String>,
    /// What time it is.
    pub(super) clock: BootClock,
}

impl CrashReport {
    /// From now on a panic of any thread is reported and ends the process.
    pub(super) fn install(self) {
        std::panic::set_hook(Box::new(move |panic| {
            let report = self.text(panic);
            // Nothing more can be done where one of them fails.
            let _ = io::stderr().lock().write_all(report.as_bytes());
            let _ = keep(&self.data_dir, &report);
            std::process::abort();
        }));
    }

    fn text(&self, panic: &PanicHookInfo<'_>) -> String {
        let message = panic
            .payload()
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.payload().downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no words");
        let message: String = message
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .take(MESSAGE_MAX)
            .collect();
        let location = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let now = self.clock.now();
        let time = now.wall.map_or_else(
            || "clock not set".to_owned(),
            |wall| {
                let time = UNIX_EPOCH + Duration::from_millis(wall.0);
                humantime::format_rfc3339_seconds(time).to_string()
            },
        );
        let mut text = String::with_capacity(CRASH_BYTES_MAX);
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "codling {} crashed at {location}: {message}\nbuild: {}\ntime: {time}, boot+{}.{:03}s\nthread: {}\nlast events:\n",
            env!("CARGO_PKG_VERSION"),
            self.build_id.as_deref().unwrap_or("unknown"),
            now.boot_ms / 1_000,
            now.boot_ms % 1_000,
            std::thread::current().name().unwrap_or("unnamed"),
        );
        match self.recent.lines_if_free() {
            Some(lines) => lines.iter().for_each(|line| {
                let _ = writeln!(text, "  {line}");
            }),
            None => text.push_str("  (were being written)\n"),
        }
        let _ = writeln!(text, "loaded at: {}", loaded_at());
        let _ = write!(text, "stack:\n{:#}", Backtrace::force_capture());
        let mut end = text.len().min(CRASH_BYTES_MAX - 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('\n');
        text
    }
}

/// Where the kernel has loaded this program: the addresses of the stack less this are those of its symbols.
fn loaded_at() -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let program = fs::read_link("/proc/self/exe").unwrap_or_default();
    let program = program.display().to_string();
    maps.lines()
        .find(|line| line.ends_with(&program))
        .and_then(|line| line.split('-').next())
        .map_or_else(|| "unknown".to_owned(), |start| format!("0x{start}"))
}

/// Written beside and renamed, so that a full disk keeps the report before this one. For the node's own user alone.
fn keep(data_dir: &Path, report: &str) -> io::Result<()> {
    let beside = data_dir.join(format!("{CRASH_FILE}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(report.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, data_dir.join(CRASH_FILE))
}

/// A debug build panics when its engine goes away if this variable is set, so that tests see what a real crash leaves.
#[cfg(debug_assertions)]
const PLANTED: Option<&str> = Some("CODLING_TEST_PANIC");
/// No such thing in a release.
#[cfg(not(debug_assertions))]
const PLANTED: Option<&str> = None;

/// Whether a crash is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planted {
    /// Nobody asks.
    Nowhere,
    /// When no engine answers.
    WhenTheEngineGoes,
}

impl Planted {
    /// As the environment says.
    pub(super) fn read(around: &Surroundings) -> Self {
        match PLANTED.and_then(|name| around.variable(name)) {
            Some(_) => Self::WhenTheEngineGoes,
            None => Self::Nowhere,
        }
    }
}
