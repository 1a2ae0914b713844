//! Where a case stands: the same shell lines in containers of a real Podman, of a real Docker, and on `ScriptedEngine`,
//! which runs them as processes.

use super::engine::{Play, ScriptedEngine};
use super::engines::Real;
use super::jobs::IMAGE;
use super::node::TestNode;
use super::wait;
use std::path::{Path, PathBuf};

/// An engine that a case runs on.
#[derive(Debug)]
pub(crate) enum Stand {
    Real(Real),
    Scripted(ScriptedEngine),
}

impl Stand {
    /// A scripted engine that has the image of the real ones and does as it is told.
    pub(crate) fn scripted() -> Self {
        let engine = ScriptedEngine::start();
        engine.image(IMAGE, Play::as_told());
        Self::Scripted(engine)
    }

    /// Its socket.
    #[track_caller]
    pub(crate) fn socket(&self) -> PathBuf {
        match self {
            Self::Real(real) => real.socket(),
            Self::Scripted(engine) => engine.socket().to_path_buf(),
        }
    }

    /// A node on `dir` that uses it.
    #[track_caller]
    pub(crate) fn node(&self, dir: &Path) -> TestNode {
        self.node_with(dir, &[])
    }

    /// The same with further flags.
    #[track_caller]
    pub(crate) fn node_with(&self, dir: &Path, flags: &[(&str, &str)]) -> TestNode {
        let socket = self.socket().display().to_string();
        let mut all = vec![("engine-socket", socket.as_str())];
        all.extend(flags);
        TestNode::start(dir, &all)
    }

    /// Whether each of a node's containers runs.
    #[track_caller]
    pub(crate) fn containers_of(&self, node: &str) -> Vec<bool> {
        match self {
            Self::Real(real) => {
                let runs = |status: &String| status.starts_with("Up");
                real.containers_of(node).iter().map(runs).collect()
            }
            Self::Scripted(engine) => engine.containers_of(node),
        }
    }

    /// Waits until a node has left nothing behind.
    #[track_caller]
    pub(crate) fn until_no_container_of(&self, node: &str) {
        wait::until("the node's containers are removed", || {
            match self.containers_of(node) {
                left if left.is_empty() => Ok(()),
                left => Err(left),
            }
        });
    }

    /// Removes a node's containers, running or not, as somebody else would.
    #[track_caller]
    pub(crate) fn remove_containers_of(&self, node: &str) {
        match self {
            Self::Real(real) => real.remove_containers_of(node),
            Self::Scripted(engine) => engine.remove_containers_of(node),
        }
    }
}

/// Makes a test of each case for each engine: `podman::CASE`, `docker::CASE` and `scripted::CASE`, one source for all.
macro_rules! on_every_engine {
    ($($case:ident,)+) => {
        mod podman {
            use $crate::support::{engines::Real, stand::Stand};
            $(#[test] fn $case() { super::$case(&Stand::Real(Real::Podman)) })+
        }
        mod docker {
            use $crate::support::{engines::Real, stand::Stand};
            $(#[test] fn $case() { super::$case(&Stand::Real(Real::Docker)) })+
        }
        mod scripted {
            use $crate::support::stand::Stand;
            $(#[test] fn $case() { super::$case(&Stand::scripted()) })+
        }
    };
}
pub(crate) use on_every_engine;
