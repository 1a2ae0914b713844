//! One life of a node: a process of the real binary on a data directory.

use crate::support::http::{self, Answer};
use crate::support::program::{Ended, Program, Running};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// A node that has said that it is ready. Killed with SIGKILL when dropped.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) id: String,
    pub(super) api: SocketAddr,
    process: Running,
}

/// The process of a node that may not have begun yet.
pub(super) fn begin(dir: &Path, socket: &Path) -> Running {
    let (dir, socket) = (dir.display().to_string(), socket.display().to_string());
    let places = ["--data-dir", &dir, "--engine-socket", &socket];
    let ports = ["--api-port=0", "--port=0", "--swarm-host=127.0.0.1"];
    let mut words = vec!["serve", "--log-level=debug"];
    words.extend(places);
    words.extend(ports);
    Program::new(&words).start()
}

impl Life {
    /// Starts a node and waits until it is ready.
    #[track_caller]
    pub(super) fn start(dir: &Path, socket: &Path) -> Self {
        let process = begin(dir, socket);
        let said = process.says("ready; run a job with: ");
        // "... node ID: REST on ADDRESS, swarm on ADDRESS"
        let (before, after) = said.split_once(": REST on ").expect("the line of places");
        let id = before.rsplit(' ').next().expect("the node's id").to_owned();
        let api = after.split(',').next().expect("the API's address");
        Self {
            id,
            api: api.parse().expect("an address"),
            process,
        }
    }

    /// The process id of this life.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// One API call.
    pub(super) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        call(self.api, method, path, body).expect("the API answers")
    }

    /// What it has said, the latest `lines`.
    pub(super) fn last_words(&self, lines: usize) -> String {
        let said = self.process.err();
        let mut last: Vec<&str> = said.lines().rev().take(lines).collect();
        last.reverse();
        last.join("\n")
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        self.process.signal(signal);
    }

    /// Sends a signal and waits for its end.
    #[track_caller]
    pub(super) fn end(self, signal: rustix::process::Signal) -> Ended {
        self.process.signal(signal);
        self.process.ended()
    }

    /// Ends it with SIGKILL: it is told nothing.
    pub(super) fn kill(self) {
        let ended = self.end(rustix::process::Signal::KILL);
        assert_eq!(ended.code, -1, "it ended by itself before:\n{}", ended.err);
    }
}

/// One call to an API that may be gone.
pub(super) fn call(
    api: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> io::Result<Answer> {
    http::request(api, method, &format!("/api/v1/orchestrator/{path}"), body)
}
