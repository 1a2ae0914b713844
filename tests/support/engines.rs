//! The real engines of the run, seen by their own commands: not through the code under test. `scripts/engine` sets
//! both up; without one, tests fail and are never skipped.

use super::wait;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A private engine of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Real {
    Podman,
    Docker,
}

impl Real {
    /// Its socket.
    #[track_caller]
    pub(crate) fn socket(self) -> PathBuf {
        let name = match self {
            Self::Podman => "CODLING_TEST_ENGINE",
            Self::Docker => "CODLING_TEST_DOCKER",
        };
        variable(name).into()
    }

    /// The states of the containers that carry a node's label.
    #[track_caller]
    pub(crate) fn containers_of(self, node: &str) -> Vec<String> {
        let filter = format!("label=codling.node={node}");
        let text = self.command(&[
            "ps",
            "--all",
            "--filter",
            &filter,
            "--format",
            "{{.Status}}",
        ]);
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until a node has left nothing behind.
    #[track_caller]
    pub(crate) fn until_no_container_of(self, node: &str) {
        wait::until("the node's containers are removed", || {
            let left = self.containers_of(node);
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
    }

    /// Removes a node's containers, running or not, as somebody else would.
    #[track_caller]
    pub(crate) fn remove_containers_of(self, node: &str) {
        for id in self.ids_of(node) {
            self.command(&["rm", "--force", &id]);
        }
    }

    /// The ids of the containers that carry a node's label.
    #[track_caller]
    pub(crate) fn ids_of(self, node: &str) -> Vec<String> {
        let filter = format!("label=codling.node={node}");
        let ids = self.command(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
        ids.lines().map(str::to_owned).collect()
    }

    /// The bytes that the logs of a node's containers take of the disk.
    #[track_caller]
    pub(crate) fn log_bytes_of(self, node: &str) -> u64 {
        let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |found| found.len());
        let of_one = |id: String| match self {
            Self::Podman => {
                let format = "{{.HostConfig.LogConfig.Path}}";
                let path = self.command(&["inspect", "--format", format, &id]);
                size(path.trim().into())
            }
            // The driver "local" has a folder, which no command shows.
            Self::Docker => {
                let dir = PathBuf::from(variable("CODLING_TEST_ENGINE_DIR"));
                let logs = dir
                    .join("docker/data/containers")
                    .join(id)
                    .join("local-logs");
                let files = std::fs::read_dir(logs).into_iter().flatten().flatten();
                files.map(|file| size(file.path())).sum()
            }
        };
        self.ids_of(node).into_iter().map(of_one).sum()
    }

    /// Every container that the private storage knows of, also those that Podman itself has lost: their names.
    #[track_caller]
    pub(crate) fn stored_names(self) -> String {
        let args: &[&str] = match self {
            Self::Podman => &["ps", "--all", "--external", "--format", "{{.Names}}"],
            Self::Docker => &["ps", "--all", "--format", "{{.Names}}"],
        };
        // It fails when a container of another test is removed while it looks.
        wait::until("the engine lists what is stored", || self.tried(args))
    }

    /// The engine's own command; its standard output.
    #[track_caller]
    pub(crate) fn command(self, args: &[&str]) -> String {
        self.tried(args)
            .unwrap_or_else(|error| panic!("{self:?} {args:?}: {error}"))
    }

    /// Its standard output, or what it complained of.
    #[track_caller]
    fn tried(self, args: &[&str]) -> Result<String, String> {
        let dir = variable("CODLING_TEST_ENGINE_DIR");
        let output = Command::new(variable("CODLING_TEST_ENGINE_SCRIPT"))
            .arg(match self {
                Self::Podman => "podman",
                Self::Docker => "docker",
            })
            .arg(&dir)
            .args(args)
            // Monitors of containers write a file "oom" where they are started.
            .current_dir(&dir)
            .output()
            .expect("the engine's command runs");
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).expect("it prints text"))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// Writes the image of the tests as an archive.
#[track_caller]
pub(crate) fn image_archive(file: &Path) {
    let saved = Command::new(variable("CODLING_TEST_ENGINE_SCRIPT"))
        .args(["image", &variable("CODLING_TEST_ENGINE_DIR")])
        .arg(file)
        .status();
    assert!(saved.expect("the script runs").success());
}

/// One of the variables that `scripts/engine start` prints.
#[track_caller]
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name}: start the tests with scripts/test"))
}

/// Makes a test of each case for each real engine: `podman::CASE` and `docker::CASE`, one source for both.
macro_rules! on_real_engines {
    ($($case:ident,)+) => {
        mod podman {
            $(#[test] fn $case() { super::$case($crate::support::engines::Real::Podman) })+
        }
        mod docker {
            $(#[test] fn $case() { super::$case($crate::support::engines::Real::Docker) })+
        }
    };
}
pub(crate) use on_real_engines;
