//! One connection, from accept to close.

use super::limits::Limits;
use super::stream::Stream;
use super::{Shared, body};
use crate::api::error::ApiError;
use crate::api::routes::{self, Answered, Upgrade};
use async_channel::Receiver;
use async_io::{Async, Timer};
use futures_lite::{AsyncWriteExt, future};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use smol_hyper::rt::{FuturesIo, SmolTimer};
use std::convert::Infallible;
use std::io;
use std::net::TcpStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the table knows of a connection: since which moment it has been idle, or that it is busy.
#[derive(Debug)]
pub(super) struct Slot {
    idle_since: AtomicU64,
    answers: AtomicU64,
    /// Whether bytes came since the last answer: then a head is under way, and its client waits.
    heard: AtomicBool,
}

const BUSY: u64 = u64::MAX;

impl Slot {
    pub(super) fn new(now: u64) -> Self {
        Self {
            idle_since: AtomicU64::new(now),
            answers: AtomicU64::new(0),
            heard: AtomicBool::new(false),
        }
    }

    /// Bytes came.
    pub(super) fn hears(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// The moment at which it became idle; `None` while a request is being answered.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let since = self.idle_since.load(Ordering::Relaxed);
        (since != BUSY).then_some(since)
    }
}

/// Sets the socket's own bounds.
pub(super) fn prepare(stream: TcpStream, limits: &Limits) -> io::Result<Async<TcpStream>> {
    // Without it, head and body in two writes cost 40 ms.
    stream.set_nodelay(true)?;
    // The kernel cuts a connection whose client stopped reading: no timer of ours.
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(limits.write_time))?;
    Async::new(stream)
}

/// Serves one connection until its client leaves, a bound is passed or `told` says to close. An idle connection closes
/// within `Limits::close_time`; a busy one finishes its answer. Dropping the future closes the connection at once.
pub(super) async fn drive(
    stream: Async<TcpStream>,
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    told: Receiver<()>,
) {
    let (refused, refusals) = async_channel::bounded::<Incoming>(1);
    // A connection becomes something else once.
    let (upgraded, upgrades) = async_channel::bounded::<Upgrade>(1);
    let service = {
        let (shared, slot) = (shared.clone(), slot.clone());
        service_fn(move |request: Request<Incoming>| {
            let (shared, slot) = (shared.clone(), slot.clone());
            let (refused, upgraded) = (refused.clone(), upgraded.clone());
            async move {
                slot.idle_since.store(BUSY, Ordering::Relaxed);
                let Answered {
                    mut response,
                    unread,
                    upgrade,
                } = routes::answer(request, &shared).await;
                slot.answers.fetch_add(1, Ordering::Relaxed);
                if let Some(upgrade) = upgrade {
                    // It stays busy: whoever follows a log for days is not idle.
                    let _ = upgraded.try_send(upgrade);
                    return Ok(response);
                }
                if let Some(body) = unread {
                    // Full: an earlier refusal on this connection lingers already, and that will do.
                    let _ = refused.try_send(body);
                }
                if shared.scarce.load(Ordering::Relaxed) {
                    close_after(&mut response);
                }
                shared.counters.answered(response.status());
                slot.heard.store(false, Ordering::Relaxed);
                slot.idle_since
                    .store(shared.next_idle_moment(), Ordering::Relaxed);
                Ok::<_, Infallible>(response)
            }
        })
    };
    let limits = shared.limits;
    let socket = Arc::new(stream);
    let stream = Stream::new(socket.clone(), slot.clone(), limits);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(SmolTimer::new())
            .header_read_timeout(limits.head_time)
            .max_header_size(limits.head_bytes)
            .max_buf_size(limits.head_bytes + READ_AHEAD)
            .half_close(true)
            .serve_connection(FuturesIo::new(stream), service)
            .with_upgrades()
    );
    let linger = async {
        while let Ok(body) = refusals.recv().await {
            body::discard(body, &limits).await;
        }
        future::pending::<()>().await;
    };
    let served = async {
        // What went wrong on a connection is its client's affair; the next one starts afresh.
        let served = connection.as_mut().await;
        if served.is_err_and(|error| error.is_timeout()) && slot.heard.load(Ordering::Relaxed) {
            say_too_slow(&socket, &limits).await;
        }
        Next::Ended
    };
    let close = async {
        let _ = told.recv().await;
        Next::Close
    };
    let next = future::or(
        served,
        future::or(close, async {
            linger.await;
            Next::Ended
        }),
    )
    .await;
    if let Ok(upgrade) = upgrades.try_recv() {
        match next {
            Next::Ended => {
                if let Some((socket, heard)) = taken_over(upgrade.on, socket).await {
                    routes::attend(&upgrade.ask, socket, heard, &shared, &told).await;
                }
            }
            // Told before the answer had left: the socket was never one.
            Next::Close => {}
        }
        return;
    }
    if matches!(next, Next::Ended) {
        return;
    }
    let idle = slot.idle_since().is_some();
    if idle && slot.answers.load(Ordering::Relaxed) == 0 {
        return; // nothing was asked yet, so nothing is owed
    }
    connection.as_mut().graceful_shutdown();
    let served = async {
        let _ = connection.as_mut().await;
    };
    let too_late = async {
        if !idle {
            return future::pending().await;
        }
        Timer::after(limits.close_time).await;
    };
    future::or(served, too_late).await;
}

/// The socket of a connection that is HTTP no more, and what its client has sent since. `None` when it has left.
async fn taken_over(
    on: OnUpgrade,
    socket: Arc<Async<TcpStream>>,
) -> Option<(Async<TcpStream>, Vec<u8>)> {
    let parts = on.await.ok()?.downcast::<FuturesIo<Stream>>().ok()?;
    let heard = parts.read_buf.to_vec();
    // What hyper held of it.
    drop(parts);
    Some((Arc::into_inner(socket)?, heard))
}

/// Tells a client whose head did not come in time. What the socket does not take at once is left out.
async fn say_too_slow(socket: &Async<TcpStream>, limits: &Limits) {
    let words = routes::last_words(&ApiError::HeadTooSlow {
        seconds: limits.head_time.as_secs(),
    });
    let said = async {
        let mut socket = socket;
        let _ = socket.write_all(&words).await;
    };
    future::or(said, std::future::ready(())).await;
}

/// Room beyond a head in a connection's read buffer; bodies pass through it in pieces of this size.
const READ_AHEAD: usize = 8 * 1024;

enum Next {
    Ended,
    Close,
}

fn close_after<B>(response: &mut Response<B>) {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
}
