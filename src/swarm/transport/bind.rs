//! Takes a listening port, or says in a type why not.
//!
//! A listener is bound *without* `SO_REUSEPORT`, so a second node on the same port is an error even when the same user
//! runs both. Only once it listens is the option switched on: from then on dials of this process, which set it from the
//! start, may leave from the same port (socket(7); Linux compares the option of the sockets as it is at that moment).
//! `SO_REUSEADDR` lets a restarted node have its port back while connections of the last run are in TIME_WAIT.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel completes before `accept` sees them; beyond it further ones wait for a retry of their SYN.
/// A fleet that reconnects at once after a power cut fits, and each costs the kernel a few hundred bytes.
const BACKLOG: i32 = 128;

/// Why a listening port could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process, or another node in this one, listens there.
    #[error("cannot listen on {addr}: the address is in use")]
    AddressInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// No interface of this machine has the address, or its family is switched off.
    #[error("cannot listen on {addr}: this machine does not have that address")]
    AddressNotHere {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The port is privileged and this process is not.
    #[error("cannot listen on {addr}: permission denied (ports below 1024 need a privilege)")]
    PermissionDenied {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Anything else the operating system says, such as a full file table.
    #[error("cannot listen on {addr}: {source}")]
    Other {
        /// The address asked for.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BindError {
    fn from_io(addr: SocketAddr, source: io::Error) -> BindError {
        // EAFNOSUPPORT has no kind of its own.
        let family_is_off =
            source.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
        match source.kind() {
            io::ErrorKind::AddrInUse => BindError::AddressInUse { addr },
            io::ErrorKind::AddrNotAvailable => BindError::AddressNotHere { addr },
            io::ErrorKind::PermissionDenied => BindError::PermissionDenied { addr },
            _ if family_is_off => BindError::AddressNotHere { addr },
            _ => BindError::Other { addr, source },
        }
    }
}

/// A socket that listens, and nobody accepts from yet.
#[derive(Debug)]
pub(in crate::swarm) struct BoundListener {
    socket: TcpListener,
    local: SocketAddr,
}

impl BoundListener {
    /// The address that is listened on, its port never 0.
    pub(in crate::swarm) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn into_parts(self) -> (TcpListener, SocketAddr) {
        (self.socket, self.local)
    }
}

/// Binds and listens. Port 0 takes a free one. IPv6 sockets take IPv6 only, so both wildcards fit on one port.
///
/// # Errors
/// See [`BindError`]; nothing stays bound.
pub(in crate::swarm) fn bind(addr: SocketAddr) -> Result<BoundListener, BindError> {
    listen(addr).map_err(|source| BindError::from_io(addr, source))
}

fn listen(addr: SocketAddr) -> io::Result<BoundListener> {
    let socket = Socket::new(
        Domain::for_address(addr),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    socket.set_reuse_port(true)?;
    let socket = TcpListener::from(socket);
    let local = socket.local_addr()?;
    Ok(BoundListener { socket, local })
}
