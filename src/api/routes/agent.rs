//! `/api/v1/agent/*`: this process and this node.

use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::server::Counters;
use crate::api::wire::{self, Json, build_version, node_info};
use crate::model::{ApiReply, ApiRequest, Bundle, PruneMode};

/// Says that the server answers; asks nobody.
pub(super) fn alive() -> Json {
    Json::object().with("Status", "OK")
}

/// What this build is.
pub(super) fn version() -> Json {
    build_version()
}

/// What this node is, with the capacity of this moment.
pub(super) async fn node(backend: &ApiBackend) -> Result<Json, ApiError> {
    match backend.ask(ApiRequest::NodeInfo, &Asked::Read).await? {
        ApiReply::Node(node) => Ok(node_info(&node)),
        _ => Err(ApiError::Unexpected),
    }
}

/// What this node has no use for; with `Remove` it goes.
pub(super) async fn prune(backend: &ApiBackend, mode: PruneMode) -> Result<Json, ApiError> {
    match backend.ask(ApiRequest::Prune(mode), &Asked::Read).await? {
        ApiReply::Prunable(prunable) => Ok(wire::prunable(&prunable)),
        _ => Err(ApiError::Unexpected),
    }
}

/// Everything that is counted, as Prometheus reads it.
pub(super) async fn metrics(backend: &ApiBackend, counters: &Counters) -> Result<String, ApiError> {
    let bundle = evidence(backend).await?;
    Ok(wire::metrics(&bundle.metrics, counters))
}

/// Everything that helps to find a cause.
pub(super) async fn debug(backend: &ApiBackend, counters: &Counters) -> Result<Json, ApiError> {
    let bundle = evidence(backend).await?;
    let metrics = wire::metrics(&bundle.metrics, counters);
    Ok(wire::bundle(&bundle, &metrics))
}

async fn evidence(backend: &ApiBackend) -> Result<Box<Bundle>, ApiError> {
    match backend.ask(ApiRequest::Evidence, &Asked::Read).await? {
        ApiReply::Evidence(bundle) => Ok(bundle),
        _ => Err(ApiError::Unexpected),
    }
}
