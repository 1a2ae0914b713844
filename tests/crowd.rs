//! The real binary among crowds of clients that take connections and give nothing: it stays small and serves the next one.

use crate::support::http;
use crate::support::program::{Running, serve};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

const HALF_OPEN: usize = 10_000;
const IDLE: usize = 500;

/// Connections that the node keeps at most (`Limits::STANDARD`), and what else it has open.
const DESCRIPTORS_MAX: usize = 256 + 64;

/// What 256 connections may cost: a task and the buffers of a head, some 12 KB each; three times that in unoptimised code.
const GROWTH_MAX_KB: u64 = 12 * 1024;

struct Node {
    running: Running,
    api: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Node {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let running = serve(dir.path(), &[]).start();
        let api = running.api();
        Self {
            running,
            api,
            _dir: dir,
        }
    }

    #[track_caller]
    fn is_well(&self) {
        let answer =
            http::request(self.api, "GET", "/api/v1/agent/node", None).expect("it answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.running.pid())
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    fn threads(&self) -> usize {
        fs::read_dir(self.proc("task")).unwrap().count()
    }

    /// Memory of its own, its text left out, in KB.
    fn memory_kb(&self) -> u64 {
        let rollup = fs::read_to_string(self.proc("smaps_rollup")).unwrap();
        rollup
            .lines()
            .find_map(|line| line.strip_prefix("Anonymous:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .expect("a number of KB")
    }

    #[track_caller]
    fn is_small(&self, before_kb: u64, threads: usize) {
        let descriptors = self.descriptors();
        assert!(descriptors <= DESCRIPTORS_MAX, "{descriptors} descriptors");
        assert_eq!(self.threads(), threads, "no thread per connection");
        let grown = self.memory_kb().saturating_sub(before_kb);
        assert!(grown <= GROWTH_MAX_KB, "grown by {grown} KB");
    }
}

/// How many connections this process may hold, the other tests left alone: all that it needs where the system lets it.
fn room() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let maximum = limit.maximum.unwrap_or(1_000_000);
    let raised = Rlimit {
        current: Some(maximum),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    usize::try_from(maximum).unwrap().saturating_sub(1_000)
}

#[test]
fn ten_thousand_half_open_connections_leave_the_node_small_and_serving() {
    let node = Node::start();
    node.is_well();
    let (before_kb, threads) = (node.memory_kb(), node.threads());
    let room = room();
    let mut held = VecDeque::new();
    for opened in 1..=HALF_OPEN {
        if held.len() == room {
            held.pop_front();
        }
        let mut half = TcpStream::connect(node.api).expect("the kernel takes it");
        // The oldest were closed to make room; this one is new.
        let _ = half.write_all(b"GET /api/v1/agent/alive HTTP/1.1\r\nHo");
        held.push_back(half);
        // Its turn comes after all that wait, so the queue is empty then.
        if opened % 500 == 0 {
            node.is_well();
        }
    }
    node.is_small(before_kb, threads);
    drop(held);
    node.is_well();
}

#[test]
fn five_hundred_idle_connections_leave_the_node_small_and_serving() {
    let node = Node::start();
    node.is_well();
    let (before_kb, threads) = (node.memory_kb(), node.threads());
    let idle: Vec<TcpStream> = (0..IDLE)
        .map(|_| {
            let mut client = TcpStream::connect(node.api).expect("the kernel takes it");
            client
                .write_all(b"GET /api/v1/agent/alive HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            let mut start = [0; 12];
            client.read_exact(&mut start).unwrap();
            assert_eq!(&start, b"HTTP/1.1 200");
            client
        })
        .collect();
    node.is_well();
    node.is_small(before_kb, threads);
    drop(idle);
    node.is_well();
}
