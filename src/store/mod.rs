//! The store: what a node has promised, in two redb files.
//!
//! ```text
//!   commit(seq, batch)                                       ask(query)
//!         |                                                      |
//!         v                                                      v
//!   [queue of 2] -> writer thread                      [queue of 16] -> at most 2 reader threads
//!                      | 1. jobs.db        commit + flush        |
//!                      | 2. executions.db  commit + flush        | read transaction:
//!                      v                                         | the last durable commit
//!   reports  <- CommitDone{seq} | CommitFailed{seq, error}       v
//!               Reopened(state) | ReopenFailed{error}        StoreAnswer
//! ```
//!
//! All threads sleep in their queues without time-outs, and nothing is written unless a batch was given: an idle store
//! costs no wake-up and no byte.
//!
//! # Layout
//!
//! | File | Table | Key | Value |
//! |---|---|---|---|
//! | both | `meta` | `schema`, `content` | numbers, written when the file is made |
//! | `<NODE-ID>-requester/jobs.db` | `jobs-v1` | job id | one `JobRecord`: job, evaluation, up to 8 executions, recent history |
//! | | `job-executions-v1` | job id, chunk | 8 executions each, beyond the first 8 |
//! | | `job-submitted-v1` | job id | the submitted JSON, if longer than 4 KiB |
//! | | `job-versions-v1` | job id, version | one `EarlierVersion`: the job as it was before an update |
//! | `<NODE-ID>-compute/executions.db` | `executions-v1` | execution id | one `ExecutionRecord` with its job |
//! | | `images-v1` | `pulled` | the images that this node pulled |
//!
//! `tables` has the exact keys and values, `codec` the bytes. **Why so few rows.** Measured, a commit costs 29 kB of
//! flash for the first row it touches and 5 to 12 kB for each further one, almost regardless of how many tables they
//! lie in: a row costs its page, the pages of the tree above it and the header. So what counts is rows touched per
//! commit. Everything that changes together is one row, so a submission touches one row in each file and so does an
//! end: four one-row commits a job. There are no index tables; indexes are rebuilt in memory by the scan at the start.
//! What does not change together is kept apart when it is large: the submitted JSON is never written twice, and of many
//! executions only the chunk that changed is.
//!
//! Two files, not one, because the two roles are two promises to two parties, and because the paths are documented.
//! Their commits are ordered: jobs.db first, so that an execution which this node asked of itself is never known to the
//! compute role alone. What a power cut between the two means is `agent::recovery`'s to decide.
//!
//! # Failures
//!
//! | What happens | What follows |
//! |---|---|
//! | power cut in a commit | redb falls back to the commit before it; the next start repairs the file, no record moves |
//! | power cut while a file is made | it is made under another name and renamed; there is none, or a whole one |
//! | write or flush fails (full, I/O error) | `CommitFailed`; the file is closed, reads are `Unavailable`, until `reopen` has built the state again |
//! | there is no space | as above, and the file's ballast is given up (`ballast`): `room` says `EndsOnly` until a look finds space for it again |
//! | a read fails (I/O error) | `ReadFailed`; closed until `reopen`, for redb fails every later call, too |
//! | the second file fails after the first | `CommitFailed`; the first has landed, `reopen` shows it |
//! | a record cannot be decoded | `Damaged`, with its key; nothing is changed |
//! | a worn card changed a page | `Damaged`: every opening verifies the checksums of all pages, see `file` |
//! | directory, bolt file, in use, newer schema, not ours | an error at the start; the file stays as it is, byte for byte (`trial`) |
//! | damaged at the start | the file is moved aside as it is, or refused (`DamagedStore`); `agent::rebuild` makes good what the other file knows |
//!
//! **In memory** (store type `inmemory`) is redb on its own memory backend: one code path, one set of tests, and the
//! seam for tests that record or fail writes is redb's `StorageBackend`, not a trait of ours.
//!
//! **Architecture invariant.** Nothing but the writer thread writes, and readers never wait for it: a read sees the last
//! durable commit even while the next one is being flushed.

mod ballast;
mod codec;
mod error;
mod executions;
mod file;
mod files;
mod holder;
mod jobs;
mod latency;
mod meter;
mod offline;
mod place;
mod pool;
mod tables;
mod trial;
mod writer;

pub use error::{Holder, StoreError};
pub use files::{StoreConfig, StoreCounts};
pub use jobs::{READ_BYTES_MAX, READ_ROWS_MAX, TOKEN_AGE_MAX_MS, TOKENS_MAX};
pub use meter::FileCounts;
pub use offline::{
    Checked, Compacted, Existing, ExportError, Exported, ImportError, ImportTargets, Imported,
    check, compact, export, import,
};
pub use place::{Place, damaged_beside, make_directories, sync_parent};
pub use pool::ReadPool;
pub use writer::StoreReport;

use crate::model::{Batch, FileCost, Now, StoreAnswer, StoreQuery, StoreRoom, StoredState};
use async_channel::{Receiver, TrySendError};
use files::Files;
use std::sync::Arc;
use thiserror::Error;
use writer::{Command, REPORTS_MAX, Writer};

/// The store of one node. Dropping it closes the files on the writer thread; [`Store::close`] also waits for that.
#[derive(Debug)]
pub struct Store {
    files: Arc<Files>,
    writer: Writer,
    pool: ReadPool,
}

/// A command that the writer thread cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriterRefusal {
    /// The one before it is still under way.
    #[error("the store's writer has not finished what it was told before")]
    Busy,
    /// The writer thread has ended.
    #[error("the store's writer has ended")]
    Ended,
}

impl Store {
    /// Opens both files, makes what is missing, repairs what a crash left, and reads what is there. Blocks
    /// for some milliseconds, and 2 ms more for each MB.
    ///
    /// # Errors
    /// Every situation of [`StoreError`] that concerns opening; nothing that lies at a path already is overwritten. A
    /// damaged file is one of them only if it is not to be moved aside, or cannot be.
    pub fn open(config: StoreConfig, now: Now) -> Result<(Self, StoredState), StoreError> {
        let (files, state) = Files::open(&config, now)?;
        let files = Arc::new(files);
        let (outbox, reports) = async_channel::bounded(REPORTS_MAX);
        let store = Self {
            writer: Writer::start(Arc::clone(&files), outbox.clone(), reports)?,
            pool: ReadPool::new(Arc::clone(&files), outbox),
            files,
        };
        Ok((store, state))
    }

    /// The same on a thread of its own, for callers whose loop goes on meanwhile.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn opened(config: StoreConfig, now: Now) -> Result<(Self, StoredState), StoreError> {
        let (done, opened) = async_channel::bounded(1);
        std::thread::Builder::new()
            .name("store-opener".to_owned())
            .spawn(move || drop(done.send_blocking(Self::open(config, now))))
            .map_err(|source| StoreError::Thread { source })?;
        // Without a word it panicked, and its hook has said why.
        opened.recv().await.unwrap_or_else(|_| {
            let source = std::io::Error::other("the thread that opens the store has ended");
            Err(StoreError::Thread { source })
        })
    }

    /// Hands a batch to the writer thread: one commit per file that has rows, jobs.db first, each durable. `seq` comes
    /// back in the report. One batch is under way at a time, and at most two more commands wait for it.
    ///
    /// # Errors
    /// The batch was not taken.
    pub fn commit(&self, seq: u64, batch: Batch) -> Result<(), WriterRefusal> {
        self.tell(Command::Commit {
            seq,
            batch: Box::new(batch),
        })
    }

    /// Has the writer thread open again what a failure closed, and read both files. Reported as `Reopened` or
    /// `ReopenFailed`; call again after the latter.
    ///
    /// # Errors
    /// The command was not taken.
    pub fn reopen(&self, now: Now) -> Result<(), WriterRefusal> {
        self.tell(Command::Reopen { now })
    }

    /// Has the writer thread look whether a disk that was full has room again. Reported as `Looked`.
    ///
    /// # Errors
    /// The command was not taken.
    pub fn look_for_room(&self) -> Result<(), WriterRefusal> {
        self.tell(Command::LookForRoom)
    }

    /// What may be written now. Another one only after a report.
    #[must_use]
    pub fn room(&self) -> StoreRoom {
        self.files.room()
    }

    /// Where reports arrive: exactly one per command that was taken, in their order, and one in between when
    /// the medium fails a read. Must be read.
    #[must_use]
    pub fn reports(&self) -> Receiver<StoreReport> {
        self.writer.reports.clone()
    }

    /// Reads on the calling thread, which may block for the medium: at most [`READ_ROWS_MAX`] rows or
    /// [`READ_BYTES_MAX`] bytes. Never waits for the writer thread.
    #[must_use]
    pub fn answer(&self, query: &StoreQuery) -> StoreAnswer {
        self.pool.answer(query)
    }

    /// Reads on a thread of the pool. Dropping the future gives up the answer.
    pub fn ask(&self, query: StoreQuery) -> impl Future<Output = StoreAnswer> + Send + 'static {
        self.pool.ask(query)
    }

    /// The pool itself, for those who outlive a borrow of the store.
    #[must_use]
    pub fn reads(&self) -> ReadPool {
        self.pool.clone()
    }

    /// What both files have cost since the start.
    #[must_use]
    pub fn counts(&self) -> StoreCounts {
        self.files.counts()
    }

    /// The same for those who watch the node, with how long it took.
    #[must_use]
    pub fn costs(&self) -> Vec<FileCost> {
        self.files.costs()
    }

    /// Closes both files after what was told before, so that the next start needs no repair. Read the report of the
    /// last commit first: reports that come later are lost. Dropping the future does not stop the closing.
    ///
    /// # Errors
    /// The first file that could not be closed; its last commit is durable all the same.
    pub async fn close(self) -> Result<(), StoreError> {
        self.writer.reports.close();
        self.pool.close();
        let (done, closed) = async_channel::bounded(1);
        if self
            .writer
            .commands
            .send(Command::Close { done })
            .await
            .is_err()
        {
            return Ok(());
        }
        let result = closed.recv().await.unwrap_or(Ok(()));
        // It has said its last word, so this takes no time; a panic in it was printed by its hook.
        let _ = self.writer.thread.join();
        result
    }

    fn tell(&self, command: Command) -> Result<(), WriterRefusal> {
        self.writer
            .commands
            .try_send(command)
            .map_err(|refused| match refused {
                TrySendError::Full(_) => WriterRefusal::Busy,
                TrySendError::Closed(_) => WriterRefusal::Ended,
            })
    }
}
