//! The same container without codling: the same calls with the same settings, one after the other.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};

use super::Timing;
use super::http::{Answer, unix};

/// Memory of the job on both sides.
pub(super) const MEMORY_BYTES: u64 = 256_000_000;
/// CPU of the job on both sides: a whole core, so that no quota stretches what is measured.
pub(super) const CPU_MILLIS: u64 = 1_000;
/// How long a container of codling's may take to go once its job is completed.
const REMOVAL_MAX: Duration = Duration::from_secs(10);
/// Between two looks at a container, at first, and at the engine's list: about what a look costs the engine.
const LOOK: Duration = Duration::from_millis(2);

/// A private engine of the measurement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Podman,
    Docker,
}

impl Kind {
    /// The log that codling asks for, with the same cap.
    fn log(self) -> Value {
        match self {
            Self::Podman => json!({"Type": "k8s-file", "Config": {"max-size": "16777216"}}),
            Self::Docker => json!({
                "Type": "local",
                "Config": {"max-size": "8388608", "max-file": "2", "compress": "false"},
            }),
        }
    }
}

/// Create, start, await the end on a pidfd, read exit code and output, remove.
pub(super) fn run(kind: Kind, engine: &Path, image: &str) -> Timing {
    let began = Instant::now();
    let created = expect(
        unix(
            engine,
            "POST",
            "/v1.40/containers/create",
            Some(&settings(kind, image)),
        ),
        201,
    );
    let id = created["Id"].as_str().unwrap().to_owned();
    expect(
        unix(
            engine,
            "POST",
            &format!("/v1.40/containers/{id}/start"),
            None,
        ),
        204,
    );
    let running = inspect(engine, &id);
    if let Some(pid) = running["State"]["Pid"].as_i64().filter(|pid| *pid > 0) {
        await_end(i32::try_from(pid).unwrap());
    }
    // With growing pauses, as codling does: looks in quick succession hold up the engine's own clean-up.
    let mut pause = LOOK;
    while !has_ended(&inspect(engine, &id)["State"]) {
        std::thread::park_timeout(pause);
        pause *= 2;
    }
    expect(
        unix(
            engine,
            "GET",
            &format!("/v1.40/containers/{id}/logs?stdout=true&stderr=true"),
            None,
        ),
        200,
    );
    let result = began.elapsed();
    remove(engine, &id);
    Timing {
        result,
        removed: began.elapsed(),
    }
}

/// Removes a container, running or not.
pub(super) fn remove(engine: &Path, id: &str) {
    expect(
        unix(
            engine,
            "DELETE",
            &format!("/v1.40/containers/{id}?force=true&v=true"),
            None,
        ),
        204,
    );
}

/// What codling sends for the job that `Node::submit` describes.
fn settings(kind: Kind, image: &str) -> Value {
    json!({
        "Image": image,
        "Cmd": ["echo", "hi"],
        "NetworkDisabled": true,
        "Labels": {"by": "hand"},
        "HostConfig": {
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Memory": MEMORY_BYTES,
            "MemorySwap": MEMORY_BYTES,
            "NanoCpus": CPU_MILLIS * 1_000_000,
            "PidsLimit": 512,
            "Ulimits": [
                {"Name": "nofile", "Soft": 1024, "Hard": 4096},
                {"Name": "nproc", "Soft": 16384, "Hard": 16384},
            ],
            "LogConfig": kind.log(),
        },
    })
}

fn inspect(engine: &Path, id: &str) -> Value {
    expect(
        unix(engine, "GET", &format!("/v1.40/containers/{id}/json"), None),
        200,
    )
}

/// Podman says `stopped` with a time before its clean-up, and `exited` after it; either has code and log.
fn has_ended(state: &Value) -> bool {
    let finished = state["FinishedAt"].as_str().unwrap_or_default();
    state["Status"] == "exited" || state["Status"] == "stopped" && !finished.starts_with("0001")
}

fn await_end(pid: i32) {
    // It may have ended and been reaped already.
    if let Ok(pidfd) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
        poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).unwrap();
    }
}

#[track_caller]
fn expect(answer: Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    answer.body
}

/// Waits until the engine holds no container.
pub(super) fn await_no_container(engine: &Path) {
    let began = Instant::now();
    while unix(engine, "GET", "/v1.40/containers/json?all=true", None)
        .body
        .as_array()
        .is_some_and(|all| !all.is_empty())
    {
        assert!(
            began.elapsed() < REMOVAL_MAX,
            "codling left a container behind"
        );
        std::thread::park_timeout(LOOK);
    }
}
