//! Every file that codling writes, and what a power cut leaves of it.
//!
//! | File | Written by | How | A cut leaves |
//! |---|---|---|---|
//! | data directory and those above | `node::lock` | made, each level synced in the one above | none, or an empty one |
//! | `codling.lock` | `node::lock` | in place, not synced | anything: the lock is the kernel's, its text only names a process |
//! | `libp2p_private_key`, `.bak` | `swarm::identity` | `.tmp` synced, renamed, directory synced; the key, then its copy | the key before, or the new one |
//! | `.damaged`, `.bak.old` beside them | `swarm::identity` | renamed, directory synced | the one name or the other |
//! | `<id>-requester/jobs.db`, `<id>-compute/executions.db` | `store::place` | made as `.new`, synced, renamed, directory synced | none, or a whole empty one |
//! | | `store::file` | redb: each commit is synced | the commits that were acknowledged, perhaps the next |
//! | | `codling store compact` | the same, in place | every record |
//! | `.db.damaged`, `-2` to `-4` | `store::place` | renamed, directory synced | the one name or the other |
//! | `.db.ballast` | `store::ballast` | in place, synced when given up | anything: nobody reads it, and it is made whole again |
//! | `.db.import`, and its own `.new` | `codling store import` | a store of its own, renamed, directory synced | the store before, or the new one; the two files one after the other |
//! | what `store export --output` names | `cli::store` | a new file, synced, with its directory | a part without its last line, which no import takes; all of it once it was said |
//! | `crash.txt` | `cli::serve::crash` | `.new` synced, renamed | the report before, or the new one |
//! | what `codling debug --output` names | `cli::debug` | a new file, not synced | anything: somebody reads it now, or asks for it again |
//!
//! There is no other one: output of jobs is in the engine's log until it is in `jobs.db`, and settings are only read.
//!
//! The real binary is watched by strace while it lives through each of these, and images are made of the whole tree
//! behind every call, as `tree` tells. On each a node is started, with `--store-damaged refuse`, which knows what had been
//! promised by then. An image that fails stays on the disk, and the failure names it: start a node on it.

mod commands;
mod identity;
mod stage;
mod trace;
mod tree;

use crate::support::board::CalmBoard;
use stage::*;
use std::ops::Range;
use tree::{Cut, Image, Op, Tape};

/// Which flush of a thread fails how. The main thread, which opens the files, makes no third one before it closes them; of
/// the writer's, the third is the end of the first job, the fifth and sixth are the submission of the second, a service.
const FAILING: [(&str, usize); 3] = [("EIO", 3), ("ENOSPC", 5), ("EIO", 6)];
/// Calls around it that are cut at: the commit that fails, giving up the ballast, opening again, and the commits after that.
const BEFORE_FAILURE: usize = 10;
const BEHIND_FAILURE: usize = 70;

/// A life from an empty disk: one job ends, a service runs, a second job ends, and the node is stopped.
fn life(start: Tape, inject: Option<&str>) -> (Watched, Vec<Promise>) {
    let engine = engine();
    let mut jobs = Vec::new();
    let watched = serve(start, &engine, inject, |api| {
        for (image, kind, states, is) in [
            (ENDS, "batch", "Completed", Kind::Batch),
            (STAYS, "service", "Running", Kind::Service),
            (ENDS, "batch", "Completed", Kind::Batch),
        ] {
            let job = submit(api, &submission(image, kind));
            is_in(api, &job, &[states]);
            jobs.push((job, is));
        }
    });
    let promises = jobs
        .iter()
        .map(|(job, kind)| Promise::of(&watched.tape, job, *kind))
        .collect();
    (watched, promises)
}

/// What a stopped node with one completed job leaves, its id, and the job.
fn stopped() -> (Image, String, Promise) {
    let engine = engine();
    let mut done = String::new();
    let watched = serve(Tape::of(&Image::default()), &engine, None, |api| {
        done = submit(api, &submission(ENDS, "batch"));
        is_in(api, &done, &["Completed"]);
    });
    let left = tree::image(&watched.tape.live());
    let id = id_of(&left);
    (left, id, Promise::kept(&done))
}

/// Every image of a tape holds.
fn all_hold(
    watched: &Watched,
    cuts: Range<usize>,
    promises: &[Promise],
    id: &str,
    flags: &[(&str, &str)],
) {
    let board = CalmBoard::new();
    let images = images(&watched.tape, cuts, Pages::Some);
    println!(
        "{} images of {} calls",
        images.len(),
        watched.tape.ops.len()
    );
    for image in &images {
        holds(image, promises, id, flags, &board);
    }
}

#[test]
fn a_power_cut_in_the_life_of_a_real_node_costs_neither_key_nor_store_nor_job() {
    let (watched, promises) = life(Tape::of(&Image::default()), None);
    assert!(promises[0].was_shown(), "its end was to be seen");
    let id = id_of(&tree::image(&watched.tape.live()));
    all_hold(&watched, 0..usize::MAX, &promises, &id, &REFUSE);
}

#[test]
fn a_power_cut_after_a_start_that_was_killed_costs_no_job_of_the_next_start() {
    let (first, _) = life(Tape::of(&Image::default()), None);
    // Between a name and the sync that makes it durable.
    let ops = first.tape.ops.iter().enumerate();
    let named: Vec<usize> = ops
        .filter(|(_, op)| matches!(op, Op::Names { .. }))
        .map(|(at, _)| at + 1)
        .collect();
    assert!(named.len() > 10, "{named:?}");
    let (engine, board) = (engine(), CalmBoard::new());
    for killed in named {
        let mut job = String::new();
        let next = serve(first.tape.killed(killed), &engine, None, |api| {
            job = submit(api, &submission(ENDS, "batch"));
        });
        let id = id_of(&tree::image(&next.tape.live()));
        engine.remove_containers_of(&id);
        let promise = Promise::of(&next.tape, &job, Kind::Batch);
        for at in [promise.taken, next.tape.ops.len()] {
            let name = format!("killed behind op {killed}, cut behind op {at} of the next start");
            let image = next.tape.cut(at, Cut::Dropped);
            let promises = std::slice::from_ref(&promise);
            holds(&(at, name, image), promises, &id, &REFUSE, &board);
        }
    }
}

#[test]
fn a_power_cut_in_the_rebuild_after_a_failed_commit_of_a_real_node_costs_no_job() {
    for (error, flush) in FAILING {
        let inject = format!("inject=fdatasync:error={error}:when={flush}");
        let (watched, promises) = life(Tape::of(&Image::default()), Some(&inject));
        let failed = watched.tape.said(trace::INJECTED).expect("one failed");
        let id = id_of(&tree::image(&watched.tape.live()));
        let around = failed.saturating_sub(BEFORE_FAILURE)..failed + BEHIND_FAILURE;
        all_hold(&watched, around, &promises, &id, &REFUSE);
    }
}
