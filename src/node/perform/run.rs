//! `Run`: start unless started before, await the end, read the output and the true exit code.

use super::super::logs::{EndedLog, LogCut};
use super::leash::{Leash, Pull};
use super::platform::is_for_this_machine;
use super::{News, Tools, failure, let_go};
use crate::agent::{ActivityId, Entry, Progress, RunFailure};
use crate::engine::{ContainerEnd, ContainerState, EngineError, StopCause};
use crate::model::{ContainerId, Failure, FailureKind, LogBytes, RunOutput};
use std::time::Duration;

/// What a container gets between being asked to end and being killed: Docker's and Podman's own default.
const STOP_GRACE: Duration = Duration::from_secs(10);

pub(super) async fn run(
    tools: &Tools,
    id: &ActivityId,
    container: &ContainerId,
    entry: Entry,
    leash: &Leash,
) -> Result<RunOutput, RunFailure> {
    let engine = tools.engine.as_ref();
    let wrong = |error: EngineError| RunFailure {
        failure: failure(&error),
        output: None,
    };
    let state = match entry {
        Entry::Prepared => ContainerState::Created,
        Entry::Found => match engine.inspect(container).await {
            Ok(state) => state,
            Err(error) => return Err(put_off_or(error)),
        },
    };
    let (end, cause) = match state {
        ContainerState::Exited(end) => (end, StopCause::Itself),
        ContainerState::Torn => return Err(torn(tools, container).await),
        ContainerState::Created | ContainerState::Interrupted | ContainerState::Running { .. } => {
            if !matches!(state, ContainerState::Running { .. }) {
                if entry == Entry::Found {
                    check_platform(tools, container).await?;
                }
                match engine.start(container).await {
                    Err(EngineError::Refused { status: 500.., .. }) if entry == Entry::Found => {
                        return Err(torn(tools, container).await);
                    }
                    started => started.map_err(wrong)?,
                }
            }
            let started = News::Progress {
                id: id.clone(),
                progress: Progress::Started,
            };
            tools.followers.tell();
            // A closed channel is a node that ends.
            let _ = tools.news.send(started).await;
            match leash.or_pulled(engine.await_end(container)).await {
                Ok(end) => (end.map_err(wrong)?, StopCause::Itself),
                Err(Pull::LetGo) => {
                    return Err(RunFailure {
                        failure: let_go(),
                        output: None,
                    });
                }
                Err(Pull::Stop) => {
                    engine.stop(container, STOP_GRACE).await.map_err(wrong)?;
                    match leash.or_pulled(engine.await_end(container)).await {
                        Ok(end) => (end.map_err(wrong)?, StopCause::Node),
                        Err(_) => {
                            return Err(RunFailure {
                                failure: let_go(),
                                output: None,
                            });
                        }
                    }
                }
            }
        }
    };
    let first = loop {
        match leash
            .or_pulled(engine.output(container, end.log_rotation))
            .await
        {
            Ok(first) => break first.map_err(wrong)?,
            Err(Pull::LetGo) => {
                return Err(RunFailure {
                    failure: let_go(),
                    output: None,
                });
            }
            // It has ended already; its output is still worth reading.
            Err(Pull::Stop) => {}
        }
    };
    let cut = match (first.rotated, end.log_cut) {
        (true, _) => Some(LogCut::Oldest),
        (false, true) => Some(LogCut::Latest),
        (false, false) => None,
    };
    let stdout_truncated = first.stdout.truncated || end.log_cut;
    let stderr_truncated = first.stderr.truncated || end.log_cut;
    tools.followers.ended(
        &id.execution,
        EndedLog {
            length: LogBytes {
                stdout: first.stdout.log_bytes,
                stderr: first.stderr.log_bytes,
            },
            cut,
            stored_whole: !stdout_truncated && !stderr_truncated,
        },
    );
    let output = RunOutput {
        stdout: first.stdout.bytes.to_vec(),
        stdout_truncated,
        stderr: first.stderr.bytes.to_vec(),
        stderr_truncated,
        exit_code: end.exit_code,
    };
    match unusual(&end, cause) {
        Some(failure) => Err(RunFailure {
            failure,
            output: Some(output),
        }),
        None => Ok(output),
    }
}

/// Whether the image of a container that was found unstarted is made for this machine: who made the container may not
/// have come to look.
async fn check_platform(tools: &Tools, container: &ContainerId) -> Result<(), RunFailure> {
    let engine = tools.engine.as_ref();
    let made_from = engine.image_of(container).await.map_err(put_off_or)?;
    let facts = engine.image(&made_from.id).await.map_err(put_off_or)?;
    let checked = is_for_this_machine(tools, &made_from.name, facts).await;
    checked.map_err(|failure| RunFailure {
        failure,
        output: None,
    })
}

/// The failure of a container whose engine was killed while it started it: what of it runs is ended first, for it is run
/// anew.
async fn torn(tools: &Tools, container: &ContainerId) -> RunFailure {
    let message =
        "its engine was killed while it started its container, and how that ended is not known";
    let removed = tools.engine.remove(container).await;
    RunFailure {
        failure: match removed {
            Ok(()) => Failure::new(FailureKind::ContainerLost, message),
            Err(error) => failure(&error),
        },
        output: None,
    }
}

/// The failure of a look at what was found. Where only the engine is at fault it is the engine's absence: what it has is
/// asked again before anything more is done.
fn put_off_or(error: EngineError) -> RunFailure {
    let is_the_engines = matches!(error, EngineError::Refused { status: 500.., .. });
    let mut failure = failure(&error);
    if is_the_engines {
        failure.kind = FailureKind::EngineAway;
    }
    RunFailure {
        failure,
        output: None,
    }
}

/// An end that says nothing about the job's own work.
fn unusual(end: &ContainerEnd, cause: StopCause) -> Option<Failure> {
    if end.log_cut && end.may_be_cut_off() {
        let code = end.exit_code;
        let message = format!(
            "its engine was stopped, and ended the container with it or did not see how it ended (exit code {code})"
        );
        return Some(Failure::new(FailureKind::ContainerLost, message));
    }
    if end.is_out_of_memory(cause) {
        let certainty = if end.oom_killed { "" } else { ", probably" };
        let limit = end.memory_limit_bytes;
        let message =
            format!("the container was killed{certainty} out of memory (limit {limit} bytes)");
        return Some(Failure::new(FailureKind::OutOfMemory, message));
    }
    let message = format!("the container could not be started: {}", end.error);
    (!end.error.is_empty()).then(|| Failure::new(FailureKind::Entrypoint, message))
}
