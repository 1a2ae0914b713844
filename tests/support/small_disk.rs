//! A Podman of its own on a disk that is almost full with the tests' image.

use super::mount::Mount;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tests' image is 2 MB, twice while it is imported; then less is left than an image of `Registry` needs.
const KIB: u32 = 7 * 1_024;

/// The engine and its disk. Dropping it ends and unmounts both.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    mount: Mount,
}

impl SmallDisk {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let disk = Self {
            mount: Mount::tmpfs(KIB),
        };
        let started = script("start", &disk.mount.at)
            .arg("podman")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&started.stderr);
        assert!(started.status.success(), "{complaint}");
        disk
    }

    /// The engine's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.mount.at.join("podman.sock")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = script("stop", &self.mount.at).output();
    }
}

fn script(verb: &str, dir: &Path) -> Command {
    let script =
        std::env::var("CODLING_TEST_ENGINE_SCRIPT").expect("start the tests with scripts/test");
    let mut command = Command::new(script);
    command.arg(verb).arg(dir);
    command
}
