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
    #[error("no interface of this machine has the address of {addr}")]
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

/// Listens on `addr`; port 0 takes a free one, which `get_ref().local_addr()` tells. Must be called where the reactor of
/// `async-io` may register it, which is any thread.
///
/// # Errors
/// `BindError` names the address and the reason.
pub fn bind(addr: SocketAddr) -> Result<Async<TcpListener>, BindError> {
    // The standard library sets SO_REUSEADDR here, so a restart does not wait for old connections.
    Async::<TcpListener>::bind(addr).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::AddressInUse { addr },
        io::ErrorKind::PermissionDenied => BindError::PermissionDenied { addr },
        io::ErrorKind::AddrNotAvailable => BindError::NotAvailable { addr },
        _ => BindError::Other { addr, source },
    })
}
