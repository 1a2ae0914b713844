//! The writer thread: the only one that commits, reopens and closes. It sleeps in its queue, without a time-out.

use super::error::StoreError;
use super::files::Files;
use crate::model::{Batch, Now, StoredState};
use async_channel::{Receiver, Sender};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Commands that may wait behind the one under way: the agent has one batch in flight or one reopening, and the loop one
/// look for room, so that leaves room for one more at a clean stop.
const COMMANDS_MAX: usize = 2;
/// Reports that may wait: one for each command that can be under way, so that the writer never waits for its reader, and
/// one of a failed read, which closes the file that is read.
pub(super) const REPORTS_MAX: usize = COMMANDS_MAX + 2;
/// redb's deepest recursion is the height of its trees and minicbor's the depth of a record; both need a fraction of
/// it, and the default of 2 MiB counts where address space is limited.
const STACK_BYTES: usize = 256 * 1024;

/// What the writer thread is told.
#[derive(Debug)]
pub(super) enum Command {
    Commit {
        seq: u64,
        batch: Box<Batch>,
    },
    Reopen {
        now: Now,
    },
    LookForRoom,
    Close {
        done: Sender<Result<(), StoreError>>,
    },
}

/// What the writer thread says: exactly one report per command, in their order; and what readers say.
#[derive(Debug)]
pub enum StoreReport {
    /// Every row of the batch survives a power cut.
    CommitDone {
        /// As given to `commit`.
        seq: u64,
    },
    /// The batch, or the second half of it, may not have landed. The file that failed is closed: every later commit to
    /// it fails and every read finds it unavailable until `reopen` succeeds.
    CommitFailed {
        /// As given to `commit`.
        seq: u64,
        /// Why.
        error: StoreError,
    },
    /// The medium failed a read. The file is closed as after a failed commit; what was committed is not in question.
    ReadFailed {
        /// Why.
        error: StoreError,
    },
    /// Both files are open again, and hold this.
    Reopened(Box<StoredState>),
    /// Not yet; try again later.
    ReopenFailed {
        /// Why.
        error: StoreError,
    },
    /// There was a look for room; `Store::room` tells what it found.
    Looked,
}

/// The queue to the writer thread and the one back.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) commands: Sender<Command>,
    pub(super) reports: Receiver<StoreReport>,
    pub(super) thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(
        files: Arc<Files>,
        outbox: Sender<StoreReport>,
        reports: Receiver<StoreReport>,
    ) -> Result<Self, StoreError> {
        let (commands, orders) = async_channel::bounded(COMMANDS_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || run(&files, &orders, &outbox))
            .map_err(|source| StoreError::Thread { source })?;
        Ok(Self {
            commands,
            reports,
            thread,
        })
    }
}

fn run(files: &Files, orders: &Receiver<Command>, outbox: &Sender<StoreReport>) {
    while let Ok(command) = orders.recv_blocking() {
        let report = match command {
            Command::Commit { seq, batch } => match files.commit(*batch) {
                Ok(()) => StoreReport::CommitDone { seq },
                Err(error) => StoreReport::CommitFailed { seq, error },
            },
            Command::Reopen { now } => match files.reopen(now) {
                Ok(state) => StoreReport::Reopened(Box::new(state)),
                Err(error) => StoreReport::ReopenFailed { error },
            },
            Command::LookForRoom => {
                files.look_for_room();
                StoreReport::Looked
            }
            Command::Close { done } => {
                // Nobody waits when the close itself was given up.
                let _ = done.try_send(files.close());
                return;
            }
        };
        // A closed queue is a store on its way out: commits still in the queue are made.
        let _ = outbox.send_blocking(report);
    }
    if let Err(error) = files.close() {
        log::warn!("{error}");
    }
}
