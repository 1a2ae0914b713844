//! Followers through everything that an engine does to its logs.

use crate::support::engine::{Endpoint, Fault, OnFollow, Play, Runs, ScriptedEngine, Times};
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::websocket::{Log, LogSocket};
use std::path::Path;
use std::time::Duration;

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
fn a_log_that_is_slow_to_come_to_where_it_goes_on_is_not_taken_for_one_that_lacks_it() {
    let dir = tempfile::tempdir().unwrap();
    // What was given out before comes again within more than the second that a silent log is waited for.
    let slowly = OnFollow::Slowly(Duration::from_millis(350));
    let (engine, node, job) = start(dir.path(), slowly);
    let (mut follower, mut log) = follow(&node, &job);
    engine.print(1, b"line2\nline3\nline4\nline5\n");
    follower.gather(&mut log, |log| log.stdout.len() == 30);
    engine.go_away();
    engine.come_back();
    engine.print(1, b"last\n");
    follower.gather(&mut log, |log| log.stdout.ends_with(b"last\n"));
    engine.release_containers();
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"first\nline2\nline3\nline4\nline5\nlast\n");
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
fn a_container_that_is_removed_under_a_late_reader_is_made_good_from_what_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, node, job) = start(dir.path(), OnFollow::EndsWithTheContainer);
    // It holds the container, which is more than the sockets between them hold.
    let (_slow, _) = follow(&node, &job);
    engine.print(1, &b"0123456789abcde\n".repeat(1 << 19));
    engine.release_containers();
    node.ended(&job);
    let gone = Fault::Status(404, "no such container");
    engine.fault(Endpoint::Logs, gone, Times::Always);
    let late = LogSocket::open(node.api, &job, "frames=binary").whole();
    assert_eq!(late.stdout.len(), 2_048, "{late:?}");
    assert!(late.stdout.starts_with(b"first\n0123"));
    assert!(late.notices[0].contains("are kept"), "{:?}", late.notices);
    assert_eq!((late.close, late.error), (Some(1000), None));
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
