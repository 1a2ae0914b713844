//! Who is connected. Pure; bounded by the connection limits of `behaviour`.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::multiaddr::Multiaddr;
use libp2p::swarm::ConnectionId;

use super::peers::node_id;
use crate::model::NodeId;

/// Letters kept of what a peer calls itself; it goes into lists and logs of operators.
const AGENT_CHARS_MAX: usize = 64;

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// This node dialled.
    Outbound,
    /// The peer dialled.
    Inbound,
}

/// A peer with at least one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedPeer {
    /// Its node id, proven by the handshake.
    pub peer: NodeId,
    /// Its end of the oldest connection, a multiaddr without peer id.
    pub addr: String,
    /// Who opened the oldest connection.
    pub direction: Direction,
    /// What it calls itself, once it said so: at most 64 printable letters, written by a stranger.
    pub agent: Option<String>,
    /// The last ping's round trip, once there was one.
    pub round_trip: Option<Duration>,
    /// How long it has been connected.
    pub connected_for: Duration,
    /// How long ago it answered last, or connected.
    pub heard_ago: Duration,
}

/// Whether an event changed whether a peer is connected at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Changed,
    Unchanged,
}

#[derive(Debug)]
struct Entry {
    /// Oldest first.
    connections: Vec<(ConnectionId, Multiaddr, Direction)>,
    agent: Option<String>,
    /// This node as the peer sees it.
    observed: Option<Multiaddr>,
    round_trip: Option<Duration>,
    since: Duration,
    heard: Duration,
}

/// The connected peers of one node. Moments are counted from some start.
#[derive(Debug, Default)]
pub(super) struct Roster {
    peers: BTreeMap<PeerId, Entry>,
}

impl Roster {
    /// A connection was established; `Changed` if it is the first of that peer.
    pub(super) fn add(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        addr: Multiaddr,
        direction: Direction,
        now: Duration,
    ) -> Presence {
        let fresh = || Entry {
            connections: Vec::new(),
            agent: None,
            observed: None,
            round_trip: None,
            since: now,
            heard: now,
        };
        let entry = self.peers.entry(peer).or_insert_with(fresh);
        entry.connections.push((id, addr, direction));
        if entry.connections.len() == 1 {
            Presence::Changed
        } else {
            Presence::Unchanged
        }
    }

    /// A connection ended; `Changed` if it was the last of that peer.
    pub(super) fn remove(&mut self, peer: &PeerId, id: ConnectionId) -> Presence {
        let Some(entry) = self.peers.get_mut(peer) else {
            return Presence::Unchanged;
        };
        entry
            .connections
            .retain(|(connection, _, _)| *connection != id);
        if !entry.connections.is_empty() {
            return Presence::Unchanged;
        }
        self.peers.remove(peer);
        Presence::Changed
    }

    /// The peer said what it is and where it sees this node; the first text as it is kept. `None` if it said the same
    /// before, or is not connected any more.
    pub(super) fn identified(
        &mut self,
        peer: &PeerId,
        agent: &str,
        observed: &Multiaddr,
    ) -> Option<String> {
        let entry = self.peers.get_mut(peer)?;
        let agent: String = agent
            .chars()
            .filter(|letter| !letter.is_control())
            .take(AGENT_CHARS_MAX)
            .collect();
        if entry.agent.as_ref() == Some(&agent) && entry.observed.as_ref() == Some(observed) {
            return None;
        }
        entry.agent = Some(agent.clone());
        entry.observed = Some(observed.clone());
        Some(agent)
    }

    /// The peer answered a ping.
    pub(super) fn answered(&mut self, peer: &PeerId, round_trip: Duration, now: Duration) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.round_trip = Some(round_trip);
            entry.heard = now;
        }
    }

    /// All connected peers, ordered by peer id.
    pub(super) fn list(&self, now: Duration) -> Vec<ConnectedPeer> {
        let shown = |(peer, entry): (&PeerId, &Entry)| {
            let (_, addr, direction) = entry.connections.first()?;
            Some(ConnectedPeer {
                peer: node_id(peer),
                addr: addr.to_string(),
                direction: *direction,
                agent: entry.agent.clone(),
                round_trip: entry.round_trip,
                connected_for: now.saturating_sub(entry.since),
                heard_ago: now.saturating_sub(entry.heard),
            })
        };
        self.peers.iter().filter_map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_connected_since_its_first_connection_and_heard_when_it_answers() {
        let at = Duration::from_secs;
        let mut roster = Roster::default();
        let peer = PeerId::random();
        for (second, id) in [(0, 1), (5, 2)] {
            let id = ConnectionId::new_unchecked(id);
            roster.add(peer, id, Multiaddr::empty(), Direction::Inbound, at(second));
        }
        let seen = |roster: &Roster, second| {
            let peer = roster.list(at(second)).remove(0);
            (peer.connected_for.as_secs(), peer.heard_ago.as_secs())
        };
        assert_eq!(seen(&roster, 7), (7, 7));
        roster.answered(&peer, Duration::from_millis(3), at(8));
        assert_eq!(seen(&roster, 10), (10, 2));
    }

    #[test]
    fn a_peer_is_present_from_its_first_connection_to_its_last() {
        let now = Duration::ZERO;
        let mut roster = Roster::default();
        let peer = PeerId::random();
        let (first, second) = (
            ConnectionId::new_unchecked(1),
            ConnectionId::new_unchecked(2),
        );
        assert_eq!(
            roster.add(peer, first, Multiaddr::empty(), Direction::Outbound, now),
            Presence::Changed
        );
        assert_eq!(
            roster.add(peer, second, Multiaddr::empty(), Direction::Inbound, now),
            Presence::Unchanged
        );
        assert_eq!(roster.remove(&peer, first), Presence::Unchanged);
        assert_eq!(roster.list(now).len(), 1);
        assert_eq!(roster.list(now)[0].direction, Direction::Inbound);
        assert_eq!(roster.remove(&peer, second), Presence::Changed);
        assert_eq!(roster.remove(&peer, second), Presence::Unchanged);
        assert!(roster.list(now).is_empty());
    }

    #[test]
    fn what_a_stranger_calls_itself_is_cut_and_cleaned_and_told_once() {
        let mut roster = Roster::default();
        let peer = PeerId::random();
        let seen = Multiaddr::empty();
        assert_eq!(roster.identified(&peer, "x", &seen), None, "not connected");
        let id = ConnectionId::new_unchecked(1);
        roster.add(
            peer,
            id,
            Multiaddr::empty(),
            Direction::Outbound,
            Duration::ZERO,
        );
        let hostile = format!("evil\u{1b}[2J\n{}", "y".repeat(4000));
        let kept = roster
            .identified(&peer, &hostile, &seen)
            .unwrap_or_default();
        assert!(kept.starts_with("evil[2Jyyy"), "{kept}");
        assert_eq!(kept.chars().count(), AGENT_CHARS_MAX);
        assert_eq!(
            roster.identified(&peer, &hostile, &seen),
            None,
            "the same again"
        );
        assert!(roster.identified(&peer, "new", &seen).is_some());
    }
}
