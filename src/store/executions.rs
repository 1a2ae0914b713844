//! Rows of executions.db: written and scanned.

use super::codec;
use super::error::Trouble;
use super::tables::{EXECUTIONS, IMAGES, IMAGES_PULLED};
use crate::model::{EndedExecution, ExecutionId, ExecutionRecord, PulledImages, Write};
use redb::{ReadTransaction, TableError, WriteTransaction};
use std::collections::BTreeMap;

/// What a scan of executions.db found.
#[derive(Debug, Default)]
pub(super) struct ScannedExecutions {
    pub(super) live: Vec<ExecutionRecord>,
    pub(super) ended: Vec<EndedExecution>,
    pub(super) images: PulledImages,
}

pub(super) fn make_tables(txn: &WriteTransaction) -> Result<(), Trouble> {
    txn.open_table(EXECUTIONS)?;
    Ok(())
}

pub(super) fn apply(
    txn: &WriteTransaction,
    writes: BTreeMap<ExecutionId, Write<Box<ExecutionRecord>>>,
    images: Option<PulledImages>,
) -> Result<(), Trouble> {
    if let Some(images) = images {
        let row = codec::encode_images(&images)?;
        txn.open_table(IMAGES)?
            .insert(IMAGES_PULLED, row.as_slice())?;
    }
    let mut executions = txn.open_table(EXECUTIONS)?;
    for (id, write) in writes {
        match write {
            Write::Put(record) => {
                let row = codec::encode_execution(&record)?;
                executions.insert(id.as_str(), row.as_slice())?;
            }
            Write::Delete => {
                executions.remove(id.as_str())?;
            }
        }
    }
    Ok(())
}

/// The images that this node pulled.
pub(super) fn images(txn: &ReadTransaction) -> Result<PulledImages, Trouble> {
    match images_row(txn)? {
        Some(row) => codec::decode_images(&row),
        None => Ok(PulledImages::default()),
    }
}

/// The same as it is stored, if any were pulled.
pub(super) fn images_row(txn: &ReadTransaction) -> Result<Option<Vec<u8>>, Trouble> {
    match txn.open_table(IMAGES) {
        Ok(table) => Ok(table.get(IMAGES_PULLED)?.map(|row| row.value().to_vec())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// One pass over all executions; of an ended one whose outcome is acknowledged only what retention needs stays.
pub(super) fn scan(txn: &ReadTransaction) -> Result<ScannedExecutions, Trouble> {
    let mut scanned = ScannedExecutions {
        images: images(txn)?,
        ..ScannedExecutions::default()
    };
    for next in txn.open_table(EXECUTIONS)?.range::<&str>(..)? {
        let (key, row) = next?;
        let record = codec::decode_execution(key.value(), row.value())?;
        if record.is_live() {
            scanned.live.push(record);
        } else {
            let bytes = u64::try_from(row.value().len()).unwrap_or(u64::MAX);
            scanned.ended.push(EndedExecution::stored(&record, bytes));
        }
    }
    Ok(scanned)
}
