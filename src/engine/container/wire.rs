//! The few fields of the Docker API that are used, as Podman and Docker both write them. Unknown fields are skipped,
//! absent and null ones are defaults.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// `null` as the default value: Go writes empty maps and lists so.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    d: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// `GET /info`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    #[serde(rename = "NCPU", deserialize_with = "or_default")]
    pub(super) ncpu: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) mem_total: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) memory_limit: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) cpu_cfs_quota: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) pids_limit: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) cgroup_version: String,
    #[serde(rename = "OSType", deserialize_with = "or_default")]
    pub(super) os_type: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) architecture: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) server_version: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) security_options: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) live_restore_enabled: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) docker_root_dir: String,
}

/// `GET /images/{name}/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImageInspect {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) os: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) architecture: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) variant: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) size: u64,
}

/// Body of `POST /containers/create`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateBody<'a> {
    pub(super) image: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) cmd: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) entrypoint: &'a [String],
    pub(super) env: Vec<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) working_dir: &'a str,
    pub(super) labels: BTreeMap<&'static str, String>,
    pub(super) network_disabled: bool,
    pub(super) host_config: HostConfig,
}

/// The restrictions of a container.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_swap: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nano_cpus: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pids_limit: Option<u64>,
    pub(super) cap_drop: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cap_add: Vec<&'static str>,
    pub(super) security_opt: [&'static str; 1],
    pub(super) network_mode: &'static str,
    pub(super) ulimits: [Ulimit; 2],
    pub(super) log_config: LogConfig,
}

/// One ulimit.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Ulimit {
    pub(super) name: &'static str,
    pub(super) soft: u64,
    pub(super) hard: u64,
}

/// Where output goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LogConfig {
    #[serde(rename = "Type")]
    pub(super) driver: &'static str,
    pub(super) config: BTreeMap<&'static str, String>,
}

/// Reply to create.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateReply {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) warnings: Vec<String>,
}

/// `GET /containers/{id}/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspect {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) image: String,
    pub(super) state: State,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) config: InspectConfig,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) host_config: InspectHostConfig,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) log_path: String,
    /// Whether the end of its log may be missing. Not said by the engine.
    #[serde(skip)]
    pub(super) log_cut: bool,
}

/// How it stands.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    pub(super) status: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) pid: i64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) exit_code: i64,
    #[serde(rename = "OOMKilled", default, deserialize_with = "or_default")]
    pub(super) oom_killed: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) error: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) started_at: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) finished_at: String,
}

impl State {
    /// Whether a time of its start is given.
    pub(super) fn has_started(&self) -> bool {
        is_time(&self.started_at)
    }

    /// Whether a time of its end is given.
    pub(super) fn has_finished(&self) -> bool {
        is_time(&self.finished_at)
    }
}

/// Go writes the year 1 for none.
fn is_time(text: &str) -> bool {
    !text.is_empty() && !text.starts_with("0001-")
}

/// What it was made with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct InspectConfig {
    #[serde(deserialize_with = "or_default")]
    pub(super) image: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
}

/// Which limits are in force.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct InspectHostConfig {
    #[serde(deserialize_with = "or_default")]
    pub(super) memory: i64,
}

/// One of `GET /containers/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListItem {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
}

/// One line of the reply to a pull or a load.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProgressLine {
    #[serde(deserialize_with = "or_default")]
    pub(super) status: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) stream: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) error: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) error_detail: ErrorDetail,
    #[serde(deserialize_with = "or_default")]
    pub(super) progress_detail: ProgressDetail,
}

impl ProgressLine {
    /// Why the whole failed; empty for a line of progress. The newest engines say it in `errorDetail` only.
    pub(super) fn failure(&self) -> &str {
        match self.error.as_str() {
            "" => &self.error_detail.message,
            error => error,
        }
    }
}

/// The same words apart.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorDetail {
    #[serde(deserialize_with = "or_default")]
    pub(super) message: String,
}

/// Bytes of one layer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProgressDetail {
    #[serde(deserialize_with = "or_default")]
    pub(super) current: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) total: u64,
}
