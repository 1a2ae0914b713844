//! A node that this one is connected to.

use super::{NodeId, UnixMs};

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialledBy {
    /// This node.
    Us,
    /// The peer.
    Them,
}

/// What is known of a connected peer that says nothing of its capacity: its id is proven, the rest is its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedNode {
    /// Proven by the handshake.
    pub id: NodeId,
    /// Its end of the oldest connection, a multiaddr.
    pub address: String,
    /// Who opened that connection.
    pub dialled_by: DialledBy,
    /// What it calls itself, once it said so; written by a stranger, cut and cleaned.
    pub agent: Option<String>,
    /// The last ping's round trip in milliseconds, once there was one.
    pub round_trip_ms: Option<u64>,
    /// When it connected, unless the clock is not set.
    pub since: Option<UnixMs>,
    /// When it answered last, or connected; likewise.
    pub heard: Option<UnixMs>,
}
