//! Multiaddrs to what the operating system understands, and back.

use std::net::{IpAddr, SocketAddr};

use libp2p::core::multiaddr::{Multiaddr, Protocol};

/// Which kinds of address a name may resolve to: `/dns`, `/dns4`, `/dns6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    V4,
    V6,
}

impl Family {
    /// Whether `ip` is of this family.
    pub(super) fn admits(self, ip: IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }
}

/// Where a dial goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Socket(SocketAddr),
    Name {
        name: String,
        family: Family,
        port: u16,
    },
}

impl Target {
    /// `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT` with an optional `/p2p/ID` behind it; `None` for anything else, and for
    /// what cannot be dialled: port 0 and the unspecified address.
    pub(super) fn from_multiaddr(addr: &Multiaddr) -> Option<Target> {
        let mut parts = addr.iter();
        let host = parts.next()?;
        let Protocol::Tcp(port) = parts.next()? else {
            return None;
        };
        match (parts.next(), parts.next()) {
            (None | Some(Protocol::P2p(_)), None) => {}
            _ => return None,
        }
        if port == 0 {
            return None;
        }
        let name = |name: &str, family| {
            Some(Target::Name {
                name: name.to_owned(),
                family,
                port,
            })
        };
        match host {
            Protocol::Ip4(ip) if !ip.is_unspecified() => {
                Some(Target::Socket(SocketAddr::new(ip.into(), port)))
            }
            Protocol::Ip6(ip) if !ip.is_unspecified() => {
                Some(Target::Socket(SocketAddr::new(ip.into(), port)))
            }
            Protocol::Dns(host) => name(&host, Family::Any),
            Protocol::Dns4(host) => name(&host, Family::V4),
            Protocol::Dns6(host) => name(&host, Family::V6),
            _ => None,
        }
    }
}

/// `/ip4|ip6/HOST/tcp/PORT` exactly; `None` for anything else.
pub(super) fn to_socket_addr(addr: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = addr.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match (parts.next(), parts.next()) {
        (Some(Protocol::Tcp(port)), None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// `/ip4|ip6/HOST/tcp/PORT` of a socket address. A scope id is dropped: multiaddrs of this form have none.
pub(in crate::swarm) fn to_multiaddr(addr: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(addr.ip().into())
        .with(Protocol::Tcp(addr.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Option<Target> {
        Target::from_multiaddr(&text.parse().ok()?)
    }

    #[test]
    fn a_target_is_an_address_or_a_name_with_a_tcp_port_and_perhaps_a_peer() {
        let peer = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
        let socket = |text: &str| Some(Target::Socket(text.parse().ok()?));
        assert_eq!(target("/ip4/10.0.0.1/tcp/1235"), socket("10.0.0.1:1235"));
        assert_eq!(
            target(&format!("/ip6/::1/tcp/1/p2p/{peer}")),
            socket("[::1]:1")
        );
        let name = |family| {
            Some(Target::Name {
                name: "edge".to_owned(),
                family,
                port: 7,
            })
        };
        assert_eq!(target("/dns/edge/tcp/7"), name(Family::Any));
        assert_eq!(target("/dns4/edge/tcp/7"), name(Family::V4));
        assert_eq!(target("/dns6/edge/tcp/7"), name(Family::V6));
    }

    #[test]
    fn what_tcp_cannot_dial_is_no_target() {
        for text in [
            "/ip4/10.0.0.1/udp/1235/quic-v1",
            "/ip4/10.0.0.1/tcp/1235/ws",
            "/ip4/10.0.0.1/tcp/0",
            "/ip4/0.0.0.0/tcp/1",
            "/ip6/::/tcp/1",
            "/dnsaddr/edge/tcp/7",
            "/memory/7",
        ] {
            assert_eq!(target(text), None, "{text}");
        }
    }

    #[test]
    fn socket_addresses_survive_the_way_there_and_back() {
        for text in ["127.0.0.1:80", "0.0.0.0:0", "[::1]:65535"] {
            let addr: SocketAddr = text.parse().unwrap_or_else(|_| unreachable!("a literal"));
            assert_eq!(to_socket_addr(&to_multiaddr(addr)), Some(addr));
        }
    }
}
