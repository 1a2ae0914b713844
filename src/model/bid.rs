//! A compute node's answer to an ask.

use super::Dimension;
use minicbor::{Decode, Encode};
use thiserror::Error;

/// Whether a node would run an execution.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BidVerdict {
    /// It would.
    #[n(0)]
    Accepted,
    /// It would not, and why.
    #[n(1)]
    Rejected(#[n(0)] RejectReason),
}

/// Why a node does not bid. Each text completes "this node ...".
#[derive(Clone, Debug, PartialEq, Eq, Error, Encode, Decode)]
#[non_exhaustive]
pub enum RejectReason {
    /// The engine's type is unknown here.
    #[error("does not have the engine \"{engine}\", only docker")]
    #[n(0)]
    EngineUnsupported {
        /// As the job wrote it.
        #[n(0)]
        engine: String,
    },
    /// No container engine answers now.
    #[error("has no container engine that answers: {why}")]
    #[n(1)]
    EngineAway {
        /// What was tried.
        #[n(0)]
        why: String,
    },
    /// The publisher's type is unknown here.
    #[error("does not have the publisher \"{publisher}\"")]
    #[n(2)]
    PublisherUnsupported {
        /// As the job wrote it.
        #[n(0)]
        publisher: String,
    },
    /// An input source's type is unknown here.
    #[error("does not have the input source \"{source_type}\"")]
    #[n(3)]
    StorageUnsupported {
        /// As the job wrote it.
        #[n(0)]
        source_type: String,
    },
    /// The network kind is not given to containers here.
    #[error("does not give containers the network \"{network}\", only none")]
    #[n(4)]
    NetworkUnsupported {
        /// Its name.
        #[n(0)]
        network: String,
    },
    /// Result paths are not collected here.
    #[error("does not collect result paths")]
    #[n(5)]
    ResultPathsUnsupported,
    /// The job's type is not run here.
    #[error("does not run jobs of this type, only batch")]
    #[n(6)]
    JobTypeUnsupported,
    /// More than one job may ever have here.
    #[error("does not offer that much: {asked} {dimension} asked, at most {limit} a job")]
    #[n(7)]
    TooLarge {
        /// Of what.
        #[n(0)]
        dimension: Dimension,
        /// How much was asked.
        #[n(1)]
        asked: u64,
        /// How much there is.
        #[n(2)]
        limit: u64,
    },
    /// As many executions wait or run as are allowed.
    #[error("does not take more work now: at most {limit} executions are held")]
    #[n(8)]
    QueueFull {
        /// How many.
        #[n(0)]
        limit: u64,
    },
    /// The spec cannot be run by any node.
    #[error("does not understand the job: {problem}")]
    #[n(9)]
    BadSpec {
        /// What is wrong.
        #[n(0)]
        problem: String,
    },
    /// The node's labels do not fit the job's constraints.
    #[error("does not have the labels that the job asks for")]
    #[n(10)]
    LabelsDoNotMatch,
    /// The execution has already ended here and its outcome was acknowledged.
    #[error("does not run an execution twice")]
    #[n(11)]
    AlreadyEnded,
}

impl RejectReason {
    /// Whether asking the same node again later can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::EngineAway { .. } | Self::QueueFull { .. })
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::EngineUnsupported { .. } => "use the engine type docker",
            Self::EngineAway { .. } => {
                "install or start Podman or Docker on the node; a job with QueueTimeout waits for it"
            }
            Self::PublisherUnsupported { .. } => {
                "leave the publisher out: output is in the execution's RunOutput"
            }
            Self::StorageUnsupported { .. } => {
                "leave input sources out, or put the data into the image"
            }
            Self::NetworkUnsupported { .. } => "use the network type None",
            Self::ResultPathsUnsupported => "leave ResultPaths out and print results to stdout",
            Self::JobTypeUnsupported => "submit it with Type batch",
            Self::TooLarge { .. } => "ask for less, or submit to a larger node",
            Self::QueueFull { .. } => "try again later, or set QueueTimeout so that the job waits",
            Self::BadSpec { .. } => "correct the task's engine parameters",
            Self::AlreadyEnded => "submit the job again",
            Self::LabelsDoNotMatch => "change the job's constraints or the node's --labels",
        }
    }
}
