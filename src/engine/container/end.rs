//! The end of a container, awaited without asking its engine anything while it runs.
//!
//! ```text
//!  inspect --ended--------------------------------------------------> done
//!     | runs, pid
//!  pidfd_open --> inspect again --> readable (hours later) --> inspect until the engine has noticed --> done
//!     | no pidfd
//!  attach ------> inspect again --> its stream ends ---------> inspect until ...
//! ```
//! The second inspect closes two races: the pid was reused before it was opened; the container ended before an attach,
//! which on some engines never ends then. An engine that goes away meanwhile is asked again with growing pauses.

use super::super::{ContainerEnd, ContainerState, EngineError};
use super::bounds::{
    AWAY_PAUSE, AWAY_PAUSE_MAX, CHANGE_MAX, SETTLE_MAX, SETTLE_PAUSE, SETTLE_PAUSE_MAX,
};
use super::http::{self, Call};
use super::process::{self, Watch};
use super::wire::Inspect;
use super::{ContainerEngine, container_path, end_of, state_of};
use crate::model::ContainerId;
use async_io::Timer;
use hyper::Method;
use std::time::Duration;

const ATTACH: &str = "attach to the container";

/// Waits until the container has ended.
pub(super) async fn await_end(
    engine: &ContainerEngine,
    id: &ContainerId,
) -> Result<ContainerEnd, EngineError> {
    loop {
        let seen = look(engine, id).await?;
        let pid = match state_of(&seen) {
            ContainerState::Exited(end) => return Ok(end),
            ContainerState::Created => {
                return Err(EngineError::Refused {
                    call: "await the end",
                    status: 409,
                    message: "the container was never started".to_owned(),
                });
            }
            ContainerState::Running { pid } => pid,
        };
        let watch = match pid {
            Some(pid) => process::watch(pid, &seen.id),
            // Between its start and its pid, or between its end and the engine's notice of it.
            None => Watch::Ended,
        };
        match watch {
            Watch::Open(process) => {
                if runs_as(&look(engine, id).await?, pid) {
                    process::ended(&process).await?;
                }
            }
            Watch::Ended => {}
            Watch::Impossible(why) => {
                log::debug!("the end of container \"{id}\" is awaited by attach: {why}");
                attach_until_end(engine, id, pid).await?;
            }
        }
        if let Some(end) = settle(engine, id, pid).await? {
            return Ok(end);
        }
    }
}

/// Inspects; while the engine is away, until it is back.
async fn look(engine: &ContainerEngine, id: &ContainerId) -> Result<Inspect, EngineError> {
    let mut pause = AWAY_PAUSE;
    loop {
        match engine.look(id).await {
            Err(error)
                if error.is_away()
                    || matches!(error, EngineError::Refused { status: 500.., .. }) =>
            {
                log::debug!("the engine is away while container \"{id}\" is awaited: {error}");
                Timer::after(pause).await;
                pause = (pause * 2).min(AWAY_PAUSE_MAX);
            }
            result => return result,
        }
    }
}

fn runs_as(seen: &Inspect, pid: Option<u32>) -> bool {
    state_of(seen) == ContainerState::Running { pid }
}

/// Asks the engine until it knows how the container ended. `None` if another process took its place: watch that one.
async fn settle(
    engine: &ContainerEngine,
    id: &ContainerId,
    pid: Option<u32>,
) -> Result<Option<ContainerEnd>, EngineError> {
    let mut pause = SETTLE_PAUSE;
    let mut waited = Duration::ZERO;
    loop {
        let seen = look(engine, id).await?;
        match state_of(&seen) {
            ContainerState::Exited(end) => return Ok(Some(end)),
            ContainerState::Running { pid: Some(now) } if Some(now) != pid => return Ok(None),
            // Podman's clean-up did not run; the exit code is there nevertheless.
            _ if waited >= SETTLE_MAX && seen.state.status == "stopped" => {
                return Ok(Some(end_of(&seen)));
            }
            _ if waited >= SETTLE_MAX => {
                return Err(EngineError::EndUnknown {
                    id: seen.id,
                    status: http::words(&seen.state.status),
                });
            }
            _ => {}
        }
        Timer::after(pause).await;
        waited += pause;
        pause = (pause * 2).min(SETTLE_PAUSE_MAX);
    }
}

/// Follows the container's output to its end and throws it away. The engine going away ends the attempt, not the wait.
async fn attach_until_end(
    engine: &ContainerEngine,
    id: &ContainerId,
    pid: Option<u32>,
) -> Result<(), EngineError> {
    let path = container_path(id, "/attach?stream=true&stdout=true&stderr=true")?;
    let Ok(mut reply) = engine
        .call(Call::new(ATTACH, Method::POST, path, CHANGE_MAX))
        .await
    else {
        // Ended meanwhile, or the engine is away; either way the next look tells.
        return Ok(());
    };
    reply.allow_silence();
    if runs_as(&look(engine, id).await?, pid) {
        while let Ok(Some(_)) = reply.chunk().await {}
    }
    Ok(())
}
