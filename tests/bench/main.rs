//! The figures that `scripts/bench` prints: what codling adds to a job.
//!
//! ```text
//! wall time   the same engine calls by hand and a job through a node, interleaved, on a private Podman and Docker
//! logs        what a follower gets a second, against the engine's own log API
//! slow disk   the same on Podman with 50 ms more for each sync, less the calls by hand
//! reopened    from kill -9 until the jobs of 10,000 are shown, and until it says that it is alive
//! memory      node, engine and monitor of one long job under a Podman that is started on demand
//! list        of 10,000 stored jobs, and what it leaves in memory
//! submissions acknowledged a second with 64 clients, against the appends that the disk can sync in one thread
//! bytes       write_bytes of the node's process over many jobs, with 10,000 stored
//! syncs       counted from outside by strace, with 10,000 stored: up to the start of the container, and from there to Completed
//! ```
//!
//! Standalone: it drives the released binary and shares no code with the crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures real time, prints, and stops at the first surprise"
)]

#[path = "../support/activator.rs"]
mod activator;
mod by_hand;
mod http;
mod list;
mod logs;
mod memory;
mod node;
mod reopened;
mod stored;
mod submissions;
mod syncs;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use by_hand::Kind;
use node::Node;
use stored::Stored;
use table::Table;

/// Pairs of runs when `CODLING_BENCH_PAIRS` does not say otherwise: enough for a stable median.
const PAIRS: usize = 30;
/// Runs that warm both sides up and are not counted.
const WARM_UP: usize = 3;
/// Jobs under strace: their times are worthless, their syncs are exact.
const TRACED_JOBS: usize = 5;

/// Wall time of a job by the wall time of the same calls by hand.
const RATIO_MAX: f64 = 1.05;
/// What a follower gets of a job's log, in MB a second.
const LOG_RATE_LEAST: f64 = 50.0;
/// Acknowledged submissions a second by appends a second that the disk makes durable one by one.
const SUBMISSIONS_LEAST: f64 = 1.0;
/// PSS of a node with everything that one long job keeps in memory.
const MEMORY_MB_MAX: f64 = 8.0;
/// What each sync of a slow disk takes more, and what a job on it takes more than the same calls by hand: four of them, and
/// as much as a job may take anyway.
const SYNC_DELAY: Duration = Duration::from_millis(50);
const OVER_ENGINE_MS_MAX: f64 = 220.0;
/// A node that was killed with 10,000 executions shows its jobs again, and is alive as soon as any other.
const REOPEN_MS_MAX: f64 = 150.0;
const ALIVE_MS_MAX: f64 = 50.0;
/// A whole list of 10,000 stored jobs, and what it adds to the node's PSS.
const LIST_MS_MAX: f64 = 200.0;
const LIST_MB_MAX: f64 = 1.0;
/// Commits a job, each one sync.
const COMMITS_MAX: f64 = 4.0;
/// Bytes to disk a job.
const BYTES_MAX: f64 = 160.0 * 1024.0;
/// Syncs that a job waits for on each of its two ways: PUT to container start, exit to Completed.
const PATH_SYNCS_MAX: usize = 2;

fn main() -> ExitCode {
    // Only `cargo bench` passes this; `cargo test --benches` must not measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let engine = PathBuf::from(required("CODLING_TEST_ENGINE"));
    let docker = PathBuf::from(required("CODLING_TEST_DOCKER"));
    let image = required("CODLING_TEST_IMAGE");
    let pairs = std::env::var("CODLING_BENCH_PAIRS")
        .ok()
        .map_or(PAIRS, |value| value.parse().unwrap());
    let scratch = tempfile::tempdir().unwrap();

    let mut table = Table::default();
    let stored = Stored::make(&engine, &image, &scratch.path().join("stored"));
    for (kind, socket) in [(Kind::Podman, &engine), (Kind::Docker, &docker)] {
        let dir = scratch.path().join(format!("timed on {kind:?}"));
        stored.put_into(&dir);
        wall_time(kind, socket, &image, pairs, &dir, &mut table);
        for shape in [logs::Shape::Lines, logs::Shape::Bytes] {
            let dir = scratch.path().join(format!("{shape:?} on {kind:?}"));
            let rate = logs::of_one_follower(socket, &image, shape, &dir);
            table.row_at_least(
                &format!("{kind:?}: log of {shape} to a follower"),
                rate.followed,
                LOG_RATE_LEAST,
                &rate.to_string(),
                ">= 50 MB/s",
            );
        }
    }
    let rate = submissions::of_many_clients(&engine, &image, &scratch.path().join("submitted"));
    table.row_at_least(
        "submissions a second / disk's appends",
        rate.ratio(),
        SUBMISSIONS_LEAST,
        &rate.to_string(),
        ">= 1.0",
    );
    slow_disk(
        &engine,
        &image,
        pairs,
        &scratch.path().join("slow"),
        &mut table,
    );
    let back = reopened::after_kills(&stored, &engine, &image, &scratch.path().join("back"));
    let name = format!("kill -9 to its jobs, {} executions", stored::JOBS);
    table.row(
        &name,
        back.jobs,
        REOPEN_MS_MAX,
        &back.to_string(),
        "<= 150 ms",
    );
    let text = format!("{:.0} ms", back.alive);
    table.row("and to alive", back.alive, ALIVE_MS_MAX, &text, "<= 50 ms");
    let memory = memory::of_one_long_job(&image, &scratch.path().join("long"));
    table.row(
        "PSS with one long job, engine asleep",
        memory.total_mb(),
        MEMORY_MB_MAX,
        &memory.to_string(),
        "<= 8 MB",
    );
    let cost = list::of_all_jobs(&scratch.path().join("list"));
    let ms = cost.time.as_secs_f64() * 1e3;
    let name = format!("list of {} jobs", list::JOBS);
    table.row(&name, ms, LIST_MS_MAX, &cost.to_string(), "<= 200 ms");
    let text = format!("{:.2} MB", cost.growth_mb);
    table.row(
        "PSS that the lists add",
        cost.growth_mb,
        LIST_MB_MAX,
        &text,
        "<= 1 MB",
    );
    let dir = scratch.path().join("traced");
    let traced = syncs::trace(&stored, &engine, &image, TRACED_JOBS, &dir);
    let worst = |path: fn(&syncs::JobSyncs) -> usize| traced.iter().map(path).max().unwrap();
    let before = worst(|job| job.to_start);
    let after = worst(|job| job.to_completed);
    let all = traced.iter().map(|job| job.all as f64).sum::<f64>() / traced.len() as f64;
    let growth: usize = traced.iter().map(|job| job.growth).sum();
    table.row(
        "commits a job (syncs of the stores)",
        all,
        COMMITS_MAX,
        &format!("{all:.1}  (files grew {growth} times in {TRACED_JOBS} jobs)"),
        "<= 4",
    );
    table.row(
        "syncs, PUT to container start",
        before as f64,
        PATH_SYNCS_MAX as f64,
        &before.to_string(),
        "<= 2",
    );
    table.row(
        "syncs, container start to Completed",
        after as f64,
        PATH_SYNCS_MAX as f64,
        &after.to_string(),
        "<= 2",
    );
    table.print()
}

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/bench"))
}

fn wall_time(kind: Kind, engine: &Path, image: &str, pairs: usize, dir: &Path, table: &mut Table) {
    let node = Node::start(engine, dir);
    let mut hand = Vec::new();
    let mut job = Vec::new();
    let mut written = 0;
    for round in 0..WARM_UP + pairs {
        if round == WARM_UP {
            (hand, job) = (Vec::new(), Vec::new());
            written = node.written();
        }
        // Each side goes first in every other round, so that neither always meets the warmer engine.
        if round % 2 == 0 {
            hand.push(by_hand::run(kind, engine, image));
            job.push(job_run(&node, engine, image));
        } else {
            job.push(job_run(&node, engine, image));
            hand.push(by_hand::run(kind, engine, image));
        }
    }
    let bytes = (node.written() - written) as f64 / pairs as f64;
    for (name, pick) in [
        ("result", Timing::result as fn(&Timing) -> f64),
        ("removed", Timing::removed),
    ] {
        let name = format!("{kind:?}: job to {name} / by hand");
        let of = |timings: &[Timing]| median(timings.iter().map(pick));
        let ratio = of(&job) / of(&hand);
        let each = || {
            job.iter()
                .zip(&hand)
                .map(|(job, hand)| pick(job) / pick(hand))
        };
        let text = format!(
            "{ratio:.3} [{:.2}-{:.2}] ({:.1}, {:.1} ms; n={pairs})",
            part(each(), 1, 4),
            part(each(), 3, 4),
            of(&job),
            of(&hand),
        );
        table.row(&name, ratio, RATIO_MAX, &text, "<= 1.05");
    }
    table.row(
        &format!("{kind:?}: bytes to disk a job"),
        bytes,
        BYTES_MAX,
        &format!("{:.1} KiB", bytes / 1024.0),
        "<= 160 KiB",
    );
}

/// How long one run took.
#[derive(Clone, Copy, Debug)]
struct Timing {
    result: Duration,
    removed: Duration,
}

impl Timing {
    /// Milliseconds until the caller had exit code and output.
    fn result(&self) -> f64 {
        self.result.as_secs_f64() * 1000.0
    }

    /// Milliseconds until the container was removed as well.
    fn removed(&self) -> f64 {
        self.removed.as_secs_f64() * 1000.0
    }
}

/// What a job takes over the same calls by hand where every sync takes long.
fn slow_disk(engine: &Path, image: &str, pairs: usize, dir: &Path, table: &mut Table) {
    let node = Node::start_delayed(engine, dir, SYNC_DELAY);
    let (mut hand, mut job) = (Vec::new(), Vec::new());
    for _ in 0..WARM_UP + pairs {
        hand.push(by_hand::run(Kind::Podman, engine, image).result());
        job.push(job_run(&node, engine, image).result());
    }
    let of = |timings: Vec<f64>| median(timings.into_iter().skip(WARM_UP));
    let (job, hand) = (of(job), of(hand));
    table.row(
        "Podman: job over by hand, 50 ms a sync",
        job - hand,
        OVER_ENGINE_MS_MAX,
        &format!("{:.0} ms ({job:.0}, {hand:.0} ms)", job - hand),
        "<= 220 ms",
    );
}

fn job_run(node: &Node, engine: &Path, image: &str) -> Timing {
    let began = Instant::now();
    let id = node.submit(image, &["echo", "hi"]);
    node.await_completed(&id);
    let result = began.elapsed();
    by_hand::await_no_container(engine);
    Timing {
        result,
        removed: began.elapsed(),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    part(values, 1, 2)
}

/// The value below which `numerator` of `denominator` parts lie.
fn part(values: impl Iterator<Item = f64>, numerator: usize, denominator: usize) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() * numerator / denominator]
}
