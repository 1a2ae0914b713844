//! The recorder itself, and what it shows of a store: the order of commits, their price, failures, and cuts.

#![allow(clippy::print_stdout, reason = "tells what a commit costs")]

use super::samples::*;
use super::*;
use crate::support::recorder::{Disk, Fault, Image, ImageKind, Op, Recorder, Rule, Span};
use codling::model::*;
use codling::store::StoreError;
use std::sync::Arc;

/// Linux `EIO`.
const EIO: i32 = 5;
/// Linux `ENOSPC`.
const ENOSPC: i32 = 28;
/// What one record of each file may cost in one commit, in bytes handed to the file: seven pages, and two more for
/// trees of a few levels.
const ONE_ROW_BYTES_MAX: u64 = 9 * 4_096;

fn config_on(recorder: &Recorder) -> StoreConfig {
    StoreConfig {
        node: NodeId::from(NODE),
        jobs: Place::Backend(recorder.backend(Disk::Jobs)),
        executions: Place::Backend(recorder.backend(Disk::Executions)),
        damaged: DamagedStore::Refuse,
    }
}

fn write(disk: Disk, offset: usize, data: &[u8]) -> Op {
    Op::Write {
        disk,
        offset,
        data: data.into(),
    }
}

/// Three bytes flushed, then two ops that are not, and a flushed file beside it.
fn little_recording() -> Recorder {
    let recorder = Recorder::new();
    let jobs = recorder.backend(Disk::Jobs);
    let executions = recorder.backend(Disk::Executions);
    jobs.set_len(3).unwrap();
    jobs.write(0, b"abc").unwrap();
    jobs.sync_data().unwrap();
    executions.write(0, b"x").unwrap();
    jobs.set_len(5).unwrap();
    jobs.write(1, b"YZ").unwrap();
    executions.sync_data().unwrap();
    recorder
}

fn image(jobs: &[u8], executions: &[u8]) -> Image {
    Image {
        jobs: jobs.to_vec(),
        executions: executions.to_vec(),
    }
}

#[test]
fn the_ops_of_both_files_stand_in_one_sequence() {
    let ops = little_recording().ops();
    let expected = [
        Op::SetLen {
            disk: Disk::Jobs,
            len: 3,
        },
        write(Disk::Jobs, 0, b"abc"),
        Op::Sync { disk: Disk::Jobs },
        write(Disk::Executions, 0, b"x"),
        Op::SetLen {
            disk: Disk::Jobs,
            len: 5,
        },
        write(Disk::Jobs, 1, b"YZ"),
        Op::Sync {
            disk: Disk::Executions,
        },
    ];
    assert_eq!(ops, expected);
}

#[test]
fn an_image_holds_what_each_file_flushed_and_of_the_rest_what_its_kind_says() {
    let recorder = little_recording();
    for (ops, kept, dropped) in [
        (0, image(b"", b""), image(b"", b"")),
        (2, image(b"abc", b""), image(b"", b"")),
        (4, image(b"abc", b"x"), image(b"abc", b"")),
        (7, image(b"aYZ\0\0", b"x"), image(b"abc", b"x")),
    ] {
        assert_eq!(recorder.image(ops, ImageKind::Kept), kept, "{ops} ops");
        assert_eq!(
            recorder.image(ops, ImageKind::Dropped),
            dropped,
            "{ops} ops"
        );
    }
}

#[test]
fn a_torn_image_differs_by_seed_and_never_touches_what_was_flushed() {
    let recorder = Recorder::new();
    let jobs = recorder.backend(Disk::Jobs);
    jobs.write(0, &[1; 4_096]).unwrap();
    jobs.sync_data().unwrap();
    jobs.write(4_096, &[2; 4_096]).unwrap();
    let torn = |seed| {
        recorder
            .image(recorder.position(), ImageKind::Torn(seed))
            .jobs
    };
    let images: Vec<_> = (0..40).map(torn).collect();
    assert!(images.iter().all(|bytes| bytes[..4_096] == [1; 4_096]));
    assert!(images.iter().any(|bytes| bytes.len() == 4_096));
    assert!(images.iter().any(|bytes| bytes[4_096..] == [2; 4_096]));
    let partial = |bytes: &Vec<u8>| bytes[4_096..].contains(&0) && bytes[4_096..].contains(&2);
    assert!(images.iter().any(partial));
    assert_eq!(torn(7), torn(7));
}

#[test]
fn an_image_is_the_same_from_every_checkpoint() {
    let recorder = Recorder::new();
    let jobs = recorder.backend(Disk::Jobs);
    let mut model = Vec::new();
    for n in 0..1_000_u32 {
        let byte = u8::try_from(n % 251).unwrap();
        jobs.write(u64::from(n), &[byte]).unwrap();
        model.push(byte);
        if n % 3 == 0 {
            jobs.sync_data().unwrap();
        }
        let now = recorder.image(recorder.position(), ImageKind::Kept);
        assert_eq!(now.jobs, model);
    }
    let early = recorder.image(4, ImageKind::Kept);
    assert_eq!(early.jobs, &model[..3]);
}

#[test]
fn what_a_failed_flush_lost_is_in_no_image() {
    let recorder = Recorder::new();
    let jobs = recorder.backend(Disk::Jobs);
    jobs.write(0, b"a").unwrap();
    jobs.sync_data().unwrap();
    jobs.write(0, b"b").unwrap();
    recorder.on_sync(Disk::Jobs, Rule::Fail(EIO));
    let error = jobs.sync_data().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EIO));
    recorder.on_sync(Disk::Jobs, Rule::Pass);
    recorder.lose_unsynced(Disk::Jobs);
    jobs.sync_data().unwrap();
    let mut byte = [0];
    jobs.read(0, &mut byte).unwrap();
    assert_eq!(&byte, b"a");
    let after = recorder.image(recorder.position(), ImageKind::Kept);
    assert_eq!(after.jobs, b"a");
}

#[test]
fn jobs_are_durable_before_the_executions_of_the_same_batch_are_written() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    for n in 0..5 {
        let before = recorder.position();
        commit(
            &store,
            batch(
                [job_record(n, JobState::Running)],
                [execution_record(n, ComputeState::Accepted)],
            ),
        );
        let ops = recorder.ops().split_off(before);
        let jobs_end = ops
            .iter()
            .rposition(|op| op.disk() == Disk::Jobs)
            .expect("jobs.db was written");
        let executions_begin = ops
            .iter()
            .position(|op| op.disk() == Disk::Executions)
            .expect("executions.db was written");
        assert!(jobs_end < executions_begin, "{ops:?}");
        let sync = |disk| Op::Sync { disk };
        assert_eq!(ops[jobs_end], sync(Disk::Jobs));
        assert_eq!(ops.last(), Some(&sync(Disk::Executions)));
    }
}

#[test]
fn a_job_with_its_execution_costs_two_flushes_and_few_pages() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    for stored in [0, 300] {
        let fill = (0..stored).map(|n| job_record(n, JobState::Completed));
        let ended = (0..stored).map(|n| execution_record(n, ended(Delivery::Acknowledged)));
        commit(&store, batch(fill, ended));
        let before = store.counts();
        let record = job_record(5_000 + stored, JobState::Running);
        let accepted = execution_record(5_000 + stored, ComputeState::Accepted);
        commit(&store, batch([record], [accepted]));
        let after = store.counts();
        let (jobs, executions) = (
            after.jobs.bytes_written - before.jobs.bytes_written,
            after.executions.bytes_written - before.executions.bytes_written,
        );
        println!("{stored} jobs stored: a submission writes {jobs} + {executions} bytes");
        assert_eq!(after.jobs.syncs - before.jobs.syncs, 1);
        assert_eq!(after.executions.syncs - before.executions.syncs, 1);
        assert_eq!(after.jobs.commits - before.jobs.commits, 1);
        assert_eq!(after.executions.commits - before.executions.commits, 1);
        assert!(jobs <= ONE_ROW_BYTES_MAX, "{jobs}");
        assert!(executions <= ONE_ROW_BYTES_MAX, "{executions}");
    }
}

#[test]
fn an_update_writes_a_long_submission_and_untouched_executions_no_second_time() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    let mut record = job_record(1, JobState::Running);
    record.submitted = vec![b'x'; 200_000];
    record.executions = (0..400)
        .map(|partition| execution(1, partition, ExecutionState::Running))
        .collect();
    commit(&store, batch([record.clone()], []));
    let whole = store.counts().jobs.bytes_written;
    record.executions[399].state = ExecutionState::Completed;
    commit(&store, batch([record], []));
    let update = store.counts().jobs.bytes_written - whole;
    println!("first {whole} bytes, update {update} bytes");
    assert!(update <= 3 * ONE_ROW_BYTES_MAX, "{update}");
}

#[test]
fn an_idle_store_writes_nothing_even_while_it_is_read() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    commit(&store, batch([job_record(1, JobState::Completed)], []));
    let before = recorder.position();
    for _ in 0..10 {
        ask(&store, StoreQuery::Job(job_id(1)));
    }
    assert_eq!(recorder.position(), before);
}

#[test]
fn readers_see_the_state_before_a_commit_until_it_is_durable() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    commit(&store, batch([job_record(1, JobState::Running)], []));
    recorder.on_sync(Disk::Jobs, Rule::Hold);
    store
        .commit(2, batch([job_record(1, JobState::Completed)], []))
        .unwrap();
    recorder.wait_until_held();
    let state = |store: &Store| match ask(store, StoreQuery::Job(job_id(1))) {
        StoreAnswer::Job(Some(record)) => record.job.state,
        other => panic!("{other:?}"),
    };
    assert_eq!(state(&store), JobState::Running);
    assert!(store.reports().is_empty());
    recorder.on_sync(Disk::Jobs, Rule::Pass);
    assert!(matches!(report(&store), StoreReport::CommitDone { seq: 2 }));
    assert_eq!(state(&store), JobState::Completed);
}

#[test]
fn behind_a_batch_under_way_two_more_may_wait() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    recorder.on_sync(Disk::Jobs, Rule::Hold);
    let one = || batch([job_record(1, JobState::Running)], []);
    store.commit(1, one()).unwrap();
    recorder.wait_until_held();
    store.commit(2, one()).unwrap();
    store.commit(3, one()).unwrap();
    let refused = store.commit(4, one());
    assert_eq!(refused, Err(codling::store::WriterRefusal::Busy));
    recorder.on_sync(Disk::Jobs, Rule::Pass);
    for expected in 1..=3 {
        let report = report(&store);
        assert!(matches!(report, StoreReport::CommitDone { seq } if seq == expected));
    }
}

/// What a failed commit of jobs.db or executions.db leads to, and what is there once the medium is well again.
#[track_caller]
fn fail_and_recover(disk: Disk, errno: i32, fail: fn(&Recorder, Disk, Rule)) -> StoredState {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    commit(
        &store,
        batch(
            [job_record(1, JobState::Running)],
            [execution_record(1, ComputeState::Accepted)],
        ),
    );
    fail(&recorder, disk, Rule::Fail(errno));
    let both = || {
        batch(
            [job_record(2, JobState::Running)],
            [execution_record(2, ComputeState::Accepted)],
        )
    };
    store.commit(2, both()).unwrap();
    match report(&store) {
        StoreReport::CommitFailed { seq: 2, error } if errno == ENOSPC => {
            assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        }
        StoreReport::CommitFailed { seq: 2, error } => {
            assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    // Latched: nothing more lands in that file, whatever the medium says.
    fail(&recorder, disk, Rule::Pass);
    let mut again = both();
    match disk {
        Disk::Jobs => again.executions.clear(),
        Disk::Executions => again.jobs.clear(),
    }
    store.commit(3, again).unwrap();
    match report(&store) {
        StoreReport::CommitFailed { seq: 3, error } => {
            assert!(matches!(error, StoreError::Closed { .. }), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    let answer = ask(&store, StoreQuery::Job(job_id(1)));
    match disk {
        Disk::Jobs => assert_eq!(answer, StoreAnswer::Unavailable),
        Disk::Executions => assert!(matches!(answer, StoreAnswer::Job(Some(_)))),
    }
    recorder.lose_unsynced(disk);
    // Not yet: the medium is still ill.
    recorder.on_sync(disk, Rule::Fail(errno));
    store.reopen(at(0)).unwrap();
    let failed = report(&store);
    assert!(
        matches!(failed, StoreReport::ReopenFailed { .. }),
        "{failed:?}"
    );
    recorder.on_sync(disk, Rule::Pass);
    store.reopen(at(0)).unwrap();
    let state = match report(&store) {
        StoreReport::Reopened(state) => *state,
        other => panic!("{other:?}"),
    };
    commit(&store, both());
    let answer = ask(&store, StoreQuery::Job(job_id(2)));
    assert!(matches!(answer, StoreAnswer::Job(Some(_))), "{answer:?}");
    close(store);
    state
}

#[test]
fn after_a_failed_flush_of_jobs_a_reopened_store_has_neither_half_of_the_batch() {
    let state = fail_and_recover(Disk::Jobs, EIO, Recorder::on_sync);
    assert_eq!(state.live_jobs.len(), 1);
    assert_eq!(state.live_executions.len(), 1);
}

#[test]
fn after_a_failed_flush_of_executions_a_reopened_store_has_the_jobs_of_the_batch() {
    let state = fail_and_recover(Disk::Executions, EIO, Recorder::on_sync);
    assert_eq!(state.live_jobs.len(), 2);
    assert_eq!(state.live_executions.len(), 1);
}

#[test]
fn a_full_disk_is_told_from_a_broken_one_and_recovers() {
    let state = fail_and_recover(Disk::Jobs, ENOSPC, Recorder::on_write);
    assert_eq!(state.live_jobs.len(), 1);
    let state = fail_and_recover(Disk::Executions, ENOSPC, Recorder::on_write);
    assert_eq!(state.live_jobs.len(), 2);
}

#[test]
fn a_read_that_fails_is_told_and_the_file_is_read_again_once_it_was_opened_again() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    // More than redb's cache holds, so that a read reaches the medium.
    for n in 0..10 {
        let mut record = job_record(n, JobState::Completed);
        record.submitted = vec![b'x'; 100_000];
        commit(&store, batch([record], []));
    }
    recorder.fail(Fault::Errno(EIO), 0, Span::Once);
    let answer = (0..10).map(|n| ask(&store, StoreQuery::Job(job_id(n))));
    let answers: Vec<_> = answer.collect();
    assert!(recorder.has_failed() && answers.contains(&StoreAnswer::Unavailable));
    match report(&store) {
        StoreReport::ReadFailed { error } => {
            assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    store.reopen(at(0)).unwrap();
    let reopened = report(&store);
    assert!(matches!(reopened, StoreReport::Reopened(_)), "{reopened:?}");
    let answer = ask(&store, StoreQuery::Job(job_id(1)));
    assert!(matches!(answer, StoreAnswer::Job(Some(_))), "{answer:?}");
}

#[test]
fn a_cut_at_any_op_leaves_every_reported_commit_and_no_half_record() {
    let made = Recorder::new();
    close(open(config_on(&made)).0);
    let recorder = Recorder::resume(made.image(made.position(), ImageKind::Dropped));
    let (store, _) = open(config_on(&recorder));
    let mut durable_at = Vec::new();
    for n in 0..8 {
        let mut record = job_record(n, JobState::Running);
        record.executions = (0..n * 3)
            .map(|partition| execution(n, partition, ExecutionState::Running))
            .collect();
        let accepted = execution_record(n, ComputeState::Accepted);
        commit(&store, batch([record], [accepted]));
        durable_at.push(recorder.position());
    }
    close(store);
    let mut images = 0;
    for cut in 0..=recorder.position() {
        let kinds = [ImageKind::Kept, ImageKind::Dropped]
            .into_iter()
            .chain((0..4).map(ImageKind::Torn));
        for kind in kinds {
            let after = Recorder::resume(recorder.image(cut, kind));
            let (store, state) = open(config_on(&after));
            let promised = durable_at.iter().filter(|at| **at <= cut).count();
            let context = format!("cut behind op {cut}, {kind:?}");
            assert!(state.live_jobs.len() >= promised, "{context}");
            assert!(state.live_executions.len() >= promised, "{context}");
            assert!(
                state.live_jobs.len() >= state.live_executions.len(),
                "{context}: jobs.db is first"
            );
            assert!(state.live_jobs.len() <= promised + 1, "{context}");
            for (record, n) in state.live_jobs.iter().zip(0..) {
                assert_eq!(record.job.id, job_id(n), "{context}");
                let executions = usize::try_from(n * 3).unwrap();
                assert_eq!(record.executions.len(), executions, "{context}");
            }
            assert_eq!(state.orphaned_executions, [], "{context}");
            assert_eq!(state.jobs_file, FileHistory::Kept, "{context}");
            drop(store);
            images += 1;
        }
    }
    assert!(images >= 500, "only {images} images");
    println!("{images} images");
}

#[test]
fn a_kill_and_then_a_power_cut_in_the_recovery_lose_no_reported_commit() {
    let made = Recorder::new();
    close(open(config_on(&made)).0);
    let recorder = Recorder::resume(made.image(made.position(), ImageKind::Dropped));
    let (store, _) = open(config_on(&recorder));
    let mut durable_at = Vec::new();
    for n in 0..3 {
        let accepted = execution_record(n, ComputeState::Accepted);
        commit(
            &store,
            batch([job_record(n, JobState::Running)], [accepted]),
        );
        durable_at.push(recorder.position());
    }
    let mut images = 0;
    for kill in 0..=recorder.position() {
        let killed = recorder.killed(kill);
        let (store, state) = open(config_on(&killed));
        close(store);
        let promised = durable_at.iter().filter(|at| **at <= kill).count();
        let found = state.live_jobs.len();
        assert!(found >= promised && found <= promised + 1);
        for cut in kill..=killed.position() {
            for kind in [ImageKind::Dropped, ImageKind::Torn(1), ImageKind::Torn(2)] {
                let after = Recorder::resume(killed.image(cut, kind));
                let context = format!("killed behind op {kill}, cut behind op {cut}, {kind:?}");
                let (_store, state) = Store::open(config_on(&after), at(0))
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(state.live_jobs.len() >= promised, "{context}");
                assert!(state.live_executions.len() >= promised, "{context}");
                images += 1;
            }
        }
    }
    assert!(images >= 500, "only {images} images");
    println!("{images} images");
}

#[test]
fn a_store_that_was_closed_is_opened_again_without_a_repair() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    commit(&store, batch([job_record(1, JobState::Running)], []));
    close(store);
    let image = recorder.image(recorder.position(), ImageKind::Dropped);
    for disk in Disk::BOTH {
        let repaired = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = Arc::clone(&repaired);
        let again = Recorder::resume(image.clone());
        redb::Builder::new()
            .set_repair_callback(move |_| seen.store(true, std::sync::atomic::Ordering::SeqCst))
            .create_with_backend(Shared(again.backend(disk)))
            .unwrap();
        let repaired = repaired.load(std::sync::atomic::Ordering::SeqCst);
        assert!(!repaired, "{disk:?} needed a repair");
    }
}

/// redb takes its backend by value.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<dyn redb::StorageBackend>);

impl redb::StorageBackend for Shared {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }
}
