//! Rows to bytes and back: minicbor maps with pinned numbers. Unknown numbers are skipped, absent ones are `None`.

use super::error::Trouble;
use super::tables::{EXECUTIONS, JOB_EXECUTIONS, JOBS};
use crate::model::{Execution, ExecutionRecord, JobRecord};
use minicbor::{Decode, Encode};
use redb::TableHandle;

/// What a job's row says of its parts in other tables; reading only this skips the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Decode)]
#[cbor(map)]
pub(super) struct JobHead {
    /// Bytes of the submitted JSON, if it is kept apart.
    #[n(0)]
    pub(super) submitted_apart: Option<u64>,
    /// Chunks of executions, if any are kept apart.
    #[n(1)]
    pub(super) chunks: Option<u32>,
}

/// A job's row. The record lacks what is kept apart.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct JobRow<T> {
    #[n(0)]
    submitted_apart: Option<u64>,
    #[n(1)]
    chunks: Option<u32>,
    #[n(2)]
    record: T,
}

/// A chunk of executions.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct ChunkRow<T> {
    #[n(0)]
    executions: T,
}

pub(super) fn encode_job(head: JobHead, record: &JobRecord) -> Result<Vec<u8>, Trouble> {
    let row = JobRow {
        submitted_apart: head.submitted_apart,
        chunks: head.chunks,
        record,
    };
    minicbor::to_vec(row)
        .map_err(|error| Trouble::record(JOBS.name(), record.job.id.as_str(), error))
}

pub(super) fn decode_job_head(key: &str, bytes: &[u8]) -> Result<JobHead, Trouble> {
    minicbor::decode(bytes).map_err(|error| Trouble::record(JOBS.name(), key, error))
}

pub(super) fn decode_job(key: &str, bytes: &[u8]) -> Result<(JobHead, JobRecord), Trouble> {
    let row: JobRow<JobRecord> =
        minicbor::decode(bytes).map_err(|error| Trouble::record(JOBS.name(), key, error))?;
    let head = JobHead {
        submitted_apart: row.submitted_apart,
        chunks: row.chunks,
    };
    Ok((head, row.record))
}

pub(super) fn encode_chunk(key: &str, executions: &[Execution]) -> Result<Vec<u8>, Trouble> {
    minicbor::to_vec(ChunkRow { executions })
        .map_err(|error| Trouble::record(JOB_EXECUTIONS.name(), key, error))
}

pub(super) fn decode_chunk(key: &str, bytes: &[u8]) -> Result<Vec<Execution>, Trouble> {
    minicbor::decode::<ChunkRow<Vec<Execution>>>(bytes)
        .map(|row| row.executions)
        .map_err(|error| Trouble::record(JOB_EXECUTIONS.name(), key, error))
}

pub(super) fn encode_execution(record: &ExecutionRecord) -> Result<Vec<u8>, Trouble> {
    minicbor::to_vec(record)
        .map_err(|error| Trouble::record(EXECUTIONS.name(), record.id.as_str(), error))
}

pub(super) fn decode_execution(key: &str, bytes: &[u8]) -> Result<ExecutionRecord, Trouble> {
    minicbor::decode(bytes).map_err(|error| Trouble::record(EXECUTIONS.name(), key, error))
}
