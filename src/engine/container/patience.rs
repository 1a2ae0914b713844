//! How long an engine may take.

use std::time::Duration;

/// Every time limit on an engine. The defaults are for boards with slow cards; tests that hang an engine on purpose have
/// less patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until a connection is made. On a Unix socket that is immediate, unless the engine's backlog is full.
    pub connect: Duration,
    /// For `_ping`, also by a socket-activated Podman that starts from a slow card for it.
    pub ping: Duration,
    /// For a call that only reads.
    pub read: Duration,
    /// For a call that changes something (design: awaited this long, then the caller sweeps by label).
    pub change: Duration,
    /// How much longer than the grace an engine may take to stop a container.
    pub stop_slack: Duration,
    /// Silence in the middle of a log: it comes from a disk.
    pub log_silence: Duration,
    /// Silence in the middle of a pull: a registry over a bad link, or a large layer unpacked on a slow card.
    pub pull_silence: Duration,
    /// How long an engine may need to notice that a process has ended which we saw ending.
    pub settle: Duration,
    /// How long a create may be under way that has taken its container's name and shows no container; later that name is
    /// that of the remains of one that was cut off.
    pub torn: Duration,
    /// How long it may need to notice an end that we only suspect.
    pub suspicion: Duration,
    /// How soon an engine that is away while an end is awaited is asked again; doubled until `away_most`.
    pub away: Duration,
    /// Most between two of those questions (serve.md 7.5).
    pub away_most: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            ping: Duration::from_secs(10),
            read: Duration::from_secs(30),
            change: Duration::from_secs(30),
            stop_slack: Duration::from_secs(10),
            log_silence: Duration::from_secs(30),
            pull_silence: Duration::from_secs(300),
            settle: Duration::from_secs(30),
            torn: Duration::from_secs(5),
            suspicion: Duration::from_secs(1),
            away: Duration::from_secs(1),
            away_most: Duration::from_secs(30),
        }
    }
}
