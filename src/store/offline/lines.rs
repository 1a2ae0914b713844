//! The lines of an export.
//!
//! One JSON object a line, each with one member that says what it is:
//!
//! | Line | Member | Holds |
//! |---|---|---|
//! | first | `Store` | `Format` (1), `Version` of this program, `Node` if it is known, `Files`: which of `jobs`, `executions` |
//! | a job | `Job` | `ID`, `Name`, `Namespace`, `State`, `Modified` (Unix milliseconds) to read and search; its rows |
//! | an execution | `Execution` | `ID`, `JobID`, `State`; its row |
//! | images | `Images` | `Names` of the images that the node pulled; their row |
//! | last | `End` | how many `Jobs` and `Executions` came: without it the export is not whole |
//!
//! DECISION: rows are the stored bytes (CBOR with pinned numbers, `tables`) in base64, not a second form of every record.
//! The stored form is the one that releases keep compatible and golden files pin, so an import gives back what was there
//! to the byte, fields of a later release too. Members that are not known are passed over.

use super::super::codec;
use super::super::error::Trouble;
use super::super::tables::{JOB_EXECUTIONS, JOB_SUBMITTED, JOB_VERSIONS, JOBS};
use crate::model::{ComputeState, ExecutionRecord, Job};
use data_encoding::BASE64;
use redb::{ReadTransaction, TableHandle, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that is written, and the newest that is read.
pub(super) const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Line {
    Store(Head),
    Job(Box<JobLine>),
    Execution(ExecutionLine),
    Images(ImagesLine),
    End(Tally),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Head {
    pub(super) format: u32,
    pub(super) version: String,
    pub(super) node: Option<String>,
    pub(super) files: Vec<String>,
}

/// How many records came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tally {
    pub(super) jobs: u64,
    pub(super) executions: u64,
}

/// A job with all its rows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct JobLine {
    #[serde(rename = "ID")]
    pub(super) id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    modified: Option<u64>,
    row: Bytes,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    executions: Vec<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submitted: Option<Bytes>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<u64, Bytes>,
}

/// An execution with its row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExecutionLine {
    #[serde(rename = "ID")]
    pub(super) id: String,
    #[serde(default, rename = "JobID")]
    job: String,
    #[serde(default)]
    state: String,
    pub(super) row: Bytes,
}

/// The images that the node pulled, with their row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImagesLine {
    #[serde(default)]
    pub(super) names: Vec<String>,
    pub(super) row: Bytes,
}

/// Bytes that are base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        BASE64.encode(&bytes.0)
    }
}

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = BASE64.decode(text.as_bytes());
        bytes
            .map(Self)
            .map_err(|error| format!("bad base64: {error}"))
    }
}

impl JobLine {
    /// The rows of a job that was read whole.
    pub(super) fn of(txn: &ReadTransaction, job: &Job, row: &[u8]) -> Result<Self, Trouble> {
        let key = job.id.as_str();
        let head = codec::decode_job_head(key, row)?;
        let missing = |table: &str| Trouble::record(table, key, "it is missing");
        let mut line = Self {
            id: key.to_owned(),
            name: job.name.clone(),
            namespace: job.namespace.clone(),
            state: format!("{:?}", job.state),
            modified: job.modified.map(|modified| modified.0),
            row: Bytes(row.to_vec()),
            executions: Vec::new(),
            submitted: None,
            versions: BTreeMap::new(),
        };
        for number in 0..head.chunks.unwrap_or(0) {
            let table = txn.open_table(JOB_EXECUTIONS)?;
            let chunk = table.get((key, number))?;
            let chunk = chunk.ok_or_else(|| missing(JOB_EXECUTIONS.name()))?;
            line.executions.push(Bytes(chunk.value().to_vec()));
        }
        if head.submitted_apart.is_some() {
            let submitted = txn.open_table(JOB_SUBMITTED)?.get(key)?;
            let submitted = submitted.ok_or_else(|| missing(JOB_SUBMITTED.name()))?;
            line.submitted = Some(Bytes(submitted.value().to_vec()));
        }
        for version in head.versions.unwrap_or_default() {
            let table = txn.open_table(JOB_VERSIONS)?;
            let row = table.get((key, version))?;
            let row = row.ok_or_else(|| missing(JOB_VERSIONS.name()))?;
            line.versions.insert(version, Bytes(row.value().to_vec()));
        }
        Ok(line)
    }

    /// Whether the rows can be read and are all that the job has.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        let key = self.id.as_str();
        let (head, record) = codec::decode_job(key, &self.row.0)?;
        for chunk in &self.executions {
            codec::decode_chunk(key, &chunk.0)?;
        }
        for version in self.versions.values() {
            codec::decode_version(key, &version.0)?;
        }
        let submitted = self.submitted.as_ref().map(|bytes| bytes.0.len());
        let is_whole = record.job.id.as_str() == key
            && usize::try_from(head.chunks.unwrap_or(0)) == Ok(self.executions.len())
            && head.submitted_apart.map(usize::try_from).transpose() == Ok(submitted)
            && self.versions.keys().eq(head.versions.iter().flatten());
        is_whole
            .then_some(())
            .ok_or_else(|| Trouble::record(JOBS.name(), key, "its parts do not belong together"))
    }

    /// Writes the rows; `false` if the job is there.
    pub(super) fn write(&self, txn: &WriteTransaction) -> Result<bool, Trouble> {
        let key = self.id.as_str();
        for (number, chunk) in (0..).zip(&self.executions) {
            txn.open_table(JOB_EXECUTIONS)?
                .insert((key, number), chunk.0.as_slice())?;
        }
        if let Some(submitted) = &self.submitted {
            txn.open_table(JOB_SUBMITTED)?
                .insert(key, submitted.0.as_slice())?;
        }
        for (version, row) in &self.versions {
            txn.open_table(JOB_VERSIONS)?
                .insert((key, *version), row.0.as_slice())?;
        }
        let mut jobs = txn.open_table(JOBS)?;
        let before = jobs.insert(key, self.row.0.as_slice())?;
        Ok(before.is_none())
    }
}

impl ExecutionLine {
    pub(super) fn of(record: &ExecutionRecord, row: &[u8]) -> Self {
        let state = match record.state {
            ComputeState::Accepted => "Accepted",
            ComputeState::Running { .. } => "Running",
            ComputeState::Publishing { .. } => "Publishing",
            ComputeState::Ended { .. } => "Ended",
        };
        Self {
            id: record.id.as_str().to_owned(),
            job: record.job.id.as_str().to_owned(),
            state: state.to_owned(),
            row: Bytes(row.to_vec()),
        }
    }
}
