//! `compact`: gives the pages that deleted records left back to the disk.
//!
//! DECISION: redb's own compaction and not a copy that is renamed. It moves pages down within the file, commit by commit,
//! each durable and whole, so an interruption at any point leaves every record; and it needs no room for a second copy
//! on the card that it is to relieve.

use super::super::error::{StoreError, Trouble};
use super::super::place::{Access, Place};
use super::{Offline, trouble};
use std::path::PathBuf;

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Which.
    pub path: PathBuf,
    /// Its size before.
    pub before: u64,
    /// And after.
    pub after: u64,
}

/// Compacts the file in place. May be interrupted at any time.
///
/// # Errors
/// The file cannot be opened, or not be written.
pub fn compact(place: &Place) -> Result<Compacted, StoreError> {
    let mut file = Offline::open(place, Access::Write)?;
    file.accept()?;
    let compacted = file.database.compact();
    compacted.map_err(|error| trouble(Trouble::from(error), &file.path))?;
    let Offline {
        database,
        path,
        bytes: before,
        trial,
        ..
    } = file;
    database.close().map_err(|error| trouble(error, &path))?;
    let after = trial.len_of(&path)?;
    Ok(Compacted {
        path,
        before,
        after,
    })
}
