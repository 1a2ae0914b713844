//! The log of the real binary: its formats, and how little it says.

use crate::support::engine::{Play, ScriptedEngine};
use crate::support::program::{Program, Running, serve_on};
use crate::support::wait;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

/// The port in the ready line.
fn api_port(node: &Running) -> String {
    let err = node.says("ready; run a job with: ");
    let rest = err.split("REST on 127.0.0.1:").nth(1).unwrap();
    let digits = rest.chars().take_while(char::is_ascii_digit);
    digits.collect()
}

#[test]
fn a_job_costs_the_log_two_lines_at_most() {
    const JOBS: usize = 5;
    let (scratch, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
    engine.image("a", Play::default());
    let node = serve_on(scratch.path(), engine.socket(), &[]).start();
    let port = api_port(&node);
    node.says("engine Podman");
    let before = node.err().lines().count();
    for _ in 0..JOBS {
        let ended = Program::new(&["run", "--api-port", &port, "a", "--", "go"]).run();
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    let err = node.err();
    assert!(err.lines().count() <= before + 2 * JOBS, "{err}");
}

#[test]
fn json_is_one_object_a_line_from_the_first_to_the_last() {
    let scratch = tempfile::tempdir().unwrap();
    let engine = scratch.path().join("no.sock");
    let node = serve_on(scratch.path(), &engine, &["--log-format", "json"]).start();
    node.says("get one running with: ");
    node.says("ready; run a job with: ");
    node.signal(rustix::process::Signal::TERM);
    let ended = node.ended();
    assert_eq!(ended.code, 0, "{}", ended.err);
    for line in ended.err.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        for key in ["time", "level", "message"] {
            assert!(line[key].is_string(), "{key}: {line}");
        }
    }
}

#[test]
fn what_ends_a_node_is_told_in_the_format_of_its_log() {
    let scratch = tempfile::tempdir().unwrap();
    let first = serve_on(scratch.path(), &scratch.path().join("no.sock"), &[]).start();
    first.says("ready; run a job with: ");
    for level in ["info", "off"] {
        let flags = ["--log-format", "json", "--log-level", level];
        let ended = serve_on(scratch.path(), &scratch.path().join("no.sock"), &flags).run();
        assert_eq!(ended.code, 3, "{}", ended.err);
        let read = |line| serde_json::from_str::<serde_json::Value>(line).expect(line);
        let lines: Vec<serde_json::Value> = ended.err.lines().map(read).collect();
        let [.., cause, fix] = lines.as_slice() else {
            panic!("two lines are missing: {}", ended.err);
        };
        assert_eq!(
            (&cause["level"], &fix["level"]),
            (&"error".into(), &"error".into())
        );
        assert!(
            cause["message"].as_str().unwrap().contains("is in use by"),
            "{cause}"
        );
        assert!(
            fix["message"].as_str().unwrap().contains("--data-dir"),
            "{fix}"
        );
    }
}

#[test]
fn the_journal_gets_priorities_and_no_times_and_a_file_that_it_is_not_gets_times() {
    let scratch = tempfile::tempdir().unwrap();
    for (named, is_journal) in [(0, true), (1, false)] {
        let path = scratch.path().join(format!("log-{named}"));
        let log = File::create(&path).unwrap();
        let meta = log.metadata().unwrap();
        let stream = format!("{}:{}", meta.dev(), meta.ino() + named);
        let dir = scratch.path().join(format!("data-{named}"));
        let mut node = Command::new(env!("CARGO_BIN_EXE_codling"))
            .args(["serve", "--api-port", "0", "--port", "0"])
            .args(["--swarm-host", "127.0.0.1", "--engine-socket", "/none.sock"])
            .arg("--data-dir")
            .arg(&dir)
            .env_clear()
            .env("JOURNAL_STREAM", &stream)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let text = wait::until("the node is ready", || {
            let text = fs::read_to_string(&path).unwrap();
            if text.contains("ready; run a job with: ") && text.contains("get one running") {
                Ok(text)
            } else {
                Err(text)
            }
        });
        node.kill().unwrap();
        node.wait().unwrap();
        for line in text.lines() {
            let is_marked = line.starts_with("<6>") || line.starts_with("<4>");
            assert_eq!(is_marked, is_journal, "{line}");
        }
        assert!(!is_journal || text.contains("<4>"), "{text}");
    }
}
