//! The one place that writes to stdout and stderr.

use super::table::Table;
use std::io::{self, ErrorKind, IsTerminal as _, Write};

/// Goes to the upper left corner; what is written then replaces the screen line by line, so nothing flickers.
const HOME: &str = "\x1b[H";
/// Clears the rest of a line.
const REST_OF_LINE: &str = "\x1b[K";
/// Clears everything below.
const REST_OF_SCREEN: &str = "\x1b[J";

/// Both streams. A reader that went away (`codling job list | head -1`) is not an error: what it does not read is lost.
#[derive(Debug)]
pub(super) struct Console;

impl Console {
    /// Writes `bytes` to stdout as they are.
    pub(super) fn out(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        forgive(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    }

    /// Writes `bytes` to stdout as they are; also a reader that went away is an error, so that an endless output ends.
    pub(super) fn pour(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    }

    /// Writes a line to stdout.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.out(format!("{text}\n").as_bytes())
    }

    /// Writes a table, cut to the terminal where stdout is one.
    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        self.out(
            table
                .render_within(terminal().map(|size| size.columns))
                .as_bytes(),
        )
    }

    /// Replaces what is on the screen, where stdout is a terminal; what does not fit its height is left out.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub(super) fn redraw(&mut self, table: &Table, size: TerminalSize) -> io::Result<()> {
        let text = table.render_within(Some(size.columns));
        let mut screen = HOME.to_owned();
        // The last line stays free, so that nothing scrolls.
        for line in text.lines().take(size.rows.saturating_sub(1)) {
            screen.push_str(line);
            screen.push_str(REST_OF_LINE);
            screen.push('\n');
        }
        screen.push_str(REST_OF_SCREEN);
        self.out(screen.as_bytes())
    }

    /// Writes `bytes` to stderr as they are. Where even that fails there is nobody left to tell.
    pub(super) fn err(&mut self, bytes: &[u8]) {
        let _ = io::stderr().lock().write_all(bytes);
    }

    /// Writes a line of our own to stderr, marked as ours.
    pub(super) fn tell(&mut self, text: &str) {
        self.err(format!("codling: {}\n", plain(text)).as_bytes());
    }

    /// Writes a line of our own to stderr over the one before, and leaves it open.
    pub(super) fn over(&mut self, text: &str) {
        self.err(format!("\rcodling: {}{REST_OF_LINE}", plain(text)).as_bytes());
    }

    /// Writes what to do about the line before.
    pub(super) fn hint(&mut self, text: &str) {
        if !text.is_empty() {
            self.err(format!("hint: {}\n", plain(text)).as_bytes());
        }
    }
}

/// How large a terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TerminalSize {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// Whether stderr is a terminal.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// The size of the terminal that stdout is; `None` where it is a file or a pipe, or has no size.
pub(super) fn terminal() -> Option<TerminalSize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stdout).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| TerminalSize {
        columns: usize::from(size.ws_col),
        rows: usize::from(size.ws_row),
    })
}

/// Text from elsewhere without what could steer a terminal; no colours are ever added, so NO_COLOR has nothing to do.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_control() && letter != '\n' {
                '?'
            } else {
                letter
            }
        })
        .collect()
}

fn forgive(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
