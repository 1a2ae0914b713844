//! TCP for libp2p on async-io: listen, dial, port reuse, wildcard listeners that follow the interfaces.
//!
//! ```text
//!   bind ----> BoundListener --.
//!                               v            .- connection: Async<TcpStream> as libp2p wants it
//!   Swarm -- listen_on --> TcpTransport ----<
//!         -- dial      -->   |  |  |         `- dial: resolve, connect, deadline (all cancelled by drop)
//!                            |  |  `- resolve: getaddrinfo on a thread of its own
//!                            |  `---- interfaces: which addresses a wildcard listener has, by netlink
//!                            `------- listener: accept, back off when the file table is full
//! ```
//!
//! libp2p dropped its own smol provider in 0.56, hence this one; it follows the contract of
//! [`libp2p::core::Transport`].
//!
//! **Happy path.** [`bind`](bind::bind) takes the port before anything else of the node starts, so a taken port is a
//! typed error. The `Swarm` then calls `listen_on` with the same address and the transport picks that socket up. Dials
//! leave from the listening port ([`PortUse::Reuse`]), so that a peer behind the same NAT mapping can dial back what
//! it observed.
//!
//! **Failures.** An accept error never ends a listener: a full file table pauses it (100 ms to 1 s), a connection that
//! was gone before it was accepted is skipped. A port that cannot be reused for one dial is given up for that dial only.
//! A lost interface watch is made anew. What an accepted or dialled stream does is the business of the layers above.
//!
//! **Bounds.** Pending connections are bounded by the connection limits in `behaviour`; one connection is handed over
//! per poll, so nothing queues here. The queue of the resolver and the number of addresses tried per name are bounded
//! in their files.

pub(super) mod address;
pub(super) mod bind;
mod connection;
mod dial;
mod error;
mod interfaces;
mod listener;
mod netlink;
mod resolve;

use std::collections::VecDeque;
use std::future::Ready;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use libp2p::core::Transport;
use libp2p::core::multiaddr::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent};

use address::Target;
use bind::BoundListener;
pub(super) use connection::TcpConnection;
pub(super) use error::TcpError;
use interfaces::{Change, Interfaces};
use listener::Listener;
use resolve::Resolver;

type Event = TransportEvent<Ready<Result<TcpConnection, TcpError>>, TcpError>;

/// The transport of one node. Polled by its `Swarm` only.
#[derive(Debug)]
pub(super) struct TcpTransport {
    bound: Vec<BoundListener>,
    listeners: Vec<Listener>,
    next_listener: usize,
    interfaces: Option<Interfaces>,
    resolver: Resolver,
    pending: VecDeque<Event>,
}

impl TcpTransport {
    /// A transport whose `listen_on` uses the sockets in `bound` for their addresses and binds others itself.
    pub(super) fn new(bound: Vec<BoundListener>) -> TcpTransport {
        TcpTransport {
            bound,
            listeners: Vec::new(),
            next_listener: 0,
            interfaces: None,
            resolver: Resolver::new(),
            pending: VecDeque::new(),
        }
    }

    fn take_or_bind(&mut self, addr: SocketAddr) -> Result<BoundListener, TcpError> {
        match self
            .bound
            .iter()
            .position(|bound| bound.local_addr() == addr)
        {
            Some(position) => Ok(self.bound.swap_remove(position)),
            None => bind::bind(addr).map_err(TcpError::Bind),
        }
    }

    /// The local addresses a dial may leave from: one per listener, none when a fresh port was asked for.
    fn reusable(&self, opts: DialOpts) -> Vec<SocketAddr> {
        match opts.port_use {
            PortUse::New => Vec::new(),
            PortUse::Reuse => self.listeners.iter().map(Listener::local_addr).collect(),
        }
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        self.interfaces
            .as_ref()
            .map(|interfaces| interfaces.known().collect())
            .unwrap_or_default()
    }

    /// Takes one change of the interfaces and queues what it means for the listeners.
    fn poll_interfaces(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(interfaces) = self.interfaces.as_mut() else {
            return Poll::Pending;
        };
        let change = ready!(interfaces.poll_change(cx));
        for listener in &self.listeners {
            if !listener.follows_interfaces() {
                continue;
            }
            let event = match change {
                Change::Up(ip) => listener.new_address(ip),
                Change::Down(ip) => listener.address_expired(ip),
            };
            self.pending.extend(event);
        }
        Poll::Ready(())
    }

    /// Polls every listener once, starting with the one after the last that had something: none starves another.
    fn poll_listeners(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let count = self.listeners.len();
        for step in 0..count {
            let index = (self.next_listener + step) % count;
            let Some(listener) = self.listeners.get_mut(index) else {
                continue;
            };
            if let Poll::Ready(event) = listener.poll_accept(cx) {
                self.next_listener = index + 1;
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }
}

impl Transport for TcpTransport {
    type Output = TcpConnection;
    type Error = TcpError;
    type ListenerUpgrade = Ready<Result<TcpConnection, TcpError>>;
    type Dial = BoxFuture<'static, Result<TcpConnection, TcpError>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        addr: Multiaddr,
    ) -> Result<(), TransportError<TcpError>> {
        let Some(socket_addr) = address::to_socket_addr(&addr) else {
            return Err(TransportError::MultiaddrNotSupported(addr));
        };
        let bound = self
            .take_or_bind(socket_addr)
            .map_err(TransportError::Other)?;
        let listener = Listener::new(id, bound).map_err(TransportError::Other)?;
        if listener.follows_interfaces() {
            let interfaces = self.interfaces.get_or_insert_with(Interfaces::watch);
            self.pending
                .extend(interfaces.known().filter_map(|ip| listener.new_address(ip)));
        } else {
            self.pending
                .extend(listener.new_address(listener.local_addr().ip()));
        }
        self.listeners.push(listener);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let Some(position) = self
            .listeners
            .iter()
            .position(|listener| listener.id() == id)
        else {
            return false;
        };
        self.listeners.remove(position);
        self.pending.push_back(TransportEvent::ListenerClosed {
            listener_id: id,
            reason: Ok(()),
        });
        true
    }

    fn dial(
        &mut self,
        addr: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<TcpError>> {
        let Some(target) = Target::from_multiaddr(&addr) else {
            return Err(TransportError::MultiaddrNotSupported(addr));
        };
        let local = dial::LocalPorts {
            listening: self.reusable(opts),
            own: self.own_addresses(),
        };
        Ok(match target {
            Target::Socket(remote) => Box::pin(dial::connect(remote, local)),
            Target::Name { name, family, port } => {
                let lookup = self.resolver.lookup(name, family);
                Box::pin(async move { dial::connect_any(lookup.await?, port, local).await })
            }
        })
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Poll::Ready(event);
            }
            // Only with an empty queue, which is how it stays bounded by the number of listeners.
            if self.poll_interfaces(cx).is_pending() {
                return self.poll_listeners(cx);
            }
        }
    }
}
