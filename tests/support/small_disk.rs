//! A Podman of its own on a disk that is almost full with the tests' image.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The tests' image is 2 MB, twice while it is imported; then less is left than an image of `Registry` needs.
const SIZE: &str = "size=7m";

/// The engine and its disk. Dropping it ends and unmounts both.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let disk = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(disk.dir.path());
        assert!(mount.status().unwrap().success(), "a tmpfs needs root");
        let started = script("start", disk.dir.path())
            .arg("podman")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&started.stderr);
        assert!(started.status.success(), "{complaint}");
        disk
    }

    /// The engine's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("podman.sock")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = script("stop", self.dir.path()).output();
        let _ = Command::new("umount").arg(self.dir.path()).output();
    }
}

fn script(verb: &str, dir: &Path) -> Command {
    let script =
        std::env::var("CODLING_TEST_ENGINE_SCRIPT").expect("start the tests with scripts/test");
    let mut command = Command::new(script);
    command.arg(verb).arg(dir);
    command
}
