//! How long a real node keeps what has ended.

use crate::support::jobs::shell;
use crate::support::node::TestNode;
use crate::support::stand::Stand;
use crate::support::wait;
use codling::store::Place;
use serde_json::json;
use std::path::Path;

fn node(on: &Stand, dir: &Path, records: &str) -> TestNode {
    on.node_with(dir, &[("retain-records", records)])
}

/// The ids of all jobs that a list shows, newest first.
fn listed(node: &TestNode) -> Vec<String> {
    let path = "orchestrator/jobs?order_by=created_at&reverse=true";
    let answer = node.call("GET", path, None);
    let jobs = answer.body["Items"].as_array().expect("a list").clone();
    let ids = jobs.iter().map(|job| job["ID"].as_str().expect("an id"));
    ids.map(str::to_owned).collect()
}

#[test]
fn of_ended_jobs_only_the_latest_are_kept_also_after_a_restart_and_a_job_that_runs_is_not_one_of_them()
 {
    let dir = tempfile::tempdir().unwrap();
    let on = Stand::scripted();
    let first = node(&on, dir.path(), "3");
    let running = first.submit(&shell("sleep 600"));
    first.running(&running);
    let mut ended = Vec::new();
    for number in 0..6 {
        let mut job = shell("true");
        job["Job"]["Name"] = json!(format!("job {number}"));
        let id = first.submit(&job);
        first.ended(&id);
        ended.insert(0, id);
    }
    // What ended with the last commit comes on top of those that were kept before it.
    let shown = listed(&first);
    assert_eq!(shown[..3], ended[..3], "{shown:?}");
    assert!(shown.contains(&running), "{shown:?}");
    assert!(shown.len() <= 5, "{shown:?}");
    let gone = ended.last().unwrap();
    let answer = first.call("GET", &format!("orchestrator/jobs/{gone}"), None);
    assert_eq!(answer.status, 404, "{answer:?}");
    // Its name is free for a new job.
    let mut again = shell("true");
    again["Job"]["Name"] = json!("job 0");
    let id = first.submit(&again);
    let job = first.ended(&id);
    assert_eq!(job["Job"]["Version"], 1, "{job:#}");
    first.stop().unwrap();

    let second = node(&on, dir.path(), "1");
    let last = second.submit(&shell("true"));
    second.ended(&last);
    wait::until("the running job and the latest are left", || {
        let shown = listed(&second);
        match shown.len() <= 3 && shown.contains(&running) {
            true => Ok(()),
            false => Err(shown),
        }
    });
    second.stop().unwrap();

    // What the node knows of its executions goes the same way.
    let mut folders = std::fs::read_dir(dir.path()).unwrap().flatten();
    let file = folders
        .find_map(|entry| Some(entry.path().join("executions.db")).filter(|path| path.exists()));
    let kept = codling::store::check(&Place::File(file.unwrap())).unwrap();
    assert!(kept.ended <= 3, "{kept:?}");
}
