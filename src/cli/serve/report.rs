//! What an operator is told: every setting with its origin, the ready line with what to type next, then what changes.
//!
//! An idle node says nothing. A state that lasts is told once.

use crate::config::{Config, redacted};
use crate::model::{ConditionChange, ConditionKind, Origin, Resources};
use crate::node::{NodeEvent, Started, engine_hint};
use crate::swarm::HostEvent;
use std::net::SocketAddr;
use std::path::Path;

/// The port that clients try when nothing is said.
const CLIENT_PORT: u16 = 1_234;

/// One line for every setting, then what is odd about them.
pub(super) fn settings(config: &Config) {
    log::info!("codling {} starts", env!("CARGO_PKG_VERSION"));
    for line in config.lines() {
        log::info!(
            "--{} {} ({})",
            line.name,
            redacted(&line.value),
            line.origin
        );
    }
    for note in &config.notes {
        log::warn!("{note}");
    }
}

/// What was told last about things that last.
#[derive(Debug)]
pub(super) struct Report {
    uid: u32,
    /// Who named the engine's socket.
    socket_origin: Origin,
    engine: EngineTold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EngineTold {
    Nothing,
    Found,
    Away,
}

impl Report {
    /// Nothing told yet; `uid` is who would install an engine, `socket_origin` who said where one is.
    pub(super) fn new(uid: u32, socket_origin: Origin) -> Self {
        Self {
            uid,
            socket_origin,
            engine: EngineTold::Nothing,
        }
    }

    /// What the node has taken, and what to type next.
    pub(super) fn ready(&self, started: &Started) {
        if let Some(notice) = started.identity_notice {
            log::info!("{notice}");
        }
        let file = |path: &Option<std::path::PathBuf>| {
            path.as_ref()
                .map_or_else(|| "memory".to_owned(), |path| path.display().to_string())
        };
        log::info!("jobs are kept in {}", file(&started.jobs));
        log::info!("executions are kept in {}", file(&started.executions));
        log::info!("offers {}", offer(&started.total, &started.total_origin));
        if started.live_jobs + started.live_executions > 0 {
            log::info!(
                "goes on with {} and {}",
                counted(started.live_jobs, "unfinished job"),
                counted(started.live_executions, "execution")
            );
        }
        let swarm: Vec<String> = started.swarm.iter().map(ToString::to_string).collect();
        log::info!(
            "node {}: REST on {}, swarm on {}",
            started.id,
            started.api,
            swarm.join(" and ")
        );
        if let Some(address) = started.swarm.first() {
            log::info!(
                "other nodes connect with: --peer {}",
                peer_value(*address, started.id.as_str())
            );
        }
        log::info!("ready; run a job with: {}", run_command(started.api));
    }

    /// Something changed.
    pub(super) fn event(&mut self, event: &NodeEvent) {
        match event {
            NodeEvent::EngineFound(facts) => {
                if self.engine != EngineTold::Found {
                    log::info!("engine {} on {}", facts.name, facts.socket);
                }
                self.engine = EngineTold::Found;
            }
            NodeEvent::EngineAway { why, permission } => {
                match self.engine {
                    EngineTold::Nothing => {
                        log::warn!("{why}; the node looks again by itself");
                        let hint = permission.clone().unwrap_or_else(|| {
                            engine_hint(Path::new("/"), self.uid, &self.socket_origin)
                        });
                        log::warn!("{hint}");
                    }
                    EngineTold::Found => log::warn!("the engine is away: {why}"),
                    EngineTold::Away => {}
                }
                self.engine = EngineTold::Away;
            }
            NodeEvent::StoreFailed { why } => {
                log::error!(
                    "the store failed: {why}; running containers go on, the store is opened again"
                );
            }
            NodeEvent::StoreBack => log::info!("the store is back"),
            NodeEvent::Swarm(event) => swarm(event),
            NodeEvent::Condition(change) => condition(change),
        }
    }
}

/// A condition begins with its hint and ends with a word. Engine, store and peers have lines of their own.
fn condition(change: &ConditionChange) {
    let has_lines_of_its_own = |kind| {
        matches!(
            kind,
            ConditionKind::EngineAway
                | ConditionKind::StoreFailed
                | ConditionKind::PeersUnreachable
        )
    };
    match change {
        ConditionChange::Began(condition) if !has_lines_of_its_own(condition.kind) => {
            log::warn!(
                "{} ({}); {}",
                condition.text,
                condition.kind.code(),
                condition.hint
            );
        }
        ConditionChange::Ended(kind) if !has_lines_of_its_own(*kind) => {
            log::info!("no longer so: {}", kind.code());
        }
        ConditionChange::Began(_) | ConditionChange::Ended(_) => {}
    }
}

/// The host itself tells an operator about the peers that are kept connected; strangers come and go unmentioned.
fn swarm(event: &HostEvent) {
    match event {
        HostEvent::Listening { addr } => log::debug!("reachable at {addr}"),
        HostEvent::ListeningEnded { addr } => log::debug!("no longer reachable at {addr}"),
        HostEvent::PeerIdentified { peer, agent, .. } => log::debug!("{peer} is \"{agent}\""),
        HostEvent::PeerDisconnected { peer } => log::debug!("disconnected from {peer}"),
        HostEvent::PeerConnected { .. } | HostEvent::PeerUnreachable { .. } => {}
    }
}

fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

fn offer(total: &Resources, origin: &Origin) -> String {
    format!(
        "{}.{:03} cores, {} MB of memory, {} MB of disk ({origin})",
        total.cpu_millis / 1_000,
        total.cpu_millis % 1_000,
        total.memory_bytes / 1_000_000,
        total.disk_bytes / 1_000_000
    )
}

/// What another node's `--peer` takes. A wildcard is reached at whatever address this board has, which only its operator
/// knows.
fn peer_value(address: SocketAddr, id: &str) -> String {
    let (kind, ip) = match address {
        SocketAddr::V4(v4) => ("ip4", v4.ip().to_string()),
        SocketAddr::V6(v6) => ("ip6", v6.ip().to_string()),
    };
    let ip = if address.ip().is_unspecified() {
        "THIS-BOARD".to_owned()
    } else {
        ip
    };
    format!("/{kind}/{ip}/tcp/{}/p2p/{id}", address.port())
}

/// The exact command that runs a job on this node from this machine.
fn run_command(api: SocketAddr) -> String {
    let mut command = "codling run".to_owned();
    if !api.ip().is_loopback() && !api.ip().is_unspecified() {
        command.push_str(&format!(" --api-host {}", api.ip()));
    }
    if api.port() != CLIENT_PORT {
        command.push_str(&format!(" --api-port {}", api.port()));
    }
    format!("{command} docker.io/library/alpine -- echo hello")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_a_command_that_reaches_this_node() {
        for (api, command) in [
            ("127.0.0.1:1234", "codling run docker.io"),
            ("0.0.0.0:1234", "codling run docker.io"),
            ("127.0.0.1:9", "codling run --api-port 9 docker.io"),
            (
                "192.0.2.7:9",
                "codling run --api-host 192.0.2.7 --api-port 9 docker.io",
            ),
        ] {
            let line = run_command(api.parse().unwrap());
            assert!(line.starts_with(command), "{line}");
        }
    }

    #[test]
    fn a_wildcard_is_not_given_out_as_a_peer_address() {
        assert_eq!(
            peer_value("0.0.0.0:1235".parse().unwrap(), "id"),
            "/ip4/THIS-BOARD/tcp/1235/p2p/id"
        );
        assert_eq!(
            peer_value("[2001:db8::1]:1".parse().unwrap(), "id"),
            "/ip6/2001:db8::1/tcp/1/p2p/id"
        );
    }
}
