//! How an activity is told to end.

use async_channel::{Receiver, Sender};
use futures_lite::FutureExt;
use std::future::Future;

/// What an activity can be told: each at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pull {
    /// End the container's work, then end.
    Stop,
    /// End, and leave the container as it is.
    LetGo,
}

/// The activity's end of it.
#[derive(Debug)]
pub(super) struct Leash {
    pulls: Receiver<Pull>,
}

/// A leash and the end to pull it by.
pub(super) fn leash() -> (Sender<Pull>, Leash) {
    let (pull, pulls) = async_channel::bounded(2);
    (pull, Leash { pulls })
}

impl Leash {
    /// The future's output, or what the activity was told before it was ready. The future is dropped then.
    pub(super) async fn or_pulled<T>(&self, future: impl Future<Output = T>) -> Result<T, Pull> {
        let done = async { Ok(future.await) };
        let pulled = async {
            match self.pulls.recv().await {
                Ok(pull) => Err(pull),
                // The performer is gone, and this task with it.
                Err(_) => std::future::pending().await,
            }
        };
        done.or(pulled).await
    }
}
