//! Counts the syncs of a job from outside, by the order of system calls that strace saw.

use std::fs;
use std::path::Path;

use super::by_hand::await_no_container;
use super::node::Node;
use super::stored::Stored;

/// The syncs of one job.
#[derive(Debug, Default)]
pub(super) struct JobSyncs {
    /// From the PUT as read to the start call as written to the engine.
    pub(super) to_start: usize,
    /// From the start call to the first reply that says Completed.
    pub(super) to_completed: usize,
    /// From one PUT to the next.
    pub(super) all: usize,
    /// Syncs more, because a file had to grow first: a few in the life of a store, by doubling. Not in the others.
    pub(super) growth: usize,
}

/// What a line of the trace says about a job.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    Put,
    Start,
    Completed,
    Resize,
    Page,
    Sync,
}

/// Runs jobs on a traced node, one after the other, after one that is not counted: it may have come before the node had
/// found its engine, and then is placed in a commit of its own.
pub(super) fn trace(
    stored: &Stored,
    engine: &Path,
    image: &str,
    jobs: usize,
    dir: &Path,
) -> Vec<JobSyncs> {
    stored.put_into(dir);
    let file = dir.join("strace");
    let node = Node::start_traced(engine, dir, &file);
    for _ in 0..=jobs {
        let id = node.submit(image, &["echo", "hi"]);
        node.await_completed(&id);
        await_no_container(engine);
    }
    drop(node);
    let counted = count(&fs::read_to_string(&file).unwrap());
    assert_eq!(
        counted.len(),
        jobs + 1,
        "the trace {} does not show every job",
        file.display()
    );
    counted.into_iter().skip(1).collect()
}

fn count(trace: &str) -> Vec<JobSyncs> {
    let mut jobs: Vec<JobSyncs> = Vec::new();
    let mut last = Mark::Completed;
    let mut resized = false;
    for mark in trace.lines().filter_map(mark) {
        match (mark, jobs.last_mut()) {
            (Mark::Put, _) => {
                jobs.push(JobSyncs::default());
                last = Mark::Put;
            }
            // A file that grows is synced before a page is written; one that shrinks is not.
            (Mark::Resize, _) => resized = true,
            (Mark::Page, _) => resized = false,
            (Mark::Sync, Some(job)) if resized => {
                job.growth += 1;
                resized = false;
            }
            (Mark::Sync, Some(job)) => {
                job.all += 1;
                job.to_start += usize::from(last == Mark::Put);
                job.to_completed += usize::from(last == Mark::Start);
            }
            (Mark::Start, Some(_)) if last == Mark::Put => last = Mark::Start,
            (Mark::Completed, Some(_)) if last == Mark::Start => last = Mark::Completed,
            _ => {}
        }
    }
    jobs
}

fn mark(line: &str) -> Option<Mark> {
    let call = line.split_once(' ')?.1.trim_start();
    let writes = ["write(", "writev(", "sendto(", "sendmsg("]
        .iter()
        .any(|name| call.starts_with(name));
    if ["fsync(", "fdatasync(", "sync_file_range("]
        .iter()
        .any(|name| call.starts_with(name))
    {
        Some(Mark::Sync)
    } else if call.starts_with("ftruncate(") {
        Some(Mark::Resize)
    } else if call.starts_with("pwrite64(") {
        Some(Mark::Page)
    } else if !writes && call.contains("\"PUT /api/v1/orchestrator/jobs") {
        Some(Mark::Put)
    } else if writes && call.contains("\"POST ") && call.contains("/start") {
        Some(Mark::Start)
    } else if writes && call.contains("\\\"StateType\\\":\\\"Completed\\\"") {
        Some(Mark::Completed)
    } else {
        None
    }
}
