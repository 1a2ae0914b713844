//! What can go wrong with a listener or a connection.

use std::io;
use std::net::SocketAddr;

use super::bind::BindError;
use super::dial::CONNECT_TIMEOUT;
use super::resolve::ResolveError;

/// Why a listener or a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub(in crate::swarm) enum TcpError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("{remote} did not answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout { remote: SocketAddr },
    #[error("{remote}: {source}")]
    Connect {
        remote: SocketAddr,
        source: io::Error,
    },
    #[error("a new connection was gone before it could be used: {0}")]
    Accept(io::Error),
    #[error("a listening socket could not be watched: {0}")]
    Watch(io::Error),
}
