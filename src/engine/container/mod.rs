//! Podman and Docker over their Unix socket.
//!
//! One value per node. It remembers which engine answered last, in which API version, and forgets that as soon as a
//! call finds it away; the next call looks again, but only on the socket where an engine once answered: a second engine
//! on the same board does not have our containers.

mod bounds;
mod create;
mod end;
mod http;
mod images;
#[cfg(test)]
mod judged;
mod log_frames;
mod log_pieces;
mod log_stamps;
mod outgoing;
mod output;
mod patience;
mod permission;
mod presence;
mod process;
mod pull;
mod pull_cause;
mod refusal;
mod search;
mod session;
mod settling;
mod wire;

pub use end::EndWatch;
pub use patience::Patience;
pub use search::SocketSearch;

use super::{
    ContainerEnd, ContainerSpec, ContainerState, Created, Engine, EngineError, EngineFuture,
    EngineKind, EngineProfile, FirstOutput, FoundContainer, ImageFacts, LABEL_EXECUTION, LABEL_JOB,
    LABEL_NODE, LogExtent, LogRotation, LogStream, MadeFrom, container_name,
};
use crate::model::{ContainerId, ExecutionId, ImageRemoval, JobId, NodeId, PullProgress};
use async_channel::{Receiver, Sender};
use async_io::Async;
use bounds::{BODY_MAX, LIST_MAX, WARNINGS_MAX};
use futures_lite::{AsyncRead, FutureExt};
use http::{Call, Reply, encoded, words};
use hyper::Method;
use outgoing::Outgoing;
use presence::Presence;
use rustix::fd::OwnedFd;
use search::Candidate;
use settling::Settling;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wire::{CreateReply, Inspect, ListItem};

/// The client of a container engine.
#[derive(Debug)]
pub struct ContainerEngine {
    candidates: Vec<Candidate>,
    patience: Patience,
    end_watch: EndWatch,
    known: Mutex<Known>,
    /// One nudge at most: that the engine went or came since it was last waited for.
    changes: (Sender<()>, Receiver<()>),
}

/// What the last calls taught us.
#[derive(Debug, Default)]
struct Known {
    /// The engine that answered last; `None` before the first and after a call that found it away.
    profile: Option<Arc<EngineProfile>>,
    /// The process that answered then, if it can be watched.
    process: Option<Arc<Async<OwnedFd>>>,
    presence: Presence,
    /// Where an engine answered once in this life.
    place: Option<Candidate>,
}

impl ContainerEngine {
    /// A client that will look for its engine when it is first needed. Touches nothing yet.
    #[must_use]
    pub fn new(search: &SocketSearch) -> Self {
        Self::with_patience(search, Patience::default())
    }

    /// The same with other time limits.
    #[must_use]
    pub fn with_patience(search: &SocketSearch, patience: Patience) -> Self {
        Self {
            candidates: search.candidates(),
            patience,
            end_watch: EndWatch::default(),
            known: Mutex::default(),
            changes: async_channel::bounded(1),
        }
    }

    /// The same, which learns of ends by `watch`.
    #[must_use]
    pub fn watching_ends_by(self, watch: EndWatch) -> Self {
        Self {
            end_watch: watch,
            ..self
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // Nothing that is done under the lock can leave it half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine that answered last, or the first that answers now.
    async fn profile(&self) -> Result<Arc<EngineProfile>, EngineError> {
        let place = {
            let known = self.known();
            if let Some(profile) = &known.profile {
                return Ok(Arc::clone(profile));
            }
            known.place.clone()
        };
        let opened = match place {
            Some(place) => session::open_first(&[place], &self.patience).await?,
            None => session::open_first(&self.candidates, &self.patience).await?,
        };
        let profile = Arc::new(opened.profile);
        let mut known = self.known();
        if known.place.is_some() {
            self.nudge();
        }
        known.process = opened.process.map(Arc::new);
        known.place = Some(Candidate {
            path: profile.socket.clone(),
            origin: profile.socket_origin.clone(),
            unusable: None,
        });
        known.profile = Some(Arc::clone(&profile));
        Ok(profile)
    }

    /// Passes `result` on, and forgets the engine if it shows that it is away.
    fn note<T>(&self, result: Result<T, EngineError>) -> Result<T, EngineError> {
        if let Err(error) = &result
            && error.is_away()
            && !matches!(error, EngineError::NoDescriptor { .. })
            && self.forget().is_some()
        {
            self.nudge();
        }
        result
    }

    /// It was found away: it is asked anew what it is.
    fn forget(&self) -> Option<Arc<EngineProfile>> {
        let mut known = self.known();
        known.presence.vanished();
        known.profile.take()
    }

    /// Tells whoever waits that the engine may have gone or come.
    fn nudge(&self) {
        // Full: a nudge is waiting already.
        let _ = self.changes.0.try_send(());
    }

    async fn change(&self) {
        let process = self.known().process.clone();
        let ended = async {
            match &process {
                Some(process) => process::ended(process).await,
                None => std::future::pending().await,
            }
            self.forget();
            // The next one is watched.
            self.known().process = None;
        };
        let nudged = async {
            // This end holds the other one.
            let _ = self.changes.1.recv().await;
        };
        nudged.or(ended).await;
    }

    /// One call to the engine, in the version that was agreed. A reply with a status of 400 or more is `Refused`. If the
    /// engine no longer takes that version (it was upgraded), a new one is agreed and the call is made again.
    async fn call(&self, mut call: Call) -> Result<Reply, EngineError> {
        let again = call.body.again().map(|body| Call {
            name: call.name,
            method: call.method.clone(),
            path: call.path.clone(),
            body,
            limit: call.limit,
        });
        let first = self.call_once(&mut call).await;
        match (self.note(first), again) {
            (Err(EngineError::ApiRefused { .. }), Some(mut again)) => {
                let second = self.call_once(&mut again).await;
                self.note(second)
            }
            (result, _) => result,
        }
    }

    async fn call_once(&self, call: &mut Call) -> Result<Reply, EngineError> {
        let profile = self.profile().await?;
        let path = format!("/v{}{}", profile.api_version, call.path);
        let stream = http::connect(&profile.socket, self.patience.connect).await?;
        let call = Call {
            name: call.name,
            method: call.method.clone(),
            path: String::new(),
            body: std::mem::replace(&mut call.body, Outgoing::empty()),
            limit: call.limit,
        };
        let asked = presence::now();
        let reply = http::send(stream, call, &path).await?;
        self.known().presence.answered(asked);
        reply.expect(&[200, 201, 202, 204, 304]).await
    }

    /// Inspects a container.
    async fn look(&self, id: &ContainerId) -> Result<Inspect, EngineError> {
        let call = Call::new(
            "inspect the container",
            Method::GET,
            container_path(id, "/json")?,
            self.patience.read,
        );
        let reply = self
            .call(call)
            .await
            .map_err(|e| missing_container(e, id))?;
        let mut seen: Inspect = self.note(reply.json(BODY_MAX).await)?;
        seen.log_cut = self.missed_end(&seen);
        Ok(seen)
    }

    /// Whether the engine wrote the container's log itself and was away when the container ended.
    fn missed_end(&self, seen: &Inspect) -> bool {
        let known = self.known();
        let is_docker = |profile: &Arc<EngineProfile>| profile.kind == EngineKind::Docker;
        let ended = humantime::parse_rfc3339(&seen.state.finished_at);
        known.profile.as_ref().is_some_and(is_docker)
            && ended.is_ok_and(|ended| known.presence.missed(ended))
    }

    async fn origin(&self, id: &ContainerId) -> Result<MadeFrom, EngineError> {
        let seen = self.look(id).await?;
        Ok(MadeFrom {
            id: seen.image,
            name: words(&seen.config.image),
        })
    }

    /// The containers that carry all of `labels`.
    async fn listed(&self, labels: &[(&str, &str)]) -> Result<Vec<ListItem>, EngineError> {
        let filter: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let filters = serde_json::json!({ "label": filter });
        let path = format!(
            "/containers/json?all=true&filters={}",
            encoded(&filters.to_string())
        );
        let mut torn = None;
        let reply = loop {
            let read = self.patience.read;
            let call = Call::new("list containers", Method::GET, path.clone(), read);
            let error = match self.call(call).await {
                Ok(reply) => break reply,
                Err(error) => error,
            };
            match torn_removal(&error) {
                // It is ours: only what has our labels is looked at.
                Some(id) if torn.as_ref() != Some(&id) => {
                    self.take_away(&id).await?;
                    torn = Some(id);
                }
                _ => return Err(error),
            }
        };
        let mut items: Vec<ListItem> = self.note(reply.json(LIST_MAX).await)?;
        // Believe the labels, not the filter: what is not ours is never touched.
        items.retain(|item| {
            labels
                .iter()
                .all(|(key, value)| item.labels.get(*key).is_some_and(|label| label == value))
        });
        Ok(items)
    }

    async fn list(&self, node: &NodeId) -> Result<Vec<FoundContainer>, EngineError> {
        let items = self.listed(&[(LABEL_NODE, node.as_str())]).await?;
        let mut found = Vec::new();
        for item in items {
            let id = ContainerId(item.id);
            let state = match self.look(&id).await {
                Ok(seen) => state_of(&seen),
                // Removed between the two calls.
                Err(EngineError::NoSuchContainer { .. }) => continue,
                Err(error) => return Err(error),
            };
            let label = |key: &str| item.labels.get(key).filter(|value| !value.is_empty());
            found.push(FoundContainer {
                job: label(LABEL_JOB).map(|job| JobId(job.clone())),
                execution: label(LABEL_EXECUTION).map(|execution| ExecutionId(execution.clone())),
                id,
                state,
            });
        }
        Ok(found)
    }

    async fn list_of(
        &self,
        node: &NodeId,
        execution: &ExecutionId,
    ) -> Result<Vec<ContainerId>, EngineError> {
        let labels = [
            (LABEL_NODE, node.as_str()),
            (LABEL_EXECUTION, execution.as_str()),
        ];
        let items = self.listed(&labels).await?;
        Ok(items.into_iter().map(|item| ContainerId(item.id)).collect())
    }

    async fn make(&self, spec: &ContainerSpec) -> Result<Created, EngineError> {
        let name = container_name(&spec.execution);
        let profile = self.profile().await?;
        let body = serde_json::to_vec(&create::body(spec, &profile)).map_err(|e| {
            EngineError::Garbage {
                call: "create the container",
                detail: e.to_string(),
            }
        })?;
        let path = format!("/containers/create?name={}", encoded(&name));
        let mut settling = Settling::within(self.patience.settle);
        loop {
            let call = Call::new(
                "create the container",
                Method::POST,
                path.clone(),
                self.patience.change,
            );
            match self
                .call(call.with_body(Outgoing::Json(body.clone().into())))
                .await
            {
                Ok(reply) => {
                    let made: CreateReply = self.note(reply.json(BODY_MAX).await)?;
                    let warnings = made
                        .warnings
                        .iter()
                        .take(WARNINGS_MAX)
                        .map(|warning| words(warning))
                        .collect();
                    return Ok(Created {
                        id: known_id(made.id)?,
                        warnings,
                    });
                }
                Err(EngineError::Refused {
                    status, message, ..
                }) if status == 409 || (status >= 500 && message.contains("already in use")) => {
                    match self.reuse(spec, name.clone()).await {
                        // A Podman that was killed while it made one has its files under the name, and no container.
                        Err(EngineError::NoSuchContainer { .. })
                            if status >= 500 && settling.has_taken(self.patience.torn) =>
                        {
                            self.take_away(&ContainerId(name.clone())).await?;
                        }
                        // The name is taken before the container is shown: a create of an earlier life is under way.
                        Err(EngineError::NoSuchContainer { .. }) if !settling.is_over() => {}
                        result => return result,
                    }
                }
                Err(EngineError::Refused { status: 404, .. }) => {
                    return Err(EngineError::NoSuchImage {
                        image: spec.run.image.clone(),
                    });
                }
                Err(error) => return Err(refusal::typed(error)),
            }
            settling.pause().await;
        }
    }

    /// The container that has the execution's name, if it is the execution's and was never started: an earlier create
    /// whose reply was lost.
    async fn reuse(&self, spec: &ContainerSpec, name: String) -> Result<Created, EngineError> {
        let seen = self.look(&ContainerId(name.clone())).await?;
        let wanted = create::labels(spec);
        let ours = [LABEL_NODE, LABEL_JOB, LABEL_EXECUTION]
            .iter()
            .all(|key| seen.config.labels.get(*key) == wanted.get(key));
        if ours && state_of(&seen) == ContainerState::Created {
            return Ok(Created {
                id: known_id(seen.id)?,
                warnings: Vec::new(),
            });
        }
        let whose = if ours {
            "this execution"
        } else {
            "somebody else"
        };
        let holder = format!(
            "container {} of {whose}, which is {}",
            words(&seen.id),
            words(&seen.state.status)
        );
        Err(EngineError::NameInUse { name, holder })
    }

    async fn begin(&self, id: &ContainerId) -> Result<(), EngineError> {
        let call = Call::new(
            "start the container",
            Method::POST,
            container_path(id, "/start")?,
            self.patience.change,
        );
        match self.call(call).await {
            Ok(_) => Ok(()),
            Err(error) => Err(missing_container(refusal::typed(error), id)),
        }
    }

    async fn end_within(&self, id: &ContainerId, grace: Duration) -> Result<(), EngineError> {
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        let path = container_path(id, &format!("/stop?t={seconds}"))?;
        let limit = Duration::from_secs(seconds).saturating_add(self.patience.stop_slack);
        let asked = self
            .call(Call::new("stop the container", Method::POST, path, limit))
            .await;
        match asked.map_err(|e| missing_container(e, id)) {
            Err(EngineError::NoSuchContainer { .. }) => return Ok(()),
            Err(error) => {
                log::debug!("stopping container \"{id}\" failed, so it is killed: {error}")
            }
            Ok(_) => match self.look(id).await {
                Ok(seen) if matches!(state_of(&seen), ContainerState::Running { .. }) => {
                    log::debug!("container \"{id}\" still runs after a stop, so it is killed");
                }
                Ok(_) | Err(EngineError::NoSuchContainer { .. }) => return Ok(()),
                Err(error) => log::debug!(
                    "the state of container \"{id}\" is unknown, so it is killed: {error}"
                ),
            },
        }
        self.kill_now(id).await
    }

    async fn kill_now(&self, id: &ContainerId) -> Result<(), EngineError> {
        let path = container_path(id, "/kill?signal=KILL")?;
        let call = Call::new(
            "kill the container",
            Method::POST,
            path,
            self.patience.change,
        );
        match self.call(call).await.map_err(|e| missing_container(e, id)) {
            Ok(_)
            | Err(EngineError::NoSuchContainer { .. } | EngineError::Refused { status: 409, .. }) => {
                Ok(())
            }
            // Podman before 4.4 has no status of its own for "does not run".
            Err(EngineError::Refused { message, .. }) if message.contains("only kill running") => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn take_away(&self, id: &ContainerId) -> Result<(), EngineError> {
        let mut settling = Settling::within(self.patience.settle);
        loop {
            let path = container_path(id, "?force=true&v=true")?;
            let call = Call::new(
                "remove the container",
                Method::DELETE,
                path,
                self.patience.change,
            );
            match self.call(call).await.map_err(|e| missing_container(e, id)) {
                Ok(_) | Err(EngineError::NoSuchContainer { .. }) => return Ok(()),
                // A removal is in progress already; its end is a 404.
                Err(EngineError::Refused { status: 409, .. }) if !settling.is_over() => {}
                Err(error) => return Err(error),
            }
            settling.pause().await;
        }
    }
}

/// The path of a call about a container. Ids come from engines and from the store, so they are checked.
fn container_path(id: &ContainerId, rest: &str) -> Result<String, EngineError> {
    if is_plain(id.as_str()) {
        return Ok(format!("/containers/{id}{rest}"));
    }
    Err(EngineError::NoSuchContainer {
        id: words(id.as_str()),
    })
}

fn known_id(id: String) -> Result<ContainerId, EngineError> {
    if is_plain(&id) {
        return Ok(ContainerId(id));
    }
    Err(EngineError::Garbage {
        call: "create the container",
        detail: format!("\"{}\" is no container id", words(&id)),
    })
}

/// Whether it is at most 128 characters of those that ids and names are made of: an id is 64 hex digits, our longest
/// name about 50.
fn is_plain(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && !id.starts_with('.')
        && id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// Podman has no 404 for a container that is removed by somebody else during the call, only a 500 with these words.
const VANISHED_WORDS: &str = "no such container";

/// The container that a Podman was removing when it was killed: its files are gone, and no list that it is in can be had.
fn torn_removal(error: &EngineError) -> Option<ContainerId> {
    let EngineError::Refused { message, .. } = error else {
        return None;
    };
    let rest = message.strip_prefix("getting container from store \"")?;
    let (id, rest) = rest.split_once('"')?;
    (rest.contains("container not known") && is_plain(id)).then(|| ContainerId(id.to_owned()))
}

fn missing_container(error: EngineError, id: &ContainerId) -> EngineError {
    match error {
        EngineError::Refused {
            status,
            ref message,
            ..
        } if status == 404 || (status >= 500 && message.contains(VANISHED_WORDS)) => {
            EngineError::NoSuchContainer { id: id.to_string() }
        }
        other => other,
    }
}

/// How a container stands, by the engine's word for it. Podman calls a container `stopped` until its clean-up is done
/// (60 to 150 ms); its end is known and its log complete once its monitor has written the exit file, and then it shows
/// when that was.
fn state_of(seen: &Inspect) -> ContainerState {
    match seen.state.status.as_str() {
        "created" | "configured" if seen.state.has_started() => ContainerState::Interrupted,
        "created" | "configured" | "initialized" if seen.state.pid > 0 => ContainerState::Torn,
        "created" | "configured" | "initialized" => ContainerState::Created,
        "exited" | "dead" | "removing" => ContainerState::Exited(end_of(seen)),
        "stopped" if seen.state.has_finished() => ContainerState::Exited(end_of(seen)),
        _ => ContainerState::Running {
            pid: u32::try_from(seen.state.pid).ok().filter(|pid| *pid > 0),
        },
    }
}

/// Whether the process of a start that was cut off is there. It waits to be started, or runs: the next start tells.
fn waits_to_start(seen: &Inspect) -> bool {
    let pid = u32::try_from(seen.state.pid).unwrap_or_default();
    matches!(process::watch(pid, &seen.id), process::Watch::Open(_))
}

fn end_of(seen: &Inspect) -> ContainerEnd {
    ContainerEnd {
        exit_code: seen.state.exit_code,
        oom_killed: seen.state.oom_killed,
        memory_limit_bytes: u64::try_from(seen.host_config.memory).unwrap_or(0),
        error: words(&seen.state.error),
        log_cut: seen.log_cut,
        log_rotation: output::rotation_of(seen),
    }
}

impl Engine for ContainerEngine {
    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.change())
    }

    fn connect(&self) -> EngineFuture<'_, EngineProfile> {
        Box::pin(async { Ok(EngineProfile::clone(&*self.profile().await?)) })
    }

    fn found<'a>(&'a self, node: &'a NodeId) -> EngineFuture<'a, Vec<FoundContainer>> {
        Box::pin(self.list(node))
    }

    fn found_of<'a>(
        &'a self,
        node: &'a NodeId,
        execution: &'a ExecutionId,
    ) -> EngineFuture<'a, Vec<ContainerId>> {
        Box::pin(self.list_of(node, execution))
    }

    fn image<'a>(&'a self, image: &'a str) -> EngineFuture<'a, Option<ImageFacts>> {
        Box::pin(images::image(self, image))
    }

    fn pull<'a>(
        &'a self,
        image: &'a str,
        progress: &'a mut (dyn FnMut(PullProgress) + Send),
    ) -> EngineFuture<'a, ()> {
        Box::pin(pull::pull(self, image, progress))
    }

    fn load_image(&self, archive: Pin<Box<dyn AsyncRead + Send>>) -> EngineFuture<'_, Vec<String>> {
        Box::pin(images::load(self, archive))
    }

    fn remove_image<'a>(&'a self, name: &'a str, id: &'a str) -> EngineFuture<'a, ImageRemoval> {
        Box::pin(images::remove(self, name, id))
    }

    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> EngineFuture<'a, Created> {
        Box::pin(self.make(spec))
    }

    fn start<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ()> {
        Box::pin(self.begin(id))
    }

    fn await_end<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ContainerEnd> {
        Box::pin(end::await_end(self, id))
    }

    fn inspect<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ContainerState> {
        Box::pin(async move {
            let seen = self.look(id).await?;
            Ok(match state_of(&seen) {
                ContainerState::Torn if waits_to_start(&seen) => ContainerState::Created,
                state => state,
            })
        })
    }

    fn image_of<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, MadeFrom> {
        Box::pin(self.origin(id))
    }

    fn output<'a>(
        &'a self,
        id: &'a ContainerId,
        rotation: LogRotation,
    ) -> EngineFuture<'a, FirstOutput> {
        Box::pin(output::first(self, id, rotation))
    }

    fn logs<'a>(&'a self, id: &'a ContainerId, extent: LogExtent) -> EngineFuture<'a, LogStream> {
        Box::pin(output::logs(self, id, extent))
    }

    fn stop<'a>(&'a self, id: &'a ContainerId, grace: Duration) -> EngineFuture<'a, ()> {
        Box::pin(self.end_within(id, grace))
    }

    fn kill<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ()> {
        Box::pin(self.kill_now(id))
    }

    fn remove<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ()> {
        Box::pin(self.take_away(id))
    }
}
