//! What the client reads of the API's JSON (rest-api.md 3): the few fields that are shown, all of them optional.

use serde::Deserialize;
use std::collections::BTreeMap;

/// A list and the token of its next page.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Page<T> {
    pub(super) next_token: Option<String>,
    pub(super) items: Option<Vec<T>>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            next_token: None,
            items: None,
        }
    }
}

impl<T> Page<T> {
    pub(super) fn items(&self) -> &[T] {
        self.items.as_deref().unwrap_or_default()
    }

    /// The token of the next page; `None` on the last one.
    pub(super) fn next(&self) -> Option<&str> {
        self.next_token.as_deref().filter(|token| !token.is_empty())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Submitted {
    #[serde(rename = "JobID")]
    pub(super) job_id: String,
    pub(super) warnings: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Described {
    pub(super) job: Job,
    pub(super) executions: Option<Page<Execution>>,
    pub(super) history: Option<Page<HistoryItem>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Job {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) name: String,
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) state: JobState,
    pub(super) tasks: Option<Vec<Task>>,
    /// Unix nanoseconds; 0 when the clock was not set.
    pub(super) create_time: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct JobState {
    pub(super) state_type: String,
    pub(super) message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Task {
    pub(super) engine: Option<Spec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Spec {
    pub(super) params: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Job {
    /// The image of its task, or nothing.
    pub(super) fn image(&self) -> &str {
        self.tasks
            .iter()
            .flatten()
            .filter_map(|task| task.engine.as_ref()?.params.as_ref())
            .flat_map(|params| params.iter())
            .find(|(name, _)| name.eq_ignore_ascii_case("image"))
            .and_then(|(_, value)| value.as_str())
            .unwrap_or_default()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Execution {
    #[serde(rename = "ID")]
    pub(super) id: String,
    #[serde(rename = "NodeID")]
    pub(super) node_id: String,
    pub(super) compute_state: ExecutionState,
    pub(super) run_output: Option<RunOutput>,
    /// Unix nanoseconds; 0 when the clock was not set.
    pub(super) create_time: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct ExecutionState {
    pub(super) state_type: i64,
    pub(super) message: Option<String>,
}

/// `ComputeState.StateType` of an execution whose container ended by itself.
pub(super) const COMPLETED: i64 = 9;

impl ExecutionState {
    /// The word for the number (rest-api.md 3.12).
    pub(super) fn word(&self) -> &'static str {
        match self.state_type {
            1 => "New",
            2 => "AskForBid",
            3 => "AskForBidAccepted",
            4 => "AskForBidRejected",
            5 => "BidAccepted",
            6 => "Running",
            7 => "Publishing",
            8 => "BidRejected",
            COMPLETED => "Completed",
            10 => "Failed",
            11 => "Cancelled",
            _ => "Undefined",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RunOutput {
    pub(super) stdout: String,
    pub(super) stdout_truncated: bool,
    /// The one lower-case key.
    #[serde(rename = "stderr")]
    pub(super) stderr: String,
    pub(super) stderr_truncated: bool,
    pub(super) exit_code: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct HistoryItem {
    #[serde(rename = "ExecutionID")]
    pub(super) execution_id: Option<String>,
    pub(super) event: Event,
    pub(super) time: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Event {
    pub(super) message: String,
    pub(super) topic: String,
    pub(super) details: Option<BTreeMap<String, String>>,
}

impl Event {
    /// A well-known detail, if it is there and not empty.
    pub(super) fn detail(&self, key: &str) -> Option<&str> {
        self.details
            .as_ref()?
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// The error envelope.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) details: Option<BTreeMap<String, String>>,
}
