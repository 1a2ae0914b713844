//! Why an execution could not be carried out. A container that ends with a code other than 0 is not a failure.

use super::later::known_or_default;
use minicbor::{Decode, Encode};
use std::fmt;

/// A typed reason with the facts of this case in words.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Failure {
    /// Which kind.
    #[cbor(n(0), decode_with = "known_or_default")]
    pub kind: FailureKind,
    /// What happened, with names and values; no full stop.
    #[n(1)]
    pub message: String,
}

impl Failure {
    /// A failure of a kind, with its facts.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Kinds of failure, each with a hint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum FailureKind {
    /// The image is neither here nor in its registry.
    #[n(0)]
    ImageNotFound,
    /// The image could not be pulled.
    #[n(1)]
    ImagePull,
    /// The command is not in the image or cannot be executed.
    #[n(2)]
    Entrypoint,
    /// The engine refused the container.
    #[n(3)]
    EngineRefused,
    /// The engine stopped answering.
    #[n(4)]
    EngineAway,
    /// The kernel killed it for its memory limit.
    #[n(5)]
    OutOfMemory,
    /// It ran longer than allowed.
    #[n(6)]
    Timeout,
    /// Its container is gone and its end is unknown.
    #[n(7)]
    ContainerLost,
    /// It waited longer than allowed.
    #[n(8)]
    QueueTimeout,
    /// The spec cannot be run.
    #[n(9)]
    BadSpec,
    /// The node no longer knows of it.
    #[n(10)]
    StoreLost,
    /// No node answered the ask in time.
    #[n(11)]
    NoAnswer,
    /// The registry does not give the image to this node.
    #[n(20)]
    ImageDenied,
    /// The registry cannot be reached.
    #[n(21)]
    ImageNoNetwork,
    /// The image does not fit on the node's disk.
    #[n(22)]
    ImageNoSpace,
    /// The registry gives no more images for now.
    #[n(23)]
    ImageRateLimit,
    /// The image is not on the node, and its operator lets it ask no registry.
    #[n(24)]
    ImageNotHere,
    /// The image is made for another kind of machine.
    #[n(25)]
    WrongPlatform,
    /// The kernel or the engine does not grant a limit or a capability.
    #[n(30)]
    LimitRefused,
    /// A kind that a later release tells apart; the message says it.
    #[default]
    #[n(40)]
    Other,
}

impl FailureKind {
    /// Whether another attempt on the same node may do better.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::EngineAway | Self::ContainerLost | Self::StoreLost | Self::NoAnswer
        )
    }

    /// Whether another node may do better.
    #[must_use]
    pub fn may_try_elsewhere(self) -> bool {
        !matches!(self, Self::Timeout | Self::BadSpec | Self::QueueTimeout)
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::ImageNotFound => "check the image name, or load it with: codling image load FILE",
            Self::ImagePull => {
                "check the network and the registry, or load the image with: codling image load FILE"
            }
            Self::Entrypoint => {
                "check the command: it and its working directory must exist in the image, and it must be executable"
            }
            Self::EngineRefused => {
                "see the engine's message; the job's limits or the image may not suit this node"
            }
            Self::EngineAway => "start Podman or Docker on the node",
            Self::OutOfMemory => "ask for more memory with Resources.Memory",
            Self::Timeout => {
                "allow more time with Timeouts.ExecutionTimeout, or make the job shorter"
            }
            Self::ContainerLost => "submit the job again",
            Self::QueueTimeout => "allow more time with Timeouts.QueueTimeout",
            Self::BadSpec => "correct the task's engine parameters",
            Self::StoreLost => "submit the job again",
            Self::NoAnswer => "check that the node is connected, then submit the job again",
            Self::ImageDenied => {
                "check the image name; an image that needs a login is brought with the engine's own pull, or with: codling image load FILE"
            }
            Self::ImageNoNetwork => {
                "check the node's network and the registry's name, or load the image with: codling image load FILE"
            }
            Self::ImageNoSpace => {
                "make room where the engine keeps its images, for instance with the engine's own: image prune"
            }
            Self::ImageRateLimit => {
                "wait, pull with a login or from a mirror, or load the image with: codling image load FILE"
            }
            Self::ImageNotHere => {
                "load it with: codling image load FILE, or start the node with --image-pull missing"
            }
            Self::LimitRefused => {
                "ask for less with Resources, or start the node with limits and --container-caps that its engine may grant"
            }
            Self::Other => "see the message",
            Self::WrongPlatform => {
                "use an image that is built for the node's platform, or name one of its tags or digests that is"
            }
        }
    }

    /// Its name, as API clients see it in `ErrorCode`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ImageNotFound => "ImageNotFound",
            Self::ImagePull => "ImagePull",
            Self::Entrypoint => "Entrypoint",
            Self::EngineRefused => "EngineRefused",
            Self::EngineAway => "EngineAway",
            Self::OutOfMemory => "OutOfMemory",
            Self::Timeout => "Timeout",
            Self::ContainerLost => "ContainerLost",
            Self::QueueTimeout => "QueueTimeout",
            Self::BadSpec => "BadSpec",
            Self::StoreLost => "StoreLost",
            Self::NoAnswer => "NoAnswer",
            Self::ImageDenied => "ImageDenied",
            Self::ImageNoNetwork => "ImageNoNetwork",
            Self::ImageNoSpace => "ImageNoSpace",
            Self::ImageRateLimit => "ImageRateLimit",
            Self::ImageNotHere => "ImageNotHere",
            Self::WrongPlatform => "WrongPlatform",
            Self::LimitRefused => "LimitRefused",
            Self::Other => "Other",
        }
    }
}
