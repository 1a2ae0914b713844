//! The bounded HTTP server.
//!
//! ```text
//!  listener --accept--.                       .-- connection (hyper) --> routes --> backend
//!  listener --accept--+--> server loop: table +-- connection
//!                          of connections     `-- ...
//! ```
//!
//! One task per listener accepts, survives errors with a pause, and hands over one connection at a time. The loop owns the
//! table: it starts a task per connection, hears when one ends, and when the table is full tells the connection that has
//! been idle longest to close. Every task belongs to the table, so dropping the server drops them all. Nothing wakes up
//! while no client does anything, but for the one timer that ends an idle connection.

mod accept;
mod body;
mod connection;
mod counters;
mod limits;
mod stream;

pub use limits::Limits;

pub(in crate::api) use body::{Bodies, HeldBody, read as read_body};
pub(in crate::api) use counters::Counters;

use super::access::Access;
use super::backend::ApiBackend;
use super::routes::Seats;
use accept::Arrival;
use async_channel::{Receiver, Sender};
use async_executor::{Executor, Task};
use async_io::{Async, Timer};
use connection::Slot;
use futures_lite::future;
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the connections of one server share.
#[derive(Debug)]
pub(in crate::api) struct Shared {
    pub(in crate::api) backend: ApiBackend,
    pub(in crate::api) access: Access,
    pub(in crate::api) limits: Limits,
    pub(in crate::api) bodies: Bodies,
    pub(in crate::api) counters: Counters,
    pub(in crate::api) followers: Seats,
    /// Whether connections are scarce or the server stops: then none is kept after its answer.
    pub(in crate::api) scarce: AtomicBool,
    /// Counts the moments at which connections became idle: an order without a clock.
    idle_moments: AtomicU64,
}

/// A running server. Dropping it closes everything at once.
#[derive(Debug)]
pub struct ApiServer {
    stop: Sender<()>,
    task: Task<()>,
}

impl ApiServer {
    /// Serves on every listener until stopped or dropped. `executor` must be polled by its owner.
    #[must_use]
    pub fn start(
        executor: &Arc<Executor<'static>>,
        listeners: Vec<Async<TcpListener>>,
        backend: ApiBackend,
        access: Access,
        limits: Limits,
    ) -> Self {
        let (stop, stopped) = async_channel::bounded(1);
        let server = Server::new(executor.clone(), backend, access, limits);
        let task = executor.spawn(server.run(listeners, stopped));
        Self { stop, task }
    }

    /// Takes no new connections, lets answers that are on their way out finish for at most `Limits::close_time`, then
    /// closes everything. Dropping the future before it is ready does the last at once.
    pub async fn stop(self) {
        // Full or closed: it is stopping already.
        let _ = self.stop.try_send(());
        self.task.await;
    }
}

enum Event {
    Arrived(Arrival),
    Ended(u64),
    Stop,
}

struct Entry {
    slot: Arc<Slot>,
    close: Sender<()>,
    /// Held so that the connection ends with the table.
    _task: Task<()>,
}

struct Server {
    executor: Arc<Executor<'static>>,
    shared: Arc<Shared>,
    ended: Sender<u64>,
    endings: Receiver<u64>,
    connections: BTreeMap<u64, Entry>,
    next_id: u64,
}

impl Server {
    fn new(
        executor: Arc<Executor<'static>>,
        backend: ApiBackend,
        access: Access,
        limits: Limits,
    ) -> Self {
        // Each connection says once that it ended, so that there is always room.
        let (ended, endings) = async_channel::bounded(limits.connections.max(1));
        Self {
            executor,
            shared: Arc::new(Shared {
                backend,
                access,
                limits,
                bodies: Bodies::new(limits.bodies_bytes),
                counters: Counters::default(),
                followers: Seats::default(),
                scarce: AtomicBool::new(false),
                idle_moments: AtomicU64::new(1),
            }),
            ended,
            endings,
            connections: BTreeMap::new(),
            next_id: 0,
        }
    }

    async fn run(mut self, listeners: Vec<Async<TcpListener>>, stopped: Receiver<()>) {
        let (arrived, arrivals) = async_channel::bounded(1);
        let acceptors: Vec<Task<()>> = listeners
            .into_iter()
            .map(|listener| {
                self.executor
                    .spawn(accept::accept(listener, arrived.clone()))
            })
            .collect();
        drop(arrived);
        let mut waiting: Option<TcpStream> = None;
        loop {
            let room = self.connections.len() < self.shared.limits.connections;
            if room && let Some(stream) = waiting.take() {
                self.open(stream);
                continue;
            }
            self.shared
                .scarce
                .store(waiting.is_some(), Ordering::Relaxed);
            let event = future::or(
                async {
                    // A closed channel is the owner gone without a word, which is a stop as well.
                    let _ = stopped.recv().await;
                    Event::Stop
                },
                future::or(self.next_ending(), async {
                    if waiting.is_some() {
                        return future::pending().await;
                    }
                    match arrivals.recv().await {
                        Ok(arrival) => Event::Arrived(arrival),
                        Err(_) => future::pending().await,
                    }
                }),
            )
            .await;
            match event {
                // A connection that nobody uses gives its descriptor to the one that waits, or to the rest of the node.
                Event::Arrived(Arrival::NoRoom) => self.close_longest_idle(),
                Event::Arrived(Arrival::Connection(stream)) => {
                    waiting = Some(stream);
                    if !room {
                        self.close_longest_idle();
                    }
                }
                Event::Ended(id) => {
                    self.shared.counters.closed();
                    self.connections.remove(&id);
                }
                Event::Stop => break,
            }
        }
        drop(acceptors);
        drop(waiting);
        self.close_all().await;
    }

    async fn next_ending(&self) -> Event {
        match self.endings.recv().await {
            Ok(id) => Event::Ended(id),
            Err(_) => future::pending().await,
        }
    }

    fn open(&mut self, stream: TcpStream) {
        let Ok(stream) = connection::prepare(stream, &self.shared.limits) else {
            return; // the client has gone already
        };
        let id = self.next_id;
        self.next_id += 1;
        let (close, told) = async_channel::bounded(1);
        let slot = Arc::new(Slot::new(self.idle_moment()));
        let ended = self.ended.clone();
        let driven = connection::drive(stream, self.shared.clone(), slot.clone(), told);
        let task = self.executor.spawn(async move {
            driven.await;
            // There is room, and a vanished server needs no word.
            let _ = ended.try_send(id);
        });
        self.shared.counters.opened();
        self.connections.insert(
            id,
            Entry {
                slot,
                close,
                _task: task,
            },
        );
    }

    fn idle_moment(&self) -> u64 {
        self.shared.next_idle_moment()
    }

    /// Tells the connection that has been idle longest, and was not told before, to close. While all are busy, the next
    /// one that answers closes, because `scarce` is set.
    fn close_longest_idle(&self) {
        let longest = self
            .connections
            .values()
            .filter(|entry| entry.close.is_empty() && !entry.close.is_closed())
            .filter_map(|entry| Some((entry.slot.idle_since()?, entry)))
            .min_by_key(|(since, _)| *since);
        if let Some((_, entry)) = longest {
            let _ = entry.close.try_send(());
        }
    }

    async fn close_all(&mut self) {
        self.shared.scarce.store(true, Ordering::Relaxed);
        for entry in self.connections.values() {
            let _ = entry.close.try_send(());
        }
        let all_ended = async {
            while !self.connections.is_empty() {
                let Ok(id) = self.endings.recv().await else {
                    return;
                };
                self.connections.remove(&id);
            }
        };
        let too_late = async {
            Timer::after(self.shared.limits.close_time).await;
        };
        future::or(all_ended, too_late).await;
    }
}

impl Shared {
    fn next_idle_moment(&self) -> u64 {
        self.idle_moments.fetch_add(1, Ordering::Relaxed)
    }
}
