//! What one long job keeps in memory: the node, its container's monitor, and no engine, for that sleeps.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::activator::Activator;
use super::by_hand::await_no_container;
use super::node::Node;

/// How long the engine may take to fall asleep: its own idle time and some slack.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// PSS in MB.
#[derive(Debug)]
pub(super) struct Memory {
    node: f64,
    monitor: f64,
    /// How often the engine was started for the job so far.
    starts: usize,
}

impl Memory {
    pub(super) fn total_mb(&self) -> f64 {
        self.node + self.monitor
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} MB (node {:.1}, conmon {:.1}, Podman 0 after {} start)",
            self.total_mb(),
            self.node,
            self.monitor,
            self.starts
        )
    }
}

/// Starts a long job under an engine that is started on demand, and looks once the engine has ended.
pub(super) fn of_one_long_job(image: &str, dir: &Path) -> Memory {
    fs::create_dir_all(dir).unwrap();
    let activator = Activator::start(&dir.join("podman.sock"));
    let node = Node::start(activator.socket(), dir);
    let long = "trap 'exit 0' TERM; sleep 600 & wait";
    let job = node.submit(image, &["sh", "-c", long]);
    let execution = node.await_running(&job);
    let began = Instant::now();
    while activator.service().is_some() {
        assert!(
            began.elapsed() < SLEEP_MAX,
            "the engine does not fall asleep"
        );
        std::thread::park_timeout(LOOK);
    }
    let memory = Memory {
        node: pss_mb(node.pid()),
        monitor: pss_mb(monitor_of(&execution)),
        starts: activator.starts(),
    };
    node.stop_job(&job);
    await_no_container(activator.socket());
    memory
}

/// The conmon of the execution's container, whose name it has on its command line.
fn monitor_of(execution: &str) -> u32 {
    let processes = fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_monitor = |pid: &u32| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.contains("conmon") && command.contains(execution)
    };
    pids.into_iter()
        .find(is_monitor)
        .expect("the container has a monitor")
}

/// What a process shares in memory, in MB.
pub(super) fn pss_mb(pid: u32) -> f64 {
    let sums = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = sums
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .unwrap();
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1024.0 / 1e6
}
