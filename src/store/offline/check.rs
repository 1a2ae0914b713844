//! `check`: whether a node could read everything that a file holds.

use super::super::codec;
use super::super::error::{StoreError, Trouble};
use super::super::executions::images;
use super::super::file::Content;
use super::super::jobs::whole;
use super::super::place::{Access, Place};
use super::super::tables::{EXECUTIONS, JOB_EXECUTIONS, JOB_SUBMITTED, JOB_VERSIONS, JOBS};
use super::{Offline, trouble};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableError, TableHandle};
use std::path::PathBuf;

/// Bad records that are named; the others are counted.
const NAMED_MAX: usize = 16;

/// What a store file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Which.
    pub path: PathBuf,
    /// `jobs` or `executions`.
    pub content: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Records that a node would take up where it left off.
    pub live: u64,
    /// Records of what is over.
    pub ended: u64,
    /// How many records cannot be read, or belong to nothing.
    pub bad: u64,
    /// What is wrong with the first 16 of them.
    pub named: Vec<String>,
}

impl Checked {
    fn complain(&mut self, trouble: &Trouble) {
        self.bad += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(trouble.to_string());
        }
    }
}

/// Verifies every page and decodes every record. The file stays as it is, byte for byte.
///
/// # Errors
/// The file cannot be opened: not there, not ours, in use, or damaged below its records. A record that cannot be read is
/// no error but counted.
pub fn check(place: &Place) -> Result<Checked, StoreError> {
    let mut file = Offline::open(place, Access::Read)?;
    let sound = file.database.check_integrity();
    if !sound.map_err(|error| trouble(error, &file.path))? {
        return Err(StoreError::Damaged {
            path: file.path.clone(),
            what: "its list of free pages is wrong".to_owned(),
        });
    }
    let mut checked = Checked {
        path: file.path.clone(),
        content: file.content.name(),
        bytes: file.bytes,
        live: 0,
        ended: 0,
        bad: 0,
        named: Vec::new(),
    };
    let txn = file.read()?;
    match file.content {
        Content::Jobs => jobs(&txn, &mut checked).and_then(|()| strays(&txn, &mut checked)),
        Content::Executions => executions(&txn, &mut checked),
    }
    .map_err(|trouble| trouble.at(&file.path))?;
    Ok(checked)
}

fn jobs(txn: &ReadTransaction, checked: &mut Checked) -> Result<(), Trouble> {
    for next in txn.open_table(JOBS)?.range::<&str>(..)? {
        let (key, row) = next?;
        match whole(txn, key.value(), row.value()) {
            Ok(record) if record.job.id.as_str() != key.value() => {
                checked.complain(&Trouble::record(JOBS.name(), key.value(), record.job.id));
            }
            Ok(record) if record.is_live() => checked.live += 1,
            Ok(_) => checked.ended += 1,
            Err(trouble @ Trouble::Record(_)) => checked.complain(&trouble),
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(())
}

/// Parts of jobs that no job names.
fn strays(txn: &ReadTransaction, checked: &mut Checked) -> Result<(), Trouble> {
    let jobs = txn.open_table(JOBS)?;
    // A row that cannot be read was counted.
    let head = |key: &str| -> Result<_, Trouble> {
        let row = jobs.get(key)?;
        Ok(row.map(|row| codec::decode_job_head(key, row.value()).ok()))
    };
    let no_job = |table: &str, key: &str| Trouble::record(table, key, "no job has it");
    for next in txn.open_table(JOB_EXECUTIONS)?.iter()? {
        let (key, _) = next?;
        let (job, number) = key.value();
        let is_named = head(job)?.is_some_and(|head| {
            head.is_none_or(|head| head.chunks.is_some_and(|chunks| number < chunks))
        });
        if !is_named {
            checked.complain(&no_job(JOB_EXECUTIONS.name(), job));
        }
    }
    for next in txn.open_table(JOB_SUBMITTED)?.iter()? {
        let (key, _) = next?;
        let is_named = head(key.value())?
            .is_some_and(|head| head.is_none_or(|head| head.submitted_apart.is_some()));
        if !is_named {
            checked.complain(&no_job(JOB_SUBMITTED.name(), key.value()));
        }
    }
    let versions: ReadOnlyTable<(&str, u64), &[u8]> = match txn.open_table(JOB_VERSIONS) {
        Ok(versions) => versions,
        // Made with the first update of a job.
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for next in versions.iter()? {
        let (key, _) = next?;
        let (job, version) = key.value();
        let is_named = head(job)?.is_some_and(|head| {
            head.is_none_or(|head| head.versions.is_some_and(|all| all.contains(&version)))
        });
        if !is_named {
            checked.complain(&no_job(JOB_VERSIONS.name(), job));
        }
    }
    Ok(())
}

fn executions(txn: &ReadTransaction, checked: &mut Checked) -> Result<(), Trouble> {
    for next in txn.open_table(EXECUTIONS)?.range::<&str>(..)? {
        let (key, row) = next?;
        match codec::decode_execution(key.value(), row.value()) {
            Ok(record) if record.id.as_str() != key.value() => {
                checked.complain(&Trouble::record(EXECUTIONS.name(), key.value(), record.id));
            }
            Ok(record) if record.is_live() => checked.live += 1,
            Ok(_) => checked.ended += 1,
            Err(trouble) => checked.complain(&trouble),
        }
    }
    match images(txn) {
        Err(trouble @ Trouble::Record(_)) => {
            checked.complain(&trouble);
            Ok(())
        }
        other => other.map(drop),
    }
}
