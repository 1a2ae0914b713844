//! Releases that run on each other's stores: what an earlier one wrote, and an earlier one on what this one wrote.
//!
//! ```text
//!  make   --- real node, kill -9, states that pass too fast put in by hand ---> node, both files, what was told
//!  judge  --- the same on another board, with an engine that has nothing ---> every job at rest with its right outcome
//!  play   --- this binary, kill -9, the previous one, kill -9, this one again, on real engines in mid-job
//! ```
//! `tests/golden/store/<release>/node` is a store as that release wrote it. At a release, before its number is raised:
//! `scripts/rollback --keep 0.2` makes the folder of the new one, which is named in `RELEASES`; older folders stay as they are.
//! The rows beside it are `store::records`'.
//!
//! `scripts/rollback [REVISION|FILE]` plays with the binary of an earlier commit. Without it, in a usual test run, this
//! binary takes both parts: what is played is tested, and neither the history of the repository nor a second build is
//! needed.

mod golden;
mod judge;
mod make;
mod play;

use crate::support::http;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The releases whose stores are kept, oldest first.
pub(crate) const RELEASES: &[&str] = &["0.1"];

/// Where `scripts/rollback --keep` wants what this release writes.
const KEEP: &str = "CODLING_GOLDEN_STORE";

/// The folder of a new release, while it is made.
pub(crate) fn kept() -> Option<PathBuf> {
    std::env::var_os(KEEP).map(PathBuf::from)
}

/// One call to the orchestrator's API.
#[track_caller]
fn call(api: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Value {
    let path = format!("/api/v1/orchestrator/{path}");
    let answer = http::request(api, method, &path, body).expect("the API answers");
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
    answer.body
}

/// A job with its executions and history.
#[track_caller]
fn look(api: SocketAddr, job: &str) -> Value {
    let path = format!("jobs/{job}?include=executions,history");
    call(api, "GET", &path, None)
}

/// The state of a job as `look` shows it.
fn state(body: &Value) -> &str {
    body["Job"]["State"]["StateType"].as_str().unwrap_or("none")
}

/// Everything that was told of a job that was over is told again. Later releases may tell more.
#[track_caller]
fn holds(told: &Value, now: &Value, place: &str) {
    match (told, now) {
        (Value::Null, _) => {}
        (Value::Object(told), _) => {
            for (key, told) in told {
                holds(told, &now[key], &format!("{place}.{key}"));
            }
        }
        (Value::Array(told), Value::Array(now)) if told.len() == now.len() => {
            for (number, (told, now)) in told.iter().zip(now).enumerate() {
                holds(told, now, &format!("{place}[{number}]"));
            }
        }
        _ => assert_eq!(told, now, "{place}"),
    }
}
