//! The one place that writes to stdout and stderr.

use std::io::{self, ErrorKind, Write};

/// Both streams. A reader that went away (`codling job list | head -1`) is not an error: what it does not read is lost.
#[derive(Debug)]
pub(super) struct Console;

impl Console {
    /// Writes `bytes` to stdout as they are.
    pub(super) fn out(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        forgive(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    }

    /// Writes a line to stdout.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.out(format!("{text}\n").as_bytes())
    }

    /// Writes `bytes` to stderr as they are. Where even that fails there is nobody left to tell.
    pub(super) fn err(&mut self, bytes: &[u8]) {
        let _ = io::stderr().lock().write_all(bytes);
    }

    /// Writes a line of our own to stderr, marked as ours.
    pub(super) fn tell(&mut self, text: &str) {
        self.err(format!("codling: {}\n", plain(text)).as_bytes());
    }

    /// Writes what to do about the line before.
    pub(super) fn hint(&mut self, text: &str) {
        if !text.is_empty() {
            self.err(format!("hint: {}\n", plain(text)).as_bytes());
        }
    }
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
