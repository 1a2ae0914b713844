//! One listening socket: accepts for ever, pauses when the machine has no room.

use std::future::{Future, Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::{Async, Timer};
use libp2p::core::transport::{ListenerId, TransportEvent};
use rustix::io::Errno;

use super::Event;
use super::address::to_multiaddr;
use super::bind::BoundListener;
use super::connection::TcpConnection;
use super::error::TcpError;

/// First pause after an accept that the machine had no room for; it doubles up to [`PAUSE_MAX`]. The connection stays
/// in the kernel's queue meanwhile.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// Longest pause: how late a peer is served at worst once files are free again.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Accepts that may fail in a row within one poll because the peer was gone already; then the loop yields.
const GONE_IN_A_ROW_MAX: u32 = 32;

/// A listening socket of the transport.
#[derive(Debug)]
pub(super) struct Listener {
    id: ListenerId,
    socket: Async<TcpListener>,
    local: SocketAddr,
    pause: Pause,
}

/// Whether accepting pauses, and how long the next pause is.
#[derive(Debug)]
enum Pause {
    None,
    Until { timer: Timer, length: Duration },
    Over { length: Duration },
}

impl Listener {
    /// # Errors
    /// When the reactor has no room to watch the socket.
    pub(super) fn new(id: ListenerId, bound: BoundListener) -> Result<Listener, TcpError> {
        let (socket, local) = bound.into_parts();
        let socket = Async::new_nonblocking(socket).map_err(TcpError::Watch)?;
        Ok(Listener {
            id,
            socket,
            local,
            pause: Pause::None,
        })
    }

    pub(super) fn id(&self) -> ListenerId {
        self.id
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether it listens on a wildcard, so that its addresses are those of the interfaces.
    pub(super) fn follows_interfaces(&self) -> bool {
        self.local.ip().is_unspecified()
    }

    /// That this listener can be reached at `ip`; `None` if it is of the other family.
    pub(super) fn new_address(&self, ip: IpAddr) -> Option<Event> {
        let listen_addr = to_multiaddr(self.at(ip)?);
        Some(TransportEvent::NewAddress {
            listener_id: self.id,
            listen_addr,
        })
    }

    /// That this listener can no longer be reached at `ip`; `None` if it is of the other family.
    pub(super) fn address_expired(&self, ip: IpAddr) -> Option<Event> {
        let listen_addr = to_multiaddr(self.at(ip)?);
        Some(TransportEvent::AddressExpired {
            listener_id: self.id,
            listen_addr,
        })
    }

    fn at(&self, ip: IpAddr) -> Option<SocketAddr> {
        (ip.is_ipv4() == self.local.is_ipv4()).then(|| SocketAddr::new(ip, self.local.port()))
    }

    /// The next connection. No accept error ends the listener.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Pause::Until { timer, length } = &mut self.pause {
            if Pin::new(timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = Pause::Over { length: *length };
        }
        for _ in 0..GONE_IN_A_ROW_MAX {
            match self.socket.get_ref().accept() {
                Ok((stream, remote)) => {
                    self.pause = Pause::None;
                    if let Some(event) = self.incoming(stream, remote) {
                        return Poll::Ready(event);
                    }
                }
                // Readiness is only asked for after the socket said that it has nothing; an error of the reactor
                // itself is a reason to pause, too.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.socket.poll_readable(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => return self.begin_pause(cx, &error),
                    }
                }
                Err(error) if is_gone(&error) => {
                    log::debug!("a connection was gone before it was accepted: {error}")
                }
                Err(error) => return self.begin_pause(cx, &error),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn incoming(&self, stream: TcpStream, remote: SocketAddr) -> Option<Event> {
        let local = stream.local_addr().ok()?;
        Some(TransportEvent::Incoming {
            listener_id: self.id,
            upgrade: upgrade(stream),
            local_addr: to_multiaddr(local),
            send_back_addr: to_multiaddr(remote),
        })
    }

    fn begin_pause(&mut self, cx: &mut Context<'_>, error: &io::Error) -> Poll<Event> {
        let length = match self.pause {
            Pause::None => {
                log::warn!(
                    "no room to accept peers on {}, trying on: {error}",
                    self.local
                );
                PAUSE_FIRST
            }
            Pause::Until { length, .. } | Pause::Over { length } => (length * 2).min(PAUSE_MAX),
        };
        let mut timer = Timer::after(length);
        // Registers the waker; a timer this young is not over.
        if Pin::new(&mut timer).poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        self.pause = Pause::Until { timer, length };
        Poll::Pending
    }
}

fn upgrade(stream: TcpStream) -> Ready<Result<TcpConnection, TcpError>> {
    ready(
        Async::new(stream)
            .and_then(TcpConnection::new)
            .map_err(TcpError::Accept),
    )
}

/// Errors that belong to the connection at the head of the queue, which is gone: the next one may be tried at once
/// (accept(2), "Error handling"). Anything else, a full file table above all, means "later".
fn is_gone(error: &io::Error) -> bool {
    let Some(errno) = error.raw_os_error() else {
        return false;
    };
    [
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::INTR,
        Errno::PROTO,
        Errno::PERM,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
    ]
    .iter()
    .any(|gone| gone.raw_os_error() == errno)
}
