//! Store files in an operator's hands while no node has them: checked, compacted, exported, imported.
//!
//! ```text
//!   check    reads on trial: no byte of the file changes, and one on a read-only card will do
//!   compact  in place, by redb: a sequence of commits, each of which a power cut leaves whole
//!   export   records as lines of JSON (`lines`), one in memory at a time
//!   import   lines -> <file>.import, checked -> renamed over the file
//! ```
//!
//! A file that a node has open is refused with its holder, as a second node is.

mod check;
mod compact;
mod export;
mod import;
mod lines;
mod readonly;

pub use check::{Checked, check};
pub use compact::{Compacted, compact};
pub use export::{ExportError, Exported, export};
pub use import::{Existing, ImportError, ImportTargets, Imported, import};

use super::error::{StoreError, Trouble};
use super::file::{Content, builder, identify};
use super::meter::Metered;
use super::place::{self, Access, Place};
use super::tables::{EXECUTIONS, JOBS};
use super::trial::{Flushes, Trial};
use readonly::ReadOnly;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTableMetadata,
    StorageBackend,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is looked for, in messages.
const WANTED: &str = "a store of codling";

/// A store file that is ours alone, verified as at the start of a node.
struct Offline {
    database: Database,
    content: Content,
    path: PathBuf,
    bytes: u64,
    trial: Trial,
}

impl Offline {
    /// Opens a file that is there. It is not changed before [`Offline::accept`], also not when this is dropped.
    fn open(place: &Place, access: Access) -> Result<Self, StoreError> {
        let (backend, path): (Arc<dyn StorageBackend>, _) = match place {
            Place::File(path) => {
                let file = place::existing(path, access)?;
                let backend: Arc<dyn StorageBackend> = match access {
                    Access::Read => Arc::new(ReadOnly(file)),
                    Access::Write => {
                        Arc::new(FileBackend::new(file).map_err(|error| trouble(error, path))?)
                    }
                };
                (backend, path.clone())
            }
            Place::Backend(backend) => (Arc::clone(backend), PathBuf::from("a backend")),
            Place::Memory => (Arc::new(InMemoryBackend::new()), PathBuf::from("memory")),
        };
        let trial = Trial::new(Metered::new(backend, Arc::default()));
        let bytes = trial.len_of(&path)?;
        let database = match builder().create_with_backend(trial.clone()) {
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(place::in_use(&path)),
            other => other.map_err(|error| trouble(error, &path))?,
        };
        let content = identify(&database, &path, WANTED)?.ok_or_else(|| StoreError::NotOurs {
            path: path.clone(),
            found: "an empty database",
            wanted: WANTED,
        })?;
        Ok(Self {
            database,
            content,
            path,
            bytes,
            trial,
        })
    }

    /// From here on the file changes.
    fn accept(&self) -> Result<(), StoreError> {
        let accepted = self.trial.accept(Flushes::All);
        accepted.map_err(|source| StoreError::io(&self.path, source))
    }

    /// How many jobs or executions it holds.
    fn records(&self) -> Result<u64, StoreError> {
        let txn = self.read()?;
        let table = match self.content {
            Content::Jobs => JOBS,
            Content::Executions => EXECUTIONS,
        };
        let counted = txn
            .open_table(table)
            .map_err(Trouble::from)
            .and_then(|table| Ok(table.len()?));
        counted.map_err(|trouble| trouble.at(&self.path))
    }

    fn read(&self) -> Result<ReadTransaction, StoreError> {
        let begun = self.database.begin_read();
        begun.map_err(|error| trouble(error, &self.path))
    }
}

fn trouble(error: impl Into<Trouble>, path: &Path) -> StoreError {
    error.into().at(path)
}
