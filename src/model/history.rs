//! What happened to a job, in order.

use super::later::known_or_default;
use super::{ExecutionId, UnixMs};
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HistoryItem {
    /// From 1, growing over all versions of a job.
    #[n(0)]
    pub seq: u64,
    /// To the job, or to one of its executions.
    #[n(1)]
    pub level: HistoryLevel,
    /// Which version of the job.
    #[n(2)]
    pub job_version: u64,
    /// What kind of thing.
    #[cbor(n(3), decode_with = "known_or_default")]
    pub topic: Topic,
    /// In words.
    #[n(4)]
    pub message: String,
    /// Well-known keys: `IsError`, `Hint`, `NewState`, `NodeID`, `ErrorCode`, `Retryable` (rest-api.md 3.8).
    #[n(5)]
    pub details: BTreeMap<String, String>,
    /// When, if the clock was set.
    #[n(6)]
    pub time: Option<UnixMs>,
}

/// What a history item is about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum HistoryLevel {
    /// The job.
    #[n(0)]
    Job,
    /// One execution.
    #[n(1)]
    Execution(#[n(0)] ExecutionId),
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Topic {
    /// A job came in.
    #[n(0)]
    Submission,
    /// A job changed its state.
    #[default]
    #[n(1)]
    StateUpdate,
    /// A placement.
    #[n(2)]
    Scheduling,
    /// A job waits.
    #[n(3)]
    Queueing,
    /// A job ran out of time.
    #[n(4)]
    JobTimeout,
    /// An execution changed.
    #[n(5)]
    Execution,
    /// An execution ran out of time.
    #[n(6)]
    ExecutionTimeout,
    /// What an execution needs is brought.
    #[n(7)]
    Preparing,
    /// The engine that an execution needs goes or comes.
    #[n(8)]
    Engine,
}
