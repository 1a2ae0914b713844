//! The running configuration as clients read it (rest-api.md 3.11): what this node really has, under the documented keys.
//! There is nothing secret in it: a token file is named by its path, which is no key of theirs, so it is left out.

use super::Json;
use crate::config::Config;
use crate::model::NodeRole;

/// The body of `agent/config`.
pub(in crate::api) fn agent_config(config: &Config) -> Json {
    let has = |role| config.node_type.value.has(role);
    let api = Json::object()
        .with("Host", config.api_host.value.to_string())
        .with("Port", u64::from(config.api_port.value))
        .with("TLS", Json::object())
        .with("Auth", Json::object());
    let level = config.log_level.value.to_string().to_ascii_lowercase();
    let inner = Json::object()
        .with("API", api)
        .with("DataDir", config.data_dir.value.display().to_string())
        .with_some("Labels", &config.labels.value)
        // Nothing is sent to anybody.
        .with("DisableAnalytics", true)
        .with(
            "Orchestrator",
            Json::object().with("Enabled", has(NodeRole::Requester)),
        )
        .with(
            "Compute",
            Json::object().with("Enabled", has(NodeRole::Compute)),
        )
        .with("WebUI", Json::object().with("Enabled", false))
        .with("Logging", Json::object().with("Level", level));
    Json::object().with("config", inner)
}
