//! Reading request bodies within bounds.

use super::limits::Limits;
use crate::api::error::ApiError;
use async_io::Timer;
use futures_lite::future;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that all request bodies of a server may hold together.
#[derive(Clone, Debug)]
pub(in crate::api) struct Bodies {
    free: Arc<AtomicUsize>,
    limit: usize,
}

impl Bodies {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            free: Arc::new(AtomicUsize::new(limit)),
            limit,
        }
    }

    fn reserve(&self, bytes: usize) -> Result<(), ApiError> {
        self.free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
                free.checked_sub(bytes)
            })
            .map(|_| ())
            .map_err(|_| ApiError::BodiesTooMany { limit: self.limit })
    }
}

/// A whole body; its bytes are given back when it is dropped.
#[derive(Debug)]
pub(in crate::api) struct HeldBody {
    bytes: Vec<u8>,
    bodies: Bodies,
}

impl HeldBody {
    pub(in crate::api) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        self.bodies
            .free
            .fetch_add(self.bytes.len(), Ordering::Relaxed);
    }
}

/// Reads a body. A declared length beyond the bound is refused before anything is read or allocated; memory grows with
/// what has arrived, never with what was declared.
pub(in crate::api) async fn read(
    body: &mut Incoming,
    bodies: &Bodies,
    limits: &Limits,
) -> Result<HeldBody, ApiError> {
    let too_large = ApiError::BodyTooLarge {
        limit: limits.body_bytes,
    };
    let declared = body.size_hint().lower();
    if usize::try_from(declared).map_or(true, |declared| declared > limits.body_bytes) {
        return Err(too_large);
    }
    let whole = async {
        let mut held = HeldBody {
            bytes: Vec::new(),
            bodies: bodies.clone(),
        };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                ApiError::BadRequest(format!("the request body cannot be read: {error}"))
            })?;
            // Trailers carry nothing that is asked for here.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if held.bytes.len() + data.len() > limits.body_bytes {
                return Err(too_large);
            }
            bodies.reserve(data.len())?;
            held.bytes.extend_from_slice(&data);
        }
        Ok(held)
    };
    let too_slow = async {
        Timer::after(limits.body_time).await;
        Err(ApiError::BodyTooSlow {
            seconds: limits.body_time.as_secs(),
        })
    };
    future::or(whole, too_slow).await
}

/// Reads and drops what is left of a refused body, within bounds, so that the client sees the refusal.
pub(super) async fn discard(mut body: Incoming, limits: &Limits) {
    let rest = async {
        let mut left = limits.linger_bytes;
        while let Some(Ok(frame)) = body.frame().await {
            // A client on this machine always has more: everybody else's turn comes between its pieces.
            future::yield_now().await;
            let bytes = frame.data_ref().map_or(0, bytes::Bytes::len);
            let Some(less) = left.checked_sub(bytes) else {
                return;
            };
            left = less;
        }
    };
    let too_late = async {
        Timer::after(limits.linger_time).await;
    };
    future::or(rest, too_late).await;
}
