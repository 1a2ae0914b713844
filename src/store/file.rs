//! One of the two files: open, closed since a failure, or closed for good.
//!
//! ```text
//!            open ok                 a commit fails
//!   (start) ---------> [ open ] ----------------------> [ closed ] --- reopen ok ---> [ open ]
//!                        |                                  |
//!                        |  close                           |  reopen fails: stays closed
//! ```
//!
//! redb latches after an I/O error: every later call fails until the file is opened again. So a failed commit closes
//! the file at once, and readers see that there is nothing to read until it is back. The lock around the database is
//! held by readers for one bounded read and by the writer for one commit; taking it alone waits for both.

use super::ballast::Ballast;
use super::error::{StoreError, Trouble};
use super::meter::{Counters, FileCounts, Metered};
use super::place::{self, Found, Missing, Place};
use super::tables::{CONTENT_EXECUTIONS, CONTENT_JOBS, META, META_CONTENT, META_SCHEMA, SCHEMA};
use super::trial::{Flushes, Trial};
use crate::model::{FileCost, StoreRoom};
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend,
    TableError, WriteTransaction,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// redb's cache of each file. It is a ceiling, not a reservation; a scan of 35 MB stays under 3 MB of memory with it.
const CACHE_BYTES: usize = 256 * 1024;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Jobs,
    Executions,
}

impl Content {
    fn code(self) -> u64 {
        match self {
            Self::Jobs => CONTENT_JOBS,
            Self::Executions => CONTENT_EXECUTIONS,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Executions => "executions",
        }
    }

    fn make_tables(self, txn: &WriteTransaction) -> Result<(), Trouble> {
        match self {
            Self::Jobs => super::jobs::make_tables(txn),
            Self::Executions => super::executions::make_tables(txn),
        }
    }
}

/// What a file is opened on, again and again.
#[derive(Debug)]
enum Medium {
    File,
    Backend(Arc<dyn StorageBackend>),
}

/// One file.
#[derive(Debug)]
pub(super) struct StoreFile {
    content: Content,
    medium: Medium,
    /// Of a file; what stands in messages otherwise.
    path: PathBuf,
    counters: Arc<Counters>,
    /// Of a file.
    ballast: Option<Ballast>,
    /// Whether it had its tables before this start.
    age: Age,
    open: RwLock<Option<Open>>,
}

/// redb's database, which has no `Debug`.
struct Open(Database);

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Open")
    }
}

impl StoreFile {
    /// Opens the file of `content` at `place`, making it if it is missing.
    pub(super) fn open(content: Content, place: Place) -> Result<Self, StoreError> {
        let (medium, path) = match place {
            Place::File(path) => (Medium::File, path),
            Place::Memory => (
                Medium::Backend(Arc::new(InMemoryBackend::new())),
                PathBuf::from(format!("{} in memory", content.name())),
            ),
            Place::Backend(backend) => (
                Medium::Backend(backend),
                PathBuf::from(format!("{} on a backend", content.name())),
            ),
        };
        let ballast = match &medium {
            Medium::File => Some(Ballast::beside(&path)),
            Medium::Backend(_) => None,
        };
        let mut file = Self {
            content,
            medium,
            path,
            counters: Arc::default(),
            ballast,
            age: Age::New,
            open: RwLock::new(None),
        };
        file.age = file.fill(Missing::Make)?;
        Ok(file)
    }

    /// Opens the file again if it is closed.
    pub(super) fn reopen(&self) -> Result<(), StoreError> {
        if self.is_open() {
            return Ok(());
        }
        self.fill(Missing::Refuse).map(drop)
    }

    /// What the disk has room for, as far as is known.
    pub(super) fn room(&self) -> StoreRoom {
        match &self.ballast {
            Some(ballast) if !ballast.is_whole() => StoreRoom::EndsOnly,
            _ => StoreRoom::Enough,
        }
    }

    /// Makes the ballast if there is room for it now.
    pub(super) fn look_for_room(&self) {
        if let Some(ballast) = &self.ballast {
            ballast.make();
        }
    }

    /// Whether the file had its tables before this start.
    pub(super) fn age(&self) -> Age {
        self.age
    }

    /// Closes the file so that opening it again needs no repair; on a full disk it is closed all the same. Closing a
    /// closed file is fine.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        let closed = self.take().map_or(Ok(()), |open| open.0.close());
        match closed.map_err(|error| self.trouble(error)) {
            Err(error @ StoreError::Full { .. }) => {
                log::debug!("{error}: the next opening repairs it");
                Ok(())
            }
            other => other,
        }
    }

    /// One durable commit of what `apply` changes. On failure the file is closed and stays so until `reopen`; whether
    /// the commit has landed is not known before that.
    pub(super) fn commit(
        &self,
        apply: impl FnOnce(&WriteTransaction) -> Result<(), Trouble>,
    ) -> Result<(), StoreError> {
        let result = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            let Some(Open(database)) = open.as_ref() else {
                return Err(self.closed());
            };
            self.counters
                .commit_times
                .measure(|| commit(database, apply))
        };
        match result {
            Ok(()) => {
                self.counters.add_commit();
                Ok(())
            }
            Err(trouble) => {
                self.close_after(&trouble);
                Err(self.make_room(trouble.at(&self.path)))
            }
        }
    }

    /// After a failure for want of space the ballast is given up.
    fn make_room(&self, error: StoreError) -> StoreError {
        if let (StoreError::Full { .. }, Some(ballast)) = (&error, &self.ballast) {
            ballast.give_up();
        }
        error
    }

    /// Reads the state of the last durable commit. If the medium fails, the file is closed and stays so until `reopen`.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        let result = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            let Some(Open(database)) = open.as_ref() else {
                return Err(self.closed());
            };
            let txn = database.begin_read().map_err(Trouble::from);
            txn.and_then(|txn| read(&txn))
        };
        result.map_err(|trouble| {
            if trouble.is_latched() {
                self.close_after(&trouble);
            }
            trouble.at(&self.path)
        })
    }

    /// What this file has cost since the start.
    pub(super) fn counts(&self) -> FileCounts {
        self.counters.read()
    }

    /// The same for those who watch the node, with how long it took.
    pub(super) fn cost(&self) -> FileCost {
        let counts = self.counts();
        FileCost {
            file: self.content.name(),
            commits: counts.commits,
            bytes_written: counts.bytes_written,
            syncs: counts.syncs,
            commit_times: self.counters.commit_times.read(),
            sync_times: self.counters.sync_times.read(),
        }
    }

    fn close_after(&self, trouble: &Trouble) {
        if let Err(error) = self.close() {
            log::debug!("closing after {trouble:?}: {error}");
        }
    }

    fn is_open(&self) -> bool {
        self.open
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn take(&self) -> Option<Open> {
        self.open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn closed(&self) -> StoreError {
        StoreError::Closed {
            path: self.path.clone(),
        }
    }

    fn trouble(&self, error: impl Into<Trouble>) -> StoreError {
        error.into().at(&self.path)
    }

    /// Opens the file. What a repair needs on a full disk, the ballast has.
    fn fill(&self, missing: Missing) -> Result<Age, StoreError> {
        match (self.try_fill(missing), &self.ballast) {
            (Err(StoreError::Full { .. }), Some(ballast)) if ballast.give_up() => {
                self.try_fill(missing)
            }
            (other, _) => other,
        }
    }

    fn try_fill(&self, missing: Missing) -> Result<Age, StoreError> {
        let (database, age) = match &self.medium {
            Medium::Backend(backend) => self.start(Arc::clone(backend), Flushes::All)?,
            Medium::File => match place::find(&self.path, missing)? {
                Found::Existing(file) => self.start(self.backend(file)?, Flushes::All)?,
                Found::New(file) => {
                    let started = self.start(self.backend(file)?, Flushes::Last)?;
                    place::settle(&self.path)?;
                    started
                }
            },
        };
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Open(database));
        Ok(age)
    }

    fn backend(&self, file: std::fs::File) -> Result<Arc<dyn StorageBackend>, StoreError> {
        match FileBackend::new(file) {
            Ok(backend) => Ok(Arc::new(backend)),
            Err(error) => Err(self.trouble(error)),
        }
    }

    /// Opens redb, which verifies every page and repairs what a crash left, and makes the tables of a new file. Nothing
    /// of this reaches a file that is refused.
    fn start(
        &self,
        backend: Arc<dyn StorageBackend>,
        flushes: Flushes,
    ) -> Result<(Database, Age), StoreError> {
        let trial = Trial::new(Metered::new(backend, Arc::clone(&self.counters)));
        let database = match builder().create_with_backend(trial.clone()) {
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(place::in_use(&self.path)),
            other => other.map_err(|error| self.trouble(error))?,
        };
        let age = self.check(&database)?;
        if age == Age::New {
            commit(&database, |txn| self.make(txn)).map_err(|trouble| trouble.at(&self.path))?;
        }
        trial
            .accept(flushes)
            .map_err(|source| StoreError::io(&self.path, source))?;
        Ok((database, age))
    }

    fn make(&self, txn: &WriteTransaction) -> Result<(), Trouble> {
        let mut meta = txn.open_table(META)?;
        meta.insert(META_SCHEMA, SCHEMA)?;
        meta.insert(META_CONTENT, self.content.code())?;
        self.content.make_tables(txn)
    }

    fn check(&self, database: &Database) -> Result<Age, StoreError> {
        let wanted = self.content.name();
        match identify(database, &self.path, wanted)? {
            None => Ok(Age::New),
            Some(content) if content == self.content => Ok(Age::Known),
            Some(other) => Err(StoreError::NotOurs {
                path: self.path.clone(),
                found: other.name(),
                wanted,
            }),
        }
    }
}

/// What the file says it is; `None` of one without tables.
pub(super) fn identify(
    database: &Database,
    path: &Path,
    wanted: &'static str,
) -> Result<Option<Content>, StoreError> {
    let trouble = |error: redb::Error| Trouble::Redb(error).at(path);
    let not_ours = |found| StoreError::NotOurs {
        path: path.to_owned(),
        found,
        wanted,
    };
    let foreign = || not_ours("a redb database of another program");
    let txn = database
        .begin_read()
        .map_err(|error| trouble(error.into()))?;
    let meta = match txn.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => {
            let tables = txn.list_tables().map_err(|error| trouble(error.into()))?;
            return match tables.count() {
                0 => Ok(None),
                _ => Err(foreign()),
            };
        }
        Err(TableError::Storage(error)) => return Err(trouble(error.into())),
        Err(_) => return Err(foreign()),
    };
    let get = |key: &str| match meta.get(key) {
        Ok(value) => Ok(value.map(|value| value.value())),
        Err(error) => Err(trouble(error.into())),
    };
    let found = get(META_SCHEMA)?.ok_or_else(foreign)?;
    if found > SCHEMA {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found,
            known: SCHEMA,
        });
    }
    match get(META_CONTENT)? {
        Some(CONTENT_JOBS) => Ok(Some(Content::Jobs)),
        Some(CONTENT_EXECUTIONS) => Ok(Some(Content::Executions)),
        _ => Err(not_ours("something unknown")),
    }
}

/// Whether a file has its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    New,
    Known,
}

/// redb trusts a file that was closed cleanly: of one that a worn card has changed since, a plain open shows wrong
/// records or panics, and a panic aborts. The check finds every such change. It reads the file once, as the scan does
/// anyway: 2 ms for 1 MB, 20 ms for 9 MB, measured.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}

/// `Immediate` is redb's default durability: one flush, after which the commit survives a power cut.
fn commit(
    database: &Database,
    apply: impl FnOnce(&WriteTransaction) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let txn = database.begin_write()?;
    apply(&txn)?;
    txn.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_file_keeps_its_records_over_a_reopening() {
        let file = StoreFile::open(Content::Jobs, Place::Memory).unwrap();
        file.commit(|txn| {
            txn.open_table(META)?.insert("test", 7)?;
            Ok(())
        })
        .unwrap();
        file.close().unwrap();
        assert!(matches!(
            file.read(|_| Ok(())),
            Err(StoreError::Closed { .. })
        ));
        file.reopen().unwrap();
        let value = file.read(|txn| Ok(txn.open_table(META)?.get("test")?.map(|v| v.value())));
        assert_eq!(value.unwrap(), Some(7));
    }

    #[test]
    fn a_file_that_vanished_is_not_made_again_behind_the_back_of_its_node() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.db");
        let file = StoreFile::open(Content::Jobs, Place::File(path.clone())).unwrap();
        file.close().unwrap();
        file.reopen().unwrap();
        file.close().unwrap();
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(file.reopen(), Err(StoreError::Damaged { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(file.reopen(), Err(StoreError::Gone { .. })));
        assert!(!path.exists());
    }
}
