//! What an engine shows: itself, its images, containers and what they printed.

use super::{Platform, Skipped};
use crate::model::{ContainerId, EngineFacts, ExecutionId, JobId, RUN_OUTPUT_MAX};
use std::path::PathBuf;

/// Which engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Its replies name a libpod version.
    Podman,
    /// Everything else.
    Docker,
}

impl EngineKind {
    /// The log driver that gives every byte back: Docker's `json-file` replaces invalid UTF-8.
    #[must_use]
    pub fn log_driver(self) -> &'static str {
        match self {
            Self::Podman => "k8s-file",
            Self::Docker => "local",
        }
    }
}

/// What an engine is and what it can do here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineProfile {
    /// Podman or Docker.
    pub kind: EngineKind,
    /// Its own version, for instance `4.3.1`.
    pub version: String,
    /// The API version that calls are made in.
    pub api_version: ApiVersion,
    /// Where it answers.
    pub socket: PathBuf,
    /// Which flag, variable or default named that socket.
    pub socket_origin: String,
    /// Candidates before it in the search order, and why each was not used.
    pub skipped: Vec<Skipped>,
    /// Cores as the engine counts them; 0 if it does not say.
    pub cores: u64,
    /// Memory as the engine counts it; 0 if it does not say.
    pub memory_bytes: u64,
    /// Whether memory limits are enforced. Where not, they are left out of create: with them Podman does not even start.
    pub enforces_memory: bool,
    /// Whether CPU quotas are enforced. Where not, they are left out.
    pub enforces_cpu: bool,
    /// Whether process limits are enforced. Where not, they are left out.
    pub enforces_pids: bool,
    /// 1 or 2; 0 if it does not say.
    pub cgroup_version: u8,
    /// Whether it runs without root.
    pub rootless: bool,
    /// What it runs images for.
    pub platform: Platform,
    /// The hard limits that a container's ulimits must not exceed.
    pub hard_limits: HardLimits,
    /// Where its images are, if it says so.
    pub image_dir: Option<PathBuf>,
}

impl EngineProfile {
    /// The part of it that deciders and the API know.
    #[must_use]
    pub fn facts(&self) -> EngineFacts {
        EngineFacts {
            name: format!("{:?} {}", self.kind, self.version),
            socket: self.socket.display().to_string(),
            enforces_memory: self.enforces_memory,
            image_dir: self.image_dir.as_ref().map(|dir| dir.display().to_string()),
        }
    }
}

/// A Docker API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// 1 so far.
    pub major: u16,
    /// For instance 41.
    pub minor: u16,
}

impl ApiVersion {
    /// Reads `1.41`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// How many files and processes an engine may grant at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HardLimits {
    /// RLIMIT_NOFILE.
    pub nofile: u64,
    /// RLIMIT_NPROC.
    pub nproc: u64,
}

/// An image in the engine's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Content id.
    pub id: String,
    /// What it was built for.
    pub platform: Platform,
    /// Bytes on disk; 0 if it does not say.
    pub size_bytes: u64,
}

/// What a container was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeFrom {
    /// The image's content id.
    pub id: String,
    /// The image's name as it was asked for.
    pub name: String,
}

/// A container that was made, or that was there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Which.
    pub id: ContainerId,
    /// What the engine warned of, for instance a limit that it discarded. At most 16.
    pub warnings: Vec<String>,
}

/// A container that carries this node's label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundContainer {
    /// Which.
    pub id: ContainerId,
    /// Its job, by label; `None` when the label is absent.
    pub job: Option<JobId>,
    /// Its execution, by label; `None` when the label is absent.
    pub execution: Option<ExecutionId>,
    /// How it stands.
    pub state: ContainerState,
}

/// How a container stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Never started.
    Created,
    /// Begun, and not shown as running: a Podman that was killed while it started it never learns of it. It runs or has
    /// run, and how it ends is not known.
    Torn,
    /// Shown as never started, with the time of a start, as Podman shows what ran when its board was restarted; a busy one
    /// shows the same for moments after a start.
    Interrupted,
    /// Runs, is paused, or is being stopped.
    Running {
        /// Its first process in the engine's pid namespace, if it says.
        pid: Option<u32>,
    },
    /// Ended. The only state in which exit code and output are final.
    Exited(ContainerEnd),
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerEnd {
    /// As the engine reports it; 128 + signal when one ended it.
    pub exit_code: i64,
    /// Whether the engine saw the kernel kill it for its memory. Podman on cgroup v1 never says so.
    pub oom_killed: bool,
    /// The memory limit that really was in force; 0 for none.
    pub memory_limit_bytes: u64,
    /// The engine's words when it could not be started; empty otherwise.
    pub error: String,
    /// Whether its log may lack what it printed last: the engine writes the log itself, as Docker does, and was away when
    /// the container ended. An engine that was away only in between has lost nothing: it finds the rest in the pipe.
    pub log_cut: bool,
    /// Whether its log lacks what it printed first.
    pub log_rotation: LogRotation,
}

/// Whether the engine has dropped the oldest part of a container's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogRotation {
    /// The log's file is the first one.
    #[default]
    Never,
    /// It is a later one.
    Happened,
    /// Only the length can tell: at least half the cap is kept after a rotation, so less means that none happened.
    ByLength {
        /// The cap of the log in bytes.
        cap_bytes: u64,
    },
}

impl LogRotation {
    /// Of a log with so many bytes stored.
    #[must_use]
    pub fn may_have_happened(self, stored: u64) -> bool {
        match self {
            Self::Never => false,
            Self::Happened => true,
            Self::ByLength { cap_bytes } => stored >= cap_bytes / 2,
        }
    }
}

impl ContainerEnd {
    /// Whether it may have ended with its board: Docker's code for an end that it has not seen, or the signals that a
    /// board sends when it is shut down.
    #[must_use]
    pub fn may_be_cut_off(&self) -> bool {
        matches!(self.exit_code, EXIT_UNSEEN | EXIT_SIGTERM | EXIT_SIGKILL) && !self.oom_killed
    }

    /// Whether the kernel killed it for its memory, for certain or by all signs: SIGKILL that `cause` does not explain,
    /// under a limit. One that ended well all the same, having lost a child to the kernel, did its work.
    #[must_use]
    pub fn is_out_of_memory(&self, cause: StopCause) -> bool {
        (self.oom_killed && self.exit_code != 0)
            || (self.exit_code == EXIT_SIGKILL
                && self.memory_limit_bytes > 0
                && cause == StopCause::Itself)
    }
}

/// What Docker says of a container that was gone when its daemon came.
const EXIT_UNSEEN: i64 = 255;
/// 128 + SIGTERM.
const EXIT_SIGTERM: i64 = 143;
/// 128 + SIGKILL.
const EXIT_SIGKILL: i64 = 137;

/// Who ended a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopCause {
    /// It ended by itself, as far as this node knows.
    Itself,
    /// This node stopped it.
    Node,
}

/// The first bytes that a container's log still has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstOutput {
    /// Standard output.
    pub stdout: FirstBytes,
    /// Standard error.
    pub stderr: FirstBytes,
    /// Whether the engine may have dropped the oldest part of the log.
    pub rotated: bool,
}

/// The first bytes of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstBytes {
    /// At most [`RUN_OUTPUT_MAX`] bytes.
    pub bytes: heapless::Vec<u8, RUN_OUTPUT_MAX>,
    /// Whether there was more, or may have been because the log was rotated.
    pub truncated: bool,
    /// How many bytes of the stream the log has.
    pub log_bytes: u64,
}
