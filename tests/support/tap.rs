//! A tap on the line between a node and its engine: forwards every byte, tells what passes, counts, and
//! keeps answers back on demand.
//!
//! It outlives the node, so it still hears the engine's answer to a call whose caller was killed. One request per
//! connection, as the node makes them.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex};

/// A call to the engine that rounds know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Image,
    Pull,
    Create,
    Start,
    /// An inspection of a container.
    Look,
    Output,
    Stop,
    Remove,
    /// Lists, questions about the engine itself.
    Other,
}

/// Which half of a call has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Sent,
    Answered,
}

/// Who is told that half a call has passed.
type Listener = Sender<(Call, Side)>;

/// The tap; ends with the test's process at the latest.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) socket: PathBuf,
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    engine: PathBuf,
    listener: Mutex<Option<Listener>>,
    counts: Mutex<Counts>,
    held: Mutex<Held>,
    let_go: Condvar,
}

/// What is kept back.
#[derive(Debug, Default)]
struct Held {
    /// Calls whose answers are.
    answers: Option<Call>,
    /// Halves of which the next one is.
    next: Vec<(Call, Side)>,
    /// How many of those are now.
    kept: usize,
    /// How often they were resumed, and how at last.
    resumed: (u64, Option<Then>),
}

/// What becomes of what was kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It passes.
    PassOn,
    /// It is lost, and its caller's connection with it.
    BreakOff,
}

/// What the engine did, by its own answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Containers that were made: id and name.
    pub(crate) made: BTreeMap<String, String>,
    /// How often each was started, not counting "it was started already".
    pub(crate) starts: BTreeMap<String, u64>,
}

impl Counts {
    /// How often containers were started for an execution.
    pub(crate) fn starts_of(&self, execution: &str) -> u64 {
        let started = self.starts.iter().filter(|(container, _)| {
            self.made
                .get(*container)
                .is_some_and(|name| name.contains(execution))
        });
        started.map(|(_, starts)| starts).sum()
    }

    /// How often containers were started in all.
    pub(crate) fn starts_in_all(&self) -> u64 {
        self.starts.values().sum()
    }
}

impl Tap {
    /// Listens on a socket in `dir` and forwards to `engine`.
    pub(crate) fn start(dir: &Path, engine: PathBuf) -> Self {
        let socket = dir.join("tap.sock");
        let listener = UnixListener::bind(&socket).expect("the tap's socket is free");
        let line = Arc::new(Line {
            engine,
            listener: Mutex::default(),
            counts: Mutex::default(),
            held: Mutex::default(),
            let_go: Condvar::new(),
        });
        let shared = Arc::clone(&line);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let line = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A call that breaks off is one whose caller was killed.
                    let _ = line.forward(client);
                });
            }
        });
        Self { socket, line }
    }

    /// Tells `listener` what passes from now on.
    pub(crate) fn tell(&self, listener: Listener) {
        *self.line.listener.lock().unwrap() = Some(listener);
    }

    /// Keeps back the answers to such calls, which the engine carries out all the same.
    pub(crate) fn hold(&self, call: Call) {
        self.line.held.lock().unwrap().answers = Some(call);
    }

    /// Keeps back the next such half of a call until `resume`.
    pub(crate) fn keep_next(&self, call: Call, side: Side) {
        self.line.held.lock().unwrap().next.push((call, side));
    }

    /// How many are kept back so.
    pub(crate) fn kept(&self) -> usize {
        self.line.held.lock().unwrap().kept
    }

    /// Ends that for all.
    pub(crate) fn resume(&self, then: Then) {
        let mut held = self.line.held.lock().unwrap();
        held.next.clear();
        held.kept = 0;
        held.resumed = (held.resumed.0 + 1, Some(then));
        self.line.let_go.notify_all();
    }

    /// Lets go of what is held.
    pub(crate) fn let_go(&self) {
        self.line.held.lock().unwrap().answers = None;
        self.line.let_go.notify_all();
    }

    /// What has been counted so far.
    pub(crate) fn counts(&self) -> Counts {
        self.line.counts.lock().unwrap().clone()
    }
}

impl Line {
    fn forward(&self, mut client: UnixStream) -> io::Result<()> {
        let head = read_head(&mut client)?;
        let text = String::from_utf8_lossy(&head).into_owned();
        let target = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let call = classify(&text);
        if self.when_resumed(call, Side::Sent) == Then::BreakOff {
            return Ok(());
        }
        let mut engine = UnixStream::connect(&self.engine)?;
        engine.write_all(&head)?;
        self.told(call, Side::Sent);
        let (mut from_client, mut to_engine) = (client.try_clone()?, engine.try_clone()?);
        let rest = std::thread::spawn(move || {
            let _ = io::copy(&mut from_client, &mut to_engine);
            // The engine sees a caller that hangs up, as it would without a tap.
            let _ = to_engine.shutdown(Shutdown::Write);
        });
        let mut answer = Vec::new();
        let mut chunk = [0; 16 * 1024];
        while let Ok(length @ 1..) = engine.read(&mut chunk) {
            let is_first = answer.is_empty();
            answer.extend_from_slice(&chunk[..length]);
            if is_first {
                self.count_start(call, &target, &answer);
                let held = self.held.lock().unwrap();
                let is_held = |held: &mut Held| held.answers == Some(call);
                drop(self.let_go.wait_while(held, is_held));
                if self.when_resumed(call, Side::Answered) == Then::BreakOff {
                    break;
                }
            }
            // The caller may be dead; the answer is still of interest.
            let _ = client.write_all(&chunk[..length]);
            if is_first {
                self.told(call, Side::Answered);
            }
        }
        self.count_made(call, &target, &answer);
        let _ = client.shutdown(Shutdown::Both);
        rest.join().map_err(|_| io::ErrorKind::Other.into())
    }

    /// Keeps half a call back if the next one is to be.
    fn when_resumed(&self, call: Call, side: Side) -> Then {
        let mut held = self.held.lock().unwrap();
        let Some(at) = held.next.iter().position(|next| *next == (call, side)) else {
            return Then::PassOn;
        };
        held.next.remove(at);
        held.kept += 1;
        let (before, _) = held.resumed;
        let held = self
            .let_go
            .wait_while(held, |held| held.resumed.0 == before);
        held.unwrap().resumed.1.unwrap_or(Then::PassOn)
    }

    fn told(&self, call: Call, side: Side) {
        if let Some(listener) = self.listener.lock().unwrap().as_ref() {
            // A round that is over listens no more.
            let _ = listener.send((call, side));
        }
    }

    /// 204 is "started now", 304 "was started before".
    fn count_start(&self, call: Call, target: &str, answer: &[u8]) {
        if call == Call::Start && answer.starts_with(b"HTTP/1.1 204") {
            let id = target.rsplit('/').nth(1).unwrap_or_default();
            let mut counts = self.counts.lock().unwrap();
            *counts.starts.entry(id.to_owned()).or_default() += 1;
        }
    }

    fn count_made(&self, call: Call, target: &str, answer: &[u8]) {
        let answer = String::from_utf8_lossy(answer);
        let id = answer.split("\"Id\":\"").nth(1);
        let id = id.and_then(|rest| rest.split('"').next());
        let name = target.rsplit("name=").next().unwrap_or_default();
        if let (Call::Create, Some(id)) = (call, id) {
            let mut counts = self.counts.lock().unwrap();
            counts.made.insert(id.to_owned(), name.to_owned());
        }
    }
}

/// Everything up to the empty line.
fn read_head(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut chunk = [0; 16 * 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match client.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => head.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(head)
}

fn classify(head: &str) -> Call {
    let line = head.lines().next().unwrap_or_default();
    let has = |part: &str| line.contains(part);
    match line.split(' ').next() {
        Some("GET") if has("/images/") => Call::Image,
        Some("POST") if has("/images/create?") => Call::Pull,
        Some("POST") if has("/containers/create?") => Call::Create,
        Some("POST") if has("/start ") => Call::Start,
        Some("GET") if has("/containers/") && has("/json ") => Call::Look,
        Some("GET") if has("/logs?") => Call::Output,
        Some("POST") if has("/stop?") => Call::Stop,
        Some("DELETE") => Call::Remove,
        _ => Call::Other,
    }
}
