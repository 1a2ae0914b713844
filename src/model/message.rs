//! What requester and compute say to each other, in one process (then inside one turn) or over the swarm.
//!
//! ```text
//!  requester                      compute
//!     | -- Ask ------------------> |  idempotent: a known execution answers with how it stands
//!     | <------------------ Bid -- |
//!     | -- AcceptBid ------------> |  the promise of both sides
//!     | <------------- Accepted -- |
//!     | <-------- Pulling -------- |  how far the pull of its image has come; may be lost
//!     | <-------- Progress ------- |  running, publishing; may be lost
//!     | <-- EngineAway, EngineBack |  its engine goes and comes; may be lost
//!     | <------------------ Bid -- |  again, minutes after it was accepted, until it is answered
//!     | -- AcceptBid, RejectBid -> |  it is wanted, or not any more
//!     | -- Cancel ---------------> |  at any time
//!     | <-------------- Outcome -- |  repeated until
//!     | -- Acknowledge ----------> |
//! ```
//! Every message may be lost, repeated or late; whoever waits for an answer says it again.

use super::{BidVerdict, ExecutionId, ExecutionState, Job, Outcome, PullNews, Resources, UnixMs};
use minicbor::{Decode, Encode};

/// One thing said about one execution.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Message {
    /// Requester: would you run this?
    #[n(0)]
    Ask {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
        /// The whole job.
        #[n(1)]
        job: Box<Job>,
        /// Which replica.
        #[n(2)]
        partition: u32,
    },
    /// Compute: the answer.
    #[n(1)]
    Bid {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
        /// Yes, or no and why.
        #[n(1)]
        verdict: BidVerdict,
    },
    /// Requester: do it.
    #[n(2)]
    AcceptBid {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
    },
    /// Requester: do not.
    #[n(3)]
    RejectBid {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
    },
    /// Compute: it is mine now.
    #[n(4)]
    Accepted {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
        /// What was set aside for it.
        #[n(1)]
        resources: Option<Resources>,
    },
    /// Compute: I know nothing of it; ask again.
    #[n(5)]
    Unknown {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
    },
    /// Compute: how far it has come. Never repeated.
    #[n(6)]
    Progress {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
        /// `Running` or `Publishing`.
        #[n(1)]
        state: ExecutionState,
    },
    /// Requester: stop it.
    #[n(7)]
    Cancel {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
    },
    /// Compute: how it ended. Repeated until acknowledged.
    #[n(8)]
    Outcome {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
        /// Its one terminal state.
        #[n(1)]
        outcome: Box<Outcome>,
    },
    /// Requester: I have stored the outcome.
    #[n(9)]
    Acknowledge {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
    },
    /// Compute: its image is being pulled. Never repeated.
    #[n(10)]
    Pulling {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
        /// How far.
        #[n(1)]
        news: PullNews,
    },
    /// Compute: the engine that it needs does not answer. Said when that begins, and after a restart.
    #[n(11)]
    EngineAway {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
        /// Since when, if the clock was set.
        #[n(1)]
        since: Option<UnixMs>,
        /// What was tried.
        #[n(2)]
        why: String,
    },
    /// Compute: it answers again. Never repeated.
    #[n(12)]
    EngineBack {
        /// Which execution.
        #[n(0)]
        execution: ExecutionId,
    },
}

impl Message {
    /// The execution it is about.
    #[must_use]
    pub fn execution(&self) -> &ExecutionId {
        match self {
            Self::Ask { execution, .. }
            | Self::Bid { execution, .. }
            | Self::AcceptBid { execution }
            | Self::RejectBid { execution }
            | Self::Accepted { execution, .. }
            | Self::Unknown { execution }
            | Self::Progress { execution, .. }
            | Self::Cancel { execution }
            | Self::Outcome { execution, .. }
            | Self::Acknowledge { execution }
            | Self::Pulling { execution, .. }
            | Self::EngineAway { execution, .. }
            | Self::EngineBack { execution } => execution,
        }
    }
}
