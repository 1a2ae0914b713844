//! What a node shows to those who watch it or look for a cause: counts, times, recent events.

use super::{BoardReading, Condition, ConditionKind, EngineFacts, NodeId, Origin};
use std::collections::BTreeMap;

/// What is live in an agent, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Unfinished jobs of this requester.
    pub jobs: BTreeMap<&'static str, u64>,
    /// Executions that this node holds.
    pub executions: BTreeMap<&'static str, u64>,
    /// Executions that ended here since the agent was built, by outcome.
    pub ended: BTreeMap<&'static str, u64>,
    /// Outcomes that their requesters have not acknowledged.
    pub outbox: u64,
}

/// Times that something took, in buckets that never change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Upper bound of each bucket in microseconds and how many were at or below it, but above the one before.
    pub buckets: Vec<(u64, u64)>,
    /// How many were above the last bound.
    pub above: u64,
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

/// What one file of the store has cost since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCost {
    /// `jobs` or `executions`.
    pub file: &'static str,
    /// Durable commits of records.
    pub commits: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Flushes to the medium.
    pub syncs: u64,
    /// How long commits took.
    pub commit_times: Histogram,
    /// How long flushes took.
    pub sync_times: Histogram,
}

/// The engine in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineState {
    /// It has not answered yet.
    #[default]
    Unknown,
    /// It answered last.
    Here,
    /// It did not.
    Away,
}

/// Lines of the log since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogLines {
    /// Written.
    pub written: u64,
    /// Counted with an equal line instead of being written.
    pub folded: u64,
    /// Cut at the longest line.
    pub cut: u64,
    /// Lost.
    pub dropped: u64,
}

/// What the kernel says of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessReading {
    /// Memory in RAM, in bytes.
    pub resident_bytes: u64,
    /// Its share of memory in RAM, in bytes; 0 where the kernel does not tell.
    pub proportional_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Processor time in milliseconds.
    pub cpu_ms: u64,
    /// Bytes that reached the medium, or will.
    pub written_bytes: u64,
}

/// Everything that is counted, at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The id of this build, where it has one.
    pub build_id: Option<String>,
    /// How long the node has run, in milliseconds.
    pub uptime_ms: u64,
    /// `None` while the agent is built again after a failed commit.
    pub census: Option<Census>,
    /// Both files of the store.
    pub files: Vec<FileCost>,
    /// The engine.
    pub engine: EngineState,
    /// What is not as it should be.
    pub conditions: Vec<ConditionKind>,
    /// Nodes that are connected.
    pub peers: u64,
    /// The log.
    pub log: LogLines,
    /// This process.
    pub process: ProcessReading,
}

/// What helps to find a cause, without secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// Whose.
    pub node: NodeId,
    /// Settings: name, value, origin.
    pub settings: Vec<(&'static str, String, Origin)>,
    /// What is not as it should be.
    pub conditions: Vec<Condition>,
    /// The last things that happened, oldest first.
    pub events: Vec<String>,
    /// The board now.
    pub board: BoardReading,
    /// The engine, or why there is none; `None` while it has not answered.
    pub engine: Option<Result<EngineFacts, String>>,
    /// Everything that is counted.
    pub metrics: Metrics,
    /// What the last crash left.
    pub crash: Option<String>,
}
