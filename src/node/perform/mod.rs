//! Activities: sequences of device calls, one file each, at most one in flight per execution.
//!
//! An activity ends in exactly one `Done`, also when it is asked to stop. Calls that change the engine are awaited, never
//! dropped; reads, pulls and the wait for a container's end are given up when the activity is stopped or let go.

mod discard;
mod leash;
mod platform;
mod prepare;
mod publish;
mod run;

pub(super) use prepare::Preparation;

use super::logs::Followers;
use crate::agent::{Activity, ActivityId, ActivityResult, Progress};
use crate::engine::{Engine, EngineError};
use crate::model::{Failure, ImageRemoval, NodeId};
use async_channel::{Receiver, Sender};
use async_executor::{Executor, Task};
use leash::{Leash, Pull};
use platform::Suitable;
use std::collections::BTreeMap;
use std::sync::Arc;

/// News that wait for the loop: it takes as many in one turn, and an activity can wait with its news.
const NEWS_MAX: usize = 64;

/// What activities have to say.
#[derive(Debug)]
pub(super) enum News {
    /// How far one has come.
    Progress { id: ActivityId, progress: Progress },
    /// One has ended.
    Done {
        id: ActivityId,
        result: ActivityResult,
    },
    /// An image was removed, or was not.
    ImageRemoved { name: String, removal: ImageRemoval },
}

/// What every activity needs.
#[derive(Clone, Debug)]
struct Tools {
    engine: Arc<dyn Engine>,
    node: NodeId,
    preparation: Preparation,
    suitable: Arc<Suitable>,
    followers: Arc<Followers>,
    news: Sender<News>,
}

/// All activities in flight.
#[derive(Debug)]
pub(super) struct Performer {
    tools: Tools,
    executor: Arc<Executor<'static>>,
    running: BTreeMap<ActivityId, (Sender<Pull>, Task<()>)>,
    /// An agent removes one image at a time.
    removal: Option<Task<()>>,
}

impl Performer {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        node: NodeId,
        preparation: Preparation,
        followers: Arc<Followers>,
        executor: Arc<Executor<'static>>,
    ) -> (Self, Receiver<News>) {
        let (news, receiver) = async_channel::bounded(NEWS_MAX);
        let tools = Tools {
            engine,
            node,
            preparation,
            suitable: Arc::default(),
            followers,
            news,
        };
        (
            Self {
                tools,
                executor,
                running: BTreeMap::new(),
                removal: None,
            },
            receiver,
        )
    }

    /// Begins an activity.
    pub(super) fn begin(&mut self, id: ActivityId, activity: Activity) {
        let (pull, leash) = leash::leash();
        let (tools, name) = (self.tools.clone(), id.clone());
        let task = self.executor.spawn(async move {
            let result = perform(&tools, &name, activity, &leash).await;
            tools.followers.tell();
            // A closed channel is a node that ends.
            let _ = tools.news.send(News::Done { id: name, result }).await;
        });
        self.running.insert(id, (pull, task));
    }

    /// Removes an image. The call is awaited even when nobody waits for its end any more.
    pub(super) fn remove_image(&mut self, name: String, id: String) {
        let tools = self.tools.clone();
        let task = self.executor.spawn(async move {
            let removed = tools.engine.remove_image(&name, &id).await;
            let removal = removed.unwrap_or_else(|error| ImageRemoval::Kept {
                why: failure(&error).message,
            });
            let _ = tools.news.send(News::ImageRemoved { name, removal }).await;
        });
        if let Some(before) = self.removal.replace(task) {
            before.detach();
        }
    }

    /// Asks an activity to stop. One that has ended meanwhile is stopped already.
    pub(super) fn stop(&self, id: &ActivityId) {
        if let Some((pull, _)) = self.running.get(id) {
            // Full: it has been pulled before.
            let _ = pull.try_send(Pull::Stop);
        }
    }

    /// Lets all activities go: each ends soon, with its container as it is.
    pub(super) fn let_go(&self) {
        for (pull, _) in self.running.values() {
            let _ = pull.try_send(Pull::LetGo);
        }
    }

    /// An activity's `Done` has been read.
    pub(super) fn ended(&mut self, id: &ActivityId) {
        self.running.remove(id);
    }

    /// Whether no activity is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }
}

async fn perform(
    tools: &Tools,
    id: &ActivityId,
    activity: Activity,
    leash: &Leash,
) -> ActivityResult {
    match activity {
        Activity::Prepare(plan) => {
            ActivityResult::Prepared(prepare::prepare(tools, id, *plan, leash).await)
        }
        Activity::Run { container, entry } => {
            ActivityResult::Ran(run::run(tools, id, &container, entry, leash).await)
        }
        Activity::Publish { publisher, .. } => {
            ActivityResult::Published(publish::publish(&publisher))
        }
        Activity::Discard => {
            ActivityResult::Discarded(discard::discard(tools, &id.execution, leash).await)
        }
    }
}

/// An engine's error as an execution's failure, with its whole chain of causes in words.
fn failure(error: &EngineError) -> Failure {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        message = format!("{message}: {source}");
        cause = source.source();
    }
    Failure::new(error.failure_kind(), message)
}

/// What an activity says that was let go. Nobody reads it: the agent that began it is no more.
fn let_go() -> Failure {
    Failure::new(
        crate::model::FailureKind::EngineAway,
        "the activity was let go",
    )
}
