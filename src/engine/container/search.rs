//! Which socket: the search order of the documentation, each candidate with its origin.

use std::path::PathBuf;

/// Where an engine may be. Plain data: the environment is read by whoever fills this in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketSearch {
    /// `--engine-socket` or its variable, a path or `unix://PATH`. If given, nothing else is tried.
    pub explicit: Option<String>,
    /// `DOCKER_HOST`. Only `unix://PATH` or a path leads anywhere.
    pub docker_host: Option<String>,
    /// `CONTAINER_HOST`, Podman's name for the same.
    pub container_host: Option<String>,
    /// `XDG_RUNTIME_DIR`; `/run/user/<uid>` is tried when unset.
    pub runtime_dir: Option<PathBuf>,
    /// This process's user id.
    pub uid: u32,
}

/// One place to look, or why it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The socket.
    pub(super) path: PathBuf,
    /// Which flag, variable or default named it.
    pub(super) origin: String,
    /// Why it cannot be used without even trying.
    pub(super) unusable: Option<String>,
}

/// Rootful Docker's socket.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";
/// Rootful Podman's socket.
const PODMAN_SOCKET: &str = "/run/podman/podman.sock";

impl SocketSearch {
    /// Only this socket, as `--engine-socket` does.
    #[must_use]
    pub fn only(path: impl Into<PathBuf>) -> Self {
        Self {
            explicit: Some(path.into().to_string_lossy().into_owned()),
            ..Self::default()
        }
    }

    /// All candidates in order, each path once.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        if let Some(value) = &self.explicit {
            return vec![named(value, "--engine-socket")];
        }
        let mut candidates = Vec::new();
        let mut add = |candidate: Candidate| {
            if !candidates
                .iter()
                .any(|c: &Candidate| c.path == candidate.path)
            {
                candidates.push(candidate);
            }
        };
        if let Some(value) = &self.docker_host {
            add(named(value, "DOCKER_HOST"));
        }
        if let Some(value) = &self.container_host {
            add(named(value, "CONTAINER_HOST"));
        }
        add(default(DOCKER_SOCKET.into()));
        add(default(PODMAN_SOCKET.into()));
        let runtime_dir = self
            .runtime_dir
            .clone()
            .unwrap_or_else(|| format!("/run/user/{}", self.uid).into());
        add(default(runtime_dir.join("docker.sock")));
        add(default(runtime_dir.join("podman/podman.sock")));
        candidates
    }
}

fn default(path: PathBuf) -> Candidate {
    Candidate {
        path,
        origin: "default".to_owned(),
        unusable: None,
    }
}

fn named(value: &str, origin: &str) -> Candidate {
    let path = value.strip_prefix("unix://").unwrap_or(value);
    let unusable = if path.contains("://") {
        Some("only Unix sockets are used, as in unix:///run/podman/podman.sock".to_owned())
    } else if !path.starts_with('/') {
        Some("not an absolute path".to_owned())
    } else {
        None
    };
    Candidate {
        path: path.into(),
        origin: origin.to_owned(),
        unusable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(search: &SocketSearch) -> Vec<String> {
        search
            .candidates()
            .iter()
            .map(|c| c.path.display().to_string())
            .collect()
    }

    #[test]
    fn the_documented_order_is_searched_each_place_once() {
        let search = SocketSearch {
            docker_host: Some("unix:///var/run/docker.sock".into()),
            container_host: Some("unix:///run/podman/podman.sock".into()),
            uid: 1000,
            ..SocketSearch::default()
        };
        assert_eq!(
            paths(&search),
            [
                "/var/run/docker.sock",
                "/run/podman/podman.sock",
                "/run/user/1000/docker.sock",
                "/run/user/1000/podman/podman.sock"
            ]
        );
        assert_eq!(search.candidates()[0].origin, "DOCKER_HOST");
    }

    #[test]
    fn a_socket_given_by_flag_is_the_only_candidate() {
        let search = SocketSearch {
            docker_host: Some("/other".into()),
            ..SocketSearch::only("/x.sock")
        };
        assert_eq!(paths(&search), ["/x.sock"]);
    }

    #[test]
    fn an_engine_over_tcp_is_a_candidate_that_says_why_it_is_not_used() {
        let search = SocketSearch {
            docker_host: Some("tcp://10.0.0.1:2375".into()),
            ..SocketSearch::default()
        };
        let first = &search.candidates()[0];
        assert!(
            first
                .unusable
                .as_ref()
                .is_some_and(|why| why.contains("Unix sockets"))
        );
    }
}
