//! The route: its handshake, what is told in which words, and how a socket ends.

use crate::support::engine::{Endpoint, Fault, Play, Runs, ScriptedEngine, Times};
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::websocket::{Heard, Log, LogSocket};
use serde_json::{Value, json};
use std::path::Path;

/// A node on an engine whose image `runs` does not end by itself and `quick` does.
fn start(dir: &Path) -> (ScriptedEngine, TestNode) {
    let engine = ScriptedEngine::start();
    let runs = Play {
        runs: Runs::UntilReleased,
        ..Play::default()
    };
    engine.image("runs", runs);
    engine.image("quick", Play::default());
    let node = TestNode::start_on(dir, &engine);
    (engine, node)
}

fn error(node: &TestNode, job: &str, query: &str) -> String {
    let mut socket = LogSocket::open(node.api, job, query);
    let Heard::Json(message) = socket.next() else {
        panic!("no message");
    };
    assert_eq!(message["value"], json!({"Type": 0, "Line": ""}));
    assert_eq!(socket.next(), Heard::Close(1000));
    message["error"].as_str().unwrap().to_owned()
}

#[test]
fn output_comes_in_the_frames_that_the_original_sends() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, node) = start(dir.path());
    let job = node.submit(&command("quick", &[]));
    node.ended(&job);
    let mut socket = LogSocket::open(node.api, &job, "");
    let line = json!({"value": {"Type": 1, "Line": "hello\n"}});
    assert_eq!(socket.next(), Heard::Json(line));
    assert_eq!(socket.next(), Heard::Close(1000));
    assert_eq!(socket.next(), Heard::End);
}

/// The loop had a turn after each piece of an engine's, so that on Docker every line was a message of its own and its
/// followers got 0.4 of what the engine gave. What is there already is put together now.
#[test]
fn a_thousand_short_lines_that_are_there_come_in_few_messages() {
    const LINES: usize = 1_000;
    let dir = tempfile::tempdir().unwrap();
    let (engine, node) = start(dir.path());
    let play = Play {
        stdout: b"a line\n".repeat(LINES),
        runs: Runs::UntilReleased,
        ..Play::default()
    };
    engine.image("chatty", play);
    let job = node.submit(&command("chatty", &[]));
    node.running(&job);
    engine.until("it runs", |engine| engine.running() == 1);
    let mut socket = LogSocket::open(node.api, &job, "");
    let (mut messages, mut text) = (0, String::new());
    while let Heard::Json(message) = socket.next() {
        messages += 1;
        text += message["value"]["Line"].as_str().unwrap();
    }
    assert_eq!(text, "a line\n".repeat(LINES));
    assert!(messages < LINES / 10, "{messages} messages");
}

#[test]
fn what_is_wrong_is_told_after_the_upgrade_and_closed_with_1000() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node) = start(dir.path());
    let none = "j-00000000-0000-4000-8000-000000000000";
    assert_eq!(error(&node, none, ""), format!("job not found: {none}"));
    let job = node.submit(&command("runs", &[]));
    node.running(&job);
    engine.until("it runs", |engine| engine.running() == 1);
    for (query, words) in [
        (
            "follow=maybe",
            "query parameter follow must be true or false, not \"maybe\"",
        ),
        (
            "lines=10001",
            "query parameter lines must be at most 10000, not 10001",
        ),
        ("lines=x", "query parameter lines must be a whole number"),
        (
            "from=1",
            "query parameter from must be two numbers of bytes",
        ),
        (
            "frames=xml",
            "query parameter frames must be json or binary",
        ),
        ("execution_id=e-none", "execution not found: e-none"),
    ] {
        let told = error(&node, &job, query);
        assert!(told.starts_with(words), "{query}: {told}");
    }
}

#[test]
fn without_an_upgrade_the_route_answers_400_in_the_envelope() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, node) = start(dir.path());
    let answer = node.call("GET", "orchestrator/jobs/j-1/logs", None);
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(answer.body["Code"], "BadRequest");
    assert!(answer.body["Hint"].is_string(), "{}", answer.body);
    assert_eq!(
        node.call("PUT", "orchestrator/jobs/j-1/logs", None).status,
        405
    );
}

#[test]
fn a_job_that_has_not_started_is_waited_for_by_followers_only() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node) = start(dir.path());
    engine.fault(Endpoint::Create, Fault::Held, Times::Once);
    let job = node.submit(&command("quick", &[]));
    let follower = LogSocket::open(node.api, &job, "follow=true");
    let told = error(&node, &job, "");
    assert!(
        told.ends_with("has not started yet; follow the log to wait for it"),
        "{told}"
    );
    engine.release_replies();
    let log = follower.whole();
    assert_eq!((log.stdout, log.close), (b"hello\n".to_vec(), Some(1000)));
}

#[test]
fn a_job_that_fails_before_it_starts_ends_its_followers_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node) = start(dir.path());
    engine.fault(Endpoint::Create, Fault::Held, Times::Once);
    engine.fault(
        Endpoint::Start,
        Fault::Status(500, "no space left"),
        Times::Always,
    );
    let job = node.submit(&command("quick", &[]));
    let follower = LogSocket::open(node.api, &job, "follow=true");
    engine.release_replies();
    let log = follower.whole();
    let told = log.error.unwrap_or_default();
    assert!(told.contains("no executions found for this job"), "{told}");
    assert_eq!(log.close, Some(1000));
}

#[test]
fn an_execution_is_named_by_its_id_or_the_beginning_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, node) = start(dir.path());
    let job = node.submit(&command("quick", &[]));
    node.ended(&job);
    let body = node
        .call("GET", &format!("orchestrator/jobs/{job}/executions"), None)
        .body;
    let id = body["Items"][0]["ID"].as_str().unwrap().to_owned();
    for name in [&id[..], &id[..12]] {
        let query = format!("execution_id={name}&frames=binary");
        let log = LogSocket::open(node.api, &job, &query).whole();
        assert_eq!(log.begins, format!("{id} 0 0"));
        assert_eq!(log.stdout, b"hello\n");
    }
}

#[test]
fn a_read_goes_on_where_another_was_cut_off_with_and_without_the_container() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node) = start(dir.path());
    let job = node.submit(&command("runs", &[]));
    let query = "follow=true&frames=binary&from=4,0";
    let mut follower = LogSocket::open(node.api, &job, query);
    let mut log = Log::default();
    follower.gather(&mut log, |log| !log.stdout.is_empty());
    assert_eq!(log.stdout, b"o\n");
    engine.release_containers();
    follower.gather(&mut log, |_| false);
    assert!(log.begins.ends_with(" 4 0"), "{}", log.begins);
    node.ended(&job);
    engine.until("it is removed", |engine| engine.containers().is_empty());
    let stored = LogSocket::open(node.api, &job, query).whole();
    assert_eq!(stored.stdout, b"o\n");
}

#[test]
fn a_ping_is_answered_and_a_client_that_closes_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node) = start(dir.path());
    let job = node.submit(&command("runs", &[]));
    let mut follower = LogSocket::open(node.api, &job, "follow=true");
    let first = follower.next();
    assert!(matches!(first, Heard::Json(_)), "{first:?}");
    follower.ping(b"there?");
    assert_eq!(follower.next(), Heard::Pong(b"there?".to_vec()));
    engine.until("the engine's log is read", |engine| {
        engine.open_connections() > 0
    });
    follower.close();
    assert_eq!(follower.next(), Heard::Close(1000));
    assert_eq!(follower.next(), Heard::End);
    engine.until("the read has ended", |engine| {
        engine.open_connections() == 0
    });
}

#[test]
fn a_client_that_vanishes_ends_the_read_of_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node) = start(dir.path());
    let job = node.submit(&command("runs", &[]));
    let mut follower = LogSocket::open(node.api, &job, "follow=true");
    follower.next();
    engine.until("the engine's log is read", |engine| {
        engine.open_connections() > 0
    });
    drop(follower);
    engine.until("the read has ended", |engine| {
        engine.open_connections() == 0
    });
}

#[test]
fn a_node_that_stops_says_that_it_goes_away() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, node) = start(dir.path());
    let job = node.submit(&command("runs", &[]));
    let mut follower = LogSocket::open(node.api, &job, "follow=true");
    let first = follower.next();
    let line = json!({"value": {"Type": 1, "Line": "hello\n"}});
    assert_eq!(first, Heard::Json(line));
    node.stop().unwrap();
    assert_eq!(follower.next(), Heard::Close(1001));
}

#[test]
fn what_a_job_prints_cannot_be_taken_for_an_answer_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node) = start(dir.path());
    let words = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
    let play = Play {
        stdout: words.to_vec(),
        ..Play::default()
    };
    engine.image("http", play);
    let job = node.submit(&command("http", &[]));
    let log = LogSocket::open(node.api, &job, "follow=true&frames=binary").whole();
    assert_eq!(log.stdout, words);
    let value: Value = node.ended(&job);
    assert_eq!(value["Job"]["State"]["StateType"], "Completed");
}
