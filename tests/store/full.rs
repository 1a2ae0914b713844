//! A real disk that is full: what the ballast has room for, and how it comes back.

use super::samples::*;
use super::*;
use crate::support::mount::Mount;
use codling::model::*;
use codling::store::StoreError;
use std::fs;

/// Ends that the ballasts must have room for, each with all the output that a record holds.
const ENDS: u32 = 10;
/// What a record holds of each stream.
const STREAM_BYTES: usize = 2_048;

fn output() -> RunOutput {
    let stream = || vec![b'x'; STREAM_BYTES];
    RunOutput {
        stdout: stream(),
        stderr: stream(),
        ..RunOutput::default()
    }
}

/// How job `n` ends in both files.
fn end(n: u32) -> Batch {
    let mut job = job_record(n, JobState::Completed);
    for execution in &mut job.executions {
        execution.run_output = Some(output());
    }
    let outcome = Outcome::Completed {
        output: output(),
        published: SpecConfig::default(),
    };
    let state = ComputeState::Ended {
        outcome,
        delivery: Delivery::Pending,
        ended: None,
    };
    batch([job], [execution_record(n, state)])
}

/// The next report once room was looked for; what there is.
#[track_caller]
fn look(store: &Store) -> StoreRoom {
    store.look_for_room().unwrap();
    let looked = report(store);
    assert!(matches!(looked, StoreReport::Looked), "{looked:?}");
    store.room()
}

#[test]
fn on_a_full_disk_the_ballast_has_room_for_the_ends_of_what_runs_and_comes_back_with_the_space() {
    let disk = Mount::tmpfs(16 * 1_024);
    let (store, _) = open(config_in(&disk.at));
    assert_eq!(store.room(), StoreRoom::Enough);
    for n in 0..300 {
        commit(&store, end(n));
    }
    let running = (1_000..1_000 + ENDS).map(|n| job_record(n, JobState::Running));
    let accepted = (1_000..1_000 + ENDS).map(|n| execution_record(n, ComputeState::Accepted));
    commit(&store, batch(running, accepted));

    let filler = disk.fill("filler");
    let full = (2_000..).find_map(|n| {
        let accepted = execution_record(n, ComputeState::Accepted);
        let job = job_record(n, JobState::Running);
        store.commit(1, batch([job], [accepted])).unwrap();
        match report(&store) {
            StoreReport::CommitDone { .. } => None,
            StoreReport::CommitFailed { error, .. } => Some(error),
            other => panic!("{other:?}"),
        }
    });
    assert!(matches!(full, Some(StoreError::Full { .. })), "{full:?}");
    assert_eq!(store.room(), StoreRoom::EndsOnly);
    store.reopen(at(0)).unwrap();
    match report(&store) {
        StoreReport::Reopened(state) => assert_eq!(state.room, StoreRoom::EndsOnly),
        other => panic!("{other:?}"),
    }

    for n in 1_000..1_000 + ENDS {
        commit(&store, end(n));
    }
    let written = store.counts();
    for _ in 0..3 {
        assert_eq!(look(&store), StoreRoom::EndsOnly);
    }
    assert_eq!(store.counts(), written, "a look writes nothing");
    fs::remove_file(filler).unwrap();
    assert_eq!(look(&store), StoreRoom::Enough);
    commit(&store, batch([job_record(3_000, JobState::Running)], []));
    close(store);
}

#[test]
fn a_store_that_is_opened_on_a_full_disk_has_room_for_ends_only_and_closes() {
    let disk = Mount::tmpfs(2_048);
    let (store, _) = open(config_in(&disk.at));
    commit(&store, end(1));
    close(store);
    for entry in ["node-requester/jobs.db", "node-compute/executions.db"] {
        fs::remove_file(disk.at.join(format!("{entry}.ballast"))).unwrap();
    }
    let filler = disk.fill("filler");
    let (store, state) = open(config_in(&disk.at));
    assert_eq!(state.room, StoreRoom::EndsOnly);
    close(store);
    fs::remove_file(filler).unwrap();
    let (store, state) = open(config_in(&disk.at));
    assert_eq!(state.room, StoreRoom::Enough);
    assert!(matches!(
        ask(&store, StoreQuery::Job(job_id(1))),
        StoreAnswer::Job(Some(_))
    ));
}

#[test]
fn a_store_in_memory_has_room_and_no_ballast() {
    let (store, _) = open(StoreConfig {
        jobs: Place::Memory,
        executions: Place::Memory,
        ..config_in(Path::new("/nonexistent"))
    });
    assert_eq!(look(&store), StoreRoom::Enough);
}
