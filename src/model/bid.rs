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
    #[error(
        "does not offer that much: {} asked, at most {} a job",
        dimension.amount(*asked), dimension.amount(*limit)
    )]
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
    /// Starting it would leave the board too little memory.
    #[error(
        "does not have the memory now: {} MB available, {} MB asked, {} MB are kept free",
        available / 1_000_000, asked / 1_000_000, reserve / 1_000_000
    )]
    #[n(12)]
    MemoryLow {
        /// Bytes available.
        #[n(0)]
        available: u64,
        /// Bytes asked.
        #[n(1)]
        asked: u64,
        /// Bytes kept free.
        #[n(2)]
        reserve: u64,
    },
    /// What runs waits for memory already.
    #[error("does not take more work now: what runs here waits for memory")]
    #[n(13)]
    MemoryPressure,
    /// A sensor is at its limit.
    #[error("does not take work while it is too hot: {zone} at {} of {} degrees", millidegrees / 1_000, limit / 1_000)]
    #[n(14)]
    TooHot {
        /// Which sensor.
        #[n(0)]
        zone: String,
        /// What it shows.
        #[n(1)]
        millidegrees: i64,
        /// At which no more work is taken.
        #[n(2)]
        limit: i64,
    },
    /// The power supply is too weak.
    #[error("does not take work while its power supply is too weak")]
    #[n(15)]
    UnderVoltage,
    /// It would leave too little room on the disk.
    #[error(
        "does not have the disk now: {} MB available, {} MB asked, {} MB are kept free",
        available / 1_000_000, asked / 1_000_000, reserve / 1_000_000
    )]
    #[n(16)]
    DiskLow {
        /// Bytes available.
        #[n(0)]
        available: u64,
        /// Bytes asked.
        #[n(1)]
        asked: u64,
        /// Bytes kept free.
        #[n(2)]
        reserve: u64,
    },
    /// The disk cannot be written.
    #[error("does not take work while its disk cannot be written")]
    #[n(17)]
    DiskReadOnly,
    /// The kernel does not hold containers to their memory limits, and the operator insists.
    #[error("does not run containers without memory limits, and its kernel has none")]
    #[n(18)]
    MemoryLimitsOff,
    /// Its store has room for how its executions end, and not for more of them.
    #[error("does not take work while there is no space for its store")]
    #[n(19)]
    StoreFull,
}

impl RejectReason {
    /// Whether asking the same node again later can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::EngineAway { .. }
                | Self::QueueFull { .. }
                | Self::MemoryLow { .. }
                | Self::MemoryPressure
                | Self::TooHot { .. }
                | Self::UnderVoltage
                | Self::DiskLow { .. }
                | Self::DiskReadOnly
                | Self::StoreFull
        )
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
            Self::MemoryLow { .. } | Self::MemoryPressure => {
                "ask for less memory, stop something on the node, or set QueueTimeout so that the job waits"
            }
            Self::TooHot { .. } => {
                "cool the node, or set QueueTimeout so that the job waits until it is cooler"
            }
            Self::UnderVoltage => {
                "give the node a stronger power supply or a shorter cable; a job with QueueTimeout waits"
            }
            Self::DiskLow { .. } | Self::StoreFull => {
                "free space on the node's disk, or set QueueTimeout so that the job waits"
            }
            Self::DiskReadOnly => {
                "check the node's disk (dmesg) and mount it writable; a job with QueueTimeout waits"
            }
            Self::MemoryLimitsOff => {
                "codling node describe on the node shows how to switch them on; or leave out --require-memory-limits"
            }
        }
    }
}
