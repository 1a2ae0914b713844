//! Connects: from the listening port where that works, within a deadline, cancelled by drop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future;
use socket2::{Domain, Protocol, Socket, Type};

use super::connection::TcpConnection;
use super::error::TcpError;
use super::resolve::ResolveError;

/// How long one address may take to answer. A SYN is repeated after 1, 3 and 7 s, so three losses are survived.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a dial may know of this side.
#[derive(Debug)]
pub(super) struct LocalPorts {
    /// Addresses that are listened on and may be left from.
    pub(super) listening: Vec<SocketAddr>,
    /// Addresses of this machine.
    pub(super) own: Vec<IpAddr>,
}

impl LocalPorts {
    /// Where to leave from towards `remote`: a listener of the same family that can reach it, its port on any address.
    ///
    /// Never towards that very port on this machine: leaving from port P to port P of the same address, TCP connects
    /// a socket to itself.
    fn towards(&self, remote: SocketAddr) -> Option<SocketAddr> {
        let ip = remote.ip();
        let here = ip.is_loopback()
            || self.own.contains(&ip)
            || self.listening.iter().any(|listening| listening.ip() == ip);
        let usable = |listening: &&SocketAddr| {
            let ip = listening.ip();
            listening.is_ipv4() == remote.is_ipv4()
                && (ip.is_unspecified() || ip.is_loopback() == remote.ip().is_loopback())
                && !(here && listening.port() == remote.port())
        };
        let port = self.listening.iter().find(usable)?.port();
        let any = if remote.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        Some(SocketAddr::new(any, port))
    }
}

/// Tries the addresses one after the other; the last error is the answer when none works.
pub(super) async fn connect_any(
    ips: Vec<IpAddr>,
    port: u16,
    local: LocalPorts,
) -> Result<TcpConnection, TcpError> {
    let mut last = TcpError::Resolve(ResolveError::NoAddress);
    for ip in ips {
        match connect_one(SocketAddr::new(ip, port), &local).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to one address.
pub(super) async fn connect(
    remote: SocketAddr,
    local: LocalPorts,
) -> Result<TcpConnection, TcpError> {
    connect_one(remote, &local).await
}

async fn connect_one(remote: SocketAddr, local: &LocalPorts) -> Result<TcpConnection, TcpError> {
    let deadline = async {
        Timer::after(CONNECT_TIMEOUT).await;
        Err(TcpError::Timeout { remote })
    };
    let attempt = async {
        let failed = |source| TcpError::Connect { remote, source };
        if let Some(from) = local.towards(remote) {
            match attempt(remote, Some(from)).await {
                // The four-tuple is still in use, or the port is: a fresh port can do it.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse
                    ) => {}
                outcome => return outcome.map_err(failed),
            }
        }
        attempt(remote, None).await.map_err(failed)
    };
    future::or(attempt, deadline).await
}

async fn attempt(remote: SocketAddr, from: Option<SocketAddr>) -> io::Result<TcpConnection> {
    let socket = Socket::new(
        Domain::for_address(remote),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if remote.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(from) = from {
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&from.into())?;
    }
    match socket.connect(&remote.into()) {
        Ok(()) => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    let stream = Async::new_nonblocking(TcpStream::from(socket))?;
    stream.writable().await?;
    if let Some(error) = stream.get_ref().take_error()? {
        return Err(error);
    }
    TcpConnection::new(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap_or_else(|_| unreachable!("a literal"))
    }

    fn towards(listening: &[&str], own: &[&str], remote: &str) -> Option<SocketAddr> {
        let own = own.iter().map(|ip| addr(&format!("{ip}:1")).ip()).collect();
        LocalPorts {
            listening: listening.iter().map(|text| addr(text)).collect(),
            own,
        }
        .towards(addr(remote))
    }

    #[test]
    fn a_dial_leaves_from_a_listener_that_can_reach_the_remote() {
        assert_eq!(
            towards(&["0.0.0.0:1235"], &[], "10.0.0.9:1235"),
            Some(addr("0.0.0.0:1235"))
        );
        assert_eq!(towards(&["0.0.0.0:1235"], &[], "[2001:db8::1]:1235"), None);
        assert_eq!(towards(&["127.0.0.1:7"], &[], "10.0.0.9:1235"), None);
        assert_eq!(
            towards(&["10.0.0.1:7", "127.0.0.1:8"], &[], "127.0.0.1:9"),
            Some(addr("0.0.0.0:8"))
        );
        assert_eq!(
            towards(&["[::]:7", "0.0.0.0:8"], &[], "[::1]:9"),
            Some(addr("[::]:7"))
        );
    }

    #[test]
    fn a_dial_never_connects_a_socket_to_itself() {
        assert_eq!(towards(&["0.0.0.0:1235"], &[], "127.0.0.1:1235"), None);
        assert_eq!(
            towards(&["0.0.0.0:1235"], &["10.0.0.9"], "10.0.0.9:1235"),
            None
        );
        assert_eq!(towards(&["10.0.0.9:1235"], &[], "10.0.0.9:1235"), None);
        assert_eq!(
            towards(&["0.0.0.0:1235"], &["10.0.0.9"], "10.0.0.9:1236"),
            Some(addr("0.0.0.0:1235"))
        );
    }
}
