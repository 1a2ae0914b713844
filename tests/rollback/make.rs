//! A store in mid-job: the real binary is killed with jobs of every type in every state that it stays in; those that it
//! passes through in a moment are then put in.

use super::{call, look, state};
use crate::support::engine::{Endpoint, Fault, Play, Runs, ScriptedEngine, Times};
use crate::support::jobs::command;
use crate::support::program::serve_on;
use crate::support::wait;
use codling::model::{
    Batch, ComputeState, ContainerId, DamagedStore, Delivery, ExecutionRecord, ExecutionState,
    JobId, JobRecord, JobState, NodeId, Now, Outcome, RunOutput, SpecConfig, UnixMs, Write,
};
use codling::store::{Place, Store, StoreConfig, StoreReport};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// Ends at once, now and later.
pub(super) const QUICK: &str = "golden/quick";
/// Runs until the node is killed, and ends at once in its next life.
pub(super) const HELD: &str = "golden/held";
/// Runs for ever.
pub(super) const KEPT: &str = "golden/kept";
/// Ends at once until the node is killed, and runs for ever in its next life.
pub(super) const FALLS: &str = "golden/falls";
/// Is pulled until the node is killed, and is there in its next life.
pub(super) const PULLED: &str = "golden/pulled";

/// What was told of every job: in `told.json`.
pub(super) const TOLD: &str = "told.json";
/// The node's key.
pub(super) const KEY: &str = "libp2p_private_key";
/// The files of the store.
pub(super) const FILES: [&str; 2] = ["jobs.db", "executions.db"];

/// The output of an end that was stored and not delivered.
pub(super) fn undelivered() -> RunOutput {
    RunOutput {
        stdout: b"undelivered\n".to_vec(),
        exit_code: 5,
        ..RunOutput::default()
    }
}

/// Where a node's two files lie below its data directory.
pub(super) fn places(dir: &Path, node: &str) -> [std::path::PathBuf; 2] {
    [
        dir.join(format!("{node}-requester")).join(FILES[0]),
        dir.join(format!("{node}-compute")).join(FILES[1]),
    ]
}

/// Makes the folder of a golden store.
#[track_caller]
pub(super) fn store(folder: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let engine = ScriptedEngine::start();
    let held = Play {
        runs: Runs::UntilReleased,
        ..Play::default()
    };
    engine.image(QUICK, Play::default());
    engine.image(HELD, held.clone());
    engine.image(KEPT, held);
    engine.image(FALLS, Play::default());
    engine.pullable(PULLED, Play::default());
    engine.fault(Endpoint::Pull, Fault::Hang, Times::Once);

    let node = serve_on(dir, engine.socket(), &[]).start();
    let api = node.api();
    let about = crate::support::http::request(api, "GET", "/api/v1/agent/node", None);
    let id = about.unwrap().body["NodeID"].as_str().unwrap().to_owned();
    let jobs = submit_all(api);
    node.signal(Signal::KILL);
    drop(node);

    std::fs::create_dir_all(folder).unwrap();
    std::fs::copy(dir.join(KEY), folder.join(KEY)).unwrap();
    let told = json!({"Node": id, "Jobs": jobs});
    let told = serde_json::to_string_pretty(&told).unwrap();
    std::fs::write(folder.join(TOLD), told + "\n").unwrap();
    let files = places(dir, &id);
    let store = put_in_between(&files, &id, &jobs);
    // Copied while it is open, as a kill leaves it.
    for (file, name) in files.iter().zip(FILES) {
        std::fs::copy(file, folder.join(name)).unwrap();
    }
    drop(store);
}

fn job(name: &str, kind: &str, image: &str) -> Value {
    let mut submission = command(image, &["true"]);
    submission["Job"]["Name"] = json!(name);
    submission["Job"]["Type"] = json!(kind);
    submission["Job"]["Tasks"][0]["Resources"] = json!({"CPU": "10m", "Memory": "4MB"});
    submission
}

/// Submits a job and waits until it is as wanted; its id.
#[track_caller]
fn submit(api: SocketAddr, submission: &Value, wanted: impl Fn(&Value) -> bool) -> String {
    let id = call(api, "PUT", "jobs", Some(submission))["JobID"].clone();
    let id = id.as_str().unwrap().to_owned();
    wait::until("the job is as wanted", || {
        let body = look(api, &id);
        if wanted(&body) { Ok(()) } else { Err(body) }
    });
    id
}

/// Whether its last execution is in a state, by its number.
fn last_is(number: u64) -> impl Fn(&Value) -> bool {
    move |body| {
        let all = body["Executions"]["Items"].as_array();
        let last = all.and_then(|all| all.last());
        last.is_some_and(|last| last["ComputeState"]["StateType"] == number)
    }
}

/// What is told of each job when all are where they stay; of those that are not over only the id.
#[track_caller]
fn submit_all(api: SocketAddr) -> BTreeMap<String, Value> {
    const RUNNING: u64 = 6;
    let ended = |wanted: &'static str| move |body: &Value| state(body) == wanted;
    let runs = last_is(RUNNING);
    let mut ids = BTreeMap::new();
    let mut put = |name: &str, id: String| ids.insert(name.to_owned(), id);

    put(
        "done",
        submit(api, &job("done", "batch", QUICK), ended("Completed")),
    );
    put(
        "ops",
        submit(api, &job("ops", "ops", QUICK), ended("Completed")),
    );
    let absent = job("absent", "batch", "golden/absent");
    // The first pull hangs.
    put(
        "pulling",
        submit(api, &job("pulling", "batch", PULLED), last_is(5)),
    );
    put("absent", submit(api, &absent, ended("Failed")));
    let mut huge = job("huge", "batch", QUICK);
    huge["Job"]["Tasks"][0]["Resources"]["CPU"] = json!("4000");
    put("huge", submit(api, &huge, ended("Failed")));
    let stopped = submit(api, &job("stopped", "batch", HELD), &runs);
    call(api, "DELETE", &format!("jobs/{stopped}"), None);
    wait::until("it is stopped", || match look(api, &stopped) {
        body if state(&body) == "Stopped" && last_is(11)(&body) => Ok(()),
        body => Err(body),
    });
    put("stopped", stopped);

    for name in [
        "running",
        "undelivered",
        "publishing",
        "asked",
        "bidding",
        "updated",
    ] {
        put(name, submit(api, &job(name, "batch", HELD), &runs));
    }
    let mut second = job("updated", "batch", HELD);
    second["Job"]["Meta"] = json!({"version": "the second"});
    submit(api, &second, |body| {
        body["Job"]["Version"] == 2 && runs(body)
    });
    put(
        "service",
        submit(api, &job("service", "service", KEPT), &runs),
    );
    put("daemon", submit(api, &job("daemon", "daemon", KEPT), &runs));
    let falls = |body: &Value| {
        let all = body["Executions"]["Items"].as_array();
        all.is_some_and(|all| all.len() >= 3)
    };
    put("falls", submit(api, &job("falls", "service", FALLS), falls));
    // Its commit takes what only rides along.
    submit(api, &job("last", "batch", QUICK), ended("Completed"));
    ids.into_iter()
        .map(|(name, id)| {
            let body = look(api, &id);
            let over = matches!(state(&body), "Completed" | "Failed" | "Stopped");
            let body = if over { body } else { Value::Null };
            (name, json!({"ID": id, "Told": body}))
        })
        .collect()
}

/// Opens the store of the killed node and puts in what a node is in for a moment only. It stays open.
fn put_in_between(
    [jobs, executions]: &[std::path::PathBuf; 2],
    node: &str,
    ids: &BTreeMap<String, Value>,
) -> Store {
    let config = StoreConfig {
        node: NodeId::from(node),
        jobs: Place::File(jobs.clone()),
        executions: Place::File(executions.clone()),
        damaged: DamagedStore::Refuse,
    };
    let now = Now {
        boot: codling::model::BootId([9; 16]),
        boot_ms: 0,
        wall: None,
    };
    let (store, found) = wait::until("the files are free", || Store::open(config.clone(), now));
    let mut batch = Batch::default();
    for (name, change) in CHANGES {
        let id = JobId::from(ids[*name]["ID"].as_str().unwrap());
        let mut job = found
            .live_jobs
            .iter()
            .find(|job| job.job.id == id)
            .unwrap()
            .clone();
        let taken = found.live_executions.iter().find(|one| one.job.id == id);
        let mut taken = taken.expect("it was taken").clone();
        let kept = change(&mut job, &mut taken);
        let write = match kept {
            Taken::Stored => Write::Put(Box::new(taken.clone())),
            Taken::NotYet => Write::Delete,
        };
        batch.executions.insert(taken.id, write);
        batch.jobs.insert(id, Write::Put(Box::new(job)));
    }
    store.commit(1, batch).unwrap();
    let report = store.reports().recv_blocking().unwrap();
    assert!(
        matches!(report, StoreReport::CommitDone { .. }),
        "{report:?}"
    );
    store
}

/// Whether an execution's node has stored it.
enum Taken {
    Stored,
    NotYet,
}

type Change = fn(&mut JobRecord, &mut ExecutionRecord) -> Taken;

/// What becomes of jobs that run.
const CHANGES: &[(&str, Change)] = &[
    ("undelivered", |_, taken| {
        taken.state = ComputeState::Ended {
            outcome: Outcome::Completed {
                output: undelivered(),
                published: SpecConfig::default(),
            },
            delivery: Delivery::Pending,
            ended: Some(UnixMs(1_795_000_000_000)),
        };
        Taken::Stored
    }),
    ("publishing", |job, taken| {
        job.executions[0].state = ExecutionState::Publishing;
        taken.state = ComputeState::Publishing {
            container: ContainerId::from("gone"),
            output: undelivered(),
        };
        Taken::Stored
    }),
    ("asked", |job, _| {
        job.job.state = JobState::Pending;
        job.executions[0].state = ExecutionState::New;
        Taken::NotYet
    }),
    ("bidding", |job, taken| {
        job.executions[0].state = ExecutionState::AskForBidAccepted;
        taken.state = ComputeState::Accepted;
        Taken::Stored
    }),
];
