//! The seam between this program and whatever runs containers.

use super::{
    ContainerEnd, ContainerSpec, ContainerState, Created, EngineError, EngineProfile, FirstOutput,
    FoundContainer, ImageFacts, LogChunk, LogExtent, LogRotation, MadeFrom,
};
use crate::model::{ContainerId, ExecutionId, ImageRemoval, NodeId, PullProgress};
use futures_lite::{AsyncRead, Stream};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A call in flight.
pub type EngineFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;

/// What a container printed, in pieces. Nothing is read before it is asked for; dropping it ends the read.
pub type LogStream = Pin<Box<dyn Stream<Item = Result<LogChunk, EngineError>> + Send>>;

/// What runs containers.
///
/// **Order of calls** for one execution: `image`, else `pull`; `create`; `start`; `await_end`; `output` or `logs`;
/// `remove`. After a restart of this program `found` says where to go on: `await_end` and everything after it work on a
/// container that an earlier life made. `connect` may be called at any time and need not be called at all: every call
/// connects when it must.
///
/// **Dropping a future.** `create`, `start`, `stop`, `kill` and `remove` change the engine and must be awaited, never
/// dropped: the engine may do the half that was sent. Each is bounded in time, so awaiting it ends. After
/// [`EngineError::TimedOut`] or [`EngineError::Vanished`] of one of them the change may or may not have happened: call
/// it again, or look with `found`. All other futures may be dropped at any point.
///
/// **Idempotence.** All calls may be repeated. `create` with the same execution returns the container that is there as
/// long as it was never started; `start` of a running container is done; `stop` and `kill` of an ended or missing one
/// are done; `remove` of a missing one is done.
///
/// **Errors to prefer.** The most specific variant: `NoSuchContainer` over `Refused`, `BadCommand` over `Refused`. An
/// error that says nothing about the job but only that the engine is away has [`EngineError::is_away`].
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// Waits until the engine may have gone or come: the process that answered has ended, or a call found the engine away,
    /// or there again. Costs nothing meanwhile, and asks the engine nothing. A process that cannot be seen, in another
    /// pid namespace or behind a socket that somebody else holds open, is not watched.
    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Finds the engine and asks what it is. Answers from memory while the engine answered last; never probes then.
    ///
    /// # Errors
    /// `NoEngine` with each candidate and its reason; any error of a call.
    fn connect(&self) -> EngineFuture<'_, EngineProfile>;

    /// All containers that carry the label of `node`, each once, in any state, and none of any other node.
    ///
    /// # Errors
    /// Any error of a call.
    fn found<'a>(&'a self, node: &'a NodeId) -> EngineFuture<'a, Vec<FoundContainer>>;

    /// The containers that carry the labels of `node` and of `execution`, in any state: one, but for a create that was
    /// made twice. Costs one call, however many containers the node has.
    ///
    /// # Errors
    /// Any error of a call.
    fn found_of<'a>(
        &'a self,
        node: &'a NodeId,
        execution: &'a ExecutionId,
    ) -> EngineFuture<'a, Vec<ContainerId>>;

    /// The image in the engine's own store, `None` if it is not there. Never asks a registry.
    ///
    /// # Errors
    /// Any error of a call.
    fn image<'a>(&'a self, image: &'a str) -> EngineFuture<'a, Option<ImageFacts>>;

    /// Fetches the image from its registry. `progress` is called with all that has arrived so far, at most once a line of
    /// the engine's. Done when it returns `Ok`: the image is here. Dropping it ends the pull.
    ///
    /// # Errors
    /// `PullFailed`; `TimedOut` when there was no news for minutes; any error of a call.
    fn pull<'a>(
        &'a self,
        image: &'a str,
        progress: &'a mut (dyn FnMut(PullProgress) + Send),
    ) -> EngineFuture<'a, ()>;

    /// Gives the engine an image archive (docker-archive or oci-archive, plain or compressed) and returns the names that
    /// it holds, at most 64.
    ///
    /// # Errors
    /// `LoadFailed`; `Source` when `archive` fails; any error of a call.
    fn load_image(&self, archive: Pin<Box<dyn AsyncRead + Send>>) -> EngineFuture<'_, Vec<String>>;

    /// Takes the name `name` from the image `id`, and the image with it unless it has other names. Touches nothing if the
    /// engine has another image by that name, or a container uses it. Must be awaited.
    ///
    /// # Errors
    /// Any error of a call.
    fn remove_image<'a>(&'a self, name: &'a str, id: &'a str) -> EngineFuture<'a, ImageRemoval>;

    /// Makes a container and does not start it. Must be awaited.
    ///
    /// # Errors
    /// `NoSuchImage`; `NameInUse` if the execution's container was started already, or is somebody else's; `Refused`.
    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> EngineFuture<'a, Created>;

    /// Starts it. Must be awaited.
    ///
    /// # Errors
    /// `BadCommand`; `NoSuchContainer`; `Refused`.
    fn start<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ()>;

    /// Waits until a started container has ended, however long that takes, and says how. Costs the engine nothing while
    /// the container runs. Outlives an engine that goes away and comes back.
    ///
    /// # Errors
    /// `NoSuchContainer`; `EndUnknown`; `Refused` when it was never started. Never an error that `is_away`.
    fn await_end<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ContainerEnd>;

    /// How it stands now.
    ///
    /// # Errors
    /// `NoSuchContainer`; any error of a call.
    fn inspect<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ContainerState>;

    /// The image that it was made from.
    ///
    /// # Errors
    /// `NoSuchContainer`; any error of a call.
    fn image_of<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, MadeFrom>;

    /// The first bytes of an ended container's output, read from the engine's log, and whether there was more. `rotation`
    /// is what its end told: asking once more would cost a job as much as reading the log.
    /// Outlives an engine that goes away and comes back.
    ///
    /// # Errors
    /// `NoSuchContainer`, nothing else: a log that cannot be read through is returned as far as it can, as truncated.
    fn output<'a>(
        &'a self,
        id: &'a ContainerId,
        rotation: LogRotation,
    ) -> EngineFuture<'a, FirstOutput>;

    /// The engine's log from its oldest byte. Memory use is one read, whatever the length. `ToTheEnd` is for a container
    /// that runs: its stream goes on with what comes, silent in between.
    ///
    /// **The end of a stream to the end is no promise.** Podman may hold it open after the container has ended, and ends
    /// it early for a reader that is behind then; an engine that is stopped ends it in good order. Whoever needs all of
    /// a log reads what is `Present` once the container has ended.
    ///
    /// # Errors
    /// `NoSuchContainer`; any error of a call. The stream ends after its first error.
    fn logs<'a>(&'a self, id: &'a ContainerId, extent: LogExtent) -> EngineFuture<'a, LogStream>;

    /// Asks the container to end, and ends it by force after `grace` (whole seconds, rounded up). Must be awaited; takes
    /// up to `grace` and a time-out. `Ok` means that it does not run any more, or that it was sent SIGKILL.
    ///
    /// # Errors
    /// Any error of the kill that follows a stop which did not work.
    fn stop<'a>(&'a self, id: &'a ContainerId, grace: Duration) -> EngineFuture<'a, ()>;

    /// Sends SIGKILL. Must be awaited.
    ///
    /// # Errors
    /// Any error of a call.
    fn kill<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ()>;

    /// Removes the container, its log and its anonymous volumes, running or not. Must be awaited.
    ///
    /// # Errors
    /// Any error of a call.
    fn remove<'a>(&'a self, id: &'a ContainerId) -> EngineFuture<'a, ()>;
}
