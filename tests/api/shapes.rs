//! Our bodies against recorded ones: the same keys with the same types.

use super::support::recorded;
use super::world::{World, completed, job_id, running};
use serde_json::Value;

const JOBS: &str = "/api/v1/orchestrator/jobs";

/// Keys that only we have, ignored by every client.
const OURS: [&str; 1] = ["$.Codling"];

/// Keys that may be absent: "omit" in the documentation, or a snapshot that no client needs.
const MAY_BE_ABSENT: [&str; 9] = [
    "Hint",
    "Job",
    "Message",
    "Params",
    "ExecutionID",
    "Details",
    "Env",
    "ResultPaths",
    "ExecutionTimeout",
];

/// Objects whose keys are data.
const FREE: [&str; 7] = [
    "Meta",
    "Labels",
    "Params",
    "Details",
    "Tasks",
    "Resources",
    "GPU",
];

fn compare(at: &str, ours: &Value, theirs: &Value, differences: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let name = at.rsplit('.').next().unwrap_or_default();
            if FREE.contains(&name) {
                return;
            }
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(mine) => compare(&format!("{at}.{key}"), mine, value, differences),
                    None if MAY_BE_ABSENT.contains(&key.as_str()) => {}
                    None => differences.push(format!("{at}.{key} is missing")),
                }
            }
            for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
                let at = format!("{at}.{key}");
                if !OURS.contains(&at.as_str()) && !MAY_BE_ABSENT.contains(&key.as_str()) {
                    differences.push(format!("{at} is not known there"));
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if let (Some(mine), Some(theirs)) = (ours.first(), theirs.first()) {
                compare(&format!("{at}[]"), mine, theirs, differences);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() == b.is_f64() => {}
        (Value::String(_), Value::String(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, _)
        | (_, Value::Null) => {}
        _ => differences.push(format!("{at}: {ours} against {theirs}")),
    }
}

#[track_caller]
fn same_shape(ours: &Value, name: &str) {
    let theirs: Value = serde_json::from_str(&recorded(name)).unwrap();
    let mut differences = Vec::new();
    compare("$", ours, &theirs, &mut differences);
    assert_eq!(differences, Vec::<String>::new(), "{name}");
}

#[test]
fn every_body_has_the_keys_and_types_of_the_recorded_one() {
    let server = World::default()
        .with_live(running(1))
        .with_stored(completed(2))
        .serve();
    let id = job_id(2);
    for (path, name) in [
        ("/api/v1/agent/alive".to_owned(), "alive"),
        ("/api/v1/agent/version".to_owned(), "version"),
        ("/api/v1/agent/node".to_owned(), "node"),
        (
            format!("{JOBS}/{id}?include=executions,history"),
            "describe",
        ),
        (format!("{JOBS}/{id}/executions"), "executions"),
        (
            format!("{JOBS}/{id}/history?event_type=job&limit=2"),
            "history-page",
        ),
        (format!("{JOBS}?limit=1"), "list"),
        (format!("{JOBS}/{}", job_id(9)), "not-found"),
        (format!("{JOBS}/j-"), "multiple"),
    ] {
        same_shape(&server.get(&path).json(), name);
    }
    same_shape(
        &server.put(JOBS, &recorded("submit-request")).ok(),
        "submit-reply",
    );
    let live = format!("{JOBS}/{}", job_id(1));
    same_shape(&server.delete(&live, "{}").ok(), "stop-reply");
}
