//! An API on which a job has one ending.

use crate::support::fake_api::{Asked, FakeApi, Say};
use serde_json::{Value, json};

/// What the scripted job does.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) state: &'static str,
    pub(super) message: &'static str,
    /// Of the last history item.
    pub(super) details: Value,
    pub(super) output: Value,
    pub(super) compute_state: i64,
    /// History pages without news before the end.
    pub(super) quiet_polls: usize,
}

impl Script {
    pub(super) fn completed(exit_code: i64) -> Self {
        Self {
            state: "Completed",
            message: "Completed",
            details: Value::Null,
            output: json!({
                "Stdout": "to out\n", "StdoutTruncated": false, "stderr": "to err\n", "StderrTruncated": false,
                "ExitCode": exit_code, "ErrorMsg": "",
            }),
            compute_state: 9,
            quiet_polls: 2,
        }
    }

    pub(super) fn failed(message: &'static str, details: Value) -> Self {
        Self {
            state: "Failed",
            message,
            details,
            output: Value::Null,
            compute_state: 10,
            ..Self::completed(0)
        }
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> Say {
        let path = asked
            .path
            .strip_prefix("/api/v1/orchestrator")
            .unwrap_or_default();
        if asked.method == "PUT" {
            return Say::Json(
                200,
                json!({ "JobID": "j-1", "EvaluationID": "v-1", "Warnings": null }),
            );
        }
        if path.starts_with("/jobs/j-1/history") {
            let item = |topic: &str, message: &str, details: &Value| {
                json!({ "SeqNum": 1, "Type": "JobLevel", "Time": "2025-06-01T12:00:00Z",
                    "Event": { "Topic": topic, "Message": message, "Details": details } })
            };
            if self.quiet_polls > 0 {
                self.quiet_polls -= 1;
                let items = if path.contains("next_token") {
                    vec![]
                } else {
                    vec![
                        item("Submission", "Job submitted", &Value::Null),
                        item("State Update", "Running", &Value::Null),
                    ]
                };
                return Say::Json(200, json!({ "NextToken": "t+/=", "Items": items }));
            }
            let last = item("Execution", self.message, &self.details);
            return Say::Json(200, json!({ "NextToken": "", "Items": [last] }));
        }
        Say::Json(
            200,
            json!({
                "Job": { "ID": "j-1", "Name": "j-1", "State": { "StateType": self.state, "Message": self.message } },
                "Executions": { "NextToken": "", "Items": [{
                    "ID": "e-1", "NodeID": "n-1", "ComputeState": { "StateType": self.compute_state },
                    "RunOutput": self.output,
                }]},
            }),
        )
    }

    pub(super) fn start(mut self) -> FakeApi {
        FakeApi::start(move |asked| self.answer(asked))
    }
}
