//! Looks for the engine and lists this node's containers, until the engine answers; and again when it may have gone.

use crate::agent::{Found, FoundState};
use crate::engine::{ContainerState, Engine, EngineError, FoundContainer};
use crate::model::{EngineFacts, NodeId};
use async_channel::{Receiver, Sender};
use async_executor::{Executor, Task};
use async_io::Timer;
use futures_lite::FutureExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often an engine that is away is looked for: soon enough for a person who starts it, two dozen bytes of work.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long after the engine may have gone or come it is looked at: one that is restarted is back by then, and one that
/// ends and begins without rest is asked once a second.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);

/// What the finder has to say.
#[derive(Debug)]
pub(super) enum EngineNews {
    /// It answered.
    Found {
        /// Of the latest find that had left when the engine was asked.
        number: u64,
        facts: EngineFacts,
        containers: Vec<Found>,
    },
    /// It does not; looked for again by itself.
    Away {
        why: String,
        /// How to be let in, if it is there and this user may not use it.
        permission: Option<String>,
    },
}

/// At most one search at a time.
#[derive(Debug)]
pub(super) struct Finder {
    engine: Arc<dyn Engine>,
    node: NodeId,
    executor: Arc<Executor<'static>>,
    news: Sender<EngineNews>,
    search: Option<(Sender<()>, Task<()>)>,
    /// The number of the latest find.
    latest: Arc<AtomicU64>,
}

impl Finder {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        node: NodeId,
        executor: Arc<Executor<'static>>,
    ) -> (Self, Receiver<EngineNews>) {
        // One search at a time, which says one thing at a time.
        let (news, receiver) = async_channel::bounded(1);
        (
            Self {
                engine,
                node,
                executor,
                news,
                search: None,
                latest: Arc::default(),
            },
            receiver,
        )
    }

    /// Searches, or looks once more at once if a search is under way or waits for the engine to go.
    pub(super) fn find(&mut self, number: u64) {
        self.latest.store(number, Ordering::Relaxed);
        if let Some((nudge, task)) = &self.search
            && !task.is_finished()
        {
            // Full: a nudge is waiting already.
            let _ = nudge.try_send(());
            return;
        }
        let (nudge, nudges) = async_channel::bounded(1);
        let task = self.executor.spawn(search(
            self.engine.clone(),
            self.node.clone(),
            self.news.clone(),
            nudges,
            self.latest.clone(),
        ));
        self.search = Some((nudge, task));
    }

    /// Forgets a search under way: what it would find is of an earlier agent's time.
    pub(super) fn forget(&mut self) {
        self.search = None;
    }
}

async fn search(
    engine: Arc<dyn Engine>,
    node: NodeId,
    news: Sender<EngineNews>,
    nudges: Receiver<()>,
    latest: Arc<AtomicU64>,
) {
    let nudged = || async {
        // A closed channel is a finder that forgot this search; the task is dropped with it.
        let _ = nudges.recv().await;
    };
    let changed = || async {
        engine.changed().await;
        Timer::after(CHANGE_PAUSE).await;
    };
    loop {
        let number = latest.load(Ordering::Relaxed);
        match look(engine.as_ref(), &node).await {
            Ok((facts, containers)) => {
                let found = EngineNews::Found {
                    number,
                    facts,
                    containers,
                };
                if news.send(found).await.is_err() {
                    return;
                }
                // A nudge that came during this look asks for what came after it.
                nudged().or(changed()).await;
            }
            Err(error) => {
                let away = EngineNews::Away {
                    why: error.to_string(),
                    permission: error.permission().map(str::to_owned),
                };
                if news.send(away).await.is_err() {
                    return;
                }
                let waited = async {
                    Timer::after(LOOK_EVERY).await;
                };
                nudged().or(changed()).or(waited).await;
            }
        }
    }
}

async fn look(
    engine: &dyn Engine,
    node: &NodeId,
) -> Result<(EngineFacts, Vec<Found>), EngineError> {
    let profile = engine.connect().await?;
    let containers = engine.found(node).await?;
    Ok((
        profile.facts(),
        containers.into_iter().filter_map(found).collect(),
    ))
}

/// What carries this node's label but no execution's was not made by this program and is left alone.
fn found(container: FoundContainer) -> Option<Found> {
    let state = match container.state {
        ContainerState::Created | ContainerState::Torn => FoundState::Created,
        ContainerState::Running { .. } => FoundState::Running,
        ContainerState::Interrupted => FoundState::CutOff,
        ContainerState::Exited(end) if end.may_be_cut_off() => FoundState::CutOff,
        ContainerState::Exited(_) => FoundState::Exited,
    };
    Some(Found {
        container: container.id,
        execution: container.execution?,
        state,
    })
}
