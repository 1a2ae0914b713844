//! The binaries that `scripts/cross` built for ARM boards, run by QEMU: nothing in them is true of x86-64 only.
//!
//! They are the release binaries and speak to this machine's kernel through the emulator, so sockets, files, pids and
//! pidfds are real ones; the engine is a scripted one on a real socket. Armv7 is also the only 32-bit machine here.

use crate::support::engine::{Endpoint, Play, Runs, ScriptedEngine};
use crate::support::http;
use crate::support::node::TestNode;
use crate::support::program::{Program, Running};
use codling::node::NodeEvent;
use codling::swarm::HostEvent;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A binary's promise, as on x86-64.
const BINARY_MAX: usize = 5_000_000;
/// Of glibc 2: Debian 11 and Ubuntu 20.04, the oldest systems on boards in use, have 2.31.
const GLIBC_MINOR_MAX: u32 = 30;
/// What the long job of these tests ends with.
const EXIT_CODE: i64 = 7;

/// A kind of board.
struct Board {
    /// Names the folder of its binary.
    variable: &'static str,
    /// `e_machine` of its programs, in `elf.h`.
    machine: u8,
    /// `EI_CLASS` of its programs: 1 for 32 bits, 2 for 64.
    class: u8,
    /// Go's word for it, which clients select nodes by.
    architecture: &'static str,
}

const AARCH64: Board = Board {
    variable: "CODLING_TEST_AARCH64",
    machine: 183,
    class: 2,
    architecture: "arm64",
};
const ARMV7: Board = Board {
    variable: "CODLING_TEST_ARMV7",
    machine: 40,
    class: 1,
    architecture: "arm",
};

impl Board {
    #[track_caller]
    fn file(&self, name: &str) -> PathBuf {
        let hint = "start the tests with scripts/test or scripts/cross TARGET smoke";
        let folder =
            std::env::var_os(self.variable).unwrap_or_else(|| panic!("{}: {hint}", self.variable));
        Path::new(&folder).join(name)
    }

    /// The board's `codling`.
    #[track_caller]
    fn codling(&self, args: &[&str]) -> Program {
        Program::other(&self.emulated(), args)
    }

    #[track_caller]
    fn emulated(&self) -> String {
        self.file("codling-emulated").display().to_string()
    }

    /// Starts a node and waits until it is ready.
    #[track_caller]
    fn serve(&self, dir: &Path, engine: &ScriptedEngine, flags: &[&str]) -> Serving {
        let (dir, socket) = (
            dir.display().to_string(),
            engine.socket().display().to_string(),
        );
        let mut args = vec!["serve", "--data-dir", &dir, "--engine-socket", &socket];
        args.extend(["--swarm-host=127.0.0.1", "--port=0"]);
        args.extend(flags);
        let process = Program::at_ease(&self.emulated(), &args).start();
        let said = process.says("ready; run a job with: ");
        // "... node ID: REST on ADDRESS, swarm on ADDRESS"
        let (before, after) = said.split_once(": REST on ").expect("the line of places");
        Serving {
            id: before.rsplit(' ').next().expect("the node's id").to_owned(),
            api: after
                .split(',')
                .next()
                .and_then(|api| api.parse().ok())
                .expect("the API's address"),
            process,
        }
    }
}

/// A board's node that is ready.
struct Serving {
    id: String,
    api: SocketAddr,
    process: Running,
}

fn runs_a_job(board: &Board) {
    let dir = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start();
    engine.image(
        "quick",
        Play {
            exit_code: EXIT_CODE,
            stderr: b"to err\n".to_vec(),
            ..Play::default()
        },
    );
    let node = board.serve(dir.path(), &engine, &["--api-port=0"]);

    let ended = board.codling(&["run", "quick"]).api(node.api).run();
    assert_eq!(i64::from(ended.code), EXIT_CODE, "{}", ended.err);
    assert_eq!(ended.out, "hello\n");
    assert!(ended.err.contains("\nto err\n"), "{}", ended.err);
    engine.until("its container is removed", |engine| {
        engine.containers().is_empty()
    });

    node.process.signal(Signal::TERM);
    let ended = node.process.ended();
    assert_eq!(ended.code, 0, "{}", ended.err);
}

fn keeps_its_word(board: &Board) {
    let dir = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start();
    let long = Play {
        runs: Runs::UntilReleased,
        exit_code: EXIT_CODE,
        ..Play::default()
    };
    engine.image("long", long);
    let first = board.serve(dir.path(), &engine, &["--api-port=0"]);
    let client = board.codling(&["run", "long"]).api(first.api).start();
    client.says("Running");

    first.process.signal(Signal::KILL);
    let killed = first.process.ended();
    assert_eq!(killed.code, -1, "it ended by itself:\n{}", killed.err);
    client.says("the node does not answer");
    assert_eq!(engine.running(), 1, "the container ended with its node");

    let port = format!("--api-port={}", first.api.port());
    let second = board.serve(dir.path(), &engine, &[&port]);
    assert_eq!(second.id, first.id);
    second
        .process
        .says("goes on with 1 unfinished job and 1 execution");
    client.says("the node answers again");
    engine.release_containers();
    let ended = client.ended();
    assert_eq!(i64::from(ended.code), EXIT_CODE, "{}", ended.err);
    assert_eq!(ended.out, "hello\n");
    assert_eq!(engine.started(), 1, "{:?}", engine.calls());
    assert_eq!(engine.count(Endpoint::Wait), 0, "{:?}", engine.calls());
    engine.until("its container is removed", |engine| {
        engine.containers().is_empty()
    });
}

fn says_what_it_is(board: &Board) {
    let dir = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start();
    let node = board.serve(dir.path(), &engine, &["--api-port=0"]);
    let ask = |path| {
        http::request(node.api, "GET", path, None)
            .expect("the API answers")
            .body
    };
    let version = ask("/api/v1/agent/version");
    assert_eq!(version["GOARCH"], board.architecture, "{version}");
    let info = ask("/api/v1/agent/node");
    assert_eq!(info["Labels"]["os_arch"], board.architecture, "{info}");
}

fn is_a_peer_of_other_machines(board: &Board) {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = ScriptedEngine::start();
    let other = TestNode::start_on(here.path(), &engine);
    let addr = other.event("it listens", |event| match event {
        NodeEvent::Swarm(HostEvent::Listening { addr }) => Some(addr.clone()),
        _ => None,
    });
    let peer = format!("--peer={addr}/p2p/{}", other.id);
    let node = board.serve(there.path(), &engine, &["--api-port=0", &peer]);
    node.process.says(&format!("peer {} connected", other.id));
    other.event("the board's node says what it is", |event| match event {
        NodeEvent::Swarm(HostEvent::PeerIdentified { peer, .. }) if peer.0 == node.id => Some(()),
        _ => None,
    });
}

fn asks_little_of_its_board(board: &Board) {
    let binary = std::fs::read(board.file("codling")).unwrap();
    assert_eq!(&binary[..4], b"\x7fELF");
    assert_eq!((binary[4], binary[18]), (board.class, board.machine));
    let size = binary.len();
    assert!(size <= BINARY_MAX, "{size} bytes, limit {BINARY_MAX}");

    let version = b"GLIBC_2.";
    let minors: Vec<u32> = binary
        .windows(version.len() + 2)
        .filter(|window| window.starts_with(version))
        .map(|window| {
            let digits = window[version.len()..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit());
            digits.fold(0, |minor, digit| minor * 10 + u32::from(digit - b'0'))
        })
        .collect();
    assert!(!minors.is_empty(), "it names no version of its C library");
    assert!(
        minors.iter().all(|minor| *minor <= GLIBC_MINOR_MAX),
        "glibc 2.{minors:?}"
    );
}

/// As the linker writes it: lengths of name and id, the kind of note, the name.
const BUILD_ID: &[u8] = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";

fn has_a_build_id(board: &Board) {
    let binary = std::fs::read(board.file("codling")).unwrap();
    assert!(binary.windows(BUILD_ID.len()).any(|note| note == BUILD_ID));
}

mod aarch64 {
    use super::{
        AARCH64, asks_little_of_its_board, has_a_build_id, is_a_peer_of_other_machines,
        keeps_its_word, runs_a_job, says_what_it_is,
    };

    #[test]
    fn a_job_ends_with_its_exit_code_and_output() {
        runs_a_job(&AARCH64);
    }

    #[test]
    fn a_job_whose_node_is_killed_ends_right_after_the_restart() {
        keeps_its_word(&AARCH64);
    }

    #[test]
    fn a_node_is_a_peer_of_one_on_x86_64() {
        is_a_peer_of_other_machines(&AARCH64);
    }

    #[test]
    fn a_node_says_which_kind_of_board_it_is_on() {
        says_what_it_is(&AARCH64);
    }

    #[test]
    fn the_binary_is_small_and_needs_no_newer_glibc_than_2_30() {
        asks_little_of_its_board(&AARCH64);
    }

    #[test]
    fn the_binary_has_an_id_by_which_a_crash_report_finds_its_symbols() {
        has_a_build_id(&AARCH64);
    }
}

mod armv7 {
    use super::{
        ARMV7, asks_little_of_its_board, has_a_build_id, is_a_peer_of_other_machines,
        keeps_its_word, runs_a_job, says_what_it_is,
    };

    #[test]
    fn a_job_ends_with_its_exit_code_and_output() {
        runs_a_job(&ARMV7);
    }

    #[test]
    fn a_job_whose_node_is_killed_ends_right_after_the_restart() {
        keeps_its_word(&ARMV7);
    }

    #[test]
    fn a_node_is_a_peer_of_one_on_x86_64() {
        is_a_peer_of_other_machines(&ARMV7);
    }

    #[test]
    fn a_node_says_which_kind_of_board_it_is_on() {
        says_what_it_is(&ARMV7);
    }

    #[test]
    fn the_binary_is_small_and_needs_no_newer_glibc_than_2_30() {
        asks_little_of_its_board(&ARMV7);
    }

    #[test]
    fn the_binary_has_an_id_by_which_a_crash_report_finds_its_symbols() {
        has_a_build_id(&ARMV7);
    }
}
