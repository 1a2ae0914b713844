//! Rows of executions.db: written and scanned.

use super::codec;
use super::error::Trouble;
use super::tables::EXECUTIONS;
use crate::model::{EndedExecution, ExecutionId, ExecutionRecord, Write};
use redb::{ReadTransaction, WriteTransaction};
use std::collections::BTreeMap;

/// What a scan of executions.db found.
#[derive(Debug, Default)]
pub(super) struct ScannedExecutions {
    pub(super) live: Vec<ExecutionRecord>,
    pub(super) ended: Vec<EndedExecution>,
}

pub(super) fn make_tables(txn: &WriteTransaction) -> Result<(), Trouble> {
    txn.open_table(EXECUTIONS)?;
    Ok(())
}

pub(super) fn apply(
    txn: &WriteTransaction,
    writes: BTreeMap<ExecutionId, Write<Box<ExecutionRecord>>>,
) -> Result<(), Trouble> {
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

/// One pass over all executions; of an ended one whose outcome is acknowledged only what retention needs stays.
pub(super) fn scan(txn: &ReadTransaction) -> Result<ScannedExecutions, Trouble> {
    let mut scanned = ScannedExecutions::default();
    for next in txn.open_table(EXECUTIONS)?.range::<&str>(..)? {
        let (key, row) = next?;
        let record = codec::decode_execution(key.value(), row.value())?;
        if record.is_live() {
            scanned.live.push(record);
        } else {
            scanned.ended.push(EndedExecution::of(&record));
        }
    }
    Ok(scanned)
}
