//! A job's task: what runs, on what, with what around it.

use super::{ResourcesConfig, SpecConfig};
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// The one task of a job (rest-api.md 3.5), normalised.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Task {
    /// Not blank, no NUL.
    #[n(0)]
    pub name: String,
    /// What runs it.
    #[n(1)]
    pub engine: SpecConfig,
    /// Where results go; empty kind for nowhere.
    #[n(2)]
    pub publisher: SpecConfig,
    /// Environment.
    #[n(3)]
    pub env: BTreeMap<String, String>,
    /// Free-form notes.
    #[n(4)]
    pub meta: BTreeMap<String, String>,
    /// What is mounted.
    #[n(5)]
    pub input_sources: Vec<InputSource>,
    /// What is collected.
    #[n(6)]
    pub result_paths: Vec<ResultPath>,
    /// Quantities as text, lower-cased.
    #[n(7)]
    pub resources: ResourcesConfig,
    /// Network asked for.
    #[n(8)]
    pub network: Network,
    /// Time allowed.
    #[n(9)]
    pub timeouts: Timeouts,
}

/// One mounted input.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct InputSource {
    /// Where it comes from.
    #[n(0)]
    pub source: SpecConfig,
    /// A name for it, may be empty.
    #[n(1)]
    pub alias: String,
    /// Where it is mounted.
    #[n(2)]
    pub target: String,
}

/// One collected path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ResultPath {
    /// Folder name in the results.
    #[n(0)]
    pub name: String,
    /// Absolute path in the container.
    #[n(1)]
    pub path: String,
}

/// The network a task asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Network {
    /// Which kind.
    #[n(0)]
    pub kind: NetworkKind,
    /// Domains of an HTTP network.
    #[n(1)]
    pub domains: Vec<String>,
    /// Ports of a host or bridge network.
    #[n(2)]
    pub ports: Vec<Port>,
}

/// Kinds of network (rest-api.md 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum NetworkKind {
    /// The node decides; here: none.
    #[default]
    #[n(0)]
    Default,
    /// No network.
    #[n(1)]
    None,
    /// The host's network.
    #[n(2)]
    Host,
    /// Old name of `Host`.
    #[n(3)]
    Full,
    /// HTTP to listed domains only.
    #[n(4)]
    Http,
    /// Bridged.
    #[n(5)]
    Bridge,
}

/// One published port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Port {
    /// Identifier.
    #[n(0)]
    pub name: String,
    /// Host port, 0 for any.
    #[n(1)]
    pub fixed: u16,
    /// Container port, 0 for the same.
    #[n(2)]
    pub target: u16,
    /// Host address to bind, may be empty.
    #[n(3)]
    pub host_network: String,
}

/// Time allowed, in seconds; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Timeouts {
    /// For one execution.
    #[n(0)]
    pub execution_s: u64,
    /// For waiting until a node fits.
    #[n(1)]
    pub queue_s: u64,
    /// For the whole job.
    #[n(2)]
    pub total_s: u64,
}

impl Timeouts {
    /// Milliseconds that one execution may run: the execution's own limit, else the job's; `None` without either.
    #[must_use]
    pub fn execution_ms(&self) -> Option<u64> {
        let seconds = if self.execution_s > 0 {
            self.execution_s
        } else {
            self.total_s
        };
        (seconds > 0).then(|| seconds.saturating_mul(1_000))
    }
}
