//! A node of the released binary in a directory of its own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::by_hand::{CPU_MILLIS, MEMORY_BYTES};
use super::http::{KeptOpen, loopback, loopback_text, unix};

/// How long a node may take to answer, and a job to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a job: short against the job, long against the look.
const LOOK: Duration = Duration::from_millis(2);

/// A running node; killed when dropped.
#[derive(Debug)]
pub(super) struct Node {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Node {
    /// Starts a node on a new data directory and waits until it answers.
    pub(super) fn start(engine: &Path, dir: &Path) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_codling")), engine, dir)
    }

    /// The same with every sync, request and reply in `trace`.
    pub(super) fn start_traced(engine: &Path, dir: &Path, trace: &Path) -> Self {
        let mut strace = Command::new("strace");
        strace
            .args(["-D", "-f", "-qq", "-s", "8192", "-e", "signal=none", "-e"])
            .arg("trace=fsync,fdatasync,sync_file_range,ftruncate,pwrite64,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg")
            .arg("-o")
            .arg(trace)
            .arg(env!("CARGO_BIN_EXE_codling"));
        Self::spawn(strace, engine, dir)
    }

    /// The same with room for the log of a job that prints a lot.
    pub(super) fn start_with_logs(engine: &Path, dir: &Path) -> Self {
        let mut codling = Command::new(env!("CARGO_BIN_EXE_codling"));
        codling.env("CODLING_JOB_OUTPUT_MAX", "1GiB");
        Self::spawn(codling, engine, dir)
    }

    /// The same on a disk that takes so much longer for each sync.
    pub(super) fn start_delayed(engine: &Path, dir: &Path, by: Duration) -> Self {
        let micros = by.as_micros();
        let mut strace = Command::new("strace");
        strace
            // The kernel stops the node for these calls only.
            .args(["-D", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none"])
            .args(["-e", "trace=fsync,fdatasync,sync_file_range", "-e"])
            .arg(format!(
                "inject=fsync,fdatasync,sync_file_range:delay_exit={micros}"
            ))
            .args(["-o", "/dev/null"])
            .arg(env!("CARGO_BIN_EXE_codling"));
        Self::spawn(strace, engine, dir)
    }

    /// The same, and how long after its start it was alive and showed a job.
    pub(super) fn start_timed(engine: &Path, dir: &Path) -> (Self, [Duration; 2]) {
        let began = Instant::now();
        let node = Self::start(engine, dir);
        let alive = began.elapsed();
        node.await_answer("/api/v1/orchestrator/jobs?limit=1", |body| {
            !body["Items"][0].is_null()
        });
        (node, [alive, began.elapsed()])
    }

    /// Ends it as an operator does, so that its files are closed.
    pub(super) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    fn spawn(mut command: Command, engine: &Path, dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let log = dir.join("log");
        let (port, swarm) = (free_port(), free_port());
        let child = command
            .arg("serve")
            .arg("--data-dir")
            .arg(dir.join("data"))
            .arg("--engine-socket")
            .arg(engine)
            .args([
                "--swarm-host",
                "127.0.0.1",
                "--api-port",
                &port.to_string(),
                "--port",
                &swarm.to_string(),
                // A list of 10,000 jobs needs them kept.
                "--retain-records",
                "16384",
                "--retain-bytes",
                "64MiB",
            ])
            .stdin(Stdio::null())
            .stdout(File::create(&log).unwrap())
            .stderr(File::options().append(true).open(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let node = Self { child, port, log };
        node.await_answer("/api/v1/agent/alive", |_| true);
        node
    }

    /// Submits a batch job and returns its id.
    pub(super) fn submit(&self, image: &str, command: &[&str]) -> String {
        let job = job(image, command);
        let answer = loopback(self.port, "PUT", "/api/v1/orchestrator/jobs", Some(&job)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["JobID"].as_str().unwrap().to_owned()
    }

    /// Waits until the job is completed; panics when it ended otherwise.
    pub(super) fn await_completed(&self, id: &str) {
        self.await_answer(&format!("/api/v1/orchestrator/jobs/{id}"), |body| {
            match body["Job"]["State"]["StateType"].as_str() {
                Some("Completed") => true,
                Some("Failed" | "Stopped") => panic!("the job ended otherwise: {body}"),
                _ => false,
            }
        });
    }

    /// Waits until the job's container runs; the id of its execution.
    pub(super) fn await_running(&self, id: &str) -> String {
        let path = format!("/api/v1/orchestrator/jobs/{id}/executions");
        let mut execution = String::new();
        self.await_answer(&path, |body| {
            let first = &body["Items"][0];
            execution = first["ID"].as_str().unwrap_or_default().to_owned();
            first["ComputeState"]["StateType"] == 6
        });
        execution
    }

    /// Stops the job and waits until its container has ended.
    pub(super) fn stop_job(&self, id: &str) {
        let path = format!("/api/v1/orchestrator/jobs/{id}");
        let answer = loopback(self.port, "DELETE", &path, None).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.await_answer(&format!("{path}/executions"), |body| {
            body["Items"][0]["ComputeState"]["StateType"] == 11
        });
    }

    /// A connection to its API.
    pub(super) fn connect(&self) -> KeptOpen {
        KeptOpen::to_loopback(self.port).unwrap()
    }

    /// `codling job logs -f` with its output in a pipe.
    pub(super) fn follow(&self, id: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_codling"))
            .args([
                "job",
                "logs",
                "-f",
                "--api-port",
                &self.port.to_string(),
                id,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The engine's name of the execution's container, which is the only one that it has.
    pub(super) fn only_container(&self, engine: &Path) -> String {
        let all = unix(engine, "GET", "/v1.40/containers/json", None).body;
        assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
        all[0]["Id"].as_str().unwrap().to_owned()
    }

    /// A page of all jobs, from a token on, as it came.
    pub(super) fn list_page(&self, token: &str) -> String {
        let path = format!("/api/v1/orchestrator/jobs?limit=0&next_token={token}");
        let (status, body) = loopback_text(self.port, "GET", &path).unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn await_answer(&self, path: &str, mut good: impl FnMut(&Value) -> bool) {
        let began = Instant::now();
        loop {
            if let Ok(answer) = loopback(self.port, "GET", path, None)
                && answer.status == 200
                && good(&answer.body)
            {
                return;
            }
            if began.elapsed() > PATIENCE {
                panic!(
                    "{path}: waited in vain; the node's log:\n{}",
                    fs::read_to_string(&self.log).unwrap()
                );
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// Bytes that the process has caused to be written to disk.
    pub(super) fn written(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        let line = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "))
            .unwrap();
        line.parse().unwrap()
    }
}

/// A batch job as it is submitted.
pub(super) fn job(image: &str, command: &[&str]) -> Value {
    json!({"Job": {
        "Name": "", "Type": "batch", "Count": 1,
        "Tasks": [{
            "Name": "main",
            "Engine": {"Type": "docker", "Params": {"Image": image, "Parameters": command}},
            "Resources": {"CPU": format!("{CPU_MILLIS}m"), "Memory": format!("{MEMORY_BYTES}")},
        }],
    }})
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
