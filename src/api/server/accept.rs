//! Accepting, for as long as the node lives.

use super::limits::ACCEPT_PAUSES;
use async_channel::Sender;
use async_io::{Async, Timer};
use std::io;
use std::net::{TcpListener, TcpStream};

/// What a listener has to say.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A connection.
    Connection(TcpStream),
    /// One that could not be accepted, for want of descriptors or memory; it waits in the kernel's backlog.
    NoRoom,
}

/// Hands connections over one by one until the receiver is gone. While it does not take one, the rest waits in the
/// kernel's backlog.
pub(super) async fn accept(listener: Async<TcpListener>, arrived: Sender<Arrival>) {
    let mut failures = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                failures = 0;
                let Ok(stream) = stream.into_inner() else {
                    continue;
                };
                if arrived.send(Arrival::Connection(stream)).await.is_err() {
                    return;
                }
            }
            // The client left before it was accepted: its affair, the next one is waiting.
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                if failures == 0 {
                    log::warn!("the API cannot accept connections now, retrying: {error}");
                }
                let pause = ACCEPT_PAUSES[failures.min(ACCEPT_PAUSES.len() - 1)];
                failures = failures.saturating_add(1);
                if arrived.send(Arrival::NoRoom).await.is_err() {
                    return;
                }
                Timer::after(pause).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}
