//! The output of the job that is run: its log, printed by a thread of its own while history is followed.

use super::super::client::Client;
use super::super::console::Console;
use super::super::interrupt::{Interrupts, Waited};
use super::super::log_socket::Piece;
use super::super::logs::{LogRead, may_pass, print};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Between tries while the node does not answer.
const SILENCE_PAUSE: Duration = Duration::from_millis(500);
/// Between two looks at the log of a job that has ended.
const LOOK: Duration = Duration::from_millis(100);
/// Looks in a row without news after which it is left: the node has awaited the engine for longer by then.
const QUIET_LOOKS: u32 = 200;

/// A log that is being printed.
#[derive(Debug)]
pub(super) struct Output {
    done: Receiver<Printed>,
    pieces: Arc<AtomicU64>,
}

/// How far it came.
#[derive(Debug)]
pub(super) struct Printed {
    /// Where the read stands.
    pub(super) read: LogRead,
    pub(super) end: PrintedEnd,
}

/// Whether the node said that this was all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrintedEnd {
    Whole,
    Broken,
}

/// What waiting for it came to.
#[derive(Debug)]
pub(super) enum Finished {
    Printed(Printed),
    /// It gives nothing any more, and does not end.
    Silent,
    Interrupted,
}

impl Output {
    /// Begins to print. Without a thread the output is printed at the end.
    pub(super) fn start(client: &Client, job: &str) -> Option<Self> {
        let (sender, done) = sync_channel(1);
        let pieces = Arc::new(AtomicU64::new(0));
        let (client, count) = (client.clone(), Arc::clone(&pieces));
        let read = LogRead::follow(job);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                // Nobody waits any more when the command has ended.
                let _ = sender.send(follow(&client, read, &count));
            })
            .ok()?;
        Some(Self { done, pieces })
    }

    /// Waits until the log of the ended job is printed, as long as it gives something.
    pub(super) fn finish(self, interrupts: &Interrupts) -> Finished {
        let mut seen = 0;
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            match self.done.recv_timeout(LOOK) {
                Ok(printed) => return Finished::Printed(printed),
                Err(RecvTimeoutError::Disconnected) => return Finished::Silent,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if interrupts.wait(Duration::ZERO) == Waited::Interrupted {
                return Finished::Interrupted;
            }
            let now = self.pieces.load(Ordering::Relaxed);
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
        Finished::Silent
    }
}

fn follow(client: &Client, mut read: LogRead, pieces: &AtomicU64) -> Printed {
    let mut console = Console;
    loop {
        let result = read.read(client, &mut |piece| {
            pieces.fetch_add(1, Ordering::Relaxed);
            print_whole(piece, &mut console)
        });
        let end = match result {
            Ok(()) => PrintedEnd::Whole,
            // That the node is away is told by whoever follows the history, and how long it is waited for decided there.
            Err(error) if may_pass(&error) => {
                std::thread::park_timeout(SILENCE_PAUSE);
                continue;
            }
            // Whoever ends the command finds it again, and says so.
            Err(_) => PrintedEnd::Broken,
        };
        return Printed { read, end };
    }
}

/// Prints; a reader of stdout that went away does not end the job.
pub(super) fn print_whole(piece: Piece, console: &mut Console) -> io::Result<()> {
    match print(piece, console) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
