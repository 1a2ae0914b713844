//! Who answers: the agent through a bounded channel, store and logs through functions.
//!
//! The server owns neither. `node` builds an [`ApiBackend`], keeps the receiving end, turns each [`ApiCall`] into an event
//! of the agent and answers it when the reply is released. A vanished client loses the reply, not the decision.

use super::error::{ApiError, Asked};
use super::wire::{Json, agent_config};
use crate::config::Config;
use crate::model::{
    ApiReply, ApiRequest, ConnectedNode, DenyReason, LogItem, LogRequest, NodeId, StoreAnswer,
    StoreQuery,
};
use async_channel::{Receiver, Sender, TrySendError};
use futures_lite::Stream;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// How many requests may wait for the agent. A turn takes 64 events, so one turn empties the queue; a full queue means
/// that the agent is behind, and clients are told to come back (503 with Retry-After).
pub const REQUESTS_MAX: usize = 64;

/// The function that reads the store, as one read transaction off the loop's thread.
type ReadStore =
    dyn Fn(StoreQuery) -> Pin<Box<dyn Future<Output = StoreAnswer> + Send>> + Send + Sync;

/// Reads the store.
#[derive(Clone)]
pub struct StoreReads(Arc<ReadStore>);

impl fmt::Debug for StoreReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreReads")
    }
}

impl StoreReads {
    /// Wraps the function. Each call opens its read transaction when it is called or later, never earlier; dropping the
    /// future before it is ready is safe.
    pub fn new<F, A>(read: F) -> Self
    where
        F: Fn(StoreQuery) -> A + Send + Sync + 'static,
        A: Future<Output = StoreAnswer> + Send + 'static,
    {
        Self(Arc::new(move |query| Box::pin(read(query))))
    }

    pub(super) async fn read(&self, query: StoreQuery) -> StoreAnswer {
        (self.0)(query).await
    }
}

/// The function that asks who is connected.
type ReadPeers = dyn Fn() -> Pin<Box<dyn Future<Output = Vec<ConnectedNode>> + Send>> + Send + Sync;

/// Asks who is connected.
#[derive(Clone)]
pub struct PeerReads(Arc<ReadPeers>);

impl fmt::Debug for PeerReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerReads")
    }
}

impl PeerReads {
    /// Wraps the function, whose answer is ordered by id. Dropping the future before it is ready is safe.
    pub fn new<F, A>(read: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Vec<ConnectedNode>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(read())))
    }
}

/// The function that opens a log, and the one that tells when it may be worth to look again.
type FollowLog = dyn Fn(LogRequest) -> Pin<Box<dyn Stream<Item = LogItem> + Send>> + Send + Sync;
type LogNews = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Reads the logs of this node's executions.
#[derive(Clone)]
pub struct LogReads {
    node: NodeId,
    follow: Arc<FollowLog>,
    news: Arc<LogNews>,
}

impl fmt::Debug for LogReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogReads")
    }
}

impl LogReads {
    /// Wraps the functions. A stream of `follow` reads nothing before it is asked, and dropping it ends it. A future of
    /// `news` is ready when an activity of this node begins or ends after the call.
    pub fn new<F, S, N, A>(node: NodeId, follow: F, news: N) -> Self
    where
        F: Fn(LogRequest) -> S + Send + Sync + 'static,
        S: Stream<Item = LogItem> + Send + 'static,
        N: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Self {
            node,
            follow: Arc::new(move |request| Box::pin(follow(request))),
            news: Arc::new(move || Box::pin(news())),
        }
    }

    /// Whose executions these are.
    pub(super) fn node(&self) -> &NodeId {
        &self.node
    }

    pub(super) fn follow(
        &self,
        request: LogRequest,
    ) -> Pin<Box<dyn Stream<Item = LogItem> + Send>> {
        (self.follow)(request)
    }

    pub(super) fn news(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        (self.news)()
    }
}

/// One request on its way to the agent.
#[derive(Debug)]
pub struct ApiCall {
    /// What is asked.
    pub request: ApiRequest,
    /// Where the answer goes.
    pub reply: ReplySlot,
}

/// Where one answer goes. Dropped unanswered, the client is told that the outcome is not known.
#[derive(Debug)]
pub struct ReplySlot(Sender<ApiReply>);

impl ReplySlot {
    /// Whether nobody waits any more: the client was told that the outcome is not known.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_closed()
    }

    /// Answers. A client that has gone is no error.
    pub fn send(self, reply: ApiReply) {
        // The channel has room for the one reply, so only a vanished receiver can refuse it.
        let _ = self.0.try_send(reply);
    }
}

/// What the server talks to.
#[derive(Clone, Debug)]
pub struct ApiBackend {
    requests: Sender<ApiCall>,
    store: StoreReads,
    peers: PeerReads,
    logs: LogReads,
    config: Arc<Json>,
}

impl ApiBackend {
    /// A backend and the end at which its calls arrive, at most [`REQUESTS_MAX`] waiting. When the receiver is dropped,
    /// every request is answered with 503.
    #[must_use]
    pub fn new(
        store: StoreReads,
        peers: PeerReads,
        logs: LogReads,
        config: &Config,
    ) -> (Self, Receiver<ApiCall>) {
        let (requests, calls) = async_channel::bounded(REQUESTS_MAX);
        let backend = Self {
            requests,
            store,
            peers,
            logs,
            config: Arc::new(agent_config(config)),
        };
        (backend, calls)
    }

    /// The logs.
    pub(super) fn logs(&self) -> &LogReads {
        &self.logs
    }

    /// Asks the agent. A refusal is an error here; `asked` says in which words it reaches the client.
    pub(super) async fn ask(
        &self,
        request: ApiRequest,
        asked: &Asked,
    ) -> Result<ApiReply, ApiError> {
        let denied = |reason| ApiError::Denied {
            reason,
            asked: asked.clone(),
        };
        let (sender, receiver) = async_channel::bounded(1);
        let call = ApiCall {
            request,
            reply: ReplySlot(sender),
        };
        match self.requests.try_send(call) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(denied(DenyReason::Busy {
                    limit: REQUESTS_MAX,
                }));
            }
            Err(TrySendError::Closed(_)) => return Err(ApiError::Stopping),
        }
        match receiver.recv().await {
            Ok(ApiReply::Denied(reason)) => Err(denied(reason)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(ApiError::ReplyLost {
                asked: asked.clone(),
            }),
        }
    }

    /// Who is connected.
    pub(super) async fn peers(&self) -> Vec<ConnectedNode> {
        (self.peers.0)().await
    }

    /// The settings that this node runs with.
    pub(super) fn config(&self) -> Json {
        (*self.config).clone()
    }

    /// Reads the store.
    pub(super) async fn read(&self, query: StoreQuery) -> StoreAnswer {
        self.store.read(query).await
    }
}
