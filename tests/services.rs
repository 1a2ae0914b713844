//! Services on real engines: started again, adopted after a kill, stopped for good.

use crate::support::http;
use crate::support::jobs::shell;
use crate::support::program::serve_on;
use crate::support::stand::{Stand, on_every_engine};
use crate::support::wait;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::SocketAddr;

on_every_engine! {
    a_service_is_started_again_when_it_ends_and_not_once_it_is_stopped,
    a_killed_node_adopts_its_service_and_starts_it_again_when_its_container_is_gone,
}

/// `ComputeState` of an execution whose container runs.
const RUNNING: u64 = 6;
/// And of one whose container ended by itself.
const COMPLETED: u64 = 9;

fn service(line: &str) -> Value {
    let mut submission = shell(line);
    submission["Job"]["Type"] = json!("service");
    submission
}

/// The executions of a job, in the order they were planned, by state.
fn executions(api: SocketAddr, job: &str) -> Vec<(String, u64)> {
    let path = format!("/api/v1/orchestrator/jobs/{job}/executions");
    let body = http::request(api, "GET", &path, None).map(|answer| answer.body);
    let items = body.map_or(Vec::new(), |body| {
        body["Items"].as_array().cloned().unwrap_or_default()
    });
    let of = |item: &Value| {
        let id = item["ID"].as_str().unwrap().to_owned();
        (id, item["ComputeState"]["StateType"].as_u64().unwrap())
    };
    items.iter().map(of).collect()
}

fn a_service_is_started_again_when_it_ends_and_not_once_it_is_stopped(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let job = node.submit(&service("echo up; exit 3"));
    wait::until("it has ended twice", || {
        let seen = executions(node.api, &job);
        let ended = seen.iter().filter(|(_, state)| *state == COMPLETED);
        (ended.count() >= 2).then_some(()).ok_or(seen)
    });
    let stopped = node.call("DELETE", &format!("orchestrator/jobs/{job}"), None);
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    let ended = node.ended(&job);
    assert_eq!(ended["Job"]["State"]["StateType"], "Stopped");
    let told: Vec<&str> = ended["History"]["Items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["Event"]["Message"].as_str())
        .collect();
    for seconds in [1, 2] {
        let pause = format!("starts again in {seconds} s: it ended with exit code 3");
        assert!(told.contains(&pause.as_str()), "{told:?}");
    }
    on.until_no_container_of(&node.id);
    let count = executions(node.api, &job).len();
    // Whatever was planned would be started with the next commit at the latest.
    let other = node.submit(&shell("true"));
    node.ended(&other);
    assert_eq!(executions(node.api, &job).len(), count);
}

fn a_killed_node_adopts_its_service_and_starts_it_again_when_its_container_is_gone(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let socket = on.socket();
    let first = serve_on(dir.path(), &socket, &[]).start();
    let api = first.api();
    let me = http::request(api, "GET", "/api/v1/agent/node", None).unwrap();
    let id = me.body["NodeID"].as_str().expect("an id").to_owned();
    let body = service("sleep 600");
    let taken = http::request(api, "PUT", "/api/v1/orchestrator/jobs", Some(&body)).unwrap();
    let job = taken.body["JobID"]
        .as_str()
        .expect("it is taken")
        .to_owned();
    let runs = |api| {
        wait::until("the last execution runs", || {
            let seen = executions(api, &job);
            let runs = matches!(seen.last(), Some((_, RUNNING)));
            runs.then_some(seen.clone()).ok_or(seen)
        })
    };
    let before = runs(api);
    first.signal(Signal::KILL);
    drop(first);

    let second = serve_on(dir.path(), &socket, &[]).start();
    let api = second.api();
    assert_eq!(runs(api), before, "it goes on as it was");
    assert_eq!(on.containers_of(&id), [true]);

    on.remove_containers_of(&id);
    wait::until("a further execution is planned", || {
        let seen = executions(api, &job);
        (seen.len() == 2).then_some(()).ok_or(seen)
    });
    let after = runs(api);
    assert_eq!(after[0].0, before[0].0, "the first one is kept");
    assert_eq!(on.containers_of(&id), [true]);
    let path = format!("/api/v1/orchestrator/jobs/{job}");
    let stopped = http::request(api, "DELETE", &path, None).unwrap();
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    on.until_no_container_of(&id);
}
