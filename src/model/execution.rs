//! An execution as its requester knows it: one attempt of one partition on one node.

use super::{
    EvaluationId, ExecutionId, Failure, FailureKind, JobId, NodeId, Now, RejectReason, Resources,
    RunOutput, SpecConfig, Timer, UnixMs,
};
use minicbor::{Decode, Encode};

/// One attempt on one node.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Execution {
    /// Derived from job, version, partition, attempt and node.
    #[n(0)]
    pub id: ExecutionId,
    /// Its job.
    #[n(1)]
    pub job_id: JobId,
    /// Its job's namespace.
    #[n(2)]
    pub namespace: String,
    /// The evaluation that planned it.
    #[n(3)]
    pub evaluation_id: EvaluationId,
    /// Where it runs.
    #[n(4)]
    pub node_id: NodeId,
    /// Which version of the job.
    #[n(5)]
    pub job_version: u64,
    /// 0-based replica.
    #[n(6)]
    pub partition: u32,
    /// 0-based attempt at this partition.
    #[n(7)]
    pub attempt: u32,
    /// What the requester wants.
    #[n(8)]
    pub desired: DesiredState,
    /// Why.
    #[n(9)]
    pub desired_message: String,
    /// What the compute node last said.
    #[n(10)]
    pub state: ExecutionState,
    /// Why.
    #[n(11)]
    pub state_message: String,
    /// Where results went; empty kind for nowhere.
    #[n(12)]
    pub published: SpecConfig,
    /// First bytes of its output and its exit code, once it ended.
    #[n(13)]
    pub run_output: Option<RunOutput>,
    /// What was set aside for it.
    #[n(14)]
    pub allocated: Resources,
    /// Grows with every change.
    #[n(15)]
    pub revision: u64,
    /// When it was planned, if the clock was set.
    #[n(16)]
    pub created: Option<UnixMs>,
    /// When it last changed, if the clock was set.
    #[n(17)]
    pub modified: Option<UnixMs>,
    /// Why the node declined, if it did.
    #[n(18)]
    pub reject: Option<RejectReason>,
    /// Why it failed, if it did.
    #[n(19)]
    pub failure: Option<Failure>,
    /// How its replica fares, for a job that is kept running.
    #[n(20)]
    pub upkeep: Option<Upkeep>,
}

impl Execution {
    /// Whether its node has taken it, as far as its requester has stored, however it went on.
    #[must_use]
    pub fn was_taken(&self) -> bool {
        let failure = self.failure.as_ref().map(|failure| failure.kind);
        match self.state {
            ExecutionState::Completed | ExecutionState::Failed | ExecutionState::Cancelled => {
                failure != Some(FailureKind::NoAnswer)
            }
            _ => self.desired == DesiredState::Running,
        }
    }
}

/// How a replica of a job that is kept running has fared up to one of its executions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Upkeep {
    /// Executions in a row that did not last, this one among them once it has ended.
    #[n(0)]
    pub short_runs: u32,
    /// When its container was first known to run.
    #[n(1)]
    pub running_since: Option<Now>,
    /// Set when it ends: the next one is planned once this is due.
    #[n(2)]
    pub pause: Option<Timer>,
}

/// What the requester wants of an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum DesiredState {
    /// A bid, no more.
    #[default]
    #[n(0)]
    Pending,
    /// That it runs.
    #[n(1)]
    Running,
    /// That it ends.
    #[n(2)]
    Stopped,
}

impl DesiredState {
    /// All of them, for exhaustive tables.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Running, Self::Stopped];
}

/// What is known of an execution. API and swarm number these differently; neither numbering lives here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ExecutionState {
    /// Planned and stored; the ask is on its way.
    #[default]
    #[n(0)]
    New,
    /// The node took the ask and thinks about it.
    #[n(1)]
    AskForBid,
    /// The node bid.
    #[n(2)]
    AskForBidAccepted,
    /// The node declined.
    #[n(3)]
    AskForBidRejected,
    /// The bid was accepted.
    #[n(4)]
    BidAccepted,
    /// Its container runs.
    #[n(5)]
    Running,
    /// Its results are on their way.
    #[n(6)]
    Publishing,
    /// The requester declined the bid.
    #[n(7)]
    BidRejected,
    /// Ended, with an exit code.
    #[n(8)]
    Completed,
    /// Could not be carried out.
    #[n(9)]
    Failed,
    /// Stopped on request.
    #[n(10)]
    Cancelled,
}

impl ExecutionState {
    /// All of them, for exhaustive tables.
    pub const ALL: [Self; 11] = [
        Self::New,
        Self::AskForBid,
        Self::AskForBidAccepted,
        Self::AskForBidRejected,
        Self::BidAccepted,
        Self::Running,
        Self::Publishing,
        Self::BidRejected,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether nothing follows.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::AskForBidRejected
                | Self::BidRejected
                | Self::Completed
                | Self::Failed
                | Self::Cancelled
        )
    }
}
