//! What we send to an engine: nothing, a JSON document, or an archive that is read as it goes.

use super::bounds::ARCHIVE_CHUNK;
use bytes::Bytes;
use futures_lite::AsyncRead;
use hyper::body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request's body.
pub(super) enum Outgoing {
    /// Nothing.
    Empty,
    /// A JSON document; empty once sent.
    Json(Bytes),
    /// A tar archive of unknown length.
    Archive(Pin<Box<dyn AsyncRead + Send>>),
}

impl Outgoing {
    /// No body.
    pub(super) fn empty() -> Self {
        Self::Empty
    }

    /// Its media type, if there is a body.
    pub(super) fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Json(_) => Some("application/json"),
            Self::Archive(_) => Some("application/x-tar"),
        }
    }

    /// The same body for a second try; `None` for an archive, which can be read only once.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Json(bytes) => Some(Self::Json(bytes.clone())),
            Self::Archive(_) => None,
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Json(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Json(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Archive(reader) => {
                let mut chunk = vec![0; ARCHIVE_CHUNK];
                let read = ready!(reader.as_mut().poll_read(cx, &mut chunk));
                Poll::Ready(match read {
                    Ok(0) => None,
                    Ok(length) => {
                        chunk.truncate(length);
                        Some(Ok(Frame::data(Bytes::from(chunk))))
                    }
                    Err(e) => Some(Err(e)),
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Json(bytes) => bytes.is_empty(),
            Self::Archive(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Json(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Archive(_) => SizeHint::default(),
        }
    }
}
