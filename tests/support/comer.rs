//! A real engine's service that a test starts, kills and starts again. Killing it ends no container.

use super::engines::{Real, variable};
use super::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A Podman service on the run's storage, or a Docker daemon with storage of its own.
#[derive(Debug)]
pub(crate) struct Comer {
    on: Real,
    /// Where the storage is.
    dir: PathBuf,
    socket: PathBuf,
    service: Option<Child>,
    owns_storage: bool,
}

impl Comer {
    /// One that is absent so far; its socket lies in `scratch`.
    #[track_caller]
    pub(crate) fn new(on: Real, scratch: &Path) -> Self {
        let (dir, socket) = match on {
            Real::Podman => (
                variable("CODLING_TEST_ENGINE_DIR").into(),
                scratch.join("podman.sock"),
            ),
            Real::Docker => {
                let dir = scratch.join("engine");
                (dir.clone(), dir.join("docker.sock"))
            }
        };
        let comer = Self {
            on,
            dir,
            socket,
            service: None,
            owns_storage: on == Real::Docker,
        };
        if on == Real::Docker {
            comer.prepare("docker/dockerd.pid");
        }
        comer
    }

    /// The same with storage of its own, whose board can lose its power.
    #[track_caller]
    pub(crate) fn on_own_board(on: Real, scratch: &Path) -> Self {
        if on == Real::Docker {
            return Self::new(on, scratch);
        }
        let dir = scratch.join("engine");
        let comer = Self {
            on,
            socket: dir.join("podman.sock"),
            dir,
            service: None,
            owns_storage: true,
        };
        comer.prepare("service.pid");
        comer
    }

    /// Makes its storage, with the image of the tests; what this starts is ended again.
    #[track_caller]
    fn prepare(&self, pid_file: &str) {
        self.script(&["start"], &[self.word()]);
        let pid = std::fs::read_to_string(self.dir.join(pid_file)).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        wait::until("the service ends", || match self.answers() {
            false => Ok(()),
            true => Err(pid),
        });
    }

    fn word(&self) -> &'static str {
        match self.on {
            Real::Podman => "podman",
            Real::Docker => "docker",
        }
    }

    /// Its socket, whether or not it answers there.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// From its next coming on it ends its containers when it is stopped, as a Docker does that is not told otherwise.
    pub(crate) fn forget_containers_when_stopped(&self) {
        let file = self.dir.join("docker/daemon.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let told = text.replace("\"live-restore\": true", "\"live-restore\": false");
        assert_ne!(told, text);
        std::fs::write(&file, told).unwrap();
    }

    /// Starts it and waits until it takes connections.
    #[track_caller]
    pub(crate) fn come(&mut self) {
        let mut command = Command::new(variable("CODLING_TEST_ENGINE_SCRIPT"));
        match self.on {
            Real::Podman => command.arg("service").arg(&self.dir).arg(&self.socket),
            Real::Docker => command.arg("docker-service").arg(&self.dir),
        };
        let service = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.service = Some(service.expect("the service starts"));
        wait::until("the engine takes connections", || match self.answers() {
            true => Ok(()),
            false => Err(self.socket.clone()),
        });
    }

    fn answers(&self) -> bool {
        UnixStream::connect(&self.socket).is_ok()
    }

    /// Ends it.
    #[track_caller]
    pub(crate) fn go(&mut self, signal: Signal) {
        let mut service = self.service.take().expect("it is here");
        kill_process(Pid::from_child(&service), signal).unwrap();
        service.wait().unwrap();
    }

    /// The board loses its power: the service, the monitor of a node's one container and its process end at once, and what
    /// is only kept until a reboot is gone.
    #[track_caller]
    pub(crate) fn lose_power(&mut self, node: &str) {
        let container = Pid::from_raw(self.process_of(node).parse().unwrap()).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", container.as_raw_pid()));
        let status = status.unwrap();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let monitor = Pid::from_raw(parent.unwrap().trim().parse().unwrap()).unwrap();
        self.go(Signal::KILL);
        if self.on == Real::Docker {
            let pid = std::fs::read_to_string(self.dir.join("docker/containerd.pid")).unwrap();
            let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
            kill_process(pid, Signal::KILL).unwrap();
        }
        kill_process(monitor, Signal::KILL).unwrap();
        kill_process(container, Signal::KILL).unwrap();
        let process = PathBuf::from(format!("/proc/{}/exe", container.as_raw_pid()));
        wait::until(
            "the container's process ends",
            || match std::fs::read_link(&process) {
                Ok(program) => Err(program),
                Err(_) => Ok(()),
            },
        );
        self.unmount();
        let volatile: &[&str] = match self.on {
            Real::Podman => &["run", "tmp/libpod"],
            Real::Docker => &["docker/exec", "docker/containerd/state"],
        };
        for place in volatile {
            std::fs::remove_dir_all(self.dir.join(place)).unwrap();
        }
    }

    /// What is mounted below its directory, innermost first.
    fn unmount(&self) {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut places: Vec<&str> = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .filter(|place| Path::new(place).starts_with(&self.dir))
            .collect();
        places.sort_unstable();
        for place in places.iter().rev() {
            let _ = Command::new("umount").args(["--lazy", place]).status();
        }
    }

    /// Its storage is wiped while it is away.
    #[track_caller]
    pub(crate) fn lose_storage(&self) {
        assert_eq!(self.on, Real::Docker, "others use this Podman's storage");
        self.unmount();
        for place in ["docker/data", "docker/containerd/root"] {
            std::fs::remove_dir_all(self.dir.join(place)).unwrap();
        }
    }

    /// The first process of a node's one container.
    #[track_caller]
    pub(crate) fn process_of(&self, node: &str) -> String {
        let filter = format!("label=codling.node={node}");
        let id = self.command(&["ps", "--quiet", "--filter", &filter]);
        let pid = self.command(&["inspect", "--format", "{{.State.Pid}}", id.trim()]);
        pid.trim().to_owned()
    }

    /// Waits until a node has left nothing behind.
    #[track_caller]
    pub(crate) fn until_no_container_of(&self, node: &str) {
        let filter = format!("label=codling.node={node}");
        wait::until("the node's containers are removed", || {
            let left = self.command(&["ps", "--all", "--quiet", "--filter", &filter]);
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
    }

    /// The engine's own command on its storage.
    #[track_caller]
    fn command(&self, args: &[&str]) -> String {
        self.script(&[self.word()], args)
    }

    #[track_caller]
    fn script(&self, before: &[&str], after: &[&str]) -> String {
        let output = Command::new(variable("CODLING_TEST_ENGINE_SCRIPT"))
            .args(before)
            .arg(&self.dir)
            .args(after)
            .stdin(Stdio::null())
            .output()
            .expect("the set-up's script runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{before:?} {after:?}: {complaint}");
        String::from_utf8(output.stdout).expect("it prints text")
    }
}

impl Drop for Comer {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
        if self.owns_storage {
            self.script(&["stop"], &[]);
        }
    }
}
