//! What a node leaves for those who look for a cause: lent by the process around it, shown through the API.

use super::input::Input;
use super::recent::Recent;
use crate::agent::Health;
use crate::board::{Sensors, read_process};
use crate::model::{
    BoardReading, Bundle, Census, EngineFacts, EngineState, FileCost, LogLines, Metrics, NodeId,
    Now, Origin,
};
use crate::swarm::HostEvent;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a crash leaves in the data directory; the next crash overwrites it.
pub const CRASH_FILE: &str = "crash.txt";
/// Most bytes of it: some kilobytes of events, and the addresses of a deep stack.
pub const CRASH_BYTES_MAX: usize = 16 * 1024;

/// Lent to a node by the process around it. Each node of a process has its own.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What happened last.
    pub recent: Arc<Recent>,
    /// What became of the lines of its log.
    pub log: Arc<LogCounts>,
    /// The id of this build, where its linker gave it one.
    pub build_id: Option<String>,
}

/// Lines of the log since the start. Relaxed: they order nothing.
#[derive(Debug, Default)]
pub struct LogCounts {
    /// Written.
    pub written: AtomicU64,
    /// Counted with an equal line instead of being written.
    pub folded: AtomicU64,
    /// Cut at the longest line.
    pub cut: AtomicU64,
    /// Lost, for stderr took nothing.
    pub dropped: AtomicU64,
}

impl LogCounts {
    fn read(&self) -> LogLines {
        LogLines {
            written: self.written.load(Ordering::Relaxed),
            folded: self.folded.load(Ordering::Relaxed),
            cut: self.cut.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

/// What the last crash left in `data_dir`, if it left something.
#[must_use]
pub fn read_crash(data_dir: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(data_dir.join(CRASH_FILE))
        .ok()?
        .take(CRASH_BYTES_MAX as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Watches a node: the facts that its loop does not decide by.
#[derive(Debug)]
pub(super) struct Witness {
    pub(super) evidence: Evidence,
    pub(super) health: Health,
    pub(super) sensors: Sensors,
    pub(super) root: PathBuf,
    pub(super) data_dir: PathBuf,
    /// Name, value without secrets, origin.
    pub(super) settings: Vec<(&'static str, String, Origin)>,
    pub(super) started_ms: u64,
    pub(super) peers: u64,
}

/// What only the loop knows.
#[derive(Debug)]
pub(super) struct LoopFacts<'a> {
    pub(super) node: &'a NodeId,
    pub(super) census: Option<Census>,
    pub(super) files: Vec<FileCost>,
    pub(super) engine: Option<&'a Result<EngineFacts, String>>,
}

impl Witness {
    /// Remembers what the loop takes in.
    pub(super) fn saw(&mut self, input: &Input, now: Now) {
        self.evidence.recent.note_input(input, now);
        match input {
            Input::Swarm(HostEvent::PeerConnected { .. }) => self.peers += 1,
            Input::Swarm(HostEvent::PeerDisconnected { .. }) => {
                self.peers = self.peers.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// Everything there is to see. Shows no promise: nothing in it is one.
    pub(super) fn bundle(&self, board: BoardReading, facts: LoopFacts<'_>, now: Now) -> Bundle {
        let conditions = self.health.conditions(now);
        Bundle {
            node: facts.node.clone(),
            settings: self.settings.clone(),
            events: self.evidence.recent.lines(),
            board,
            engine: facts.engine.cloned(),
            metrics: Metrics {
                build_id: self.evidence.build_id.clone(),
                uptime_ms: now.boot_ms.saturating_sub(self.started_ms),
                census: facts.census,
                files: facts.files,
                engine: match facts.engine {
                    None => EngineState::Unknown,
                    Some(Ok(_)) => EngineState::Here,
                    Some(Err(_)) => EngineState::Away,
                },
                conditions: conditions.iter().map(|condition| condition.kind).collect(),
                peers: self.peers,
                log: self.evidence.log.read(),
                process: read_process(&self.root),
            },
            conditions,
            crash: read_crash(&self.data_dir),
        }
    }
}
