//! What is stored, and the batch that stores it.
//!
//! Two files: `jobs.db` holds one [`JobRecord`] per job (job, evaluation, executions, recent history), `executions.db`
//! one [`ExecutionRecord`] per execution that this node accepted. A write is a *promise*, which makes its batch commit,
//! or a *ride-along*, which only joins one.

use super::{
    BootId, ContainerId, EndedExecution, EndedJob, Evaluation, EvaluationId, Execution,
    ExecutionId, HistoryItem, Job, JobId, JobNames, NodeId, Now, Outcome, PulledImages, Resources,
    RunOutput, Timer, UnixMs,
};
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// One job with all that its requester knows of it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct JobRecord {
    /// The job and its state.
    #[n(0)]
    pub job: Job,
    /// The submitted job as the JSON received.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub submitted: Vec<u8>,
    /// The latest evaluation.
    #[n(2)]
    pub evaluation: Evaluation,
    /// In the order they were planned. The store keeps those beyond the first 8 apart.
    #[n(3)]
    pub executions: Vec<Execution>,
    /// The latest items, oldest first; bounded by the agent.
    #[n(4)]
    pub history: Vec<HistoryItem>,
    /// The sequence number of the next history item, from 1.
    #[n(5)]
    pub next_seq: u64,
    /// The client's token for this submission.
    #[n(6)]
    pub idempotency: Option<IdempotencyKey>,
    /// Time left for the whole job.
    #[n(7)]
    pub total_timer: Option<Timer>,
    /// Time left for finding a node.
    #[n(8)]
    pub queue_timer: Option<Timer>,
    /// The versions before this one, oldest first; bounded by the agent. The store keeps them apart.
    #[cbor(n(9), skip_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierVersion>,
}

/// A version of a job that a later one has replaced. It never changes again.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct EarlierVersion {
    /// The job as it was last.
    #[n(0)]
    pub job: Job,
    /// The client's token for that version.
    #[n(1)]
    pub idempotency: Option<IdempotencyKey>,
    /// How long its submitted JSON was: what it counts for in the bounds.
    #[n(2)]
    pub submitted_bytes: u64,
}

/// A client's token: the same one returns the same ids for 24 hours.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct IdempotencyKey {
    /// As sent.
    #[n(0)]
    pub token: String,
    /// When it was first seen.
    #[n(1)]
    pub seen: Now,
    /// The evaluation that the first answer named.
    #[n(2)]
    pub evaluation_id: EvaluationId,
    /// A digest of the submitted job, or of which version was to run again, so that the same token with another request
    /// is told apart.
    #[n(3)]
    pub fingerprint: u64,
    /// The version that the first answer named, where it came with a job that was to run again.
    #[n(4)]
    pub rerun_as: Option<u64>,
}

/// One execution that this node accepted, with the original job.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct ExecutionRecord {
    /// Which.
    #[n(0)]
    pub id: ExecutionId,
    /// The job as asked.
    #[n(1)]
    pub job: Job,
    /// Which replica.
    #[n(2)]
    pub partition: u32,
    /// Who asked.
    #[n(3)]
    pub requester: NodeId,
    /// What is set aside for it.
    #[n(4)]
    pub resources: Resources,
    /// How far it has come.
    #[n(5)]
    pub state: ComputeState,
    /// Time left to run.
    #[n(6)]
    pub timer: Option<Timer>,
    /// When it was accepted.
    #[n(7)]
    pub accepted: Now,
    /// Since when the engine that it needs is away.
    #[n(8)]
    pub away: Option<Now>,
    /// The boot in which its container was last seen to run.
    #[n(9)]
    pub ran_in: Option<BootId>,
}

/// How far an accepted execution has come on this node.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum ComputeState {
    /// Promised; waiting for capacity, or being prepared.
    #[n(0)]
    Accepted,
    /// Its container was started.
    #[n(1)]
    Running {
        /// Which container.
        #[n(0)]
        container: ContainerId,
    },
    /// Ended by itself; results are on their way.
    #[n(2)]
    Publishing {
        /// Which container.
        #[n(0)]
        container: ContainerId,
        /// What it printed.
        #[n(1)]
        output: RunOutput,
    },
    /// Over.
    #[n(3)]
    Ended {
        /// How.
        #[n(0)]
        outcome: Outcome,
        /// Whether the requester has said that it stored the outcome.
        #[n(1)]
        delivery: Delivery,
        /// When it ended, if the clock was set.
        #[n(2)]
        ended: Option<UnixMs>,
    },
}

impl ComputeState {
    /// Whether nothing but delivery follows.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

/// Whether an outcome has reached its requester.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Delivery {
    /// Not yet acknowledged.
    #[n(0)]
    Pending,
    /// Acknowledged.
    #[n(1)]
    Acknowledged,
}

/// How much a write matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WriteKind {
    /// Joins the filling batch, never causes a commit.
    RideAlong,
    /// Makes its batch commit.
    Promise,
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Write<R> {
    /// The whole record.
    Put(R),
    /// Gone.
    Delete,
}

/// What one commit changes: the last value per key wins. `jobs` is committed first, then `executions`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Rows of jobs.db.
    pub jobs: BTreeMap<JobId, Write<Box<JobRecord>>>,
    /// Rows of executions.db.
    pub executions: BTreeMap<ExecutionId, Write<Box<ExecutionRecord>>>,
    /// The images that this node pulled, also in executions.db, if they changed.
    pub images: Option<PulledImages>,
}

impl Batch {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.executions.is_empty() && self.images.is_none()
    }
}

/// The tokens of a terminal job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSummary {
    /// Which.
    pub id: JobId,
    /// The clients' tokens for its versions, at least one.
    pub tokens: Vec<IdempotencyKey>,
}

/// What a store holds when an agent is built from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredState {
    /// Jobs that are not terminal, or have an execution that is not.
    pub live_jobs: Vec<JobRecord>,
    /// The other jobs that carry a token.
    pub ended_jobs: Vec<JobSummary>,
    /// All jobs that are not live, for retention.
    pub retained: Vec<EndedJob>,
    /// The names of all of them.
    pub names: JobNames,
    /// The greatest job id ever stored and still there, so that new ids sort after it.
    pub last_job: Option<JobId>,
    /// Executions that are not ended, or whose outcome is not acknowledged.
    pub live_executions: Vec<ExecutionRecord>,
    /// All other executions: their containers are to be removed, their asks answered as known.
    pub ended_executions: Vec<EndedExecution>,
    /// Which of `live_executions` belong to a job of this node that jobs.db does not hold (live or ended).
    pub orphaned_executions: Vec<ExecutionId>,
    /// Images that this node pulled.
    pub images: PulledImages,
    /// Whether jobs.db could have held them.
    pub jobs_file: FileHistory,
    /// Whether executions.db could have held what jobs.db says of this node.
    pub executions_file: FileHistory,
    /// What may be written.
    pub room: StoreRoom,
}

/// What a store has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreRoom {
    /// Everything.
    #[default]
    Enough,
    /// Its disk is full and the ballast given up or not made: how what is there ends.
    EndsOnly,
}

/// What becomes of a store file that cannot be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DamagedStore {
    /// It is moved aside, and a new one made.
    #[default]
    SetAside,
    /// The node does not start.
    Refuse,
}

/// Whether a store file was there before this start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FileHistory {
    /// It was: what it lacks was never promised.
    #[default]
    Kept,
    /// It is new, moved aside or in memory: what it lacks may have been promised.
    New,
}

impl JobRecord {
    /// Whether the agent still has something to do for it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.job.state.is_terminal()
            || self
                .executions
                .iter()
                .any(|execution| !execution.state.is_terminal())
    }

    /// The executions of the latest version, in the order they were planned.
    pub fn latest_executions(&self) -> impl Iterator<Item = &Execution> + Clone {
        let version = self.job.version;
        let executions = self.executions.iter();
        executions.filter(move |execution| execution.job_version == version)
    }

    /// The clients' tokens for this version and those before it.
    pub fn tokens(&self) -> impl Iterator<Item = &IdempotencyKey> {
        let earlier = self.earlier.iter().map(|version| &version.idempotency);
        earlier.chain([&self.idempotency]).flatten()
    }
}

impl ExecutionRecord {
    /// Whether the agent still has something to do for it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(
            self.state,
            ComputeState::Ended {
                delivery: Delivery::Acknowledged,
                ..
            }
        )
    }
}
