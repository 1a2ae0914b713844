//! What a container is made from, how it is named, and the labels by which it is found again.

use crate::model::{Capability, DockerSpec, ExecutionId, JobId, NodeId, Resources};

/// Label that holds the node's id. Only containers that carry ours are ever listed, touched or removed.
pub const LABEL_NODE: &str = "codling.node";
/// Label that holds the job's id.
pub const LABEL_JOB: &str = "codling.job";
/// Label that holds the execution's id.
pub const LABEL_EXECUTION: &str = "codling.execution";
/// Label that holds the log's cap in bytes: a later start may have another, and no engine shows it reliably.
pub const LABEL_OUTPUT_MAX: &str = "codling.output-max";

/// Everything that one container is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Whose containers it belongs to.
    pub node: NodeId,
    /// Its job.
    pub job: JobId,
    /// Its execution; the container's name follows from it, so creating twice is creating once.
    pub execution: ExecutionId,
    /// Image, command, working directory and the job's own environment.
    pub run: DockerSpec,
    /// Further `KEY=VALUE` entries, placed before those of `run`.
    pub environment: Vec<String>,
    /// CPU and memory are limits; disk and GPUs are not given to the engine.
    pub limits: Resources,
    /// All that it gets beside nothing.
    pub capabilities: Vec<Capability>,
    /// Cap of the engine's log in bytes, held between `JOB_OUTPUT_MAX_LEAST` and `JOB_OUTPUT_MAX_MOST`.
    pub output_max_bytes: u64,
}

/// The name of an execution's container: `codling-` and the execution id. A character that engines do not take in names
/// becomes `_`.
#[must_use]
pub fn container_name(execution: &ExecutionId) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "_.-".contains(c) {
            c
        } else {
            '_'
        }
    };
    format!(
        "codling-{}",
        execution.as_str().chars().map(safe).collect::<String>()
    )
}
