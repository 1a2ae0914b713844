//! The end of a container, awaited without asking its engine anything while it runs.
//!
//! ```text
//!  inspect --ended----------------------------------------------------> done
//!     | runs, pid
//!  pidfd_open --> inspect again --> readable (hours later) --> inspect until the engine has noticed --> done
//!     | no pidfd
//!  wait ----------------------- answered at the end ---------> inspect a few times; still runs? from the start
//! ```
//! The second inspect closes a race: the pid was reused before it was opened. An engine that goes away meanwhile is asked
//! again with growing pauses.
//!
//! DECISION: an engine's own wait rather than an attach where there is no pidfd. Podman 4.3 makes a container anew that is
//! attached to just after it has ended, and its exit code is gone.

use super::super::{ContainerEnd, ContainerState, EngineError, EngineKind};
use super::bounds::WAIT_MAX;
use super::http::{self, Call, words};
use super::process::{self, Watch};
use super::settling::Settling;
use super::wire::Inspect;
use super::{ContainerEngine, container_path, end_of, state_of};
use crate::model::ContainerId;
use async_io::Timer;
use hyper::Method;
use std::time::Duration;

/// By what the end of a container is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EndWatch {
    /// A pidfd of its first process; the engine's wait where there is none.
    #[default]
    Pidfd,
    /// The engine's wait, as on a kernel that has no pidfd (before 5.3).
    Wait,
}

/// Waits until the container has ended.
pub(super) async fn await_end(
    engine: &ContainerEngine,
    id: &ContainerId,
) -> Result<ContainerEnd, EngineError> {
    let mut pause = engine.patience.away;
    let mut unstarted = Duration::ZERO;
    loop {
        let seen = look_until_back(engine, id).await?;
        let pid = match state_of(&seen) {
            ContainerState::Exited(end) => return Ok(end),
            // Seen from a busy Podman after it had answered the start with success.
            ContainerState::Created | ContainerState::Torn | ContainerState::Interrupted
                if unstarted < engine.patience.settle =>
            {
                Timer::after(pause).await;
                unstarted += pause;
                pause = (pause * 2).min(engine.patience.suspicion);
                continue;
            }
            ContainerState::Created | ContainerState::Torn | ContainerState::Interrupted => {
                return Err(never_started(&seen));
            }
            ContainerState::Running { pid } => pid,
        };
        // No pid: between its start and its pid, or between its end and the engine's notice of it. No such process: the
        // same, or a pid of another namespace.
        let watch = match (engine.end_watch, pid) {
            (_, None) => Watch::Ended,
            (EndWatch::Pidfd, Some(pid)) => process::watch(pid, &seen.id),
            (EndWatch::Wait, Some(_)) => Watch::Impossible("no pidfd is wanted".to_owned()),
        };
        let settled = match watch {
            Watch::Open(process) => {
                if !runs_as(&look_until_back(engine, id).await?, pid) {
                    continue;
                }
                process::ended(&process).await;
                match settle(engine, id, pid, engine.patience.settle).await? {
                    Settled::Runs { status } => {
                        return Err(EngineError::EndUnknown {
                            id: seen.id,
                            status,
                        });
                    }
                    settled => settled,
                }
            }
            Watch::Ended => settle(engine, id, pid, engine.patience.suspicion).await?,
            Watch::Impossible(why) => {
                log::debug!("the end of container \"{id}\" is awaited by its engine: {why}");
                Settled::Runs { status: why }
            }
        };
        match settled {
            Settled::Ended(end) => return Ok(end),
            Settled::Replaced => continue,
            Settled::Runs { .. } => {}
        }
        wait_until_end(engine, id).await?;
        if let Settled::Ended(end) = settle(engine, id, pid, engine.patience.suspicion).await? {
            return Ok(end);
        }
        // The engine was restarted meanwhile, does not let us wait, or an hour is over.
        Timer::after(pause).await;
        pause = (pause * 2).min(engine.patience.away_most);
    }
}

/// In the engine's own word, for it may have answered the start with success.
fn never_started(seen: &Inspect) -> EngineError {
    EngineError::Refused {
        call: "await the end",
        status: 409,
        message: format!(
            "it still calls the container \"{}\", as if it had never been started",
            words(&seen.state.status)
        ),
    }
}

/// Inspects; while the engine is away, until it is back.
pub(super) async fn look_until_back(
    engine: &ContainerEngine,
    id: &ContainerId,
) -> Result<Inspect, EngineError> {
    let mut pause = engine.patience.away;
    loop {
        match engine.look(id).await {
            Err(error)
                if error.is_away()
                    || matches!(error, EngineError::Refused { status: 500.., .. }) =>
            {
                log::debug!("the engine is away while container \"{id}\" is awaited: {error}");
                Timer::after(pause).await;
                pause = (pause * 2).min(engine.patience.away_most);
            }
            result => return result,
        }
    }
}

fn runs_as(seen: &Inspect, pid: Option<u32>) -> bool {
    state_of(seen) == ContainerState::Running { pid }
}

/// What an engine says after a process has ended, or may have.
enum Settled {
    /// It noticed.
    Ended(ContainerEnd),
    /// Another process runs the container now: watch that one.
    Replaced,
    /// It still says that the container runs, in these words.
    Runs { status: String },
}

/// Asks the engine until it knows how the container ended, for at most `limit`.
async fn settle(
    engine: &ContainerEngine,
    id: &ContainerId,
    pid: Option<u32>,
    limit: Duration,
) -> Result<Settled, EngineError> {
    let mut settling = Settling::within(limit);
    loop {
        let seen = look_until_back(engine, id).await?;
        match state_of(&seen) {
            ContainerState::Exited(end) => return Ok(Settled::Ended(end)),
            ContainerState::Running { pid: Some(now) } if Some(now) != pid => {
                return Ok(Settled::Replaced);
            }
            _ if !settling.is_over() => {}
            // Podman's clean-up did not run; the exit code is there nevertheless.
            _ if seen.state.status == "stopped" => return Ok(Settled::Ended(end_of(&seen))),
            _ => {
                return Ok(Settled::Runs {
                    status: http::words(&seen.state.status),
                });
            }
        }
        settling.pause().await;
    }
}

/// Asks the engine to answer when the container has ended. Its going away ends the attempt, not the wait.
async fn wait_until_end(engine: &ContainerEngine, id: &ContainerId) -> Result<(), EngineError> {
    let path = match engine.profile().await {
        // Its Docker-compatible wait polls as fast as it can; its own does so at this interval.
        Ok(profile) if profile.kind == EngineKind::Podman => {
            format!("/libpod{}", container_path(id, "/wait?interval=1s")?)
        }
        Ok(_) => container_path(id, "/wait")?,
        Err(_) => return Ok(()),
    };
    let call = Call::new("await the end", Method::POST, path, WAIT_MAX);
    if let Ok(mut reply) = engine.call(call).await {
        while let Ok(Some(_)) = engine.note(reply.chunk().await) {}
    }
    Ok(())
}
