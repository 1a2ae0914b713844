//! Where the real binary is watched while it lives, and what is started on the images of that.

use super::trace;
use super::tree::{Cut, Image, Op, Tape, image};
use crate::support::board::CalmBoard;
use crate::support::engine::{Play, Runs, ScriptedEngine};
use crate::support::http;
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::program::{Ended, Running};
use crate::support::seed::Seed;
use crate::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// Every file that codling writes, by its own name. One that is not here fails the tests: say in the table above what a
/// power cut does to it, and make images of it.
const WRITTEN: [&str; 20] = [
    "codling.lock",
    "libp2p_private_key",
    "libp2p_private_key.tmp",
    "libp2p_private_key.damaged",
    "libp2p_private_key.bak",
    "libp2p_private_key.bak.tmp",
    "libp2p_private_key.bak.old",
    "jobs.db",
    "jobs.db.new",
    "jobs.db.ballast",
    "jobs.db.damaged",
    "jobs.db.import",
    "jobs.db.import.new",
    "executions.db",
    "executions.db.new",
    "executions.db.ballast",
    "executions.db.damaged",
    "executions.db.import",
    "executions.db.import.new",
    "crash.txt",
];
/// Written beside it.
const WRITTEN_TOO: [&str; 1] = ["crash.txt.new"];

/// A power cut damages nothing.
pub(super) const REFUSE: [(&str, &str); 1] = [("store-damaged", "refuse")];

/// The data directory of every scene, two levels below what is watched: the node makes both.
pub(super) const DATA: &str = "home/data";
/// An image whose containers end at once, and one whose containers stay.
pub(super) const ENDS: &str = "ends";
pub(super) const STAYS: &str = "stays";

/// One of this many images of pages of store files is tried in a test run: their own recorder makes twenty thousand.
const PAGES_ONE_IN: u64 = 6;

/// A directory in memory, where nothing waits for a disk.
pub(super) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// An engine that has both images.
pub(super) fn engine() -> ScriptedEngine {
    let engine = ScriptedEngine::start();
    engine.image(ENDS, Play::default());
    let stays = Play {
        runs: Runs::UntilReleased,
        ..Play::default()
    };
    engine.image(STAYS, stays);
    engine
}

/// What a process did, and how it ended.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) tape: Tape,
    pub(super) ended: Ended,
}

/// Runs `codling` where `tape` ends, and plays with it; `TOP` in its arguments is where the tree is.
pub(super) fn watch(
    mut tape: Tape,
    args: &[&str],
    inject: Option<&str>,
    play: impl FnOnce(&Running),
) -> Watched {
    let scratch = scratch();
    let top = scratch.path().join("top");
    std::fs::create_dir(&top).unwrap();
    image(&tape.live()).write(&top);
    let place = top.display().to_string();
    let args: Vec<String> = args.iter().map(|arg| arg.replace("TOP", &place)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let file = scratch.path().join("trace");
    let process = trace::watched(&file, inject, &args)
        // Only a node that loses its engine takes notice.
        .env("CODLING_TEST_PANIC", "1")
        .start();
    play(&process);
    let (ended, trace) = trace::ended(process, &file);
    trace::append(&mut tape, &top, &trace);
    let now = Image::read(&top);
    assert!(
        image(&tape.live()) == now,
        "the trace shows not all that was done to {:?}",
        now.names().collect::<Vec<_>>()
    );
    for name in now.names().chain(image(&tape.live()).names()) {
        let name = name.file_name().unwrap().to_str().unwrap();
        let is_known = WRITTEN
            .iter()
            .chain(&WRITTEN_TOO)
            .any(|known| *known == name);
        let is_directory = ["home", "data"].contains(&name)
            || name.ends_with("-requester")
            || name.ends_with("-compute");
        assert!(is_known || is_directory || name == "export.jsonl", "{name}");
    }
    Watched { tape, ended }
}

/// `codling serve` on the data directory, watched.
pub(super) fn serve(
    tape: Tape,
    engine: &ScriptedEngine,
    inject: Option<&str>,
    play: impl FnOnce(SocketAddr),
) -> Watched {
    let data = format!("TOP/{DATA}");
    let socket = engine.socket().display().to_string();
    let args = [
        "serve",
        "--data-dir",
        &data,
        "--swarm-host",
        "127.0.0.1",
        "--engine-socket",
        &socket,
        "--api-port",
        "0",
        "--port",
        "0",
    ];
    let watched = watch(tape, &args, inject, |process| {
        play(process.api());
        process.signal(Signal::TERM);
    });
    assert_eq!(watched.ended.code, 0, "{}", watched.ended.err);
    watched
}

/// A submission of a batch job, or of a service, which makes one job however often it is sent.
pub(super) fn submission(image: &str, kind: &str) -> Value {
    static TOKENS: AtomicUsize = AtomicUsize::new(0);
    let mut submission = command(image, &["x"]);
    submission["Job"]["Type"] = kind.into();
    let token = TOKENS.fetch_add(1, Ordering::Relaxed);
    submission["IdempotencyToken"] = format!("token {token}").into();
    submission
}

/// Submits until it is taken; the job's id.
pub(super) fn submit(api: SocketAddr, submission: &Value) -> String {
    wait::until("the job is taken", || {
        match http::request(api, "PUT", "/api/v1/orchestrator/jobs", Some(submission)) {
            Ok(answer) if answer.status == 200 => {
                Ok(answer.body["JobID"].as_str().unwrap().to_owned())
            }
            other => Err(other),
        }
    })
}

/// Waits until a job is in one of these states.
pub(super) fn is_in(api: SocketAddr, job: &str, states: &[&str]) {
    let path = format!("/api/v1/orchestrator/jobs/{job}");
    wait::until("the job comes to that state", || {
        let answer = http::request(api, "GET", &path, None).map(|answer| answer.body);
        let body = answer.unwrap_or_default();
        let state = body["Job"]["State"]["StateType"].as_str();
        state
            .is_some_and(|state| states.contains(&state))
            .then_some(())
            .ok_or(body)
    });
}

/// What a job may be in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Batch,
    Service,
}

/// What a client was told of a job, and behind how many ops.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) job: String,
    kind: Kind,
    pub(super) taken: usize,
    /// That it has completed, if it was told so.
    completed: usize,
}

impl Promise {
    /// What was said of `job` on a tape.
    pub(super) fn of(tape: &Tape, job: &str, kind: Kind) -> Self {
        let told = |what: &str| {
            let is_it = |op: &Op| {
                // Not what a 507 says of what may have landed.
                matches!(op, Op::Said(said)
                    if said.starts_with("HTTP/1.1 200") && said.contains(job) && said.contains(what))
            };
            tape.ops.iter().position(is_it).map(|at| at + 1)
        };
        let taken = told("\"JobID\":");
        let completed = told("\"StateType\":\"Completed\"");
        Self {
            job: job.to_owned(),
            kind,
            taken: taken.expect("it was acknowledged"),
            completed: completed.unwrap_or(usize::MAX),
        }
    }

    /// Whether somebody was told that it has completed.
    pub(super) fn was_shown(&self) -> bool {
        self.completed < usize::MAX
    }

    /// The same of a job that had completed before.
    pub(super) fn kept(job: &str) -> Self {
        Self {
            job: job.to_owned(),
            kind: Kind::Batch,
            taken: 0,
            completed: 0,
        }
    }
}

/// How many pages of store files are cut at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pages {
    Some,
    All,
}

/// What may be left behind each op of `cuts`, each tree once: its position, its name, itself.
pub(super) fn images(tape: &Tape, cuts: Range<usize>, pages: Pages) -> Vec<(usize, String, Image)> {
    let mut medium = tape.medium();
    let mut seed = Seed::new(1);
    let mut seen = BTreeSet::new();
    let mut images = Vec::new();
    for at in 0..=tape.ops.len() {
        let is_page =
            matches!(tape.ops.get(at), Some(Op::Write { data, .. }) if data.len() >= 4_096);
        let is_left_out = is_page
            && pages == Pages::Some
            && std::env::var_os("CODLING_TEST_FULL").is_none()
            && !seed.once_in(PAGES_ONE_IN);
        if cuts.contains(&at) && !is_left_out {
            for kind in [
                Cut::Dropped,
                Cut::Kept,
                Cut::NamesOnly,
                Cut::Torn(seed.next()),
            ] {
                let image = medium.cut(kind);
                let mut hasher = DefaultHasher::new();
                image.hash(&mut hasher);
                // What was promised counts, too: the same tree may be enough before and not behind it.
                let said = tape.ops[..at].iter();
                let said = said.filter(|op| matches!(op, Op::Said(_))).count();
                if seen.insert((hasher.finish(), said)) {
                    images.push((at, format!("behind op {at}, {kind:?}"), image));
                }
            }
        }
        if at < tape.ops.len() {
            medium.advance();
        }
    }
    images
}

/// Puts an image on a disk for as long as `look` looks at it. It stays if that fails.
pub(super) fn on_disk<T>(image: &Image, name: &str, look: impl FnOnce(&Path) -> T) -> T {
    let scratch = scratch();
    image.write(scratch.path());
    let path = scratch.keep();
    println!("{name}: {}", path.display());
    let seen = look(&path);
    std::fs::remove_dir_all(path).unwrap();
    seen
}

/// Starts a node on an image and holds it to what was promised by then. `id` is the node's, if it had promised anything.
pub(super) fn holds(
    (at, name, image): &(usize, String, Image),
    promises: &[Promise],
    id: &str,
    flags: &[(&str, &str)],
    board: &CalmBoard,
) {
    // Of its own: an image has the executions of the one before it, and what is late there must not meet these.
    let engine = engine();
    let promised: Vec<&Promise> = promises.iter().filter(|one| one.taken <= *at).collect();
    if !promised.is_empty() && flags == REFUSE {
        // Either file makes good what the other one has lost, but none may be.
        for file in ["jobs.db", "executions.db"] {
            let is_it = |path: &PathBuf| path.ends_with(file);
            assert!(image.names().any(is_it), "{name}: there is no {file}");
        }
    }
    on_disk(image, name, |top| {
        let data = top.join(DATA);
        let node = TestNode::start_in(&data, &engine, board.root(), flags);
        if !promised.is_empty() {
            assert_eq!(node.id, id, "{name}: the node is another one");
        }
        for promise in promised {
            let states: &[&str] = match promise.kind {
                Kind::Service => &["Running"],
                Kind::Batch if promise.completed <= *at => &["Completed"],
                // What ran is lost with the engine of that time: it runs again, or has failed.
                Kind::Batch => &["Completed", "Failed"],
            };
            is_in(node.api, &promise.job, states);
        }
        let services = promises.iter().filter(|one| one.kind == Kind::Service);
        let services = services.count();
        engine.until("only what is kept running has a container", |engine| {
            engine.containers_of(&node.id).len() <= services
        });
        node.stop().unwrap();
    });
}

/// The node's id, by the names of its stores.
pub(super) fn id_of(image: &Image) -> String {
    let mut names = image.names();
    let id = names.find_map(|name| {
        let name = name.file_name()?.to_str()?;
        name.strip_suffix("-requester").map(str::to_owned)
    });
    id.expect("a node has been here")
}

/// Where a file of the data directory is.
pub(super) fn in_data(name: &str) -> PathBuf {
    Path::new(DATA).join(name)
}
