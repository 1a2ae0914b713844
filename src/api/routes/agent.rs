//! `/api/v1/agent/*`: this process and this node.

use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::wire::{Json, build_version, node_info};
use crate::model::{ApiReply, ApiRequest};

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
