//! What the REST API asks of the agent and of the store, and what it is told.
//!
//! Live jobs are answered by the agent, so that no read shows a promise that a power cut could take back; everything
//! else is read from disk. A handler asks the agent first and, on `NotLive`, the store.

use super::{Bundle, EvaluationId, Job, JobId, JobRecord, NodeInfo};
use thiserror::Error;

/// Asked of the agent.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiRequest {
    /// Take this job.
    Submit(Box<Submission>),
    /// Stop this job.
    Stop {
        /// Which, in full.
        job: JobId,
        /// Why, in the user's words.
        reason: String,
    },
    /// Show this job if it is live.
    Read {
        /// Which, in full.
        job: JobId,
    },
    /// Show the live jobs of a range.
    List(JobRange),
    /// What this node says of itself.
    NodeInfo,
    /// Everything that helps to find a cause. Answered by the shell at once, even while there is no agent.
    Evidence,
}

/// A validated and normalised submission. `job.id`, `name` if empty, `version`, times and `requester` are the agent's to
/// fill in.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// The job as it will run.
    pub job: Job,
    /// The submitted job as the JSON received.
    pub submitted: Vec<u8>,
    /// The client's token, not empty.
    pub idempotency: Option<String>,
}

/// A stretch of jobs in key order, which is creation order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRange {
    /// Only ids that start so; empty for all.
    pub prefix: String,
    /// Only ids after (or, newest first, before) this one.
    pub after: Option<JobId>,
    /// Which end first.
    pub order: ListOrder,
    /// At most so many.
    pub limit: usize,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListOrder {
    /// Ascending ids.
    OldestFirst,
    /// Descending ids.
    NewestFirst,
}

/// Told by the agent.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiReply {
    /// Taken, now or earlier under the same token.
    Submitted {
        /// Its id.
        job: JobId,
        /// Its evaluation.
        evaluation: EvaluationId,
    },
    /// Being stopped.
    Stopping {
        /// The evaluation that does it.
        evaluation: EvaluationId,
    },
    /// A live job as it stands. For `Stop` of a job that is terminal but live: its record, unchanged.
    Job(Box<JobRecord>),
    /// Not live: the store knows, or nobody.
    NotLive,
    /// The live jobs of a range, in its order.
    Jobs(Vec<JobRecord>),
    /// This node.
    Node(Box<NodeInfo>),
    /// Everything that helps to find a cause.
    Evidence(Box<Bundle>),
    /// Refused.
    Denied(DenyReason),
}

/// Why the agent refuses a request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DenyReason {
    /// As many jobs are live as are allowed.
    #[error("at most {limit} jobs may be unfinished at once")]
    TooManyLive {
        /// How many.
        limit: usize,
    },
    /// Unfinished jobs hold as much memory as they may.
    #[error("the unfinished jobs' documents may hold at most {limit} bytes together")]
    TooManyBytes {
        /// How many bytes.
        limit: usize,
    },
    /// This node is not a requester.
    #[error("this node does not take submissions: its --node-type has no requester")]
    NotRequester,
    /// The token was used for another job.
    #[error("the idempotency token \"{token}\" was already used for a different job")]
    TokenReused {
        /// As sent.
        token: String,
    },
    /// The store cannot be written now. Whether a tried commit landed is not known.
    #[error("the store cannot be written now")]
    StoreUnavailable {
        /// The job whose outcome is unknown, if it had an id.
        job: Option<JobId>,
    },
    /// No answer in time; the decision stands, whatever it is.
    #[error("no answer within {seconds} s; the outcome is not known yet")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// The queue of requests is full.
    #[error("too many requests wait: at most {limit}")]
    Busy {
        /// How many may wait.
        limit: usize,
    },
}

/// Asked of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreQuery {
    /// One job.
    Job(JobId),
    /// Jobs of a range.
    Jobs(JobRange),
}

/// Told by the store.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreAnswer {
    /// One job, or none.
    Job(Option<Box<JobRecord>>),
    /// Jobs of a range, in its order; fewer than the limit only at the end of the range or at the byte bound of a read.
    Jobs {
        /// The rows.
        rows: Vec<JobRecord>,
        /// Whether the range has more rows than were copied.
        more: bool,
    },
    /// The store cannot be read now.
    Unavailable,
}
