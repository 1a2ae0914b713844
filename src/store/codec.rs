//! Rows to bytes and back: minicbor maps with pinned numbers. Unknown numbers are skipped, absent ones are `None`.

use super::error::Trouble;
use super::tables::{EXECUTIONS, IMAGES, IMAGES_PULLED, JOB_EXECUTIONS, JOB_VERSIONS, JOBS};
use crate::model::{
    EarlierVersion, Execution, ExecutionRecord, ExecutionState, IdempotencyKey, Job, JobId,
    JobRecord, JobState, PulledImages, UnixMs,
};
use minicbor::{Decode, Decoder, Encode};
use redb::TableHandle;

/// What a job's row says of its parts in other tables; reading only this skips the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JobHead {
    /// The job's latest version.
    pub(super) version: u64,
    /// Bytes of the submitted JSON, if it is kept apart.
    pub(super) submitted_apart: Option<u64>,
    /// Chunks of executions, if any are kept apart.
    pub(super) chunks: Option<u32>,
    /// Earlier versions, if any are kept apart.
    pub(super) versions: Option<Vec<u64>>,
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
    #[n(3)]
    versions: Option<Vec<u64>>,
}

/// What a start needs of a job that is over. The rest of its record is passed over, for that would be most of the work.
#[derive(Debug, Decode)]
#[cbor(map)]
pub(super) struct JobOutline {
    #[n(0)]
    pub(super) job: OutlineOfJob,
    #[n(3)]
    executions: Vec<OutlineOfExecution>,
    #[n(6)]
    pub(super) idempotency: Option<IdempotencyKey>,
}

#[derive(Debug, Decode)]
#[cbor(map)]
pub(super) struct OutlineOfJob {
    #[n(0)]
    pub(super) id: JobId,
    #[n(1)]
    pub(super) name: String,
    #[n(2)]
    pub(super) namespace: String,
    #[n(10)]
    state: JobState,
    #[n(12)]
    pub(super) version: u64,
    #[n(13)]
    pub(super) revision: u64,
    #[n(15)]
    pub(super) modified: Option<UnixMs>,
}

#[derive(Debug, Decode)]
#[cbor(map)]
struct OutlineOfExecution {
    #[n(10)]
    state: ExecutionState,
}

impl JobOutline {
    /// As `JobRecord::is_live` has it, of executions that are all in the row.
    fn is_over(&self) -> bool {
        let open = |one: &OutlineOfExecution| !one.state.is_terminal();
        self.job.state.is_terminal() && !self.executions.iter().any(open)
    }
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
        versions: head.versions,
    };
    minicbor::to_vec(row)
        .map_err(|error| Trouble::record(JOBS.name(), record.job.id.as_str(), error))
}

pub(super) fn decode_job_head(key: &str, bytes: &[u8]) -> Result<JobHead, Trouble> {
    Ok(decode_outline(key, bytes)?.0)
}

fn decode_outline(key: &str, bytes: &[u8]) -> Result<(JobHead, JobOutline), Trouble> {
    let row: JobRow<JobOutline> =
        minicbor::decode(bytes).map_err(|error| Trouble::record(JOBS.name(), key, error))?;
    let head = JobHead {
        version: row.record.job.version,
        submitted_apart: row.submitted_apart,
        chunks: row.chunks,
        versions: row.versions,
    };
    Ok((head, row.record))
}

/// What a row says that is all there is of its job, if that job is over; and the bytes of its record, which is all in it
/// but for the row's own two.
pub(super) fn decode_ended_job(
    key: &str,
    bytes: &[u8],
) -> Result<Option<(JobOutline, usize)>, Trouble> {
    let (head, outline) = decode_outline(key, bytes)?;
    let whole = JobHead {
        version: head.version,
        ..JobHead::default()
    };
    let is_all = head == whole && outline.is_over();
    Ok(is_all.then_some((outline, bytes.len().saturating_sub(2))))
}

pub(super) fn decode_job(key: &str, bytes: &[u8]) -> Result<(JobHead, JobRecord), Trouble> {
    let row: JobRow<JobRecord> =
        minicbor::decode(bytes).map_err(|error| Trouble::record(JOBS.name(), key, error))?;
    let head = JobHead {
        version: row.record.job.version,
        submitted_apart: row.submitted_apart,
        chunks: row.chunks,
        versions: row.versions,
    };
    Ok((head, row.record))
}

/// The number of `JobRow::record`, and in it that of `JobRecord::job`.
const JOB_IN_ROW: [u32; 2] = [2, 0];

/// The job of a row. What comes after it is not even passed over, for that would be most of the work.
pub(super) fn decode_job_only(key: &str, bytes: &[u8]) -> Result<Job, Trouble> {
    let job = || {
        let mut row = Decoder::new(bytes);
        for number in JOB_IN_ROW {
            enter(&mut row, number)?;
        }
        row.decode()
    };
    job().map_err(|error| Trouble::record(JOBS.name(), key, error))
}

/// Goes to the value of `number` in the map that comes next.
fn enter(row: &mut Decoder<'_>, number: u32) -> Result<(), minicbor::decode::Error> {
    // Ours say how many entries follow; without that their end is no number, hence an error.
    for _ in 0..row.map()?.unwrap_or(u64::MAX) {
        if row.u32()? == number {
            return Ok(());
        }
        row.skip()?;
    }
    Err(minicbor::decode::Error::missing_value(i64::from(number)))
}

pub(super) fn encode_version(key: &str, version: &EarlierVersion) -> Result<Vec<u8>, Trouble> {
    minicbor::to_vec(version).map_err(|error| Trouble::record(JOB_VERSIONS.name(), key, error))
}

pub(super) fn decode_version(key: &str, bytes: &[u8]) -> Result<EarlierVersion, Trouble> {
    minicbor::decode(bytes).map_err(|error| Trouble::record(JOB_VERSIONS.name(), key, error))
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

pub(super) fn encode_images(images: &PulledImages) -> Result<Vec<u8>, Trouble> {
    minicbor::to_vec(images).map_err(|error| Trouble::record(IMAGES.name(), IMAGES_PULLED, error))
}

pub(super) fn decode_images(bytes: &[u8]) -> Result<PulledImages, Trouble> {
    minicbor::decode(bytes).map_err(|error| Trouble::record(IMAGES.name(), IMAGES_PULLED, error))
}
