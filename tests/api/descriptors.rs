//! A process out of file descriptors: the server survives it and gives idle connections up.
//!
//! The limit is the process's own, so the server runs in a child: this test binary again, told by a variable.

use super::support::Client;
use super::world::World;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

const CHILD: &str = "CODLING_TEST_DESCRIPTORS";
const ALIVE: &str = "/api/v1/agent/alive";

/// In the child: tells the port, fills the table at the first byte of stdin, frees it at the second.
fn serve_and_fill() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit {
        current: Some(64),
        maximum: Some(64),
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let server = World::default().serve();
    let mut order = [0];
    let say = |word: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "child says {word}").unwrap();
        out.flush().unwrap();
    };
    say(server.addr.port().to_string());
    std::io::stdin().read_exact(&mut order).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    say("full".into());
    std::io::stdin().read_exact(&mut order).unwrap();
    drop(files);
    say("free".into());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

struct Server {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg("api::descriptors::a_full_table_of_files_is_survived_and_idle_connections_are_given_up")
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next thing that the child says.
    fn says(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.lines.read_line(&mut line).unwrap(),
                0,
                "the child ended"
            );
            if let Some((_, word)) = line.trim_end().split_once("child says ") {
                return word.to_owned();
            }
        }
    }

    fn order(&mut self) -> String {
        self.child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        self.says()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_full_table_of_files_is_survived_and_idle_connections_are_given_up() {
    if std::env::var_os(CHILD).is_some() {
        serve_and_fill();
        return;
    }
    let mut server = Server::start();
    let port: u16 = server.says().parse().unwrap();
    let addr = ([127, 0, 0, 1], port).into();
    let mut idle = Client::connect(addr);
    assert_eq!(idle.send("GET", ALIVE, &[], b"").status, 200);
    assert_eq!(server.order(), "full");
    // The kernel takes the connections; the server cannot, but for the one descriptor that the idle one gives up.
    let mut first = Client::connect(addr);
    let mut second = Client::connect(addr);
    idle.closed();
    assert_eq!(first.send("GET", ALIVE, &[], b"").status, 200);
    assert_eq!(server.order(), "free");
    assert_eq!(second.send("GET", ALIVE, &[], b"").status, 200);
}
