//! Ctrl-C as something to wait for.

use async_signal::{Signal, Signals};
use futures_lite::StreamExt as _;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// One interrupt is enough: the command ends after the first.
const QUEUE: usize = 1;

/// SIGINT, SIGTERM and SIGHUP from now on.
#[derive(Debug)]
pub(super) struct Interrupts {
    arrivals: Receiver<()>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// The time.
    Elapsed,
    /// A signal.
    Interrupted,
}

impl Interrupts {
    /// Watches for signals on a thread of its own, since the commands' HTTP client blocks.
    ///
    /// # Errors
    /// The handlers cannot be installed, or no thread is left.
    pub(super) fn watch() -> io::Result<Self> {
        let mut signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup])?;
        let (sender, arrivals) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                // Further signals find the queue full and change nothing.
                while let Some(Ok(_)) = async_io::block_on(signals.next()) {
                    let _ = sender.try_send(());
                }
            })?;
        Ok(Self { arrivals })
    }

    /// Waits for `time` or a signal. Without its thread no signal comes any more, and time still passes.
    pub(super) fn wait(&self, time: Duration) -> Waited {
        match self.arrivals.recv_timeout(time) {
            Ok(()) => Waited::Interrupted,
            Err(RecvTimeoutError::Timeout) => Waited::Elapsed,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::park_timeout(time);
                Waited::Elapsed
            }
        }
    }
}
