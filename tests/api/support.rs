//! The real server on a real socket, a scripted agent and store behind it, and a client of plain sockets.

use crate::support::wait;
use async_executor::Executor;
use codling::api::{
    Access, ApiBackend, ApiCall, ApiServer, Challenge, Hosts, Limits, LogReads, PeerReads,
    StoreReads, bind,
};
use codling::config::{Config, Raw, Surroundings};
use codling::model::{ApiReply, ApiRequest, ConnectedNode, NodeId, StoreAnswer, StoreQuery};
use futures_lite::future;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a test waits for something that should happen at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What the scripted agent does with a request.
#[derive(Debug)]
pub(super) enum Then {
    Reply(ApiReply),
    /// Never answers, but keeps the reply slot.
    Hold,
    /// Drops the reply slot, as an agent that is rebuilt does.
    Lose,
}

pub(super) type Agent = Box<dyn FnMut(ApiRequest) -> Then + Send>;
pub(super) type Store = Box<dyn Fn(StoreQuery) -> StoreAnswer + Send + Sync>;

/// A server with a scripted node behind it. Stops when dropped.
pub(super) struct TestServer {
    pub(super) addr: SocketAddr,
    asked: Arc<Mutex<Vec<ApiRequest>>>,
    stop: async_channel::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub(super) fn start(agent: Agent, store: Store) -> Self {
        Self::with_limits(agent, store, Limits::STANDARD)
    }

    pub(super) fn with_limits(agent: Agent, store: Store, limits: Limits) -> Self {
        let around = Around {
            limits,
            ..Around::loopback()
        };
        Self::around(agent, store, around)
    }

    pub(super) fn around(agent: Agent, store: Store, around: Around) -> Self {
        Self::run(Some(agent), store, around)
    }

    /// A server whose agent does not even take its requests.
    pub(super) fn without_agent(limits: Limits) -> Self {
        let around = Around {
            limits,
            ..Around::loopback()
        };
        Self::run(None, Box::new(|_| StoreAnswer::Unavailable), around)
    }

    fn run(agent: Option<Agent>, store: Store, around: Around) -> Self {
        let Around {
            access,
            limits,
            peers,
        } = around;
        let listener = bind("127.0.0.1:0".parse().unwrap()).expect("binds");
        let addr = listener.get_ref().local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = async_channel::bounded(1);
        let log = asked.clone();
        let store = Arc::new(store);
        let reads = StoreReads::new(move |query| {
            let store = store.clone();
            async move { store(query) }
        });
        let thread = std::thread::Builder::new()
            .name("api".into())
            .spawn(move || {
                let executor = Arc::new(Executor::new());
                let peers = PeerReads::new(move || std::future::ready(peers.clone()));
                let (backend, calls) = ApiBackend::new(reads, peers, no_logs(), &config());
                let server = ApiServer::start(&executor, vec![listener], backend, access, limits);
                let scripted = async {
                    let mut held = Vec::new();
                    let Some(mut agent) = agent else {
                        return future::pending().await;
                    };
                    while let Ok(ApiCall { request, reply }) = calls.recv().await {
                        log.lock().unwrap().push(request.clone());
                        match agent(request) {
                            Then::Reply(answer) => reply.send(answer),
                            Then::Hold => held.push(reply),
                            Then::Lose => drop(reply),
                        }
                    }
                };
                let until = async {
                    let _ = stopped.recv().await;
                    server.stop().await;
                };
                async_io::block_on(executor.run(future::or(until, async {
                    scripted.await;
                    future::pending().await
                })));
            })
            .expect("a thread");
        Self {
            addr,
            asked,
            stop,
            thread: Some(thread),
        }
    }

    /// What the agent was asked so far.
    pub(super) fn asked(&self) -> Vec<ApiRequest> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(self.addr)
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Reply {
        self.client().send("GET", path, &[], b"")
    }

    #[track_caller]
    pub(super) fn put(&self, path: &str, body: &str) -> Reply {
        self.client().send("PUT", path, &[JSON], body.as_bytes())
    }

    #[track_caller]
    pub(super) fn delete(&self, path: &str, body: &str) -> Reply {
        self.client().send("DELETE", path, &[JSON], body.as_bytes())
    }

    /// Tells the server to stop and waits until it has.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.stop.try_send(());
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            if !std::thread::panicking() {
                outcome.expect("the server's thread does not panic");
            }
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// No execution is here.
fn no_logs() -> LogReads {
    LogReads::new(
        NodeId::from(super::world::NODE),
        |_| futures_lite::stream::empty(),
        future::pending,
    )
}

pub(super) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What a server has around it.
pub(super) struct Around {
    pub(super) access: Access,
    pub(super) limits: Limits,
    pub(super) peers: Vec<ConnectedNode>,
}

impl Around {
    /// As a node on the loopback without a token and without peers.
    pub(super) fn loopback() -> Self {
        Self {
            access: Access {
                hosts: Hosts::new([127, 0, 0, 1].into(), None, &[]),
                token: None,
                challenge: Challenge::new(&NodeId::from(super::world::NODE), [0; 16]),
            },
            limits: Limits::STANDARD,
            peers: Vec::new(),
        }
    }
}

/// The settings that `agent/config` shows.
fn config() -> Config {
    let flags = [
        ("data-dir", "/srv/node"),
        ("api-token-file", "/srv/secret-token-file"),
        ("labels", "room=kitchen"),
    ];
    Config::resolve(&Raw {
        flags: flags
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        around: Surroundings {
            working_dir: "/".into(),
            ..Surroundings::default()
        },
    })
    .expect("the flags are good")
}

/// One connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    #[track_caller]
    pub(super) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Writes bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.stream.write_all(bytes).expect("writes");
        self
    }

    #[track_caller]
    pub(super) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.raw(head.as_bytes()).raw(body);
        self.reply(method)
    }

    /// Reads one answer.
    #[track_caller]
    pub(super) fn reply(&mut self, method: &str) -> Reply {
        self.try_reply(method).expect("an answer, not the end")
    }

    /// Reads one answer; `None` when the server closes instead.
    pub(super) fn try_reply(&mut self, method: &str) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).expect("ASCII head");
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = match method {
            "HEAD" => 0,
            _ => headers
                .get("content-length")
                .map_or(0, |length| length.parse().expect("a length")),
        };
        while self.buffer.len() < length {
            self.more()?;
        }
        let body = self.buffer.drain(..length).collect();
        Some(Reply {
            status,
            headers,
            body,
        })
    }

    fn more(&mut self) -> Option<()> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => None,
            Ok(length) => {
                self.buffer.extend_from_slice(&piece[..length]);
                Some(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer within {PATIENCE:?}: {error}"),
        }
    }

    /// Waits until the server closes; anything that still comes is an error.
    #[track_caller]
    pub(super) fn closed(&mut self) {
        assert!(self.buffer.is_empty(), "unread: {:?}", self.buffer);
        assert_eq!(
            self.more(),
            None,
            "more: {:?}",
            String::from_utf8_lossy(&self.buffer)
        );
    }

    pub(super) fn shut_writing(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }
}

/// One answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The body of an answer that must be 200.
    #[track_caller]
    pub(super) fn ok(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The envelope of an answer that must be refused so; returns its message.
    #[track_caller]
    pub(super) fn refused(&self, status: u16, code: &str) -> String {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{body}");
        let json = self.json();
        assert_eq!(json["Status"], status, "{body}");
        assert_eq!(json["Code"], code, "{body}");
        for key in ["Message", "RequestID", "Component"] {
            assert!(json[key].is_string(), "{key}: {body}");
        }
        assert_ne!(json["Hint"].as_str(), None, "no hint: {body}");
        assert_ne!(json["Hint"], "", "no hint: {body}");
        json["Message"].as_str().unwrap().to_owned()
    }
}

/// Waits until something is true.
#[track_caller]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait::until(what, || if is_so() { Ok(()) } else { Err(()) });
}

/// Compares a body with `tests/golden/api/NAME.json`, byte for byte. `CODLING_GOLDEN=write` writes it instead.
#[track_caller]
pub(super) fn golden(name: &str, body: &[u8]) {
    let path = format!(
        "{}/tests/golden/api/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("CODLING_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, body).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let found = String::from_utf8_lossy(body);
    assert_eq!(
        found, expected,
        "{path}; CODLING_GOLDEN=write accepts the change"
    );
}

/// A body that was recorded from the original server or its CLI.
pub(super) fn recorded(name: &str) -> String {
    let path = format!(
        "{}/tests/golden/api/recorded/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}
