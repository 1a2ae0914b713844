//! One call over one connection: HTTP/1.1 on a Unix socket, bounded in bytes and in time.
//!
//! The connection is driven by whoever awaits the reply, so there is no task beside the call, and dropping the call
//! closes the connection. Nothing is kept alive between calls: a socket-activated Podman may sleep.

use super::super::EngineError;
use super::bounds::{BACKLOG_PAUSE, ERROR_BODY_MAX, HEADER_LINES_MAX, HEADER_MAX, WORDS_MAX};
use super::outgoing::Outgoing;
use super::permission;
use async_io::{Async, Timer};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use smol_hyper::rt::FuturesIo;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

type Conn = Connection<FuturesIo<Async<UnixStream>>, Outgoing>;

/// One call: what is asked, and how long the engine may take.
pub(super) struct Call {
    /// For messages: what is asked, in a verb.
    pub(super) name: &'static str,
    /// The method.
    pub(super) method: Method,
    /// Path and query, without the version.
    pub(super) path: String,
    /// The body and its type, if there is one.
    pub(super) body: Outgoing,
    /// From connecting to the whole reply; for streams, to its header and then for each piece.
    pub(super) limit: Duration,
}

impl Call {
    /// A call without a body.
    pub(super) fn new(name: &'static str, method: Method, path: String, limit: Duration) -> Self {
        Self {
            name,
            method,
            path,
            body: Outgoing::empty(),
            limit,
        }
    }

    /// The same with a body.
    pub(super) fn with_body(self, body: Outgoing) -> Self {
        Self { body, ..self }
    }
}

/// A reply whose header has arrived.
pub(super) struct Reply {
    call: &'static str,
    limit: Duration,
    status: u16,
    headers: HeaderMap,
    body: Incoming,
    conn: Option<Pin<Box<Conn>>>,
    // Kept so that hyper does not take the connection for abandoned.
    _sender: SendRequest<Outgoing>,
}

/// Opens a connection to the engine's socket.
pub(super) async fn connect(
    socket: &Path,
    limit: Duration,
) -> Result<Async<UnixStream>, EngineError> {
    let attempt = async {
        loop {
            match Async::<UnixStream>::connect(socket).await {
                Ok(stream) => return Ok(stream),
                // A full backlog is the engine being busy, not absent.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    Timer::after(BACKLOG_PAUSE).await
                }
                Err(source) => return Err(not_connected(socket, source)),
            };
        }
    };
    within(limit, "connect", attempt).await
}

fn not_connected(socket: &Path, source: io::Error) -> EngineError {
    let path = socket.to_path_buf();
    if source.kind() == io::ErrorKind::PermissionDenied {
        return EngineError::PermissionDenied {
            hint: permission::hint(socket),
            path,
        };
    }
    match Errno::from_io_error(&source) {
        Some(Errno::MFILE | Errno::NFILE) => EngineError::NoDescriptor { path, source },
        _ => EngineError::NotReachable { path, source },
    }
}

/// Sends `call` to the engine on `stream` and awaits the reply's header. `path` is the call's with its version.
pub(super) async fn send(
    stream: Async<UnixStream>,
    call: Call,
    path: &str,
) -> Result<Reply, EngineError> {
    let Call {
        name,
        method,
        body,
        limit,
        ..
    } = call;
    let content_type = body.content_type();
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .header(CONNECTION, "close");
    if let Some(content_type) = content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    let request = request.body(body).map_err(|e| EngineError::Garbage {
        call: name,
        detail: format!("the request cannot be made: {e}"),
    })?;
    let exchange = async {
        let mut builder = Builder::new();
        builder
            .max_buf_size(HEADER_MAX)
            .max_headers(HEADER_LINES_MAX);
        let (mut sender, conn) = builder
            .handshake::<_, Outgoing>(FuturesIo::new(stream))
            .await
            .map_err(|e| classify(name, &e))?;
        let mut conn = Some(Box::pin(conn));
        let reply = drive(&mut conn, sender.send_request(request))
            .await
            .map_err(|e| classify(name, &e))?;
        let (parts, body) = reply.into_parts();
        Ok(Reply {
            call: name,
            limit,
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            conn,
            _sender: sender,
        })
    };
    within(limit, name, exchange).await
}

impl Reply {
    /// A header's value, if it is there and text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// From here on the body may be silent for as long as it likes.
    pub(super) fn allow_silence(&mut self) {
        self.limit = Duration::MAX;
    }

    /// The reply itself if its status is one of `statuses`, else `Refused` with the engine's words.
    pub(super) async fn expect(mut self, statuses: &[u16]) -> Result<Self, EngineError> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        let mut body = BytesMut::new();
        while body.len() < ERROR_BODY_MAX {
            match self.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                // The status alone says enough.
                Ok(None) | Err(_) => break,
            }
        }
        body.truncate(ERROR_BODY_MAX);
        let message = message_of(&body);
        if self.status == 400 && message.contains("client version") {
            return Err(EngineError::ApiRefused { message });
        }
        Err(EngineError::Refused {
            call: self.call,
            status: self.status,
            message,
        })
    }

    /// The next piece of the body, `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, EngineError> {
        loop {
            let frame = within(self.limit, self.call, async {
                Ok(drive(&mut self.conn, self.body.frame()).await)
            })
            .await?;
            match frame {
                None => return Ok(None),
                Some(Err(e)) => return Err(classify(self.call, &e)),
                // Trailers carry nothing that we use.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The whole body, at most `max` bytes.
    pub(super) async fn bytes(mut self, max: usize) -> Result<Bytes, EngineError> {
        let (call, limit) = (self.call, self.limit);
        let whole = async {
            let mut body = BytesMut::new();
            while let Some(chunk) = self.chunk().await? {
                if body.len() + chunk.len() > max {
                    return Err(EngineError::TooLarge {
                        call,
                        what: "the body",
                        limit: max as u64,
                    });
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body.freeze())
        };
        // A body that trickles must not take longer than one that does not come.
        within(limit, call, whole).await
    }

    /// The whole body read as JSON. Depth is bounded by serde_json (128 levels).
    pub(super) async fn json<T: DeserializeOwned>(self, max: usize) -> Result<T, EngineError> {
        let call = self.call;
        let body = self.bytes(max).await?;
        serde_json::from_slice(&body).map_err(|e| EngineError::Garbage {
            call,
            detail: e.to_string(),
        })
    }
}

/// The engine's own words in an error body: `{"message": ...}` or text, on one line, bounded.
fn message_of(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        message: String,
    }
    let text = serde_json::from_slice::<Body>(body).map_or_else(
        |_| String::from_utf8_lossy(body).into_owned(),
        |body| body.message,
    );
    words(&text)
}

/// Text from an engine as it may stand in a message: one line, no control characters, at most `WORDS_MAX` characters.
pub(super) fn words(text: &str) -> String {
    let clean = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    clean.take(WORDS_MAX).collect()
}

/// Percent-encodes `text` for a path segment or a query value.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Awaits `future` for at most `limit`, then drops it.
pub(super) async fn within<T>(
    limit: Duration,
    call: &'static str,
    future: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let expired = async {
        Timer::after(limit).await;
        Err(EngineError::TimedOut { call, limit })
    };
    futures_lite::future::or(future, expired).await
}

/// Awaits `future`, which depends on the connection, while keeping the connection going.
async fn drive<F: Future>(conn: &mut Option<Pin<Box<Conn>>>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            let Some(open) = conn else {
                return Poll::Pending;
            };
            match open.as_mut().poll(cx) {
                // Its own error, if any, reaches `future` as well.
                Poll::Ready(_) => *conn = None,
                // It may have brought just what is awaited: to wait for the next turn would be a turn for each piece.
                Poll::Pending => return future.as_mut().poll(cx),
            }
        }
    })
    .await
}

fn classify(call: &'static str, error: &hyper::Error) -> EngineError {
    if error.is_parse_too_large() {
        return EngineError::TooLarge {
            call,
            what: "the header",
            limit: HEADER_MAX as u64,
        };
    }
    let mut detail = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        detail.push_str(": ");
        detail.push_str(&cause.to_string());
        source = cause.source();
    }
    if error.is_user() {
        return EngineError::Source(io::Error::other(detail));
    }
    if error.is_parse() {
        return EngineError::Garbage { call, detail };
    }
    EngineError::Vanished { call, detail }
}
