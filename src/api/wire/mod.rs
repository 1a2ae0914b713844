//! The shapes of the REST API (rest-api.md 3): JSON in, JSON out.
//!
//! Answers are built key by key in the documented order, so that each file reads like its table; "omit" is `with_some`.
//! Requests are read field by field: keys match in any case, null is absent, the last of two equal keys wins, unknown keys
//! are ignored, and every problem is noted. The integers of execution states live here and nowhere below.

mod bundle;
mod config;
mod difference;
mod execution;
mod fields;
mod history;
mod job;
mod json;
mod metrics;
mod network;
mod node;
mod prunable;
mod selector;
mod submission;
mod task;
mod time;
mod token;
mod version;

pub(super) use bundle::bundle;
pub(super) use config::agent_config;
pub(super) use difference::difference;
pub(super) use execution::execution;
pub(super) use history::history_item;
pub(super) use job::{job, job_state_word, spec_of};
pub(super) use json::Json;
pub(super) use metrics::{METRICS_TYPE, metrics};
pub(super) use node::{
    APPROVED, CONNECTED, PEER_TYPE, PENDING, connected_node, node_info, node_type, this_node,
};
pub(super) use prunable::prunable;
pub(super) use selector::Selector;
pub(super) use submission::{Envelope, check_token, read_submission};
pub(super) use token::Token;
pub(super) use version::{SERVER, build_version};
