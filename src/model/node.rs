//! What a node says of itself, and the facts it is told by its devices.

use super::{Condition, NodeId, Resources, UnixMs};
use std::collections::BTreeMap;

/// Which roles a node has; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeRoles {
    /// Takes jobs and places them.
    Requester,
    /// Runs executions.
    Compute,
    /// Both.
    Both,
}

/// One role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeRole {
    /// Takes jobs and places them.
    Requester,
    /// Runs executions.
    Compute,
}

impl NodeRoles {
    /// Whether `role` is among them.
    #[must_use]
    pub fn has(self, role: NodeRole) -> bool {
        matches!(
            (self, role),
            (Self::Both, _)
                | (Self::Requester, NodeRole::Requester)
                | (Self::Compute, NodeRole::Compute)
        )
    }
}

/// What becomes of jobs where the kernel does not limit memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MemoryLimits {
    /// They run, one at a time.
    #[default]
    Preferred,
    /// They are refused.
    Required,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A command-line flag.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// The documented default.
    Default,
    /// Computed from facts; says which.
    Rule(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Default => f.write_str("default"),
            Self::Rule(rule) => write!(f, "rule: {rule}"),
        }
    }
}

/// What the board has, read once at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardFacts {
    /// Cores that this process may use.
    pub cores: u64,
    /// MemTotal in bytes.
    pub memory_bytes: u64,
    /// Bytes available to us on the data directory's filesystem.
    pub disk_available_bytes: u64,
    /// That filesystem's size in bytes.
    pub disk_size_bytes: u64,
}

/// What an engine said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineFacts {
    /// `Podman` or `Docker` and its version.
    pub name: String,
    /// Which socket.
    pub socket: String,
    /// Whether the kernel lets it limit memory.
    pub enforces_memory: bool,
    /// Where its images are, if it says so.
    pub image_dir: Option<String>,
}

/// What a node says of itself (rest-api.md 3.9).
#[derive(Clone, Debug, PartialEq)]
pub struct NodeInfo {
    /// Its id.
    pub id: NodeId,
    /// Its roles.
    pub roles: NodeRoles,
    /// Its labels, the automatic ones too.
    pub labels: BTreeMap<String, String>,
    /// Engine types it offers now.
    pub engines: Vec<String>,
    /// Publisher types it offers.
    pub publishers: Vec<String>,
    /// Input source types it offers.
    pub storages: Vec<String>,
    /// What it offers in all, and where the numbers come from.
    pub total: Resources,
    /// The origin of `total`.
    pub total_origin: Origin,
    /// What one job may have.
    pub per_job: Resources,
    /// What is free now.
    pub available: Resources,
    /// Executions that run.
    pub running: usize,
    /// Executions that wait.
    pub enqueued: usize,
    /// The engine, or why there is none.
    pub engine: Result<EngineFacts, String>,
    /// What is not as it should be.
    pub conditions: Vec<Condition>,
    /// Since when it decides, unless the clock is not set.
    pub since: Option<UnixMs>,
    /// When it said this; likewise.
    pub said: Option<UnixMs>,
}
