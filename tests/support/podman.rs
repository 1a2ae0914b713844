//! What the private Podman has, seen by its own command: not through the code under test.

use super::wait;
use std::process::Command;

/// The states of the containers that carry a node's label.
#[track_caller]
pub(crate) fn containers_of(node: &str) -> Vec<String> {
    let filter = format!("label=codling.node={node}");
    let text = podman(&["ps", "--all", "--filter", &filter, "--format", "{{.State}}"]);
    text.lines().map(str::to_owned).collect()
}

/// Waits until a node has left nothing behind.
#[track_caller]
pub(crate) fn until_no_container_of(node: &str) {
    wait::until("the node's containers are removed", || {
        let left = containers_of(node);
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

/// Every container that the private storage knows of, also those that Podman itself has lost: their names.
#[track_caller]
pub(crate) fn stored_names() -> String {
    // It fails when a container of another test is removed while it looks.
    wait::until("podman lists what is stored", || {
        tried(&["ps", "--all", "--external", "--format", "{{.Names}}"])
    })
}

/// A Podman command on the private storage; its standard output.
#[track_caller]
pub(crate) fn podman(args: &[&str]) -> String {
    tried(args).unwrap_or_else(|error| panic!("podman {args:?}: {error}"))
}

/// Its standard output, or what it complained of.
#[track_caller]
fn tried(args: &[&str]) -> Result<String, String> {
    let variable = |name| std::env::var(name).expect("start the tests with scripts/test");
    let dir = variable("CODLING_TEST_ENGINE_DIR");
    let output = Command::new(variable("CODLING_TEST_ENGINE_SCRIPT"))
        .arg("podman")
        .arg(&dir)
        .args(args)
        // Monitors of containers write a file "oom" where they are started.
        .current_dir(&dir)
        .output()
        .expect("podman runs");
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).expect("podman prints text"))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
