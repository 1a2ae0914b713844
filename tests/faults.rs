//! The real node when its store fails: nothing acknowledged that is not durable, and it comes back by itself.

use crate::support::engines::Real;
use crate::support::http::{self, Answer};
use crate::support::jobs::shell;
use crate::support::mount::{Mount, is_mounted};
use crate::support::node::TestNode;
use crate::support::program::serve_on;
use crate::support::tap::{Call, Tap};
use crate::support::wait;
use codling::model::{ConditionChange, ConditionKind};
use codling::node::NodeEvent;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

fn node(dir: &Path) -> TestNode {
    let engine = Real::Podman.socket();
    TestNode::start(dir, &[("engine-socket", engine.to_str().unwrap())])
}

/// What a client is told that submits this, once the store is no longer being opened again.
#[track_caller]
fn answer(node: &TestNode, submission: &Value) -> Answer {
    wait::until("the store is open again", || {
        let answer = node.call("PUT", "orchestrator/jobs", Some(submission));
        match answer.body["Message"].as_str() {
            Some("the store cannot be written now") => Err(answer),
            _ => Ok(answer),
        }
    })
}

fn under_token(line: &str, token: &str) -> Value {
    let mut submission = shell(line);
    submission["IdempotencyToken"] = json!(token);
    submission
}

/// Submits jobs until one finds no space: those that were taken, and the one that was not.
#[track_caller]
fn until_refused(node: &TestNode) -> (Vec<String>, Value, Answer) {
    let mut taken = Vec::new();
    wait::until("the store notices", || {
        // A file may have a page or two of its own left, so the first submissions may still fit.
        let submission = under_token("echo later", &format!("try {}", taken.len()));
        let answer = node.call("PUT", "orchestrator/jobs", Some(&submission));
        if answer.status == 200 {
            taken.push(answer.body["JobID"].as_str().unwrap().to_owned());
            return Err(answer);
        }
        Ok((std::mem::take(&mut taken), submission, answer))
    })
}

#[track_caller]
fn store_back(node: &TestNode) {
    node.event("the store is back", |event| {
        matches!(event, NodeEvent::StoreBack).then_some(())
    });
}

/// Waits until a condition of this kind begins or ends.
#[track_caller]
fn condition(node: &TestNode, wanted: ConditionKind, begins: Change) {
    node.event("the condition changes", |event| match (event, begins) {
        (NodeEvent::Condition(ConditionChange::Began(one)), Change::Began) => {
            (one.kind == wanted).then_some(())
        }
        (NodeEvent::Condition(ConditionChange::Ended(kind)), Change::Ended) => {
            (*kind == wanted).then_some(())
        }
        _ => None,
    });
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Began,
    Ended,
}

/// Of all jobs, those whose only container prints this.
fn printing(node: &TestNode, line: &str) -> usize {
    let jobs = node.call("GET", "orchestrator/jobs?limit=200", None).body;
    let jobs = jobs["Items"].as_array().unwrap().clone();
    let wanted = json!(["sh", "-c", line]);
    let prints = |job: &&Value| job["Tasks"][0]["Engine"]["Params"]["Parameters"] == wanted;
    jobs.iter().filter(prints).count()
}

#[test]
fn on_a_full_disk_submissions_get_507_what_runs_ends_and_a_token_makes_one_job_when_there_is_space()
{
    let disk = Mount::tmpfs(2_048);
    let node = node(&disk.at.join("node"));
    let running = node.submit(&shell("sleep 4; echo survived"));
    node.running(&running);
    let filler = disk.fill("filler");

    let (taken, _, refused) = until_refused(&node);
    assert_eq!(refused.status, 507, "{}", refused.body);
    let hint = refused.body["Hint"].as_str().unwrap();
    assert!(hint.contains("idempotency"), "{}", refused.body);
    condition(&node, ConditionKind::StoreFull, Change::Began);
    store_back(&node);

    // The ballast has room for ends, and for nothing else.
    let later = under_token("echo once", "the token");
    for _ in 0..5 {
        let refused = answer(&node, &later);
        assert_eq!(refused.status, 507, "{}", refused.body);
        let hint = refused.body["Hint"].as_str().unwrap();
        assert!(hint.contains("nothing was done: free space"), "{hint}");
    }
    let ended = node.ended(&running);
    assert_eq!(ended["Executions"]["Items"].as_array().unwrap().len(), 1);
    let execution = &ended["Executions"]["Items"][0];
    assert_eq!(execution["RunOutput"]["Stdout"], "survived\n", "{ended:#}");
    let refused = answer(&node, &later);
    assert_eq!(refused.status, 507, "{}", refused.body);

    fs::remove_file(filler).unwrap();
    condition(&node, ConditionKind::StoreFull, Change::Ended);
    let once = node.submit(&later);
    assert_eq!(node.submit(&later), once, "the token names one job");
    let ended = node.ended(&once);
    let execution = &ended["Executions"]["Items"][0];
    assert_eq!(execution["RunOutput"]["Stdout"], "once\n", "{ended:#}");
    assert_eq!(printing(&node, "echo once"), 1);
    // What was answered with 200 was stored.
    for job in &taken {
        let ended = node.ended(job);
        let told = ended["Job"]["State"]["Message"].as_str();
        if told.is_some_and(|told| told.contains("does not have the disk now")) {
            continue; // stored, and declined for the disk that was full
        }
        let execution = &ended["Executions"]["Items"][0];
        assert_eq!(execution["RunOutput"]["Stdout"], "later\n", "{ended:#}");
    }
}

#[test]
fn a_node_that_is_killed_on_a_full_disk_starts_there_and_stops_there_and_loses_no_end() {
    let disk = Mount::tmpfs(1_536);
    let dir = disk.at.join("node");
    let engine = Real::Podman.socket();
    let first = serve_on(&dir, &engine, &[]).start();
    let submission = under_token("sleep 6; echo survived", "t");
    let job = submitted(first.api(), &submission);
    wait::until("it runs", || {
        let path = format!("/api/v1/orchestrator/jobs/{job}/executions");
        let answer = http::request(first.api(), "GET", &path, None).unwrap();
        let state = answer.body["Items"][0]["ComputeState"]["StateType"].clone();
        if state == 6 { Ok(()) } else { Err(answer) }
    });
    disk.fill("filler");
    first.signal(Signal::KILL);
    first.ended();

    // Twice: what the first start gave up for its repair, another program takes.
    for round in 0..2 {
        let next = serve_on(&dir, &engine, &[]).start();
        assert_eq!(submitted(next.api(), &submission), job, "round {round}");
        disk.fill(&format!("filler {round}"));
        next.signal(Signal::KILL);
        next.ended();
    }
    let next = serve_on(&dir, &engine, &[]).start();
    next.api();
    next.signal(Signal::TERM);
    let ended = next.ended();
    assert_eq!(ended.code, 0, "{}", ended.err);

    for entry in fs::read_dir(&disk.at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    let last = node(&dir);
    let ended = last.ended(&job);
    assert_eq!(ended["Executions"]["Items"].as_array().unwrap().len(), 1);
    let execution = &ended["Executions"]["Items"][0];
    assert_eq!(execution["RunOutput"]["Stdout"], "survived\n", "{ended:#}");
}

/// Submits until the store is not being opened again.
#[track_caller]
fn submitted(api: SocketAddr, submission: &Value) -> String {
    wait::until("it is answered", || {
        let answer = http::request(api, "PUT", "/api/v1/orchestrator/jobs", Some(submission));
        let answer = answer.expect("the API answers");
        match answer.body["JobID"].as_str() {
            Some(job) => Ok(job.to_owned()),
            None => Err(answer),
        }
    })
}

#[test]
fn a_disk_that_turned_read_only_stops_no_container_and_when_it_was_repaired_each_job_ends_once() {
    let mut disk = Mount::ext4(16);
    let node = node(&disk.at.join("node"));
    let running = node.submit(&shell("sleep 3; echo survived"));
    node.running(&running);
    disk.turn_read_only();

    let later = under_token("echo once", "the token");
    let refused = node.call("PUT", "orchestrator/jobs", Some(&later));
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert_eq!(refused.body["Details"]["Retryable"], "true");
    condition(&node, ConditionKind::StoreFailed, Change::Began);
    let refused = node.call("PUT", "orchestrator/jobs", Some(&later));
    assert_eq!(refused.status, 507, "{}", refused.body);
    let path = format!("orchestrator/jobs/{running}");
    assert_eq!(node.call("GET", &path, None).status, 503);

    disk.repair();
    store_back(&node);
    let ended = node.ended(&running);
    assert_eq!(ended["Executions"]["Items"].as_array().unwrap().len(), 1);
    let execution = &ended["Executions"]["Items"][0];
    assert_eq!(execution["RunOutput"]["Stdout"], "survived\n", "{ended:#}");
    let once = wait::until("it is taken", || {
        let answer = node.call("PUT", "orchestrator/jobs", Some(&later));
        match answer.body["JobID"].as_str() {
            Some(job) => Ok(job.to_owned()),
            None => Err(answer),
        }
    });
    let ended = node.ended(&once);
    let execution = &ended["Executions"]["Items"][0];
    assert_eq!(execution["RunOutput"]["Stdout"], "once\n", "{ended:#}");
    assert_eq!(printing(&node, "echo once"), 1);
}

#[test]
fn a_test_that_fails_leaves_nothing_mounted() {
    let (tell, told) = std::sync::mpsc::channel();
    let failed = std::thread::spawn(move || {
        let disk = Mount::tmpfs(64);
        tell.send(disk.at.clone()).unwrap();
        assert!(!is_mounted(&disk.at), "as a test that fails");
    });
    let at = told.recv().unwrap();
    assert!(failed.join().is_err());
    assert!(!is_mounted(&at) && !at.exists());
}

/// Twice the pause after which the store is opened again.
const REBUILT_IN: Duration = Duration::from_millis(2_500);

#[test]
fn after_a_failed_commit_nothing_new_is_decided_while_a_call_of_the_old_agent_is_under_way() {
    let disk = Mount::tmpfs(2_048);
    let scratch = tempfile::tempdir().unwrap();
    let tap = Tap::start(scratch.path(), Real::Podman.socket());
    let node = TestNode::start(
        &disk.at.join("node"),
        &[("engine-socket", tap.socket.to_str().unwrap())],
    );
    tap.hold(Call::Start);
    let job = node.submit(&shell("echo once"));
    wait::until("the start is under way", || {
        match tap.counts().starts_in_all() {
            1 => Ok(()),
            other => Err(other),
        }
    });
    let filler = disk.fill("filler");
    wait::until("the store notices", || {
        let answer = node.call("PUT", "orchestrator/jobs", Some(&shell("true")));
        if answer.status == 507 {
            Ok(())
        } else {
            Err(answer)
        }
    });
    fs::remove_file(filler).unwrap();

    // There is room again, but who would decide does not know yet what that start has come to.
    let path = format!("orchestrator/jobs/{job}");
    let until = Instant::now() + REBUILT_IN;
    while Instant::now() < until {
        let answer = node.call("GET", &path, None);
        assert_eq!(answer.status, 503, "{}", answer.body);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    tap.let_go();
    node.event("the store is back", |event| {
        matches!(event, NodeEvent::StoreBack).then_some(())
    });
    let ended = node.ended(&job);
    let executions = ended["Executions"]["Items"].as_array().unwrap();
    assert_eq!(executions.len(), 1, "{ended:#}");
    let id = executions[0]["ID"].as_str().unwrap();
    assert_eq!(tap.counts().starts_of(id), 1, "{ended:#}");
    assert_eq!(executions[0]["RunOutput"]["Stdout"], "once\n", "{ended:#}");
}
