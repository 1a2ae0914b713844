//! How many submissions a second 64 clients get acknowledged, against the disk: a loop in one thread that appends as many
//! bytes as a submission has and syncs each of them, on the same file system, by turns.
//!
//! One job holds the node's CPUs, so every other is accepted, stored in both files, and waits: no container is started
//! meanwhile.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::by_hand;
use super::http::KeptOpen;
use super::median;
use super::node::{Node, job};

/// Clients, each of which waits for its answer before it submits again.
const CLIENTS: usize = 64;
/// Of each client in a round. All rounds together stay below the jobs that may be live at once.
const SUBMISSIONS: usize = 15;
/// Rounds that count, after one that does not.
const ROUNDS: usize = 3;
/// How long the disk's loop takes.
const DISK_TIME: Duration = Duration::from_secs(1);

/// Both rates, as the medians of the rounds.
#[derive(Debug)]
pub(super) struct Rate {
    acknowledged: f64,
    appended: f64,
}

impl Rate {
    pub(super) fn ratio(&self) -> f64 {
        self.acknowledged / self.appended
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} ({:.0}, {:.0} a second)",
            self.ratio(),
            self.acknowledged,
            self.appended
        )
    }
}

/// Submits from all clients at once, in rounds between which the disk is measured.
pub(super) fn of_many_clients(engine: &Path, image: &str, dir: &Path) -> Rate {
    let node = Node::start(engine, dir);
    let long = "trap 'exit 0' TERM; sleep 600 & wait";
    let holder = node.submit(image, &["sh", "-c", long]);
    node.await_running(&holder);
    let (mut acknowledged, mut appended) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        appended.push(appends(&dir.join("appended")));
        acknowledged.push(acknowledgements(&node, image));
    }
    // Stopped in order, its end would let the next of thousands start.
    let container = node.only_container(engine);
    drop(node);
    by_hand::remove(engine, &container);
    Rate {
        acknowledged: median(acknowledged.into_iter().skip(1)),
        appended: median(appended.into_iter().skip(1)),
    }
}

/// Acknowledged submissions a second.
fn acknowledgements(node: &Node, image: &str) -> f64 {
    let mut clients: Vec<KeptOpen> = (0..CLIENTS).map(|_| node.connect()).collect();
    let body = job(image, &["true"]).to_string();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for client in &mut clients {
            let body = body.as_str();
            scope.spawn(move || {
                for _ in 0..SUBMISSIONS {
                    let status = client.put("/api/v1/orchestrator/jobs", body).unwrap();
                    assert_eq!(status, 200);
                }
            });
        }
    });
    (CLIENTS * SUBMISSIONS) as f64 / began.elapsed().as_secs_f64()
}

/// Appends a second that one thread can make durable.
fn appends(path: &Path) -> f64 {
    let record = vec![b'x'; job("image", &["true"]).to_string().len()];
    let mut file = File::create(path).unwrap();
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < DISK_TIME {
        file.write_all(&record).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    fs::remove_file(path).unwrap();
    rate
}
