//! Binding, with errors that a caller can tell apart.

use async_io::Async;
use std::io;
use std::net::{SocketAddr, TcpListener};
use thiserror::Error;

/// Why an address cannot be listened on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody listens there already.
    #[error("{addr} is in use by another program")]
    AddressInUse {
        /// Which.
        addr: SocketAddr,
    },
    /// The kernel does not let this user listen there.
    #[error("listening on {addr} is not permitted")]
    PermissionDenied {
        /// Which.
        addr: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error("cannot listen on {addr}: this machine does not have that address")]
    NotAvailable {
        /// Which.
        addr: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {addr}")]
    Other {
        /// Which.
        addr: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Connections that the kernel keeps while they wait to be accepted. Beyond it a client's first packet is dropped and sent
/// again after a second; the standard library's 128 makes clients of one burst wait so. A waiting one costs the kernel
/// some 2 KB. The kernel's own limit (net.core.somaxconn, 4,096) may be lower.
const BACKLOG: i32 = 1_024;

/// Listens on `addr`; port 0 takes a free one, which `get_ref().local_addr()` tells. Must be called where the reactor of
/// `async-io` may register it, which is any thread.
///
/// # Errors
/// `BindError` names the address and the reason.
pub fn bind(addr: SocketAddr) -> Result<Async<TcpListener>, BindError> {
    // The standard library sets SO_REUSEADDR here, so a restart does not wait for old connections.
    let bound = Async::<TcpListener>::bind(addr).and_then(|listener| {
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(listener)
    });
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::AddressInUse { addr },
        io::ErrorKind::PermissionDenied => BindError::PermissionDenied { addr },
        io::ErrorKind::AddrNotAvailable => BindError::NotAvailable { addr },
        _ => BindError::Other { addr, source },
    })
}
