//! What runs containers: Podman and Docker over their Unix socket, one code.
//!
//! ```text
//!   node/perform ---- trait Engine (seam) ---- container::ContainerEngine
//!                                                |  search   which socket, which engine, which API version
//!                                                |  create   every restriction of a container
//!                                                |  end      the end, awaited on a pidfd
//!                                                |  output   the engine's log is the spool of a job's output
//!                                                |  http     one call, one connection, bounded in bytes and time
//!                                                v
//!                                              /run/podman/podman.sock, /var/run/docker.sock, ...
//! ```
//!
//! **Architecture invariants.** The engine may appear, vanish and return at any time; nothing here ends the process or
//! holds a connection that is not in use. While a container runs, nothing is asked of its engine. Nothing here decides:
//! whether to pull, what a failure means for a job and when to try again is known elsewhere. Containers without our
//! node's label are never touched.

mod container;
mod error;
mod platform;
mod seam;
mod seen;
mod spec;

pub use crate::model::{LogChunk, LogExtent, OutputStream};
pub use container::{ContainerEngine, EndWatch, Patience, SocketSearch};
pub use error::{EngineError, PullCause, Skipped};
pub use platform::Platform;
pub use seam::{Engine, EngineFuture, LogStream};
pub use seen::{
    ApiVersion, ContainerEnd, ContainerState, Created, EngineKind, EngineProfile, FirstBytes,
    FirstOutput, FoundContainer, HardLimits, ImageFacts, LogRotation, MadeFrom, StopCause,
};
pub use spec::{
    ContainerSpec, LABEL_EXECUTION, LABEL_JOB, LABEL_NODE, LABEL_OUTPUT_MAX, container_name,
};
