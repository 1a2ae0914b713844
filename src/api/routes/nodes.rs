//! `/api/v1/orchestrator/nodes`: this node, and the peers that it is connected to.
//!
//! Peers do not say yet what they have: they are listed with what is known, as connected and not approved, since nothing is
//! placed on them.

use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::wire::{self, Json, Selector};
use crate::model::{
    ApiReply, ApiRequest, ConnectedNode, DenyReason, NodeInfo, NodeRole, Resources,
};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// One row before it is put into words.
#[derive(Debug)]
enum Row {
    This(Box<NodeInfo>),
    Peer(ConnectedNode),
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Id,
    Type,
    Cpu,
    Memory,
    Disk,
    Gpu,
    Approval,
    Status,
}

impl Row {
    fn id(&self) -> &str {
        match self {
            Self::This(node) => node.id.as_str(),
            Self::Peer(peer) => peer.id.as_str(),
        }
    }

    fn labels(&self) -> BTreeMap<String, String> {
        match self {
            Self::This(node) => node.labels.clone(),
            Self::Peer(_) => BTreeMap::new(),
        }
    }

    fn available(&self) -> Resources {
        match self {
            Self::This(node) => node.available,
            Self::Peer(_) => Resources::default(),
        }
    }

    fn membership(&self) -> &'static str {
        match self {
            Self::This(_) => wire::APPROVED,
            Self::Peer(_) => wire::PENDING,
        }
    }

    fn json(&self) -> Json {
        match self {
            Self::This(node) => wire::this_node(node),
            Self::Peer(peer) => wire::connected_node(peer),
        }
    }
}

/// Every node that is known, filtered, sorted and cut.
pub(super) async fn list(backend: &ApiBackend, query: &Query) -> Result<Json, ApiError> {
    let selector = query.all("labels").collect::<Vec<_>>().join(",");
    let labels = Selector::read(&selector).map_err(ApiError::BadRequest)?;
    let approval = word(
        query,
        "filter-approval",
        &["approved", "pending", "rejected"],
    )?;
    let status = word(query, "filter-status", &["connected", "disconnected"])?;
    let order = order(query.text("order_by"))?;
    let reverse = query.flag("reverse")?;
    let limit = match query.number("limit")? {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let mut rows = rows(backend).await?;
    rows.retain(|row| {
        labels.matches(&row.labels())
            && (approval.is_empty() || approval == row.membership())
            && (status.is_empty() || status == wire::CONNECTED)
    });
    sort(&mut rows, order);
    if reverse {
        rows.reverse();
    }
    let nodes: Vec<Json> = rows.iter().take(limit).map(Row::json).collect();
    Ok(Json::object().with("NextToken", "").with("Nodes", nodes))
}

/// The one node whose id is, or begins with, `id`.
pub(super) async fn get(backend: &ApiBackend, id: &str) -> Result<Json, ApiError> {
    let rows = rows(backend).await?;
    let found = match rows.iter().find(|row| row.id() == id) {
        Some(row) => row,
        None => {
            let mut fitting = rows
                .iter()
                .filter(|row| !id.is_empty() && row.id().starts_with(id));
            match (fitting.next(), fitting.next()) {
                (Some(row), None) => row,
                (None, _) => return Err(ApiError::NodeNotFound { id: id.to_owned() }),
                (Some(_), Some(_)) => return Err(ApiError::MultipleNodes { id: id.to_owned() }),
            }
        }
    };
    Ok(Json::object().with("Node", found.json()))
}

async fn rows(backend: &ApiBackend) -> Result<Vec<Row>, ApiError> {
    let ApiReply::Node(node) = backend.ask(ApiRequest::NodeInfo, &Asked::Read).await? else {
        return Err(ApiError::Unexpected);
    };
    if !node.roles.has(NodeRole::Requester) {
        return Err(ApiError::Denied {
            reason: DenyReason::NotRequester,
            asked: Asked::Read,
        });
    }
    let mut rows = vec![Row::This(node)];
    rows.extend(backend.peers().await.into_iter().map(Row::Peer));
    Ok(rows)
}

/// Equal rows stay in the order of their ids.
fn sort(rows: &mut [Row], order: Order) {
    rows.sort_by(|a, b| a.id().cmp(b.id()));
    match order {
        Order::Id => {}
        Order::Type => rows.sort_by_key(|row| match row {
            Row::This(node) => wire::node_type(node),
            Row::Peer(_) => wire::PEER_TYPE,
        }),
        Order::Approval => rows.sort_by_key(Row::membership),
        // All that are listed are connected.
        Order::Status => {}
        Order::Cpu => rows.sort_by_key(|row| Reverse(row.available().cpu_millis)),
        Order::Memory => rows.sort_by_key(|row| Reverse(row.available().memory_bytes)),
        Order::Disk => rows.sort_by_key(|row| Reverse(row.available().disk_bytes)),
        Order::Gpu => rows.sort_by_key(|row| Reverse(row.available().gpus)),
    }
}

fn order(text: &str) -> Result<Order, ApiError> {
    Ok(match text {
        "" | "id" => Order::Id,
        "type" => Order::Type,
        "available_cpu" => Order::Cpu,
        "available_memory" => Order::Memory,
        "available_disk" => Order::Disk,
        "available_gpu" => Order::Gpu,
        "approval" => Order::Approval,
        "status" => Order::Status,
        other => {
            return Err(ApiError::BadRequest(format!(
                "query parameter order_by must be id, type, available_cpu, available_memory, available_disk, \
                 available_gpu, approval or status, not \"{other}\""
            )));
        }
    })
}

/// One of some words in any case, as the upper-case word that rows carry; empty for none.
fn word(query: &Query, name: &str, words: &[&str]) -> Result<String, ApiError> {
    let text = query.text(name);
    if text.is_empty() || words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return Ok(text.to_ascii_uppercase());
    }
    Err(ApiError::BadRequest(format!(
        "query parameter {name} must be {}, not \"{text}\"",
        words.join(" or ")
    )))
}
