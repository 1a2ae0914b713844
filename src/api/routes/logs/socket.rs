//! The websocket: its handshake, its end, and how many there may be.

use super::super::query::Query;
use super::frames;
use super::visit::{Visit, VisitEnd};
use crate::api::error::ApiError;
use crate::api::server::Shared;
use async_channel::Receiver;
use async_io::{Async, Timer};
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use async_tungstenite::tungstenite::{Error as SocketError, Message};
use async_tungstenite::{WebSocketReceiver, WebSocketStream};
use futures_lite::{StreamExt, future};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use socket2::{SockRef, TcpKeepalive};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What a client may send in one message: it has nothing to say but ping, pong and close.
const HEARD_MAX: usize = 4 * 1024;

/// How long a follower may stop reading: somebody who pages through a log. Then the kernel cuts the connection.
const WRITE_TIME: Duration = Duration::from_secs(300);

/// When the kernel asks whether a silent client still exists, and how often: a vanished one is gone in two minutes,
/// without a timer of ours.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

/// A request that becomes a websocket.
#[derive(Debug)]
pub(in crate::api) struct Upgrade {
    /// Ready when the answer has left.
    pub(in crate::api) on: OnUpgrade,
    /// What is asked on it.
    pub(in crate::api) ask: LogAsk,
    /// The answer's proof.
    pub(in crate::api) accept: String,
}

/// A job by its id or the beginning of it, and the query as it came: what is wrong with it is told on the websocket.
#[derive(Debug)]
pub(in crate::api) struct LogAsk {
    job: String,
    query: Query,
}

/// Takes the upgrade out of a request.
///
/// # Errors
/// 400 when it is not the handshake of a websocket.
pub(in crate::api::routes) fn expect_upgrade(
    head: &mut Parts,
    job: &str,
    query: &Query,
) -> Result<Upgrade, ApiError> {
    let has = |name, word: &str| {
        head.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let is_asked =
        has(UPGRADE, "websocket") && has(CONNECTION, "upgrade") && has(SEC_WEBSOCKET_VERSION, "13");
    let accept = head
        .headers
        .get(SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()));
    match (is_asked, accept, head.extensions.remove::<OnUpgrade>()) {
        (true, Some(accept), Some(on)) => Ok(Upgrade {
            on,
            ask: LogAsk {
                job: job.to_owned(),
                query: query.clone(),
            },
            accept,
        }),
        _ => Err(ApiError::NotWebsocket),
    }
}

/// Places for followers, so that they leave room for everybody else.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Seats(Arc<AtomicUsize>);

#[derive(Debug)]
struct Seat(Seats);

impl Seats {
    fn take(&self, limit: usize) -> Option<Seat> {
        let more = |taken: usize| (taken < limit).then_some(taken + 1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Seat(self.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Ending {
    Told(VisitEnd),
    ClientLeft,
    NodeStops,
}

/// Serves one follower on the connection that was upgraded, until the log or the client ends or `told` says to stop.
/// Dropping the future closes the connection.
pub(in crate::api) async fn attend(
    ask: &LogAsk,
    stream: Async<TcpStream>,
    heard: Vec<u8>,
    shared: &Shared,
    told: &Receiver<()>,
) {
    let socket = open(stream, heard).await;
    let (mut sender, mut receiver) = socket.split();
    let limit = shared.limits.followers;
    let seat = shared.followers.take(limit);
    let ending = if seat.is_some() {
        let mut visit = Visit::new(&shared.backend, &ask.job, &ask.query, &mut sender);
        let visited = async { Ending::Told(visit.run().await) };
        let left = async {
            until_closed(&mut receiver).await;
            Ending::ClientLeft
        };
        let stopped = async {
            let _ = told.recv().await;
            Ending::NodeStops
        };
        future::or(visited, future::or(left, stopped)).await
    } else {
        let full = format!(
            "too many logs are being followed: at most {limit}; try again when one has ended"
        );
        Ending::Told(VisitEnd::Refused(full))
    };
    let code = match ending {
        Ending::ClientLeft | Ending::Told(VisitEnd::SocketFailed) => return,
        Ending::NodeStops => CloseCode::Away,
        Ending::Told(VisitEnd::Complete) => CloseCode::Normal,
        Ending::Told(VisitEnd::Refused(why)) => {
            if sender.send(frames::error(&why)).await.is_err() {
                return;
            }
            CloseCode::Normal
        }
    };
    let close = CloseFrame {
        code,
        reason: "".into(),
    };
    let closed = async {
        if sender.send(Message::Close(Some(close))).await.is_ok() {
            until_closed(&mut receiver).await;
        }
    };
    let too_late = async {
        Timer::after(shared.limits.close_time).await;
    };
    future::or(closed, too_late).await;
}

async fn open(stream: Async<TcpStream>, heard: Vec<u8>) -> WebSocketStream<Async<TcpStream>> {
    let socket = SockRef::from(&stream);
    let (time, interval, tries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new()
        .with_time(time)
        .with_interval(interval)
        .with_retries(tries);
    // Without them a vanished client is found when something is written.
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(WRITE_TIME));
    let config = WebSocketConfig::default()
        .read_buffer_size(HEARD_MAX)
        // Every message is sent when it is made, and the next one made when it has left.
        .write_buffer_size(0)
        .max_message_size(Some(HEARD_MAX))
        .max_frame_size(Some(HEARD_MAX));
    WebSocketStream::from_partially_read(stream, heard, Role::Server, Some(config)).await
}

/// Reads, which also answers pings, until the client has closed or is gone.
async fn until_closed(receiver: &mut WebSocketReceiver<Async<TcpStream>>) {
    while let Some(heard) = receiver.next().await {
        match heard {
            Ok(_) => {}
            Err(SocketError::ConnectionClosed | SocketError::AlreadyClosed) => return,
            Err(error) => {
                log::debug!("a follower's connection ended: {error}");
                return;
            }
        }
    }
}
