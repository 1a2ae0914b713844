//! `codling serve`: the start report, the ready line, a clean stop, and places that are taken.

use crate::support::program::{Program, Running, serve};
use crate::support::wait;
use std::time::{Duration, Instant};

/// How long a stop may take: the promise.
const STOP_MAX: Duration = Duration::from_secs(2);

/// The node id and the API port of the ready lines.
fn place(running: &Running) -> (String, String) {
    let err = running.says("ready; run a job with: ");
    let line = err
        .lines()
        .find(|line| line.contains(": REST on "))
        .unwrap();
    let id = line
        .split("node ")
        .nth(1)
        .unwrap()
        .split(':')
        .next()
        .unwrap();
    let port = line
        .split("REST on 127.0.0.1:")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    (id.to_owned(), port.to_owned())
}

#[test]
fn a_node_reports_every_setting_then_what_to_type_next_and_stops_cleanly_on_a_signal() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let scratch = tempfile::tempdir().unwrap();
        let node = serve(scratch.path(), &["--name", "pi"])
            .env("LOG_LEVEL", "")
            .start();
        let (id, port) = place(&node);
        let err = node.err();
        for line in [
            "INFO  --name pi (flag --name)",
            "INFO  --image-pull missing (default)",
            &format!("INFO  ready; run a job with: codling run --api-port {port} "),
            &format!("/p2p/{id}"),
        ] {
            assert!(err.contains(line), "{line}\n{err}");
        }
        let list = Program::new(&["job", "list", "--api-port", &port]).run();
        assert_eq!(list.code, 0, "{}", list.err);
        let dir = scratch.path().display().to_string();
        let told = Program::new(&["id", "--data-dir", &dir]).run();
        assert_eq!(told.out.trim(), id);
        node.signal(signal);
        let asked_at = Instant::now();
        let ended = node.ended();
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(asked_at.elapsed() < STOP_MAX, "{}", ended.err);
        assert_eq!(ended.out, "", "stdout is not a log");
    }
}

#[test]
fn without_an_engine_a_node_runs_and_says_once_how_to_get_one() {
    let scratch = tempfile::tempdir().unwrap();
    let node = serve(scratch.path(), &[]).start();
    let err = node.says("get one running with: ");
    assert!(err.contains("/nonexistent/engine.sock"), "{err}");
    place(&node);
}

#[test]
fn a_quiet_log_level_hides_the_report_and_not_the_errors() {
    let scratch = tempfile::tempdir().unwrap();
    let first = serve(scratch.path(), &[]).start();
    place(&first);
    let second = serve(scratch.path(), &["--log-level", "error"]).run();
    assert_eq!(second.code, 3);
    assert!(second.err.starts_with("codling: "), "{}", second.err);
}

#[test]
fn a_place_that_is_taken_ends_with_3_and_names_what_is_taken() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = serve(one.path(), &[]).start();
    let (_, api_port) = place(&first);
    let err = first.err();
    let swarm_port = err
        .split("swarm on 127.0.0.1:")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .unwrap()
        .to_owned();
    for (dir, flags, named) in [
        (one.path(), vec![], "--data-dir"),
        (two.path(), vec!["--api-port", &api_port], "--api-port"),
        (two.path(), vec!["--port", &swarm_port], "--port"),
    ] {
        let ended = serve(dir, &flags).run();
        assert_eq!(ended.code, 3, "{named}: {}", ended.err);
        let last = ended.err.lines().rev().nth(1).unwrap_or_default();
        assert!(
            last.starts_with("codling: ") && last.contains(named) && last.contains("process "),
            "{}",
            ended.err
        );
    }
    // The first node never noticed.
    let list = Program::new(&["job", "list", "--api-port", &api_port]).run();
    assert_eq!(list.code, 0, "{}", list.err);
}

#[test]
fn an_idle_node_says_nothing_more() {
    let scratch = tempfile::tempdir().unwrap();
    let node = serve(scratch.path(), &[]).start();
    node.says("get one running with: ");
    let (_, port) = place(&node);
    let before = node.err();
    // Requests are answered without a line each.
    wait::until("twenty answers", || {
        for _ in 0..20 {
            let list = Program::new(&["job", "list", "--api-port", &port]).run();
            if list.code != 0 {
                return Err(list.err);
            }
        }
        Ok(())
    });
    assert_eq!(node.err(), before);
}
