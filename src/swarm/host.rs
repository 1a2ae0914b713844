//! The host as the node holds it: bind, start, events, questions.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use async_executor::{Executor, Task};
use libp2p::noise;

use super::behaviour;
use super::driver::{Command, Driver};
use super::identity::Identity;
use super::peers::{self, PeerAddress};
use super::roster::ConnectedPeer;
use super::transport::address::to_multiaddr;
use super::transport::bind::{self as port, BindError, BoundListener};
use crate::model::NodeId;

/// Events that wait for the node's loop. When it is full the host keeps a few more and then stops reading the network.
const EVENTS_MAX: usize = 64;

/// Questions that wait for the host; each asker waits for its answer, so this is the number of askers.
const COMMANDS_MAX: usize = 16;

/// What the host has to say. Addresses are multiaddrs as text, without a peer id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostEvent {
    /// This node can be reached at `addr`; several for a wildcard.
    Listening {
        /// Where.
        addr: String,
    },
    /// This node can no longer be reached at `addr`.
    ListeningEnded {
        /// Where it could.
        addr: String,
    },
    /// The first connection to a peer was established.
    PeerConnected {
        /// Proven by the handshake.
        peer: NodeId,
        /// The peer's end.
        addr: String,
    },
    /// A connected peer said what it is; again when that changes.
    PeerIdentified {
        /// Proven by the handshake.
        peer: NodeId,
        /// What it calls itself: at most 64 printable letters, written by a stranger.
        agent: String,
        /// Where the peer sees this node.
        observed: String,
    },
    /// The last connection to a peer ended.
    PeerDisconnected {
        /// Which.
        peer: NodeId,
    },
    /// A wanted peer could not be reached or was lost; once until it is connected again.
    PeerUnreachable {
        /// Which.
        peer: NodeId,
        /// Why, for people.
        reason: String,
    },
}

/// Why the host could not start. The ports are free again.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key cannot sign.
    #[error("the node's key cannot be used for connections: {0}")]
    Key(#[from] noise::Error),
    /// A bound port cannot be watched, such as with a full file table.
    #[error("cannot listen on {addr}: {reason}")]
    Listen {
        /// The bound address.
        addr: SocketAddr,
        /// What the system said.
        reason: String,
    },
}

/// The host has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the swarm host has stopped")]
pub struct HostStopped;

/// The ports of a host that does not run yet. Dropping it frees them.
#[derive(Debug)]
pub struct BoundPorts {
    listeners: Vec<BoundListener>,
}

impl BoundPorts {
    /// The addresses that are bound, their ports never 0.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.listeners.iter().map(BoundListener::local_addr)
    }
}

/// Takes the swarm port before anything else of the node starts.
///
/// A wildcard address (`0.0.0.0` or `::`) takes the port for IPv4 and IPv6; one family is enough where the machine lacks
/// the other. Port 0 takes a free port, the same for both families when that can be had.
///
/// # Errors
/// See [`BindError`]; nothing stays bound.
pub fn bind(addr: SocketAddr) -> Result<BoundPorts, BindError> {
    if !addr.ip().is_unspecified() {
        return Ok(BoundPorts {
            listeners: vec![port::bind(addr)?],
        });
    }
    let v4 = match port::bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), addr.port())) {
        Ok(listener) => Some(listener),
        Err(BindError::AddressNotHere { .. }) => None,
        Err(error) => return Err(error),
    };
    let chosen = v4
        .as_ref()
        .map_or(addr.port(), |listener| listener.local_addr().port());
    let v6 = |port| port::bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port));
    let v6 = match v6(chosen) {
        Err(BindError::AddressInUse { .. }) if addr.port() == 0 => v6(0),
        outcome => outcome,
    };
    match (v4, v6) {
        (Some(v4), Ok(v6)) => Ok(BoundPorts {
            listeners: vec![v4, v6],
        }),
        (Some(v4), Err(BindError::AddressNotHere { .. })) => Ok(BoundPorts {
            listeners: vec![v4],
        }),
        (None, Ok(v6)) => Ok(BoundPorts {
            listeners: vec![v6],
        }),
        (_, Err(error)) => Err(error),
    }
}

/// A running host. Dropping it ends it: the ports are free and the peers see their connections close once the executor
/// has run its task a last time.
#[derive(Debug)]
pub struct Host {
    node_id: NodeId,
    bound: Vec<SocketAddr>,
    events: Receiver<HostEvent>,
    commands: Sender<Command>,
    task: Task<()>,
}

impl Host {
    /// Starts listening on `ports` and dialling `peers`. `seed` spreads the redials of a fleet; it should differ between
    /// nodes. Nothing happens until `executor` is polled.
    ///
    /// Peers that are this node itself, and peers and addresses named twice, are ignored.
    ///
    /// # Errors
    /// See [`StartError`]; the ports are freed.
    pub fn start(
        identity: &Identity,
        ports: BoundPorts,
        peers: Vec<PeerAddress>,
        seed: u64,
        executor: &Arc<Executor<'static>>,
    ) -> Result<Host, StartError> {
        let bound: Vec<SocketAddr> = ports.addresses().collect();
        let mut swarm = behaviour::build(identity.keypair(), ports.listeners, executor)?;
        for addr in &bound {
            let listening = swarm.listen_on(to_multiaddr(*addr));
            listening.map_err(|error| StartError::Listen {
                addr: *addr,
                reason: error.to_string(),
            })?;
        }
        let wanted: BTreeMap<_, _> = peers::wanted(peers, *swarm.local_peer_id());
        let (event_sender, events) = async_channel::bounded(EVENTS_MAX);
        let (commands, command_receiver) = async_channel::bounded(COMMANDS_MAX);
        let driver = Driver::new(swarm, wanted, seed, event_sender, command_receiver);
        let task = executor.spawn(driver.run());
        Ok(Host {
            node_id: identity.node_id(),
            bound,
            events,
            commands,
            task,
        })
    }

    /// This node's id.
    #[must_use]
    pub fn node_id(&self) -> &NodeId {
        &self.node_id
    }

    /// The addresses that are bound, their ports never 0.
    #[must_use]
    pub fn bound(&self) -> &[SocketAddr] {
        &self.bound
    }

    /// The events of this host, in order. Several receivers share them: each event goes to one.
    #[must_use]
    pub fn events(&self) -> Receiver<HostEvent> {
        self.events.clone()
    }

    /// Asks who is connected, for as long as the host runs.
    #[must_use]
    pub fn roster(&self) -> RosterReads {
        RosterReads {
            commands: self.commands.clone(),
        }
    }

    /// As [`RosterReads::connected_peers`].
    ///
    /// # Errors
    /// [`HostStopped`] when the executor was dropped.
    pub async fn connected_peers(&self) -> Result<Vec<ConnectedPeer>, HostStopped> {
        self.roster().connected_peers().await
    }

    /// Ends the host and waits until its ports are free.
    pub async fn stop(self) {
        self.task.cancel().await;
    }
}

/// Asks a host who is connected; it does not keep the host running.
#[derive(Clone, Debug)]
pub struct RosterReads {
    commands: Sender<Command>,
}

impl RosterReads {
    /// All peers with a connection, ordered by id.
    ///
    /// # Errors
    /// [`HostStopped`] when the host was stopped or dropped.
    pub async fn connected_peers(&self) -> Result<Vec<ConnectedPeer>, HostStopped> {
        let (reply, answer) = async_channel::bounded(1);
        self.commands
            .send(Command::ConnectedPeers { reply })
            .await
            .map_err(|_| HostStopped)?;
        answer.recv().await.map_err(|_| HostStopped)
    }
}
