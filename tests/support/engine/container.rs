//! A container that plays its image's script, with a real process while it runs.

use super::Shared;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;

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
    pub(crate) on_follow: OnFollow,
    /// How many inspects after its end still say that it runs: engines notice late.
    pub(crate) late_notices: u32,
}

impl Play {
    /// Really runs the command that it is given, as a process of this machine, with the environment that it is given.
    /// There is no isolation and there are no limits: what is seen of it is what a container engine would show.
    pub(crate) fn as_told() -> Self {
        Self {
            runs: Runs::AsTold,
            ..Self::default()
        }
    }
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
            on_follow: OnFollow::EndsWithTheContainer,
            late_notices: 0,
        }
    }
}

/// For how long.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runs {
    For(Duration),
    UntilReleased,
    /// As long as its command, whose exit code and output it has.
    AsTold,
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

/// What a log that is followed does at the container's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFollow {
    EndsWithTheContainer,
    /// Stays open, as Podman's does where it has no event of the end.
    StaysOpen,
    /// Ends in good order after so many bytes, as Podman's does for a reader that is behind at the end.
    EndsAfter(usize),
    /// Gives six bytes of a stream at a time, with this pause behind them.
    Slowly(Duration),
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
    /// What its command prints.
    printed: Option<[NamedTempFile; 2]>,
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
            printed: None,
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

    /// The command of its create, the entry point first.
    pub(super) fn command(&self) -> Vec<String> {
        let words = |key: &str| self.body[key].as_array().cloned().unwrap_or_default();
        let all = [words("Entrypoint"), words("Cmd")].concat();
        all.iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    }

    /// Starts its process, and a thread that notices its end. The shell's own arguments make it look like the
    /// container's monitor.
    pub(super) fn start(&mut self, shared: &Arc<Shared>) {
        let mut monitor = Command::new("sh");
        match self.play.runs {
            Runs::For(time) => {
                let script = format!("sleep {} & echo $!; exec 1>&-; wait", time.as_secs_f64());
                monitor.args(["-c", &script, &self.id]);
            }
            Runs::UntilReleased => {
                let script = "sleep 100000 & echo $!; exec 1>&-; wait";
                monitor.args(["-c", script, &self.id]);
            }
            Runs::AsTold => {
                let printed = [(); 2].map(|()| NamedTempFile::new().unwrap());
                let script = format!(
                    "exec 3>&1; \"$@\" 3>&- >{} 2>{} & echo $! >&3; exec 1>&- 3>&-; wait $!",
                    printed[0].path().display(),
                    printed[1].path().display()
                );
                monitor.args(["-c", &script, &self.id]).args(self.command());
                monitor.env_clear().env("PATH", "/bin:/usr/bin");
                let environment = self.body["Env"].as_array().into_iter().flatten();
                monitor.envs(environment.filter_map(|entry| entry.as_str()?.split_once('=')));
                self.printed = Some(printed);
            }
        }
        let mut monitor = monitor
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
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
        let as_told = matches!(self.play.runs, Runs::AsTold);
        let wait = move || {
            let status = monitor.wait().unwrap();
            // With a container's first process go all others. None left is fine.
            let _ = kill_process_group(Pid::from_child(&monitor), Signal::KILL);
            let mut state = shared.lock();
            if let Some(container) = state.containers.get_mut(&id) {
                let own = match status.code() {
                    Some(code) if as_told => i64::from(code),
                    _ => container.play.exit_code,
                };
                let exit_code = container.ended_by.unwrap_or(own);
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

    /// SIGTERM, as the play has it. Whether the engine awaits its end before it answers.
    pub(super) fn stop(&mut self) -> bool {
        if let (Runs::AsTold, Life::Runs { pid }) = (self.play.runs, &self.life) {
            let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::TERM);
            return true;
        }
        if self.play.on_stop == OnStop::Ends {
            self.ended_by = Some(143);
            self.finish();
        }
        false
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
        let started = match status {
            "created" => "0001-01-01T00:00:00Z",
            _ => "2026-11-24T23:33:11.317508155Z",
        };
        json!({
            "Id": self.id, "Name": format!("/{}", self.name), "Image": self.body["Image"], "LogPath": "",
            "State": {
                "Status": status, "Running": status == "running", "Pid": pid, "ExitCode": exit_code,
                "OOMKilled": false, "Error": "", "StartedAt": started,
            },
            "Config": { "Labels": self.body["Labels"], "Image": self.body["Image"] },
            "HostConfig": { "Memory": self.body["HostConfig"]["Memory"].as_u64().unwrap_or(0) },
        })
    }

    /// Its log, framed.
    pub(super) fn log(&self) -> Vec<u8> {
        [1, 2]
            .map(|stream| frames(stream, &self.printed_after(stream, 0)))
            .concat()
    }

    /// What it has printed on stream 1 or 2 behind the first `from` bytes.
    pub(super) fn printed_after(&self, stream: u8, from: usize) -> Vec<u8> {
        if !self.was_started() {
            return Vec::new();
        }
        let which = usize::from(stream - 1);
        match &self.printed {
            Some(files) => read(files[which].path())
                .get(from..)
                .unwrap_or_default()
                .to_vec(),
            None => [&self.play.stdout, &self.play.stderr][which]
                .get(from..)
                .unwrap_or_default()
                .to_vec(),
        }
    }

    /// Prints, unless its command does that itself.
    pub(super) fn print(&mut self, stream: u8, bytes: &[u8]) {
        match stream {
            1 => self.play.stdout.extend_from_slice(bytes),
            _ => self.play.stderr.extend_from_slice(bytes),
        }
    }

    /// Drops what the log has, as a rotation does.
    pub(super) fn rotate(&mut self) {
        self.play.stdout.clear();
        self.play.stderr.clear();
    }
}

/// A frame a line.
pub(super) fn frames(stream: u8, bytes: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        framed.extend_from_slice(&[stream, 0, 0, 0]);
        framed.extend_from_slice(&u32::try_from(line.len()).unwrap().to_be_bytes());
        framed.extend_from_slice(line);
    }
    framed
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
