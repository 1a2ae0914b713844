//! What the REST API asks of the agent and of the store, and what it is told.
//!
//! Live jobs are answered by the agent, so that no read shows a promise that a power cut could take back; everything
//! else is read from disk. A handler asks the agent first and, on `NotLive`, the store.

use super::{
    Bundle, EvaluationId, Job, JobId, JobRecord, JobState, JobType, NodeInfo, Prunable, PruneMode,
};
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
    /// Run a version of this job again, as its next version.
    Rerun {
        /// Which, in full.
        job: JobId,
        /// 0 is the latest.
        version: u64,
        /// Why, in the user's words.
        reason: String,
        /// The client's token, not empty.
        idempotency: Option<String>,
        /// The job, once the store was asked for it.
        stored: Stored,
    },
    /// Which job has this name, live or not?
    Find {
        /// In which namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// Show the live jobs of a range.
    List(JobRange),
    /// What this node says of itself.
    NodeInfo,
    /// Tell, and perhaps remove, what this node has no use for.
    Prune(PruneMode),
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
    /// What to do when the job of this name is the same already.
    pub if_unchanged: IfUnchanged,
    /// The job of this name, once the store was asked for it.
    pub stored: Stored,
}

/// What a submission does to the job of its name that is the same already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IfUnchanged {
    /// Nothing: it is refused.
    #[default]
    Refuse,
    /// It is run again as a new version.
    RunAgain,
}

/// What the store holds of a job that is to have a further version and is not live: the agent does not read, so whoever
/// asks it does.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Stored {
    /// It was not asked.
    #[default]
    Unread,
    /// No such job.
    Absent,
    /// This.
    Record(Box<JobRecord>),
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
    /// Runs again.
    Rerun {
        /// As which version.
        version: u64,
        /// Its evaluation.
        evaluation: EvaluationId,
    },
    /// The job that is to have a further version is not live: ask again with what the store holds of it.
    Unread {
        /// Which.
        job: JobId,
    },
    /// The job of a name.
    Found {
        /// Which.
        job: JobId,
    },
    /// Being stopped.
    Stopping {
        /// The evaluation that does it.
        evaluation: EvaluationId,
    },
    /// A live job as it stands. For `Stop` of a job that is terminal but live: its record, unchanged.
    Job(Box<JobRecord>),
    /// Not live: the store knows, or nobody. For `Find`: nobody.
    NotLive,
    /// The live jobs of a range, in its order.
    Jobs(Vec<Job>),
    /// This node.
    Node(Box<NodeInfo>),
    /// What this node has no use for; it is being removed, if that was asked.
    Prunable(Box<Prunable>),
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
    /// The token was used for another job, or to run one again.
    #[error("the idempotency token \"{token}\" was already used for a different request")]
    TokenReused {
        /// As sent.
        token: String,
    },
    /// The job of this name is the same already.
    #[error("job \"{name}\" is the same already: {job}, version {version}; nothing was changed")]
    Unchanged {
        /// Which.
        job: JobId,
        /// Its name.
        name: String,
        /// Its latest version.
        version: u64,
    },
    /// The job of this name is of another type.
    #[error("job \"{name}\" ({job}) is a {} job and does not become a {} job", is.word(), asked.word())]
    TypeDiffers {
        /// Which.
        job: JobId,
        /// Its name.
        name: String,
        /// Its type.
        is: JobType,
        /// The type of what came under its name.
        asked: JobType,
    },
    /// A job that has not begun is not run again.
    #[error("job {job} cannot be run again yet: it is {state:?}")]
    NotBegun {
        /// Which.
        job: JobId,
        /// `Pending` or `Queued`.
        state: JobState,
    },
    /// The job has no such version, or has it no more.
    #[error("job {job} has no version {version}; versions {oldest} to {latest} are kept")]
    NoSuchVersion {
        /// Which job.
        job: JobId,
        /// As asked.
        version: u64,
        /// The oldest that is kept.
        oldest: u64,
        /// The latest.
        latest: u64,
    },
    /// The store cannot be written now. Whether a tried commit landed is not known.
    #[error("the store cannot be written now")]
    StoreUnavailable {
        /// The job whose outcome is unknown, if it had an id.
        job: Option<JobId>,
    },
    /// There is room for how jobs end, and not for new ones. Nothing was tried.
    #[error("there is no space left for new jobs: only how jobs end is stored")]
    StoreFull,
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
        rows: Vec<Job>,
        /// Whether the range has more rows than were copied.
        more: bool,
    },
    /// The store cannot be read now.
    Unavailable,
}
