//! Submissions as clients write them.

use serde_json::{Value, json};

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
