//! The libp2p host on port 1235: identity, transport, connections that are kept.
//!
//! ```text
//!   data dir --> Identity            BoundPorts <-- bind (port taken? exit 3)
//!                   \                  /
//!                    `--> Host::start <--- PeerAddress (--peer, parsed and judged before anything is bound)
//!                            |
//!        node <-- HostEvent--|-- driver: the one task that owns the Swarm
//!                            |      |-- redial: when which wanted peer is dialled (pure)
//!                            |      `-- roster: who is connected (pure)
//!                            |
//!                  behaviour: limits, identify, ping over noise and yamux
//!                            |
//!                  transport: TCP on async-io
//! ```
//!
//! Wire facts: Bacalhau v1.3's libp2p network. Every node is one host; a node's id is its peer id in base58 text. Noise
//! and yamux over TCP is what all of its versions accept.
//!
//! **Happy path.** `Identity::open`, `bind`, `Host::start`. The host then listens, dials the wanted peers and reports
//! through a bounded channel; the node reads it and asks [`Host::connected_peers`] when it wants the whole picture.
//!
//! **Failures.** Only a damaged identity and a taken port are errors, both before the host runs. A peer that cannot be
//! reached is dialled again, for ever, from 1 s up to 5 min apart. A peer that does not answer pings is disconnected (and
//! dialled again if it is wanted). When the reader of the events is slow, the host reads less from the network; it loses
//! nothing and grows nowhere.
//!
//! **Idle cost.** A ping per connection every 30 s each way and an identify every 5 min; no timer of our own while
//! every wanted peer is connected.

mod behaviour;
mod driver;
mod host;
mod identity;
mod keyfile;
mod peers;
mod redial;
mod roster;
mod transport;
mod wire;

pub use host::{BoundPorts, Host, HostEvent, HostStopped, RosterReads, StartError, bind};
pub use identity::{CopyFault, Identity, IdentityError, IdentityOrigin, StoreBeside};
pub use keyfile::KeyFault;
pub use peers::{PeerAddress, PeerAddressError, PeerFault, WANTED_PEERS_MAX, parse_peer};
pub use roster::{ConnectedPeer, Direction};
pub use transport::bind::BindError;
pub use wire::{execution_state_from_wire, execution_state_to_wire};
