//! A board at ease: this machine as it is, but with memory to spare, so that a node on it takes jobs whatever else the
//! machine is doing. Tests of a board's pressure describe boards of their own.

use std::path::Path;
use std::process::Command;

/// What a node reads of its board beside memory and sensors.
const AS_IT_IS: [&str; 8] = [
    "boot",
    "etc",
    "proc/net",
    "proc/self",
    "proc/sys",
    "run",
    "sys/fs",
    "usr",
];

/// Files below a directory, for a node in this process.
#[derive(Debug)]
pub(crate) struct CalmBoard(tempfile::TempDir);

impl CalmBoard {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for place in AS_IT_IS {
            let link = dir.path().join(place);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(Path::new("/").join(place), link).unwrap();
        }
        std::fs::write(dir.path().join("proc/meminfo"), meminfo()).unwrap();
        Self(dir)
    }

    /// The same board after its power was cut: the kernel has another boot id.
    pub(crate) fn rebooted() -> Self {
        let board = Self::new();
        let sys = board.0.path().join("proc/sys");
        std::fs::remove_file(&sys).unwrap();
        let random = sys.join("kernel/random");
        std::fs::create_dir_all(&random).unwrap();
        let id = "00000000-0000-4000-8000-000000000002\n";
        std::fs::write(random.join("boot_id"), id).unwrap();
        board
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }
}

/// The machine's own, with all of its memory available.
fn meminfo() -> String {
    let own = std::fs::read_to_string("/proc/meminfo").unwrap();
    let value = |line: &str| line.split_once(':').map(|(_, value)| value.to_owned());
    let total = own
        .lines()
        .find(|line| line.starts_with("MemTotal:"))
        .and_then(value)
        .expect("the kernel tells its memory");
    let lines = own.lines().map(|line| match line.split_once(':') {
        Some(("MemAvailable", _)) => format!("MemAvailable:{total}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// `program` in a mount namespace where the kernel tells of such a board, for nodes that are processes of their own.
/// `dir` is its scratch. Needs root, as `scripts/test` says.
pub(crate) fn calmly(dir: &Path, program: &str) -> Command {
    let (memory, pressure) = (dir.join("calm-meminfo"), dir.join("calm-pressure"));
    std::fs::write(&memory, meminfo()).unwrap();
    let none = "avg10=0.00 avg60=0.00 avg300=0.00 total=0";
    std::fs::write(&pressure, format!("some {none}\nfull {none}\n")).unwrap();
    let (memory, pressure) = (memory.display(), pressure.display());
    let line = format!(
        "mount --bind {memory} /proc/meminfo; \
         [ ! -e /proc/pressure/memory ] || mount --bind {pressure} /proc/pressure/memory; exec \"$@\""
    );
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--", "/bin/sh", "-ec", &line, "sh", program]);
    command
}
