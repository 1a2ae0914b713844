//! A connection's socket as hyper sees it: what hyper says by itself reaches the client in our words.
//!
//! A head that hyper cannot read never becomes a request. hyper then writes a bare status line (400, 414 or 431) as its last
//! words; here it is replaced by the envelope that every other error has.

use super::connection::Slot;
use super::limits::Limits;
use crate::api::error::ApiError;
use crate::api::routes;
use async_io::Async;
use futures_lite::io::{AsyncRead, AsyncWrite};
use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// See the module.
#[derive(Debug)]
pub(super) struct Stream {
    socket: Arc<Async<TcpStream>>,
    slot: Arc<Slot>,
    limits: Limits,
    /// Last words of ours that are not written yet.
    rest: Vec<u8>,
}

impl Stream {
    pub(super) fn new(socket: Arc<Async<TcpStream>>, slot: Arc<Slot>, limits: Limits) -> Self {
        Self {
            socket,
            slot,
            limits,
            rest: Vec::new(),
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = ready!(Pin::new(&mut &*self.socket).poll_write(cx, &self.rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut &*self.socket).poll_read(cx, buffer))?;
        if read > 0 {
            self.slot.hears();
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_rest(cx))?;
        let Some((at, error)) = bare_refusal(bytes, &self.limits) else {
            return Pin::new(&mut &*self.socket).poll_write(cx, bytes);
        };
        self.rest = bytes[..at].to_vec();
        self.rest.extend(routes::last_words(&error));
        // What cannot be written now is written before the flush is done.
        if let Poll::Ready(written) = self.poll_rest(cx) {
            written?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(&mut &*self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(&mut &*self.socket).poll_close(cx)
    }
}

/// Whether these bytes end with a refusal of hyper's own, and where it begins. It is a head without a body, and the only
/// answers of ours that end with a head have other statuses or lengths.
fn bare_refusal(bytes: &[u8], limits: &Limits) -> Option<(usize, ApiError)> {
    const START: &[u8] = b"HTTP/1.1 4";
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let at = bytes
        .windows(START.len())
        .rposition(|window| window == START)?;
    let head = std::str::from_utf8(&bytes[at..]).ok()?;
    let bare = head
        .lines()
        .any(|line| line.eq_ignore_ascii_case("content-length: 0"));
    let error = match head.get(9..12)? {
        "400" => ApiError::HeadGarbled,
        "414" => ApiError::AddressTooLong,
        "431" => ApiError::HeadTooLarge {
            limit: limits.head_bytes,
        },
        _ => return None,
    };
    bare.then_some((at, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_refusal_at_the_end_is_replaced() {
        let place = |bytes: &[u8]| bare_refusal(bytes, &Limits::STANDARD).map(|(at, _)| at);
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(place(bare), Some(0));
        let mut after = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
        let at = after.len();
        after.extend_from_slice(bare);
        assert_eq!(place(&after), Some(at));
        for ours in [
            &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}"[..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 200\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 301 Moved Permanently\r\ncontent-length: 0\r\n\r\n",
            b"",
        ] {
            assert_eq!(place(ours), None, "{:?}", String::from_utf8_lossy(ours));
        }
    }
}
