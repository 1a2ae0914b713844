//! What runs on every connection, how many there may be, and the layers below: TCP, noise, yamux.

use std::sync::Arc;
use std::time::Duration;

use async_executor::Executor;
use libp2p::core::Transport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, Swarm, connection_limits, identify, noise, ping, yamux};

use super::transport::TcpTransport;
use super::transport::bind::BoundListener;

/// What this node calls itself in identify.
const AGENT_VERSION: &str = concat!("codling/", env!("CARGO_PKG_VERSION"));

/// The protocol family in identify. Peers show it and do not check it.
const PROTOCOL_VERSION: &str = "/codling/1.0.0";

/// Handshakes of peers that dialled us. Strangers can hold these slots with half-open connections for
/// [`INBOUND_UPGRADE_TIMEOUT`]; more of them would cost a file and some kilobytes each.
const PENDING_INBOUND_MAX: u32 = 32;

/// Handshakes of peers we dial: twice what `redial` starts at once.
const PENDING_OUTBOUND_MAX: u32 = 16;

/// Connections others opened: a fleet of that size around one requester. Wanted peers do not count.
const INBOUND_MAX: u32 = 128;

/// Connections in all but those of wanted peers; about 100 kB each in the worst case.
const CONNECTIONS_MAX: u32 = 160;

/// Both sides may dial at the same moment, over IPv4 and IPv6; a fifth connection has no use.
const CONNECTIONS_PER_PEER_MAX: u32 = 4;

/// How long a peer that dialled may take for noise and yamux; go-libp2p allows the same.
const INBOUND_UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a dial may take in all: one address that does not answer, a second one, and the handshake.
const OUTBOUND_UPGRADE_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two pings of one side. Finds a peer that lost its power within about a minute and a half, at under a tenth of
/// a wake-up a second.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long a ping may stay unanswered; the second in a row ends the connection.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Streams a peer may have open at once on one connection. Each may hold 256 KiB (yamux's first window) that we have not
/// read yet.
const STREAMS_PER_CONNECTION_MAX: usize = 64;

/// Streams a peer may be negotiating at once on one connection.
const NEGOTIATING_STREAMS_MAX: usize = 16;

/// Addresses that identify remembers for peers it met, so that they can be dialled again.
const ADDRESS_BOOK_MAX: usize = 64;

/// Connections are kept until one side has a reason to end them; rounded down by libp2p to what a clock can hold.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The protocols of a node, limits first: what they refuse, the others never see.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

impl Behaviour {
    fn new(keypair: &Keypair) -> Behaviour {
        let limits = connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_INBOUND_MAX))
            .with_max_pending_outgoing(Some(PENDING_OUTBOUND_MAX))
            .with_max_established_incoming(Some(INBOUND_MAX))
            .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX))
            .with_max_established(Some(CONNECTIONS_MAX));
        let identify = identify::Config::new(PROTOCOL_VERSION.to_owned(), keypair.public())
            .with_agent_version(AGENT_VERSION.to_owned())
            .with_push_listen_addr_updates(true)
            .with_cache_size(ADDRESS_BOOK_MAX);
        let ping = ping::Config::new()
            .with_interval(PING_INTERVAL)
            .with_timeout(PING_TIMEOUT);
        Behaviour {
            limits: connection_limits::Behaviour::new(limits),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping),
        }
    }

    /// A wanted peer that has proven itself stays, however many strangers are here.
    pub(super) fn always_admit(&mut self, peer: &PeerId) {
        self.limits.bypass_peer_id(peer);
    }
}

/// The host over the sockets in `bound`; connections run as tasks of `executor`.
///
/// # Errors
/// When noise cannot sign with this key.
pub(super) fn build(
    keypair: &Keypair,
    bound: Vec<BoundListener>,
    executor: &Arc<Executor<'static>>,
) -> Result<Swarm<Behaviour>, noise::Error> {
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(STREAMS_PER_CONNECTION_MAX);
    let transport = TcpTransport::new(bound)
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(muxer)
        .inbound_timeout(INBOUND_UPGRADE_TIMEOUT)
        .outbound_timeout(OUTBOUND_UPGRADE_TIMEOUT)
        .boxed();
    let executor = Arc::clone(executor);
    let config =
        libp2p::swarm::Config::with_executor(move |future| executor.spawn(future).detach())
            .with_idle_connection_timeout(IDLE_TIMEOUT)
            .with_max_negotiating_inbound_streams(NEGOTIATING_STREAMS_MAX);
    Ok(Swarm::new(
        transport,
        Behaviour::new(keypair),
        keypair.public().to_peer_id(),
        config,
    ))
}
