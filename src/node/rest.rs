//! What the REST API needs of a node: who may call, who is connected, and what was printed.

use super::NodeError;
use super::logs::LogSource;
use crate::api::{Access, ApiToken, Challenge, Hosts, LogReads, PeerReads};
use crate::board::BootClock;
use crate::config::Config;
use crate::model::{ConnectedNode, DialledBy, NodeId, Now, UnixMs};
use crate::swarm::{ConnectedPeer, Direction, Host};
use std::time::Duration;

/// What callers must show. The file is read before anything is bound or written.
pub(super) fn token(config: &Config) -> Result<Option<ApiToken>, NodeError> {
    match &config.api_token_file.value {
        Some(path) => Ok(Some(ApiToken::read(path)?)),
        None => Ok(None),
    }
}

/// Who may drive the node `id`.
pub(super) fn access(
    config: &Config,
    id: &NodeId,
    token: Option<ApiToken>,
) -> Result<Access, NodeError> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| NodeError::Random(error.to_string()))?;
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_str().ok();
    Ok(Access {
        hosts: Hosts::new(config.api_host.value, machine, &config.api_allow_host.value),
        token,
        challenge: Challenge::new(id, nonce),
    })
}

/// Who is connected. A host that stops has no peers.
pub(super) fn peer_reads(host: &Host, clock: BootClock) -> PeerReads {
    let roster = host.roster();
    PeerReads::new(move || {
        let roster = roster.clone();
        async move {
            let peers = roster.connected_peers().await.unwrap_or_default();
            let now = clock.now();
            let shown = peers.into_iter().map(|peer| connected_node(peer, now));
            shown.collect()
        }
    })
}

/// Logs for the API, which does not know the engine.
pub(super) fn log_reads(source: LogSource) -> LogReads {
    let followers = source.followers.clone();
    LogReads::new(
        source.node.clone(),
        move |request| source.follow(request),
        move || followers.news(),
    )
}

fn connected_node(peer: ConnectedPeer, now: Now) -> ConnectedNode {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let ago = |time| {
        now.wall
            .map(|UnixMs(now)| UnixMs(now.saturating_sub(milliseconds(time))))
    };
    ConnectedNode {
        id: peer.peer,
        address: peer.addr,
        dialled_by: match peer.direction {
            Direction::Outbound => DialledBy::Us,
            Direction::Inbound => DialledBy::Them,
        },
        agent: peer.agent,
        round_trip_ms: peer.round_trip.map(milliseconds),
        since: ago(peer.connected_for),
        heard: ago(peer.heard_ago),
    }
}
