//! Jobs: submissions as clients write them, and as the agent is given them.

use codling::model::{Job, JobId, JobState, JobType, NodeId, Params, SpecConfig, Task};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The image that `scripts/engine` loads.
pub(crate) const IMAGE: &str = "localhost/codling-test:latest";

/// The submission of a batch job that runs a shell line.
pub(crate) fn shell(line: &str) -> Value {
    json!({"Job": {"Type": "batch", "Count": 1, "Tasks": [{
        "Name": "main",
        "Engine": {"Type": "docker", "Params": {"Image": IMAGE, "Parameters": ["sh", "-c", line]}},
    }]}})
}

/// The submission of a batch job that runs a command in an image.
pub(crate) fn command(image: &str, command: &[&str]) -> Value {
    let mut submission = shell("");
    submission["Job"]["Tasks"][0]["Engine"]["Params"] =
        json!({"Image": image, "Parameters": command});
    submission
}

/// A batch job as the agent is given it, which nobody has an id for yet; `params` are those of its container.
pub(crate) fn unsubmitted(name: &str, params: &Value) -> Job {
    Job {
        id: JobId::from(""),
        name: name.to_owned(),
        namespace: "default".to_owned(),
        job_type: JobType::Batch,
        priority: 0,
        count: 1,
        constraints: Vec::new(),
        meta: BTreeMap::new(),
        labels: BTreeMap::new(),
        task: Task {
            name: "main".to_owned(),
            engine: SpecConfig {
                kind: "docker".to_owned(),
                params: Params(params.as_object().expect("an object").clone()),
            },
            ..Task::default()
        },
        state: JobState::Pending,
        state_message: String::new(),
        version: 0,
        revision: 0,
        created: None,
        modified: None,
        requester: NodeId::from(""),
    }
}
