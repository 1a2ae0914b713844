//! `TestNode`: the real node on loopback, on a thread of its own.

use super::board::CalmBoard;
use super::engine::ScriptedEngine;
use super::http::{self, Answer};
use super::wait;
use codling::config::{Config, Raw, Surroundings};
use codling::node::{Evidence, Node, NodeError, NodeEvent};
use codling::swarm::HostEvent;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// A running node. Dropping it stops it cleanly.
#[derive(Debug)]
pub(crate) struct TestNode {
    pub(crate) id: String,
    pub(crate) api: SocketAddr,
    swarm: Vec<SocketAddr>,
    events: Receiver<NodeEvent>,
    stop: async_channel::Sender<()>,
    thread: Option<JoinHandle<Result<(), NodeError>>>,
    /// The board that it looks at, if it is not one of the test's own.
    _board: Option<CalmBoard>,
}

/// Opens a node. A process that another test has just forked has this one's locks until it becomes another program, also
/// that of a node which was stopped meanwhile: only such a taken directory is tried again.
#[track_caller]
fn opened(open: impl Fn() -> Result<Node, NodeError>) -> Node {
    wait::until("the node opens", || match open() {
        Err(taken @ NodeError::DataDirTaken { .. }) => Err(taken),
        opened => Ok(opened.expect("the node opens")),
    })
}

impl TestNode {
    /// Starts a node on `dir` with further flags, on a board at ease; ports are free ones on loopback.
    #[track_caller]
    pub(crate) fn start(dir: &Path, flags: &[(&str, &str)]) -> Self {
        Self::start_on_board(CalmBoard::new(), dir, flags)
    }

    /// The same after the board was restarted.
    #[track_caller]
    pub(crate) fn start_after_reboot(dir: &Path, flags: &[(&str, &str)]) -> Self {
        Self::start_on_board(CalmBoard::rebooted(), dir, flags)
    }

    #[track_caller]
    fn start_on_board(board: CalmBoard, dir: &Path, flags: &[(&str, &str)]) -> Self {
        let config = config(dir, flags);
        let node = opened(|| Node::open(&config, board.root(), Evidence::default()));
        Self::run(node, Some(board))
    }

    /// Starts a node on `dir` with a scripted engine, on a board at ease.
    #[track_caller]
    pub(crate) fn start_on(dir: &Path, engine: &ScriptedEngine) -> Self {
        let board = CalmBoard::new();
        let config = config(dir, &[]);
        let node = opened(|| {
            let engine = Arc::new(engine.client());
            Node::open_with(&config, board.root(), engine, Evidence::default())
        });
        Self::run(node, Some(board))
    }

    /// Starts a node on `dir` with a scripted engine and further flags, on the board that `root` shows.
    #[track_caller]
    pub(crate) fn start_in(
        dir: &Path,
        engine: &ScriptedEngine,
        root: &Path,
        flags: &[(&str, &str)],
    ) -> Self {
        let config = config(dir, flags);
        let node = opened(|| {
            let engine = Arc::new(engine.client());
            Node::open_with(&config, root, engine, Evidence::default())
        });
        Self::run(node, None)
    }

    fn run(node: Node, board: Option<CalmBoard>) -> Self {
        let started = node.started().clone();
        let (tell, events) = channel();
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let thread = std::thread::spawn(move || {
            let stop = async move {
                let _ = stopped.recv().await;
            };
            node.run(stop, move |event| drop(tell.send(event)))
        });
        Self {
            id: started.id.0,
            api: started.api,
            swarm: started.swarm,
            events,
            stop,
            thread: Some(thread),
            _board: board,
        }
    }

    /// What another node's `--peer` takes.
    pub(crate) fn peer_address(&self) -> String {
        let swarm = self.swarm.first().expect("it listens");
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", swarm.port(), self.id)
    }

    /// Waits until a peer is connected.
    #[track_caller]
    pub(crate) fn connected_to(&self, peer: &str) {
        self.event("the peer connects", |event| match event {
            NodeEvent::Swarm(HostEvent::PeerConnected { peer: id, .. }) if id.as_str() == peer => {
                Some(())
            }
            _ => None,
        });
    }

    /// One API call.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        http::request(self.api, method, &format!("/api/v1/{path}"), body).expect("the API answers")
    }

    /// Submits a job; its id.
    #[track_caller]
    pub(crate) fn submit(&self, submission: &Value) -> String {
        let answer = self.call("PUT", "orchestrator/jobs", Some(submission));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["JobID"].as_str().expect("a job id").to_owned()
    }

    /// The job with its executions and history, once it is in a terminal state.
    #[track_caller]
    pub(crate) fn ended(&self, job: &str) -> Value {
        let path = format!("orchestrator/jobs/{job}?include=executions,history");
        wait::until("the job ends", || {
            let body = self.call("GET", &path, None).body;
            match body["Job"]["State"]["StateType"].as_str() {
                Some("Completed" | "Failed" | "Stopped") => Ok(body),
                _ => Err(body),
            }
        })
    }

    /// The job's first execution, once it is in a terminal state.
    #[track_caller]
    pub(crate) fn execution_ended(&self, job: &str) -> Value {
        let path = format!("orchestrator/jobs/{job}/executions");
        wait::until("the execution ends", || {
            let execution = self.call("GET", &path, None).body["Items"][0].clone();
            match execution["ComputeState"]["StateType"].as_u64() {
                Some(4 | 8..=11) => Ok(execution),
                _ => Err(execution),
            }
        })
    }

    /// Waits until the job's container runs.
    #[track_caller]
    pub(crate) fn running(&self, job: &str) {
        let path = format!("orchestrator/jobs/{job}/executions");
        wait::until("the job runs", || {
            let body = self.call("GET", &path, None).body;
            if body["Items"][0]["ComputeState"]["StateType"] == 6 {
                Ok(())
            } else {
                Err(body)
            }
        });
    }

    /// The job's first execution, once it shows that its engine is away.
    #[track_caller]
    pub(crate) fn waits_for_engine(&self, job: &str) -> Value {
        let path = format!("orchestrator/jobs/{job}/executions");
        wait::until("the execution shows that its engine is away", || {
            let execution = self.call("GET", &path, None).body["Items"][0].clone();
            match execution["ComputeState"]["Message"].as_str() {
                Some(message) if message.starts_with("engine away since ") => Ok(execution),
                _ => Err(execution),
            }
        })
    }

    /// The next event that `pick` takes.
    #[track_caller]
    pub(crate) fn event<T>(&self, what: &str, mut pick: impl FnMut(&NodeEvent) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let deadline = Instant::now() + wait::LONG;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left);
            let event = event.unwrap_or_else(|_| panic!("{what} did not happen; seen: {seen:?}"));
            if let Some(picked) = pick(&event) {
                return picked;
            }
            seen.push(event);
        }
    }

    /// Stops the node as SIGTERM does.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Result<(), NodeError> {
        self.end().expect("the node was running")
    }

    fn end(&mut self) -> Option<Result<(), NodeError>> {
        let _ = self.stop.try_send(());
        self.thread
            .take()
            .map(|thread| thread.join().expect("the node's thread ends"))
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The settings of a node on `dir` with further flags.
fn config(dir: &Path, flags: &[(&str, &str)]) -> Config {
    let fixed = [
        ("api-port", "0"),
        ("port", "0"),
        ("swarm-host", "127.0.0.1"),
    ];
    let mut given = vec![("data-dir".to_owned(), dir.display().to_string())];
    let free = fixed
        .iter()
        .filter(|(name, _)| !flags.iter().any(|(other, _)| other == name));
    given.extend(
        free.chain(flags)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let around = Surroundings {
        working_dir: "/".into(),
        ..Surroundings::default()
    };
    Config::resolve(&Raw {
        flags: given,
        around,
    })
    .expect("the flags are good")
}
