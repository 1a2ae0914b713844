//! An evaluation: one look of the scheduler at one job.

use super::EvaluationId;
use super::later::known_or_default;
use minicbor::{Decode, Encode};

/// The latest evaluation of a job; kept in the job's record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Evaluation {
    /// Its id.
    #[n(0)]
    pub id: EvaluationId,
    /// What caused it.
    #[cbor(n(1), decode_with = "known_or_default")]
    pub trigger: EvaluationTrigger,
    /// How it stands.
    #[n(2)]
    pub status: EvaluationStatus,
    /// How many this job has had; part of the id's derivation.
    #[n(3)]
    pub number: u64,
}

/// What caused an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum EvaluationTrigger {
    /// The job was submitted.
    #[n(0)]
    JobRegister,
    /// The job was stopped.
    #[n(1)]
    JobCancel,
    /// A queued job is looked at again.
    #[default]
    #[n(2)]
    JobQueue,
    /// An execution changed.
    #[n(3)]
    ExecutionUpdate,
    /// The job ran out of time.
    #[n(4)]
    ExecutionTimeout,
}

/// How an evaluation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum EvaluationStatus {
    /// No node fits now; waiting.
    #[n(0)]
    Blocked,
    /// To be looked at.
    #[n(1)]
    Pending,
    /// Done.
    #[n(2)]
    Complete,
}
