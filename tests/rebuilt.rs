//! Real nodes whose store files a worn card has damaged.

use crate::support::jobs::shell;
use crate::support::node::TestNode;
use crate::support::stand::{Stand, on_every_engine};
use serde_json::Value;
use std::path::{Path, PathBuf};

on_every_engine! {
    a_job_that_runs_while_a_store_file_is_damaged_still_ends_under_its_id,
}

/// The only file of this name below `dir`.
fn store_file(dir: &Path, role: &str, name: &str) -> PathBuf {
    let mut entries = std::fs::read_dir(dir).unwrap().flatten();
    let is_of_role = |name: &str| name.ends_with(role);
    let folder = entries.find(|entry| entry.file_name().to_str().is_some_and(is_of_role));
    folder.expect("a folder of the role").path().join(name)
}

/// Overwrites everything behind the header.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[4_096..].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
}

fn conditions(node: &TestNode) -> Value {
    let answer = node.call("GET", "agent/node", None);
    answer.body["Codling"]["Conditions"].clone()
}

fn a_job_that_runs_while_a_store_file_is_damaged_still_ends_under_its_id(on: &Stand) {
    for (role, file) in [("-requester", "jobs.db"), ("-compute", "executions.db")] {
        let dir = tempfile::tempdir().unwrap();
        let first = on.node(dir.path());
        let job = first.submit(&shell("echo begun; sleep 2; echo done; exit 7"));
        first.running(&job);
        let id = first.id.clone();
        first.stop().unwrap();
        let path = store_file(dir.path(), role, file);
        damage(&path);

        let second = on.node(dir.path());
        let ended = second.ended(&job);
        assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
        let executions = ended["Executions"]["Items"].as_array().unwrap();
        assert_eq!(executions.len(), 1, "{ended:#}");
        assert_eq!(executions[0]["RunOutput"]["Stdout"], "begun\ndone\n");
        assert_eq!(executions[0]["RunOutput"]["ExitCode"], 7);
        let told = conditions(&second).to_string();
        let aside = format!("{}.damaged", path.display());
        assert!(
            told.contains("store_rebuilt") && told.contains(&aside),
            "{told}"
        );
        on.until_no_container_of(&id);
        second.stop().unwrap();

        std::fs::remove_file(aside).unwrap();
        let third = on.node(dir.path());
        let told = conditions(&third).to_string();
        assert!(!told.contains("store_rebuilt"), "{told}");
        assert_eq!(third.ended(&job)["Job"]["State"]["StateType"], "Completed");
    }
}
