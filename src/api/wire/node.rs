//! What a node says of itself, as clients read it (rest-api.md 3.9).

use super::time::rfc3339;
use super::version::foreign_version;
use super::{Json, build_version};
use crate::model::{
    Condition, ConnectedNode, DialledBy, NodeInfo, NodeRole, NodeRoles, Resources, UnixMs,
};
use serde_json::Number;

/// The body of `agent/node`. Beside the documented keys it has `Codling`, which clients ignore: where the capacity comes
/// from, which engine answers, or why none does, and what is not as it should be.
pub(in crate::api) fn node_info(node: &NodeInfo) -> Json {
    Json::object()
        .with("NodeID", node.id.as_str())
        .with("NodeType", node_type(node))
        .with("Labels", &node.labels)
        // Neither bprotocol nor ncl is spoken here, and no client interprets this.
        .with("SupportedProtocols", Vec::new())
        .with("ComputeNodeInfo", compute_info(node))
        .with("BacalhauVersion", build_version())
        .with("Codling", own(node))
}

/// A node with both roles says Compute, as the original does.
pub(in crate::api) fn node_type(node: &NodeInfo) -> &'static str {
    if node.roles.has(NodeRole::Compute) {
        "Compute"
    } else {
        "Requester"
    }
}

/// Words of a node's membership and connection (rest-api.md 3.12).
pub(in crate::api) const APPROVED: &str = "APPROVED";
pub(in crate::api) const PENDING: &str = "PENDING";
pub(in crate::api) const CONNECTED: &str = "CONNECTED";

/// The type of a peer that says nothing of what it runs: clients know two words only, and nothing runs there for this node.
pub(in crate::api) const PEER_TYPE: &str = "Requester";

/// A row of the node list: this node, which is always there for itself.
pub(in crate::api) fn this_node(node: &NodeInfo) -> Json {
    state(node_info(node), APPROVED, node.said, node.since)
}

/// A row of the node list: a connected peer. Nothing is placed on it, so it is pending.
pub(in crate::api) fn connected_node(peer: &ConnectedNode) -> Json {
    let none = Resources::default();
    let nothing: Vec<Json> = Vec::new();
    let compute = Json::object()
        .with("ExecutionEngines", nothing.clone())
        .with("Publishers", nothing.clone())
        .with("StorageSources", nothing.clone())
        .with("MaxCapacity", resources(&none))
        .with("QueueCapacity", Json::object())
        .with("AvailableCapacity", resources(&none))
        .with("MaxJobRequirements", resources(&none))
        .with("RunningExecutions", 0_u64)
        .with("EnqueuedExecutions", 0_u64)
        .with("address", "");
    let dialled_by = match peer.dialled_by {
        DialledBy::Us => "us",
        DialledBy::Them => "them",
    };
    let own = Json::object()
        .with("Address", peer.address.as_str())
        .with("DialledBy", dialled_by)
        .with_some("Agent", peer.agent.as_deref().unwrap_or_default())
        .with_some("RoundTripMs", peer.round_trip_ms.unwrap_or_default());
    let info = Json::object()
        .with("NodeID", peer.id.as_str())
        .with("NodeType", PEER_TYPE)
        .with("Labels", Json::object())
        .with("SupportedProtocols", nothing)
        .with("ComputeNodeInfo", compute)
        .with(
            "BacalhauVersion",
            foreign_version(peer.agent.as_deref().unwrap_or_default()),
        )
        .with("Codling", own);
    state(info, PENDING, peer.heard, peer.since)
}

/// NodeState (rest-api.md 3.9). Times that are not known are Go's zero time, and so is the end of what has not ended.
fn state(info: Json, membership: &str, heard: Option<UnixMs>, since: Option<UnixMs>) -> Json {
    Json::object()
        .with("Info", info)
        .with("Membership", membership)
        .with("Connection", CONNECTED)
        .with(
            "ConnectionState",
            Json::object()
                .with("Status", CONNECTED)
                .with("LastHeartbeat", rfc3339(heard))
                .with("ConnectedSince", rfc3339(since))
                .with("DisconnectedSince", rfc3339(None)),
        )
}

fn compute_info(node: &NodeInfo) -> Json {
    Json::object()
        .with("ExecutionEngines", node.engines.as_slice())
        .with("Publishers", node.publishers.as_slice())
        .with("StorageSources", node.storages.as_slice())
        .with("MaxCapacity", resources(&node.total))
        .with("QueueCapacity", Json::object())
        .with("AvailableCapacity", resources(&node.available))
        .with("MaxJobRequirements", resources(&node.per_job))
        .with("RunningExecutions", count(node.running))
        .with("EnqueuedExecutions", count(node.enqueued))
        .with("address", "")
}

fn own(node: &NodeInfo) -> Json {
    let roles: &[&str] = match node.roles {
        NodeRoles::Both => &["requester", "compute"],
        NodeRoles::Requester => &["requester"],
        NodeRoles::Compute => &["compute"],
    };
    let engine = match &node.engine {
        Ok(facts) => Json::object()
            .with("Name", facts.name.as_str())
            .with("Socket", facts.socket.as_str())
            .with("EnforcesMemory", facts.enforces_memory),
        Err(why) => Json::object().with("Error", why.as_str()),
    };
    Json::object()
        .with("Version", env!("CARGO_PKG_VERSION"))
        .with(
            "Roles",
            Json::List(roles.iter().map(|role| (*role).into()).collect()),
        )
        .with("CapacityOrigin", node.total_origin.to_string())
        .with("Engine", engine)
        .with(
            "Conditions",
            Json::List(node.conditions.iter().map(condition).collect()),
        )
}

/// One condition. `Since` is absent while the clock is not set; `ForSeconds` always tells.
pub(super) fn condition(condition: &Condition) -> Json {
    let since = condition
        .since
        .map_or(Json::Null, |since| rfc3339(Some(since)).into());
    Json::object()
        .with("Code", condition.kind.code())
        .with_some("Since", since)
        .with("ForSeconds", condition.lasts_ms / 1_000)
        .with("Message", condition.text.as_str())
        .with("Hint", condition.hint.as_str())
}

/// Quantities as numbers: cores, bytes, bytes, GPUs; zero ones are left out (rest-api.md 3.7).
pub(in crate::api) fn resources(resources: &Resources) -> Json {
    #[allow(clippy::cast_precision_loss)] // exact up to 2^53 thousandths of a core
    let cores = resources.cpu_millis as f64 / 1_000.0;
    Json::object()
        .with_some(
            "CPU",
            Number::from_f64(cores).map_or(Json::Null, Json::Number),
        )
        .with_some("Memory", resources.memory_bytes)
        .with_some("Disk", resources.disk_bytes)
        .with_some("GPU", resources.gpus)
}

fn count(number: usize) -> Json {
    u64::try_from(number).unwrap_or(u64::MAX).into()
}
