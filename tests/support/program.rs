//! The real binary, run as a user would.

use super::{board, wait};
use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A command line to run in an empty environment.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    stdin: Option<String>,
    /// What it may look at while it runs.
    scratch: Option<tempfile::TempDir>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    /// stdout as it came.
    pub(crate) out_bytes: Vec<u8>,
}

impl Ended {
    /// Whether it printed this anywhere.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.out.contains(text) || self.err.contains(text)
    }
}

/// A program that runs. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    out: Capture,
    err: Capture,
    _scratch: Option<tempfile::TempDir>,
}

impl Program {
    /// `codling` with `args`, nothing in its environment.
    pub(crate) fn new(args: &[&str]) -> Self {
        Self::other(env!("CARGO_BIN_EXE_codling"), args)
    }

    /// Another program, the same way.
    pub(crate) fn other(path: &str, args: &[&str]) -> Self {
        let mut command = Command::new(path);
        command.args(args).env_clear().current_dir("/");
        Self {
            command,
            stdin: None,
            scratch: None,
        }
    }

    /// Another program that looks at a board at ease, the same way.
    pub(crate) fn at_ease(path: &str, args: &[&str]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = board::calmly(scratch.path(), path);
        command.args(args).env_clear().current_dir("/");
        Self {
            command,
            stdin: None,
            scratch: Some(scratch),
        }
    }

    /// With `text` to read, up to a pipe's size.
    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// With a variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Talking to `api`.
    pub(crate) fn api(self, api: SocketAddr) -> Self {
        let port = api.port().to_string();
        self.env("CODLING_API_PORT", &port)
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Ended {
        self.start().ended()
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running {
        let stdin = match self.stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        if let (Some(text), Some(mut stdin)) = (self.stdin, child.stdin.take()) {
            stdin.write_all(text.as_bytes()).expect("it is read");
        }
        let out = Capture::start(child.stdout.take().expect("it is piped"));
        let err = Capture::start(child.stderr.take().expect("it is piped"));
        Running {
            child,
            out,
            err,
            _scratch: self.scratch,
        }
    }
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What stdout holds so far.
    pub(crate) fn out(&self) -> String {
        self.out.text()
    }

    /// What stderr holds so far.
    pub(crate) fn err(&self) -> String {
        self.err.text()
    }

    /// Waits until stderr holds `text`; everything it holds then.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> String {
        wait::until(text, || {
            let err = self.err();
            if err.contains(text) {
                Ok(err)
            } else {
                Err(err)
            }
        })
    }

    /// Waits until it serves; where.
    #[track_caller]
    pub(crate) fn api(&self) -> SocketAddr {
        let said = self.says("ready; run a job with: ");
        said.split_once(": REST on ")
            .and_then(|(_, after)| after.split(',').next())
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no line of places: {said}"))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(self) -> Ended {
        self.ended_within(wait::LONG)
    }

    /// Waits for the end of what takes longer by its nature.
    #[track_caller]
    pub(crate) fn ended_within(mut self, limit: Duration) -> Ended {
        let status: ExitStatus = wait::within(limit, "the program ends", || {
            self.child
                .try_wait()
                .expect("it is ours")
                .ok_or_else(|| self.err.text())
        });
        self.out.finish();
        self.err.finish();
        Ended {
            code: status.code().unwrap_or(-1),
            out: self.out.text(),
            err: self.err.text(),
            out_bytes: self.out.bytes(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stream that is read as it comes.
#[derive(Debug)]
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    fn start(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let thread = std::thread::spawn(move || {
            let mut chunk = [0; 4_096];
            while let Ok(length @ 1..) = stream.read(&mut chunk) {
                into.lock()
                    .expect("no test panics in it")
                    .extend_from_slice(&chunk[..length]);
            }
        });
        Self {
            bytes,
            thread: Some(thread),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("no test panics in it").clone()
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().expect("no test panics in it");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn finish(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the reader ends");
        }
    }
}

/// A node on `dir` and free ports of the loopback, on a board at ease, without an engine.
pub(crate) fn serve(dir: &Path, flags: &[&str]) -> Program {
    serve_on(dir, Path::new("/nonexistent/engine.sock"), flags)
}

/// A node on `dir` and free ports of the loopback, on a board at ease, with the engine at `engine`.
pub(crate) fn serve_on(dir: &Path, engine: &Path, flags: &[&str]) -> Program {
    serve_by(env!("CARGO_BIN_EXE_codling"), dir, engine, flags)
}

/// The same by another build of codling.
pub(crate) fn serve_by(codling: &str, dir: &Path, engine: &Path, flags: &[&str]) -> Program {
    let dir = dir.display().to_string();
    let engine = engine.display().to_string();
    let mut args = vec!["serve", "--data-dir", &dir, "--swarm-host", "127.0.0.1"];
    args.extend(["--engine-socket", &engine]);
    for (flag, value) in [("--api-port", "0"), ("--port", "0")] {
        if !flags.contains(&flag) {
            args.extend([flag, value]);
        }
    }
    args.extend(flags);
    Program::at_ease(codling, &args)
}
