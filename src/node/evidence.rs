//! What a node leaves for those who look for a cause, and what outlives its loop.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Lent to a node by the process around it. Each node of a process has its own.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What became of the lines of its log.
    pub log: Arc<LogCounts>,
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
