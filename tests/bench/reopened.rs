//! How soon a node that was killed is back with a large store: when it says that it is alive, and when it shows its jobs.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::median;
use super::node::Node;
use super::stored::Stored;

/// Starts that count, each after a kill -9, behind one that does not.
const STARTS: usize = 7;

/// Milliseconds from the start of the process, as medians.
#[derive(Debug)]
pub(super) struct Back {
    pub(super) alive: f64,
    pub(super) jobs: f64,
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} ms (alive after {:.0} ms)", self.jobs, self.alive)
    }
}

/// Kills and starts again.
pub(super) fn after_kills(stored: &Stored, engine: &Path, image: &str, dir: &Path) -> Back {
    stored.put_into(dir);
    // Killed when dropped, with a commit behind it.
    let node = Node::start(engine, dir);
    let id = node.submit(image, &["true"]);
    node.await_completed(&id);
    drop(node);
    let times: Vec<[Duration; 2]> = (0..=STARTS)
        .map(|_| {
            let (node, times) = Node::start_timed(engine, dir);
            drop(node);
            times
        })
        .collect();
    let ms = |which: usize| {
        median(
            times
                .iter()
                .skip(1)
                .map(|times| times[which].as_secs_f64() * 1e3),
        )
    };
    Back {
        alive: ms(0),
        jobs: ms(1),
    }
}
