//! A job: what a client asked for, and how far it has come.

use super::{JobId, NodeId, Task, Timeouts, UnixMs};
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// A job (rest-api.md 3.3), normalised.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Job {
    /// Assigned at submission.
    #[n(0)]
    pub id: JobId,
    /// Defaults to the id.
    #[n(1)]
    pub name: String,
    /// `default` unless given.
    #[n(2)]
    pub namespace: String,
    /// What kind.
    #[n(3)]
    pub job_type: JobType,
    /// Higher first.
    #[n(4)]
    pub priority: i64,
    /// Replicas.
    #[n(5)]
    pub count: u32,
    /// Which nodes will do.
    #[n(6)]
    pub constraints: Vec<Constraint>,
    /// Notes, some of them the server's.
    #[n(7)]
    pub meta: BTreeMap<String, String>,
    /// The client's labels.
    #[n(8)]
    pub labels: BTreeMap<String, String>,
    /// What runs.
    #[n(9)]
    pub task: Task,
    /// How far it has come.
    #[n(10)]
    pub state: JobState,
    /// Why, when there is something to say.
    #[n(11)]
    pub state_message: String,
    /// 1 for a new job.
    #[n(12)]
    pub version: u64,
    /// Grows with every change.
    #[n(13)]
    pub revision: u64,
    /// When it was submitted, if the clock was set.
    #[n(14)]
    pub created: Option<UnixMs>,
    /// When it last changed, if the clock was set.
    #[n(15)]
    pub modified: Option<UnixMs>,
    /// The node that it was submitted to.
    #[n(16)]
    pub requester: NodeId,
}

/// Job types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum JobType {
    /// Runs to its end, `count` times.
    #[default]
    #[n(0)]
    Batch,
    /// Is kept running.
    #[n(1)]
    Service,
    /// Is kept running on every fitting node.
    #[n(2)]
    Daemon,
    /// Runs to its end on every fitting node.
    #[n(3)]
    Ops,
}

impl JobType {
    /// Whether it never completes: what ends is started again until somebody stops the job.
    #[must_use]
    pub fn is_kept_running(self) -> bool {
        matches!(self, Self::Service | Self::Daemon)
    }

    /// Its word, as clients write it (rest-api.md 3.12).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Service => "service",
            Self::Daemon => "daemon",
            Self::Ops => "ops",
        }
    }

    /// Whether each fitting node has one of it, whatever its count.
    #[must_use]
    pub fn is_on_every_node(self) -> bool {
        matches!(self, Self::Daemon | Self::Ops)
    }
}

/// Job states. `Completed`, `Failed` and `Stopped` are terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum JobState {
    /// Stored, not yet placed.
    #[default]
    #[n(0)]
    Pending,
    /// No node fits now; waiting within its queue timeout.
    #[n(1)]
    Queued,
    /// At least one execution was accepted.
    #[n(2)]
    Running,
    /// Every partition completed.
    #[n(3)]
    Completed,
    /// Cannot be completed.
    #[n(4)]
    Failed,
    /// Stopped by its user.
    #[n(5)]
    Stopped,
}

/// Meta keys that begin so are the server's.
pub const RESERVED_META: &str = "bacalhau.org/";

impl Job {
    /// The meta that its user gave: what the server keeps there does not make two specs differ.
    pub fn own_meta(&self) -> impl Iterator<Item = (&String, &String)> {
        let is_own = |(key, _): &(&String, &String)| !key.starts_with(RESERVED_META);
        self.meta.iter().filter(is_own)
    }

    /// The times that bound it. What is kept running has none (rest-api.md 4.8); only for its first node it waits as long
    /// as its task's `QueueTimeout` says.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        match self.job_type.is_kept_running() {
            true => Timeouts::default(),
            false => self.task.timeouts,
        }
    }
}

impl JobState {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Stopped)
    }
}

/// One requirement on node labels, operator as its wire word (rest-api.md 3.12).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Constraint {
    /// Label key.
    #[n(0)]
    pub key: String,
    /// `=`, `==`, `!=`, `in`, `notin`, `exists`, `!`, `gt` or `lt`.
    #[n(1)]
    pub operator: String,
    /// Values, as many as the operator needs.
    #[n(2)]
    pub values: Vec<String>,
}
