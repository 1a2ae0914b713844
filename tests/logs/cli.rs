//! `codling run` and `codling job logs` as a user types them.

use super::MEGABYTES;
use crate::support::engines::Real;
use crate::support::jobs::{IMAGE, shell};
use crate::support::program::{Ended, Program, Running, serve_on};
use crate::support::stand::Stand;
use rustix::process::Signal;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

fn run_on(real: Real, line: &str) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let node = Stand::Real(real).node(dir.path());
    Program::new(&["run", IMAGE, "--", "sh", "-c", line])
        .api(node.api)
        .run()
}

#[test]
fn run_shows_ten_megabytes_of_a_job_that_ends_at_once_on_podman_and_on_docker() {
    for real in [Real::Podman, Real::Docker] {
        let ended = run_on(real, MEGABYTES);
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert_eq!(ended.out.len(), 10_000_000, "{real:?}: {}", ended.err);
    }
}

#[test]
fn run_keeps_the_streams_apart_and_every_byte_as_it_was() {
    let ended = run_on(
        Real::Podman,
        r"printf 'a\377\000\r\n'; echo oops >&2; exit 7",
    );
    assert_eq!(ended.code, 7);
    assert_eq!(ended.out_bytes, b"a\xff\0\r\n");
    assert_eq!(ended.err.matches("oops\n").count(), 1, "{}", ended.err);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn serve(dir: &Path, port: u16) -> Running {
    let port = port.to_string();
    let node = serve_on(dir, &Real::Podman.socket(), &["--api-port", &port]).start();
    node.says("REST on");
    node
}

#[test]
fn run_and_job_logs_go_on_behind_the_last_byte_when_the_node_is_killed_in_mid_job() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let api = SocketAddr::from(([127, 0, 0, 1], port));
    let node = serve(dir.path(), port);
    let line = "for i in $(seq 1 60); do echo line $i; echo err $i >&2; sleep 0.1; done";
    let run = Program::new(&["run", IMAGE, "--", "sh", "-c", line])
        .api(api)
        .start();
    let told = run.says("err 5\n");
    let job = told
        .split_whitespace()
        .find(|word| word.starts_with("j-"))
        .unwrap()
        .to_owned();
    let tail = Program::new(&["job", "logs", "-f", "--tail", "1", &job])
        .api(api)
        .start();
    tail.says("err ");
    node.signal(Signal::KILL);
    drop(node);
    tail.says("the node does not answer");
    let node = serve(dir.path(), port);
    let ended = run.ended();
    let expected: String = (1..=60).map(|i| format!("line {i}\n")).collect();
    assert_eq!(ended.out, expected, "{}", ended.err);
    let numbers = |ended: &Ended| -> Vec<u32> {
        let lines = ended.err.lines();
        lines
            .filter_map(|line| line.strip_prefix("err ")?.parse().ok())
            .collect()
    };
    assert_eq!(numbers(&ended), (1..=60).collect::<Vec<u32>>());
    assert_eq!(ended.code, 0);
    let tailed = tail.ended();
    assert_eq!(tailed.code, 0, "{}", tailed.err);
    let seen = numbers(&tailed);
    let first = *seen.first().unwrap();
    assert_eq!(seen, (first..=60).collect::<Vec<u32>>());
    drop(node);
}

#[test]
fn job_logs_shows_a_job_that_ended_and_says_what_it_cannot_show() {
    let dir = tempfile::tempdir().unwrap();
    let on = Stand::scripted();
    let node = on.node(dir.path());
    let job = node.submit(&shell("echo out; echo err >&2; exit 3"));
    node.ended(&job);
    let shown = Program::new(&["job", "logs", &job]).api(node.api).run();
    assert_eq!(
        (shown.code, &shown.out[..], &shown.err[..]),
        (0, "out\n", "err\n")
    );
    let last = Program::new(&["job", "logs", "--tail", "0", &job])
        .api(node.api)
        .run();
    assert_eq!((last.code, &last.out[..]), (0, ""));
    let none = Program::new(&["job", "logs", "j-none"]).api(node.api).run();
    assert_eq!(none.code, 1);
    assert!(none.err.contains("job not found: j-none"), "{}", none.err);
    let bad = Program::new(&["job", "logs", "--tail", "many", &job])
        .api(node.api)
        .run();
    assert_eq!(bad.code, 2, "{}", bad.err);
}
