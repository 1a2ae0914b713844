//! What can go wrong with an engine: one variant per situation that a caller can tell apart.

use crate::model::FailureKind;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// An engine call that did not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No candidate socket led to an engine.
    #[error("no container engine answers: {}", list(.skipped))]
    NoEngine {
        /// Each candidate in search order, with the reason.
        skipped: Vec<Skipped>,
    },
    /// Nothing listens on the socket that an engine answered on before.
    #[error("the engine socket {} cannot be reached", path.display())]
    NotReachable {
        /// Which socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The socket exists, but this user may not use it. Not the same as absent.
    #[error("no permission to use the engine socket {}", path.display())]
    PermissionDenied {
        /// Which socket.
        path: PathBuf,
        /// Which group to join.
        hint: String,
    },
    /// This process has no file descriptor left for the connection. The engine may be well.
    #[error("no file descriptor is left for a connection to {}", path.display())]
    NoDescriptor {
        /// Which socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The engine speaks only API versions that this program does not.
    #[error("the engine at {} speaks API version {version}, at least {floor} is needed", path.display())]
    ApiTooOld {
        /// Which socket.
        path: PathBuf,
        /// Its newest version.
        version: String,
        /// Our oldest.
        floor: String,
    },
    /// The engine no longer takes the negotiated API version.
    #[error("the engine no longer takes the API version that was agreed: {message}")]
    ApiRefused {
        /// Its words.
        message: String,
    },
    /// The image is not in the engine's store.
    #[error("there is no image \"{image}\" on this node")]
    NoSuchImage {
        /// As asked for.
        image: String,
    },
    /// The registry could not give the image.
    #[error("pulling the image \"{image}\" failed: {message}")]
    PullFailed {
        /// As asked for.
        image: String,
        /// The engine's words.
        message: String,
        /// Why, as far as those words tell.
        cause: PullCause,
    },
    /// The engine did not take the archive.
    #[error("loading the image failed: {message}")]
    LoadFailed {
        /// The engine's words.
        message: String,
    },
    /// No such container, or not any more.
    #[error("there is no container \"{id}\"")]
    NoSuchContainer {
        /// Which.
        id: String,
    },
    /// The execution's container name is taken by a container that is not an unstarted one of that execution.
    #[error("the container name \"{name}\" is in use by {holder}")]
    NameInUse {
        /// The name.
        name: String,
        /// The container and how it stands.
        holder: String,
    },
    /// The container's command does not exist in the image or cannot be executed.
    #[error("the container's command cannot be run: {message}")]
    BadCommand {
        /// The engine's words.
        message: String,
    },
    /// The engine, or the kernel under it, does not grant one of the container's limits or capabilities.
    #[error("a limit of the container is not granted: {message}")]
    LimitRefused {
        /// The engine's words.
        message: String,
    },
    /// The engine understood and declined.
    #[error("the engine refused to {call}: {message} (status {status})")]
    Refused {
        /// What was asked.
        call: &'static str,
        /// HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// The reply is not what the API promises.
    #[error("the engine's reply to {call} makes no sense: {detail}")]
    Garbage {
        /// What was asked.
        call: &'static str,
        /// What was wrong with it.
        detail: String,
    },
    /// A part of the reply is longer than anything sensible.
    #[error("{what} of the engine's reply to {call} is too big: more than {limit} bytes")]
    TooLarge {
        /// What was asked.
        call: &'static str,
        /// Which part.
        what: &'static str,
        /// The bound in bytes.
        limit: u64,
    },
    /// No reply in time. What was asked may still happen.
    #[error("the engine did not answer {call} within {} s", limit.as_secs_f32())]
    TimedOut {
        /// What was asked.
        call: &'static str,
        /// How long it was given.
        limit: Duration,
    },
    /// The connection ended in the middle of a reply. What was asked may have happened.
    #[error("the engine's reply to {call} ended early: {detail}")]
    Vanished {
        /// What was asked.
        call: &'static str,
        /// What ended it.
        detail: String,
    },
    /// The container's process has ended, but the engine does not say how.
    #[error(
        "the process of container \"{id}\" has ended, but its engine still calls it \"{status}\""
    )]
    EndUnknown {
        /// Which.
        id: String,
        /// The engine's word for its state.
        status: String,
    },
    /// The archive to load could not be read.
    #[error("the image archive cannot be read")]
    Source(#[source] io::Error),
}

/// Why a registry did not give an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PullCause {
    /// It was reached and has no such image.
    Absent,
    /// It was reached and does not give it to this node. Public registries say so of images that they lack, too.
    Denied,
    /// It gives no more for now.
    RateLimited,
    /// It was not reached, or not to the end.
    NoNetwork,
    /// The engine has no room for the image.
    NoSpace,
    /// None of these.
    Other,
}

/// A candidate socket that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it would be.
    pub path: PathBuf,
    /// Which flag, variable or default named it.
    pub origin: String,
    /// Why it was not used.
    pub reason: String,
    /// How to be let in, if it is there and this user may not use it.
    pub permission: Option<String>,
}

fn list(skipped: &[Skipped]) -> String {
    if skipped.is_empty() {
        return "there is no place to look".to_owned();
    }
    let each: Vec<String> = skipped
        .iter()
        .map(|s| format!("{} ({}): {}", s.path.display(), s.origin, s.reason))
        .collect();
    each.join("; ")
}

impl EngineError {
    /// Whether the engine is away or not itself, so that the same call may do when it is back: nothing was learned about
    /// the job. What was asked may have happened nevertheless. `Refused` is not among them, whatever its status: Podman
    /// answers 500 to jobs that can never start.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::NoEngine { .. }
            | Self::NotReachable { .. }
            | Self::PermissionDenied { .. }
            | Self::NoDescriptor { .. }
            | Self::ApiTooOld { .. }
            | Self::ApiRefused { .. }
            | Self::Garbage { .. }
            | Self::TooLarge { .. }
            | Self::TimedOut { .. }
            | Self::Vanished { .. } => true,
            Self::NoSuchImage { .. }
            | Self::PullFailed { .. }
            | Self::LoadFailed { .. }
            | Self::NoSuchContainer { .. }
            | Self::NameInUse { .. }
            | Self::BadCommand { .. }
            | Self::LimitRefused { .. }
            | Self::Refused { .. }
            | Self::EndUnknown { .. }
            | Self::Source(_) => false,
        }
    }

    /// How to be let in by an engine that is there and that this user may not use; `None` where that is not what is wrong.
    #[must_use]
    pub fn permission(&self) -> Option<&str> {
        match self {
            Self::PermissionDenied { hint, .. } => Some(hint),
            Self::NoEngine { skipped } => skipped
                .iter()
                .find_map(|skipped| skipped.permission.as_deref()),
            _ => None,
        }
    }

    /// What a job's failure from this error is called.
    #[must_use]
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            Self::NoSuchImage { .. } => FailureKind::ImageNotFound,
            Self::PullFailed { cause, .. } => match cause {
                PullCause::Absent => FailureKind::ImageNotFound,
                PullCause::Denied => FailureKind::ImageDenied,
                PullCause::RateLimited => FailureKind::ImageRateLimit,
                PullCause::NoNetwork => FailureKind::ImageNoNetwork,
                PullCause::NoSpace => FailureKind::ImageNoSpace,
                PullCause::Other => FailureKind::ImagePull,
            },
            Self::BadCommand { .. } => FailureKind::Entrypoint,
            Self::LimitRefused { .. } => FailureKind::LimitRefused,
            Self::NoSuchContainer { .. } | Self::EndUnknown { .. } => FailureKind::ContainerLost,
            Self::Refused { .. }
            | Self::NameInUse { .. }
            | Self::LoadFailed { .. }
            | Self::Source(_) => FailureKind::EngineRefused,
            _ => FailureKind::EngineAway,
        }
    }
}
