//! What it costs to list ten thousand jobs, all of them, page by page.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::memory::pss_mb;
use super::node::Node;

/// Stored jobs.
pub(super) const JOBS: usize = 10_000;
/// Clients that submit them, for one after another would wait for each commit.
const CLIENTS: usize = 16;
/// Lists of which the median counts.
const LISTS: usize = 5;

/// The cost of one whole list.
#[derive(Debug)]
pub(super) struct Cost {
    pub(super) time: Duration,
    /// PSS after the lists less the one before them.
    pub(super) growth_mb: f64,
    pages: usize,
    bytes: usize,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, mb) = (self.time.as_secs_f64() * 1e3, self.bytes as f64 / 1e6);
        write!(f, "{ms:.0} ms ({} pages, {mb:.1} MB)", self.pages)
    }
}

/// A node without an engine turns each job away at once, and keeps it.
pub(super) fn of_all_jobs(dir: &Path) -> Cost {
    let node = Node::start(&dir.join("no engine"), dir);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for _ in 0..JOBS / CLIENTS {
                    node.submit("busybox", &["true"]);
                }
            });
        }
    });
    // Once, so that what a first list brings into memory for good is not counted as the cost of each.
    node.list_page("");
    let before = pss_mb(node.pid());
    let mut costs: Vec<Cost> = (0..LISTS).map(|_| list(&node)).collect();
    costs.sort_by_key(|cost| cost.time);
    let mut median = costs.swap_remove(LISTS / 2);
    median.growth_mb = pss_mb(node.pid()) - before;
    median
}

fn list(node: &Node) -> Cost {
    let (mut time, mut pages, mut bytes, mut rows) = (Duration::ZERO, 0, 0, 0);
    let mut token = String::new();
    loop {
        let began = Instant::now();
        let text = node.list_page(&token);
        time += began.elapsed();
        let page: serde_json::Value = serde_json::from_str(&text).unwrap();
        (pages, bytes) = (pages + 1, bytes + text.len());
        rows += page["Items"].as_array().unwrap().len();
        page["NextToken"].as_str().unwrap().clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(rows, JOBS, "every job once");
    Cost {
        time,
        growth_mb: 0.0,
        pages,
        bytes,
    }
}
