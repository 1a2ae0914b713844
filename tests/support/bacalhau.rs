//! The real `bacalhau` CLI, as `scripts/clients` built it.

use super::program::{Ended, Program};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The CLI of a user with this home, talking to this node.
#[derive(Debug)]
pub(crate) struct Bacalhau {
    home: PathBuf,
    api: SocketAddr,
}

impl Bacalhau {
    pub(crate) fn at(home: &Path, api: SocketAddr) -> Self {
        Self {
            home: home.to_path_buf(),
            api,
        }
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, &[])
    }

    /// With further variables.
    #[track_caller]
    pub(crate) fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Ended {
        let path = std::env::var("CODLING_TEST_BACALHAU")
            .expect("CODLING_TEST_BACALHAU: start the tests with scripts/test");
        // No look for a newer release, which is a question to the network.
        let mut all = vec!["-c", "UpdateConfig.Interval=0"];
        all.extend(args);
        let port = self.api.port().to_string();
        let mut program = Program::other(&path, &all)
            .env("HOME", &self.home.display().to_string())
            .env("BACALHAU_API_HOST", "127.0.0.1")
            .env("BACALHAU_API_PORT", &port)
            .env("NO_COLOR", "1");
        for (name, value) in variables {
            program = program.env(name, value);
        }
        program.run()
    }

    /// Submits a job with `docker run` and these words after it; its id.
    #[track_caller]
    pub(crate) fn submit(&self, words: &[&str]) -> String {
        let ended = self.run(&[&["docker", "run", "--id-only"], words].concat());
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        // Before it, the first command in a home says that it makes its files.
        ended.out.lines().last().unwrap_or_default().to_owned()
    }

    /// The JSON that a command prints; it must succeed.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ended = self.run(args);
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        // Before it, the first commands in a home say that they make its files, and of what.
        let begins_a_line = |(at, _): &(usize, &str)| *at == 0 || ended.out[..*at].ends_with('\n');
        let mut starts = ended.out.match_indices(['{', '[']);
        let start = starts.find(begins_a_line).map_or(0, |(at, _)| at);
        serde_json::from_str(&ended.out[start..])
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {ended:?}"))
    }
}
