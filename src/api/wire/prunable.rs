//! What a node has no use for.

use super::json::Json;
use super::time::rfc3339;
use crate::model::{Overdue, Prunable};

pub(in crate::api) fn prunable(prunable: &Prunable) -> Json {
    let overdue = |overdue: Overdue| {
        Json::object()
            .with("Count", overdue.count)
            .with("Bytes", overdue.bytes)
    };
    let images = prunable.images.iter().map(|image| {
        Json::object()
            .with("Name", image.name.as_str())
            .with("ID", image.id.as_str())
            .with("Bytes", image.bytes)
            .with("LastUsed", rfc3339(image.used))
    });
    let containers = prunable.containers.iter().map(|id| id.as_str().into());
    Json::object()
        .with("Jobs", overdue(prunable.jobs))
        .with("Executions", overdue(prunable.executions))
        .with("Images", Json::List(images.collect()))
        .with("Containers", Json::List(containers.collect()))
}
