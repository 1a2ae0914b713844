//! A container that plays its image's script, with a real process while it runs.

use super::Shared;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// What a container of an image does.
#[derive(Clone, Debug)]
pub(crate) struct Play {
    pub(crate) runs: Runs,
    pub(crate) exit_code: i64,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) pid: ShownPid,
    pub(crate) on_start: OnStart,
    pub(crate) on_stop: OnStop,
    /// How many inspects after its end still say that it runs: engines notice late.
    pub(crate) late_notices: u32,
}

impl Default for Play {
    /// Prints `hello` and ends at once with 0.
    fn default() -> Self {
        Self {
            runs: Runs::For(Duration::ZERO),
            exit_code: 0,
            stdout: b"hello\n".to_vec(),
            stderr: Vec::new(),
            pid: ShownPid::Real,
            on_start: OnStart::Runs,
            on_stop: OnStop::Ends,
            late_notices: 0,
        }
    }
}

/// For how long.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runs {
    For(Duration),
    UntilReleased,
}

/// Which pid inspect shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShownPid {
    /// Its process.
    Real,
    /// A number from another pid namespace that means an unrelated process here.
    Foreign,
    /// A number from another pid namespace that means no process here.
    Unknown,
}

/// What start does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnStart {
    Runs,
    /// The command is not in the image.
    NoCommand,
}

/// What stop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnStop {
    /// Ends it at once with 143.
    Ends,
    /// Says so and does not.
    Ignores,
}

/// One container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) body: Value,
    pub(super) play: Play,
    life: Life,
    ended_by: Option<i64>,
    notices_left: u32,
}

#[derive(Debug)]
enum Life {
    Created,
    Runs { pid: i32 },
    Ended { exit_code: i64 },
}

impl Container {
    pub(super) fn new(id: String, name: String, body: Value, play: Play) -> Self {
        let notices_left = play.late_notices;
        Self {
            id,
            name,
            body,
            play,
            life: Life::Created,
            ended_by: None,
            notices_left,
        }
    }

    pub(super) fn runs(&self) -> bool {
        matches!(self.life, Life::Runs { .. })
    }

    pub(super) fn was_started(&self) -> bool {
        !matches!(self.life, Life::Created)
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.body["Labels"][key].as_str()
    }

    /// Starts its process, and a thread that notices its end.
    pub(super) fn start(&mut self, shared: &Arc<Shared>) {
        let seconds = match self.play.runs {
            Runs::For(time) => time.as_secs_f64(),
            Runs::UntilReleased => 100_000.0,
        };
        // The shell's own arguments make it look like the container's monitor.
        let script = format!("sleep {seconds} & echo $!; exec 1>&-; wait");
        let mut monitor = Command::new("sh")
            .args(["-c", &script, "conmon", "-c", &self.id])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(monitor.stdout.take().unwrap())
            .read_line(&mut pid)
            .unwrap();
        self.life = Life::Runs {
            pid: pid.trim().parse().unwrap(),
        };
        let (shared, id) = (Arc::clone(shared), self.id.clone());
        let wait = move || {
            monitor.wait().unwrap();
            let mut state = shared.lock();
            if let Some(container) = state.containers.get_mut(&id) {
                let exit_code = container.ended_by.unwrap_or(container.play.exit_code);
                container.life = Life::Ended { exit_code };
            }
            shared.changed.notify_all();
        };
        std::thread::Builder::new()
            .name("scripted container".into())
            .spawn(wait)
            .unwrap();
    }

    /// Ends its process as if it had come to its end.
    pub(super) fn finish(&mut self) {
        if let Life::Runs { pid } = self.life {
            // Gone already is fine.
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        self.ended_by = Some(137);
        self.finish();
    }

    /// SIGTERM, as the play has it.
    pub(super) fn stop(&mut self) {
        if self.play.on_stop == OnStop::Ends {
            self.ended_by = Some(143);
            self.finish();
        }
    }

    /// What inspect says.
    pub(super) fn inspect(&mut self) -> Value {
        let (status, pid, exit_code) = match self.life {
            Life::Created => ("created", 0, 0),
            Life::Runs { pid } => ("running", pid, 0),
            Life::Ended { .. } if self.notices_left > 0 => {
                self.notices_left -= 1;
                ("stopped", 0, 0)
            }
            Life::Ended { exit_code } => ("exited", 0, exit_code),
        };
        let pid = match (status, self.play.pid) {
            // The test's own process: it exists, and it is not the container's.
            ("running", ShownPid::Foreign) => i32::try_from(std::process::id()).unwrap(),
            ("running", ShownPid::Unknown) => i32::MAX - 7,
            _ => pid,
        };
        json!({
            "Id": self.id, "Name": format!("/{}", self.name), "LogPath": "",
            "State": {
                "Status": status, "Running": status == "running", "Pid": pid, "ExitCode": exit_code,
                "OOMKilled": false, "Error": "", "StartedAt": "2026-11-24T23:33:11.317508155Z",
            },
            "Config": { "Labels": self.body["Labels"], "Image": self.body["Image"] },
            "HostConfig": { "Memory": self.body["HostConfig"]["Memory"].as_u64().unwrap_or(0) },
        })
    }

    /// Its log, framed.
    pub(super) fn log(&self) -> Vec<u8> {
        let mut log = Vec::new();
        if self.was_started() {
            for (stream, bytes) in [(1, &self.play.stdout), (2, &self.play.stderr)] {
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    log.extend_from_slice(&[stream, 0, 0, 0]);
                    log.extend_from_slice(&u32::try_from(line.len()).unwrap().to_be_bytes());
                    log.extend_from_slice(line);
                }
            }
        }
        log
    }
}
