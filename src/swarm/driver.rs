//! The one task that owns the `Swarm`: libp2p's events in, ours out, and the dials that `redial` asks for.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use async_io::Timer;
use futures_lite::future;
use futures_util::StreamExt;
use libp2p::core::ConnectedPoint;
use libp2p::core::multiaddr::{Multiaddr, Protocol};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionError, DialError, SwarmEvent};
use libp2p::{PeerId, Swarm, identify, ping};

use super::behaviour::{Behaviour, BehaviourEvent};
use super::host::HostEvent;
use super::peers::node_id;
use super::redial::{Effect, Redial};
use super::roster::{ConnectedPeer, Direction, Presence, Roster};

/// Events kept here when the channel to the node is full; beyond it the swarm is not polled, so its connections stop
/// reading. One event of libp2p makes at most two of ours.
const OUTBOX_MAX: usize = 16;

/// A question to the host.
#[derive(Debug)]
pub(super) enum Command {
    ConnectedPeers { reply: Sender<Vec<ConnectedPeer>> },
}

pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    addresses: BTreeMap<PeerId, Vec<Multiaddr>>,
    redial: Redial,
    roster: Roster,
    outbox: VecDeque<HostEvent>,
    events: Sender<HostEvent>,
    commands: Receiver<Command>,
    started: Instant,
}

/// What the loop woke up for.
enum Step {
    Swarm(Box<SwarmEvent<BehaviourEvent>>),
    Command(Command),
    Delivered,
    DialsDue,
    /// The host's handle is gone.
    Stop,
}

impl Driver {
    // The driver's clock: the monotonic one, which is read nowhere else in this floor.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn new(
        mut swarm: Swarm<Behaviour>,
        addresses: BTreeMap<PeerId, Vec<Multiaddr>>,
        seed: u64,
        events: Sender<HostEvent>,
        commands: Receiver<Command>,
    ) -> Driver {
        for peer in addresses.keys() {
            swarm.behaviour_mut().always_admit(peer);
        }
        let redial = Redial::new(addresses.keys().copied(), seed);
        Driver {
            swarm,
            addresses,
            redial,
            roster: Roster::default(),
            outbox: VecDeque::new(),
            events,
            commands,
            started: Instant::now(),
        }
    }

    /// Runs until the host's handle is dropped.
    pub(super) async fn run(mut self) {
        self.dial_due();
        loop {
            match self.step().await {
                Step::Swarm(event) => self.on_swarm_event(*event),
                Step::Command(Command::ConnectedPeers { reply }) => {
                    // It fails when the asker is gone.
                    drop(reply.try_send(self.roster.list(self.now())));
                }
                Step::Delivered => drop(self.outbox.pop_front()),
                Step::DialsDue => self.dial_due(),
                Step::Stop => return,
            }
        }
    }

    async fn step(&mut self) -> Step {
        let deadline = self
            .redial
            .next_deadline()
            .map(|after| self.started + after);
        let command = async { self.commands.recv().await.map_or(Step::Stop, Step::Command) };
        let delivery = async {
            match self.outbox.front() {
                // A dropped send has not sent.
                Some(event) => self
                    .events
                    .send(event.clone())
                    .await
                    .map_or(Step::Stop, |()| Step::Delivered),
                None => pending().await,
            }
        };
        let dials = async {
            match deadline {
                Some(at) => {
                    Timer::at(at).await;
                    Step::DialsDue
                }
                None => pending().await,
            }
        };
        let swarm = async {
            if self.outbox.len() >= OUTBOX_MAX {
                return pending().await;
            }
            Step::Swarm(Box::new(self.swarm.select_next_some().await))
        };
        future::or(future::or(command, delivery), future::or(dials, swarm)).await
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn dial_due(&mut self) {
        for peer in self.redial.due(self.now()) {
            let addresses = self.addresses.get(&peer).cloned().unwrap_or_default();
            let dial = DialOpts::peer_id(peer)
                .addresses(addresses)
                .extend_addresses_through_behaviour()
                .build();
            match self.swarm.dial(dial) {
                Ok(()) => {}
                // Someone else's dial or connection is there already; its outcome arrives as an event.
                Err(DialError::DialPeerConditionFalse(_)) if self.swarm.is_connected(&peer) => {
                    self.redial.connected(&peer, self.now());
                }
                Err(error) => self.dial_failed(&peer, &error),
            }
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                self.outbox.push_back(HostEvent::Listening {
                    addr: address.to_string(),
                });
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.outbox.push_back(HostEvent::ListeningEnded {
                    addr: address.to_string(),
                });
            }
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                let (addr, direction) = other_end(&endpoint);
                let now = self.now();
                let presence =
                    self.roster
                        .add(peer_id, connection_id, addr.clone(), direction, now);
                if presence == Presence::Changed {
                    self.connected(peer_id, &addr, direction);
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                let presence = self.roster.remove(&peer_id, connection_id);
                self.connection_closed(peer_id, presence, cause.as_ref());
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => self.dial_failed(&peer, &error),
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => {
                log::debug!("no connection with {send_back_addr}: {}", reason(&error));
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                log::error!("the swarm listener on {addresses:?} ended: {reason:?}");
            }
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                let observed = info.observed_addr;
                let known = self
                    .roster
                    .identified(&peer_id, &info.agent_version, &observed);
                self.outbox
                    .extend(known.map(|agent| HostEvent::PeerIdentified {
                        peer: node_id(&peer_id),
                        agent,
                        observed: observed.to_string(),
                    }));
            }
            BehaviourEvent::Identify(_) => {}
            BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result,
            }) => match result {
                Ok(round_trip) => {
                    let now = self.now();
                    self.roster.answered(&peer, round_trip, now);
                }
                Err(ping::Failure::Unsupported) => {}
                Err(error) => {
                    log::debug!("peer {peer} does not answer, its connection is closed: {error}");
                    self.swarm.close_connection(connection);
                }
            },
        }
    }

    fn connected(&mut self, peer: PeerId, addr: &Multiaddr, direction: Direction) {
        let addr = addr.to_string();
        match self.redial.connected(&peer, self.now()) {
            Effect::Connected { failures: 0 } => log::info!("peer {peer} connected at {addr}"),
            Effect::Connected { failures } => {
                log::info!("peer {peer} connected at {addr} after {failures} failures")
            }
            _ => log::debug!("peer {peer} connected at {addr} ({direction:?})"),
        }
        self.outbox.push_back(HostEvent::PeerConnected {
            peer: node_id(&peer),
            addr,
        });
    }

    fn connection_closed(
        &mut self,
        peer: PeerId,
        presence: Presence,
        cause: Option<&ConnectionError>,
    ) {
        if presence == Presence::Unchanged {
            return;
        }
        self.outbox.push_back(HostEvent::PeerDisconnected {
            peer: node_id(&peer),
        });
        let effect = self.redial.disconnected(&peer, self.now());
        let reason = cause.map_or_else(|| "the connection was closed".to_owned(), |c| reason(c));
        self.unreachable(&peer, effect, &reason);
    }

    fn dial_failed(&mut self, peer: &PeerId, error: &DialError) {
        let effect = self.redial.failed(peer, self.now());
        self.unreachable(peer, effect, &dial_reason(error));
    }

    /// Tells the node once, and the operator once in a row of failures.
    fn unreachable(&mut self, peer: &PeerId, effect: Effect, reason: &str) {
        match effect {
            Effect::Lost { failures: 1 } | Effect::Failed { failures: 1 } => {
                log::warn!("peer {peer} is not connected, trying on: {reason}");
            }
            Effect::Lost { failures } | Effect::Failed { failures } => {
                log::debug!("peer {peer}, {failures} failures: {reason}");
            }
            Effect::None | Effect::Connected { .. } => return,
        }
        if matches!(effect, Effect::Lost { .. } | Effect::Failed { failures: 1 }) {
            self.outbox.push_back(HostEvent::PeerUnreachable {
                peer: node_id(peer),
                reason: reason.to_owned(),
            });
        }
    }
}

/// The peer's end of a connection, without its id.
fn other_end(endpoint: &ConnectedPoint) -> (Multiaddr, Direction) {
    let (addr, direction) = match endpoint {
        ConnectedPoint::Dialer { address, .. } => (address, Direction::Outbound),
        ConnectedPoint::Listener { send_back_addr, .. } => (send_back_addr, Direction::Inbound),
    };
    let kept = addr.iter().filter(|part| !matches!(part, Protocol::P2p(_)));
    (kept.collect(), direction)
}

/// Why a dial failed: of each address the innermost cause, once; libp2p's own text says it three times over.
fn dial_reason(error: &DialError) -> String {
    let DialError::Transport(tried) = error else {
        return reason(error);
    };
    let mut causes: Vec<String> = Vec::new();
    for (addr, error) in tried {
        let addr: Multiaddr = addr
            .iter()
            .filter(|part| !matches!(part, Protocol::P2p(_)))
            .collect();
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let cause = format!("{addr}: {cause}");
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes.join(", ")
}

/// An error with what caused it, each text once: libp2p's outer errors often say little.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
