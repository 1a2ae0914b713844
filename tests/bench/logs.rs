//! How fast one follower gets a job's log, `codling job logs -f` into a pipe, against the engine's own log API, by turns.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use super::by_hand;
use super::http::unix_stream;
use super::median;
use super::node::Node;

/// What the job prints: enough for some tenths of a second, and what an engine takes in soon. Whole lines, for Podman keeps
/// back a line that has not ended, and a last one that is short, for Docker loses the end of a long one.
const BYTES: u64 = 8_000_000;
/// Rounds that count, after one that does not.
const ROUNDS: usize = 3;
/// Of one read.
const PIECE: usize = 64 * 1024;

/// What the output looks like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Lines of 100 bytes.
    Lines,
    /// Zeros, and two line ends.
    Bytes,
}

impl Shape {
    fn script(self) -> String {
        let print = match self {
            Self::Lines => format!("yes {} | head -c {BYTES}", "x".repeat(99)),
            Self::Bytes => format!("head -c {} /dev/zero; echo; echo", BYTES - 2),
        };
        format!("{print}; trap 'exit 0' TERM; sleep 600 & wait")
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines",
            Self::Bytes => "bytes",
        })
    }
}

/// Both rates in MB a second, as the medians of the rounds.
#[derive(Debug)]
pub(super) struct Rate {
    pub(super) followed: f64,
    by_hand: f64,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.followed / self.by_hand;
        write!(
            f,
            "{:.0} MB/s ({ratio:.2} of the engine's {:.0})",
            self.followed, self.by_hand
        )
    }
}

/// Reads the log of a job that has printed and runs on.
pub(super) fn of_one_follower(engine: &Path, image: &str, shape: Shape, dir: &Path) -> Rate {
    let node = Node::start_with_logs(engine, dir);
    let job = node.submit(image, &["sh", "-c", &shape.script()]);
    node.await_running(&job);
    let container = node.only_container(engine);
    // Once unmeasured on both sides, and not before all of it is there.
    follow(&node, &job);
    let (mut followed, mut by_hand) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        by_hand.push(read_by_hand(engine, &container));
        followed.push(follow(&node, &job));
    }
    // Stopped in order, its end would wait for the log to be read once more.
    drop(node);
    by_hand::remove(engine, &container);
    Rate {
        followed: median(followed.into_iter().skip(1)),
        by_hand: median(by_hand.into_iter().skip(1)),
    }
}

/// MB a second until a new follower has all of it.
fn follow(node: &Node, job: &str) -> f64 {
    let began = Instant::now();
    let mut follower = node.follow(job);
    let mut output = follower.stdout.take().unwrap();
    let mut piece = vec![0; PIECE];
    let mut read = 0;
    while read < BYTES {
        let count = output.read(&mut piece).unwrap();
        assert_ne!(count, 0, "the log ended after {read} bytes");
        read += count as u64;
    }
    let time = began.elapsed();
    follower.kill().unwrap();
    follower.wait().unwrap();
    BYTES as f64 / 1e6 / time.as_secs_f64()
}

/// The same from the engine, whose frames are left as they are.
fn read_by_hand(engine: &Path, container: &str) -> f64 {
    let began = Instant::now();
    let path = format!("/v1.40/containers/{container}/logs?stdout=true&stderr=true");
    let mut stream = unix_stream(engine, &path);
    let mut piece = vec![0; PIECE];
    let mut read = 0;
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => break,
            count => read += count as u64,
        }
    }
    assert!(read >= BYTES, "the engine's log ended after {read} bytes");
    BYTES as f64 / 1e6 / began.elapsed().as_secs_f64()
}
