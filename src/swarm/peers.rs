//! `--peer`: what an operator may write, and what is wrong with what was written.
//!
//! One address is `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT/p2p/ID`; `/ipfs/ID` is the old spelling of the last element.
//! The text is judged element by element, not by the multiaddr parser, whose errors name no element.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use libp2p::PeerId;
use libp2p::core::multiaddr::{Multiaddr, Protocol};

use crate::model::NodeId;

/// Peers that are kept connected. A node needs a handful of ways into the swarm; each costs a connection for good.
pub const WANTED_PEERS_MAX: usize = 64;

/// Addresses kept per wanted peer: every interface of a board, and its name.
const ADDRESSES_PER_PEER_MAX: usize = 8;

/// Longest text that is looked at; the longest name (253) and peer id fit twice.
const TEXT_BYTES_MAX: usize = 1024;

/// Longest name in the DNS (RFC 1035, section 2.3.4), written without the final dot.
const NAME_BYTES_MAX: usize = 253;

/// A peer and one way to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    pub(super) peer: PeerId,
    /// Without the `/p2p/` element.
    pub(super) address: Multiaddr,
}

impl PeerAddress {
    /// The node at that address.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        node_id(&self.peer)
    }
}

impl std::fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/p2p/{}", self.address, self.peer)
    }
}

/// What is wrong with a peer address, and where. The text names both, without the flag: that is the caller's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{element:?}: {fault}; a peer is written /ip4/192.0.2.7/tcp/1235/p2p/<node id> (codling id prints the last part)"
)]
pub struct PeerAddressError {
    /// The element at fault, such as `tcp/0`; the whole text when none can be blamed.
    pub element: String,
    /// What is wrong with it.
    pub fault: PeerFault,
}

/// What can be wrong with an element of a peer address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    /// Nothing was written.
    #[error("the address is empty")]
    Empty,
    /// More text than any address has.
    #[error("the address is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// The text is no multiaddr.
    #[error("the address must begin with a slash")]
    NoSlash,
    /// The first element is not a kind of host.
    #[error("the address must begin with ip4, ip6, dns, dns4 or dns6")]
    UnknownHost,
    /// `/dnsaddr/HOST`: needs TXT records.
    #[error("dnsaddr is not supported, name the host with dns4 or dns6")]
    DnsAddr,
    /// Not four numbers from 0 to 255.
    #[error("this is not an IPv4 address")]
    BadIpv4,
    /// Not an IPv6 address, or one with a zone.
    #[error("this is not an IPv6 address")]
    BadIpv6,
    /// 0.0.0.0 or ::, where nobody is.
    #[error("the unspecified address cannot be dialled, name the peer's own")]
    Unspecified,
    /// Empty, too long, or with letters that no host name has.
    #[error("this is not a host name")]
    BadName,
    /// The second element is not `tcp`.
    #[error("only tcp is supported here")]
    NotTcp,
    /// Nothing, or not a number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    BadPort,
    /// The text ends before `/p2p/`.
    #[error("the address must end with /p2p/ and the peer's node id")]
    NoPeerId,
    /// What follows the port is neither `p2p` nor `ipfs`.
    #[error("after the port only /p2p/ and a node id may follow")]
    NotPeerId,
    /// The id is not base58 of a peer id.
    #[error("this is not a node id")]
    BadPeerId,
    /// Something follows the peer id.
    #[error("nothing may follow the node id")]
    TrailingElement,
}

/// Reads one peer address. White space around it is ignored.
///
/// # Errors
/// Names the element and the fault.
pub fn parse_peer(text: &str) -> Result<PeerAddress, PeerAddressError> {
    let text = text.trim();
    let blame = |element: &str, fault| PeerAddressError {
        element: element.to_owned(),
        fault,
    };
    if text.is_empty() {
        return Err(blame(text, PeerFault::Empty));
    }
    if text.len() > TEXT_BYTES_MAX {
        let head: String = text.chars().take(64).collect();
        return Err(blame(&head, PeerFault::TooLong));
    }
    let Some(rest) = text.strip_prefix('/') else {
        return Err(blame(text, PeerFault::NoSlash));
    };
    let mut parts = rest.strip_suffix('/').unwrap_or(rest).split('/');
    let mut element = || {
        parts
            .next()
            .map(|kind| (kind, parts.next().unwrap_or_default()))
    };

    let (kind, value) = element().unwrap_or_default();
    let host = host(kind, value).map_err(|fault| blame(&format!("{kind}/{value}"), fault))?;

    let (kind, value) = element().unwrap_or_default();
    let named = format!("{kind}/{value}");
    if kind != "tcp" {
        return Err(blame(
            if kind.is_empty() { text } else { &named },
            PeerFault::NotTcp,
        ));
    }
    let port = value.parse::<u16>().ok().filter(|port| *port != 0);
    let port = port.ok_or_else(|| blame(&named, PeerFault::BadPort))?;

    let Some((kind, value)) = element() else {
        return Err(blame(text, PeerFault::NoPeerId));
    };
    let named = format!("{kind}/{value}");
    if kind != "p2p" && kind != "ipfs" {
        return Err(blame(&named, PeerFault::NotPeerId));
    }
    let peer = value
        .parse::<PeerId>()
        .map_err(|_| blame(&named, PeerFault::BadPeerId))?;
    if let Some((kind, value)) = element() {
        return Err(blame(
            &format!("{kind}/{value}"),
            PeerFault::TrailingElement,
        ));
    }
    Ok(PeerAddress {
        peer,
        address: Multiaddr::empty().with(host).with(Protocol::Tcp(port)),
    })
}

fn host(kind: &str, value: &str) -> Result<Protocol<'static>, PeerFault> {
    let name = |value: &str| {
        let letters = value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let length = !value.is_empty() && value.len() <= NAME_BYTES_MAX;
        if letters && length {
            Ok(value.to_owned().into())
        } else {
            Err(PeerFault::BadName)
        }
    };
    match kind {
        "ip4" => match value.parse::<Ipv4Addr>() {
            Ok(ip) if ip.is_unspecified() => Err(PeerFault::Unspecified),
            Ok(ip) => Ok(Protocol::Ip4(ip)),
            Err(_) => Err(PeerFault::BadIpv4),
        },
        "ip6" => match value.parse::<Ipv6Addr>() {
            Ok(ip) if ip.is_unspecified() => Err(PeerFault::Unspecified),
            Ok(ip) => Ok(Protocol::Ip6(ip)),
            Err(_) => Err(PeerFault::BadIpv6),
        },
        "dns" => name(value).map(Protocol::Dns),
        "dns4" => name(value).map(Protocol::Dns4),
        "dns6" => name(value).map(Protocol::Dns6),
        "dnsaddr" => Err(PeerFault::DnsAddr),
        _ => Err(PeerFault::UnknownHost),
    }
}

/// The node id of a peer: its base58 text, the key of every node map of the protocol.
pub(super) fn node_id(peer: &PeerId) -> NodeId {
    NodeId(peer.to_base58())
}

/// The peers to keep connected with all their addresses: without this node itself, every address once.
pub(super) fn wanted(peers: Vec<PeerAddress>, local: PeerId) -> BTreeMap<PeerId, Vec<Multiaddr>> {
    let mut wanted: BTreeMap<PeerId, Vec<Multiaddr>> = BTreeMap::new();
    for PeerAddress { peer, address } in peers {
        if peer == local {
            log::info!("peer {peer} is this node itself, ignored");
            continue;
        }
        if wanted.len() == WANTED_PEERS_MAX && !wanted.contains_key(&peer) {
            log::warn!(
                "peer {peer} is ignored: at most {WANTED_PEERS_MAX} peers are kept connected"
            );
            continue;
        }
        let addresses = wanted.entry(peer).or_default();
        if addresses.len() < ADDRESSES_PER_PEER_MAX && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    wanted
}
