//! Links between nodes: up or down, losing, repeating, reordering and delaying messages.

use super::scenario::Liar;
use super::world::{Happening, World};
use codling::agent::Event;
use codling::model::{Message, NodeId, NodeRole};
use std::collections::BTreeMap;

/// How long a node may take to find out that a peer has come or gone.
const NOTICE_MS: u64 = 3_000;

/// Peers are numbered: nodes first, then the liar if there is one.
#[derive(Clone, Debug)]
pub(super) struct Network {
    peers: usize,
    /// Until when. A short partition within a long one does not end it.
    down: BTreeMap<(usize, usize), u64>,
}

impl Network {
    pub(super) fn new(peers: usize) -> Self {
        Self {
            peers,
            down: BTreeMap::new(),
        }
    }

    pub(super) fn peers(&self) -> usize {
        self.peers
    }

    fn is_up(&self, a: usize, b: usize) -> bool {
        !self.down.contains_key(&(a.min(b), a.max(b)))
    }
}

impl World {
    pub(super) fn name(&self, peer: usize) -> NodeId {
        match self.nodes.get(peer) {
            Some(node) => node.id.clone(),
            None => NodeId::from("liar"),
        }
    }

    fn peer(&self, name: &NodeId) -> Option<usize> {
        (0..self.network.peers()).find(|peer| self.name(*peer) == *name)
    }

    /// A message leaves.
    pub(super) fn send(&mut self, from: usize, to: &NodeId, message: &Message) {
        let Some(to) = self.peer(to) else {
            return;
        };
        if !self.network.is_up(from, to) {
            return;
        }
        let odds = self.scenario.odds.clone();
        let copies = match (
            self.strikes(odds.message_lost),
            self.strikes(odds.message_repeated),
        ) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        for _ in 0..copies {
            let late = self.delay(odds.message_ms_max) + 1;
            let arrival = Happening::Arrive {
                to,
                from: self.name(from),
                message: Box::new(message.clone()),
            };
            self.after(late, arrival);
        }
    }

    pub(super) fn arrive(&mut self, to: usize, from: NodeId, message: Message) {
        let Some(sender) = self.peer(&from) else {
            return;
        };
        if !self.network.is_up(sender, to) {
            return;
        }
        if to < self.nodes.len() {
            self.post(to, Event::Message { from, message });
        } else {
            self.liar_hears(sender, message);
        }
    }

    /// What becomes of the link is noticed at both ends, sooner or later.
    fn notice(&mut self, a: usize, b: usize) {
        for (node, peer) in [(a, b), (b, a)] {
            if node < self.nodes.len() {
                let late = self.delay(NOTICE_MS);
                self.after(late, Happening::Look { node, peer });
            }
        }
    }

    /// A process came or went: all its links are noticed.
    pub(super) fn notice_all(&mut self, node: usize) {
        for peer in 0..self.network.peers() {
            if peer != node {
                self.notice(node, peer);
            }
        }
    }

    pub(super) fn link_down(&mut self, a: usize, b: usize, ms: u64) {
        let until_ms = self.at_ms + ms;
        let until = self.network.down.entry((a.min(b), a.max(b))).or_default();
        *until = until_ms.max(*until);
        self.after(ms, Happening::LinkUp { a, b });
        self.notice(a, b);
    }

    /// A partition is over, unless another one goes on.
    pub(super) fn link_up(&mut self, a: usize, b: usize) {
        let link = (a.min(b), a.max(b));
        let until_ms = self.network.down.get(&link);
        if self.is_healed || until_ms.is_some_and(|until| *until <= self.at_ms) {
            self.network.down.remove(&link);
            self.notice(a, b);
        }
    }

    pub(super) fn look_at_peer(&mut self, node: usize, peer: usize) {
        if self.nodes[node].is_down() {
            return;
        }
        let (computes, is_there, process) = match self.nodes.get(peer) {
            Some(other) => (
                other.roles.has(NodeRole::Compute),
                !other.is_down(),
                other.process,
            ),
            None => (self.scenario.liar == Liar::Compute, true, 0),
        };
        if !computes {
            return;
        }
        let is_connected = is_there && self.network.is_up(node, peer);
        let name = self.name(peer);
        let connection = is_connected.then_some(process);
        let seen = self.nodes[node].sees.get(&peer).copied();
        if seen == connection && !is_connected {
            return;
        }
        if seen.is_some() && seen != connection {
            self.nodes[node].sees.remove(&peer);
            self.post(node, Event::PeerGone { node: name.clone() });
        }
        if let Some(process) = connection {
            self.nodes[node].sees.insert(peer, process);
            let labels = BTreeMap::new();
            self.post(node, Event::PeerSeen { node: name, labels });
        }
    }
}
