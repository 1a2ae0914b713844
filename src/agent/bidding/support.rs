//! Can this node run such a thing at all?

use super::EngineView;
use crate::model::{DockerSpec, Job, NetworkKind, RejectReason};

pub(super) fn check(job: &Job, engine: &EngineView) -> Result<(), RejectReason> {
    let task = &job.task;
    if !task.engine.is("docker") {
        return Err(RejectReason::EngineUnsupported {
            engine: task.engine.kind.clone(),
        });
    }
    DockerSpec::from_params(&task.engine.params).map_err(|error| RejectReason::BadSpec {
        problem: error.to_string(),
    })?;
    if !publishes_nowhere(&task.publisher.kind) {
        return Err(RejectReason::PublisherUnsupported {
            publisher: task.publisher.kind.clone(),
        });
    }
    if let Some(input) = task.input_sources.first() {
        return Err(RejectReason::StorageUnsupported {
            source_type: input.source.kind.clone(),
        });
    }
    if !task.result_paths.is_empty() {
        return Err(RejectReason::ResultPathsUnsupported);
    }
    match task.network.kind {
        NetworkKind::Default | NetworkKind::None => {}
        kind => {
            return Err(RejectReason::NetworkUnsupported {
                network: format!("{kind:?}"),
            });
        }
    }
    match engine {
        EngineView::Here(_) => Ok(()),
        EngineView::Unknown => Err(RejectReason::EngineAway {
            why: "it has not answered yet".to_owned(),
        }),
        EngineView::Away { why } => Err(RejectReason::EngineAway { why: why.clone() }),
    }
}

/// No publisher, or the one that does nothing (what v1.3 clients send when none is asked for).
fn publishes_nowhere(kind: &str) -> bool {
    kind.is_empty() || kind.eq_ignore_ascii_case("noop")
}
