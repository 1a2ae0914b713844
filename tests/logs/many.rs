//! Many followers of one job: nobody is held up by another, memory is bounded, and the node goes on answering.

use crate::support::engine::{Play, Runs, ScriptedEngine};
use crate::support::http;
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::program::{Program, Running};
use crate::support::wait;
use crate::support::websocket::{Log, LogSocket};
use codling::api::Limits;
use serde_json::Value;
use std::net::SocketAddr;

const FOLLOWERS: usize = 100;

/// What a follower may cost while it is held up: its piece of the log, the message and its frame, the engine's and the
/// client's connection.
const FOLLOWER_BYTES_MAX: u64 = 256 * 1024;

fn silent(engine: &ScriptedEngine) {
    let play = Play {
        runs: Runs::UntilReleased,
        stdout: b"first\n".to_vec(),
        ..Play::default()
    };
    engine.image("a", play);
}

/// The real binary on a scripted engine, and where its API listens.
fn serve(dir: &std::path::Path, engine: &ScriptedEngine) -> (Running, SocketAddr) {
    let dir = dir.display().to_string();
    let socket = engine.socket().display().to_string();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let args = [
        "serve",
        "--data-dir",
        &dir,
        "--engine-socket",
        &socket,
        "--swarm-host",
        "127.0.0.1",
        "--port",
        "0",
        "--api-port",
        &port.to_string(),
    ];
    let running = Program::at_ease(env!("CARGO_BIN_EXE_codling"), &args).start();
    running.says("REST on");
    (running, SocketAddr::from(([127, 0, 0, 1], port)))
}

fn call(api: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> http::Answer {
    http::request(api, method, &format!("/api/v1/{path}"), body).expect("the API answers")
}

/// Anonymous memory of a process: what it allocated, without its text.
fn anonymous_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

#[test]
fn a_hundred_followers_of_which_one_is_stuck_get_all_of_it_in_bounded_memory_while_jobs_are_taken()
{
    let dir = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start();
    silent(&engine);
    engine.image("quick", Play::default());
    let (node, api) = serve(dir.path(), &engine);
    let submitted = call(api, "PUT", "orchestrator/jobs", Some(&command("a", &[])));
    let job = submitted.body["JobID"].as_str().unwrap().to_owned();
    let mut followers: Vec<(LogSocket, Log)> = (0..FOLLOWERS)
        .map(|_| {
            (
                LogSocket::open(api, &job, "follow=true&frames=binary"),
                Log::default(),
            )
        })
        .collect();
    for (follower, log) in &mut followers {
        follower.gather(log, |log| log.stdout.len() == 6);
    }
    let before = anonymous_bytes(node.pid());
    // More than the sockets of one connection hold, in lines that cost a test build little.
    let output = [&[b'x'; 8_191][..], b"\n"].concat().repeat(1_536);
    engine.print(1, &output);
    // One that is in the middle, and does not read.
    let (_stuck, _) = followers.remove(FOLLOWERS / 2);
    let mut most = before;
    for (at, (follower, log)) in followers.iter_mut().enumerate() {
        follower.gather(log, |log| log.stdout.len() == 6 + output.len());
        assert!(log.stdout[6..] == output[..]);
        log.stdout = Vec::new();
        if at % 10 == 0 {
            most = most.max(anonymous_bytes(node.pid()));
            assert_eq!(call(api, "GET", "agent/alive", None).status, 200);
            let other = call(
                api,
                "PUT",
                "orchestrator/jobs",
                Some(&command("quick", &[])),
            );
            assert_eq!(other.status, 200, "{}", other.body);
        }
    }
    let grown = (most - before) / FOLLOWERS as u64;
    assert!(grown <= FOLLOWER_BYTES_MAX, "{grown} bytes a follower");
    engine.release_containers();
    for (follower, log) in &mut followers {
        follower.gather(log, |_| false);
        assert_eq!(log.close, Some(1000));
    }
}

#[test]
fn beyond_the_bound_a_follower_is_told_so_and_all_else_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start();
    silent(&engine);
    let node = TestNode::start_on(dir.path(), &engine);
    let job = node.submit(&command("a", &[]));
    let limit = Limits::STANDARD.followers;
    assert!((FOLLOWERS..Limits::STANDARD.connections).contains(&limit));
    let mut followers: Vec<LogSocket> = (0..limit)
        .map(|_| LogSocket::open(node.api, &job, "follow=true"))
        .collect();
    for follower in &mut followers {
        follower.next();
    }
    let told = LogSocket::open(node.api, &job, "").whole();
    let words =
        format!("too many logs are being followed: at most {limit}; try again when one has ended");
    assert_eq!((told.error, told.close), (Some(words), Some(1000)));
    assert_eq!(node.call("GET", "agent/alive", None).status, 200);
    followers.pop();
    wait::until("there is room for another", || {
        let log = LogSocket::open(node.api, &job, "").whole();
        log.error.map_or(Ok(()), Err)
    });
}
