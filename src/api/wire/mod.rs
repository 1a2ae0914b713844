//! The shapes of the REST API (rest-api.md 3): JSON in, JSON out.

mod json;
mod node;
mod version;

pub(super) use json::Json;
pub(super) use node::node_info;
pub(super) use version::{SERVER, build_version};
