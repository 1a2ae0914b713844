//! Followers through everything that an engine does to its logs.

use crate::support::engine::{OnFollow, Play, Runs, ScriptedEngine};
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::websocket::{Log, LogSocket};
use std::path::Path;

fn start(dir: &Path, on_follow: OnFollow) -> (ScriptedEngine, TestNode, String) {
    let engine = ScriptedEngine::start();
    let play = Play {
        runs: Runs::UntilReleased,
        stdout: b"first\n".to_vec(),
        on_follow,
        ..Play::default()
    };
    engine.image("a", play);
    let node = TestNode::start_on(dir, &engine);
    let job = node.submit(&command("a", &[]));
    (engine, node, job)
}

fn follow(node: &TestNode, job: &str) -> (LogSocket, Log) {
    let mut follower = LogSocket::open(node.api, job, "follow=true&frames=binary");
    let mut log = Log::default();
    follower.gather(&mut log, |log| !log.stdout.is_empty());
    (follower, log)
}

#[test]
fn an_engine_that_is_restarted_under_a_follower_costs_it_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node, job) = start(dir.path(), OnFollow::EndsWithTheContainer);
    let (mut follower, mut log) = follow(&node, &job);
    engine.go_away();
    engine.print(1, b"while it was away\n");
    engine.print(2, b"also here\n");
    engine.come_back();
    follower.gather(&mut log, |log| {
        log.stderr.len() == 10 && log.stdout.len() == 24
    });
    engine.print(1, b"last\n");
    engine.release_containers();
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"first\nwhile it was away\nlast\n");
    assert_eq!(log.stderr, b"also here\n");
    assert_eq!((log.close, log.notices), (Some(1000), Vec::new()));
}

#[test]
fn a_log_stream_that_stays_open_ends_with_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node, job) = start(dir.path(), OnFollow::StaysOpen);
    let (mut follower, mut log) = follow(&node, &job);
    engine.print(1, b"last\n");
    engine.release_containers();
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"first\nlast\n");
    assert_eq!((log.close, log.notices), (Some(1000), Vec::new()));
}

#[test]
fn a_log_stream_that_ends_too_early_is_made_good_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node, job) = start(dir.path(), OnFollow::EndsAfter(8));
    let (mut follower, mut log) = follow(&node, &job);
    engine.print(1, b"second\n");
    engine.release_containers();
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"first\nsecond\n");
    assert_eq!((log.close, log.notices), (Some(1000), Vec::new()));
}

#[test]
fn a_log_that_was_rotated_while_the_engine_was_away_goes_on_and_says_that_something_may_be_missing()
{
    let dir = tempfile::tempdir().unwrap();
    let (engine, node, job) = start(dir.path(), OnFollow::EndsWithTheContainer);
    let (mut follower, mut log) = follow(&node, &job);
    engine.go_away();
    engine.rotate_logs();
    engine.come_back();
    follower.gather(&mut log, |log| !log.notices.is_empty());
    assert!(
        log.notices[0].contains("may be missing"),
        "{:?}",
        log.notices
    );
    engine.print(1, b"after\n");
    follower.gather(&mut log, |log| log.stdout.ends_with(b"after\n"));
    engine.release_containers();
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"first\nafter\n");
    assert_eq!(log.close, Some(1000));
}

#[test]
fn a_container_that_somebody_removes_under_a_follower_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node, job) = start(dir.path(), OnFollow::EndsWithTheContainer);
    let (mut follower, mut log) = follow(&node, &job);
    engine.remove_containers_of(&node.id);
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"first\n");
    assert_eq!(log.close, Some(1000));
}

#[test]
fn a_container_stays_until_a_slow_follower_has_all_of_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node, job) = start(dir.path(), OnFollow::EndsWithTheContainer);
    let (mut follower, mut log) = follow(&node, &job);
    // More than the sockets between them hold.
    let megabytes = b"0123456789abcde\n".repeat(1 << 19);
    engine.print(1, &megabytes);
    engine.release_containers();
    node.ended(&job);
    assert_eq!(engine.containers().len(), 1, "it is being read");
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout.len(), 6 + megabytes.len());
    assert_eq!(log.close, Some(1000));
    engine.until("it is removed", |engine| engine.containers().is_empty());
}

#[test]
fn a_container_whose_output_is_stored_whole_does_not_wait_for_late_followers() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node, job) = start(dir.path(), OnFollow::EndsWithTheContainer);
    let began = std::time::Instant::now();
    engine.until("it runs", |engine| engine.running() == 1);
    engine.release_containers();
    engine.until("it is removed", |engine| engine.containers().is_empty());
    // Late followers are waited for ten seconds.
    assert!(began.elapsed() < std::time::Duration::from_secs(9));
    assert_eq!(
        LogSocket::open(node.api, &job, "").whole().stdout,
        b"first\n"
    );
}
