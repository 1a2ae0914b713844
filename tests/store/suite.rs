//! What a store does, whatever it is kept in.

use super::samples::*;
use super::*;
use codling::model::*;
use codling::store::{READ_BYTES_MAX, READ_ROWS_MAX, TOKEN_AGE_MAX_MS, TOKENS_MAX};

/// One module per kind, with the same tests.
macro_rules! for_each_kind {
    ($($name:ident)*) => {
        mod in_files {
            $(#[test]
            fn $name() {
                let directory = tempfile::tempdir().unwrap();
                super::$name(super::config_in(directory.path()));
            })*
        }
        mod in_memory {
            $(#[test]
            fn $name() {
                super::$name(super::StoreConfig {
                    node: codling::model::NodeId::from(super::NODE),
                    jobs: super::Place::Memory,
                    executions: super::Place::Memory,
                    damaged: super::DamagedStore::Refuse,
                });
            })*
        }
    };
}

for_each_kind! {
    a_new_store_is_empty
    a_committed_job_is_read_back_whole
    the_last_of_two_commits_of_one_job_wins
    a_deleted_record_is_gone
    executions_beyond_eight_come_back_in_order
    a_job_that_loses_executions_keeps_no_stale_ones
    a_long_submission_comes_back_after_updates_of_its_job
    a_later_version_brings_its_own_submission_and_keeps_what_it_replaced
    a_list_goes_either_way_and_goes_on_where_it_stopped
    a_list_of_a_prefix_holds_that_prefix_only
    a_list_stops_at_its_row_bound_and_says_so
    a_list_stops_at_its_byte_bound_and_says_so
    a_row_beyond_the_byte_bound_is_still_returned
    the_images_that_were_pulled_are_there_after_a_reopening_the_latest_list_alone
    a_scan_tells_live_records_from_ended_ones
    a_scan_names_own_executions_whose_job_is_missing
    a_scan_keeps_young_tokens_and_those_of_unknown_age
    a_scan_keeps_the_newest_tokens_only
    every_commit_is_reported_once_and_in_order
    a_batch_with_rows_of_one_file_commits_that_file_only
}

#[track_caller]
fn read(store: &Store, n: u32) -> Option<JobRecord> {
    match ask(store, StoreQuery::Job(job_id(n))) {
        StoreAnswer::Job(record) => record.map(|record| *record),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn list(store: &Store, range: JobRange) -> (Vec<JobId>, bool) {
    match ask(store, StoreQuery::Jobs(range)) {
        StoreAnswer::Jobs { rows, more } => (rows.into_iter().map(|job| job.id).collect(), more),
        other => panic!("{other:?}"),
    }
}

fn range(order: ListOrder, limit: usize) -> JobRange {
    JobRange {
        prefix: String::new(),
        after: None,
        order,
        limit,
    }
}

/// What a store holds that was new at this start.
fn empty() -> StoredState {
    StoredState {
        jobs_file: FileHistory::New,
        executions_file: FileHistory::New,
        ..StoredState::default()
    }
}

/// What the store holds, read again by its writer thread.
#[track_caller]
fn scan(store: &Store, now: Now) -> StoredState {
    store.reopen(now).unwrap();
    match report(store) {
        StoreReport::Reopened(state) => *state,
        other => panic!("{other:?}"),
    }
}

fn a_new_store_is_empty(config: StoreConfig) {
    let (store, state) = open(config);
    assert_eq!(state, empty());
    assert_eq!(read(&store, 1), None);
    let all = list(&store, range(ListOrder::OldestFirst, 10));
    assert_eq!(all, (Vec::new(), false));
}

fn a_committed_job_is_read_back_whole(config: StoreConfig) {
    let (store, _) = open(config);
    let record = job_record(1, JobState::Completed);
    commit(&store, batch([record.clone()], []));
    assert_eq!(read(&store, 1), Some(record.clone()));
    let answer = store.answer(&StoreQuery::Job(job_id(1)));
    assert_eq!(answer, StoreAnswer::Job(Some(Box::new(record))));
}

fn the_last_of_two_commits_of_one_job_wins(config: StoreConfig) {
    let (store, _) = open(config);
    commit(&store, batch([job_record(1, JobState::Pending)], []));
    commit(&store, batch([job_record(1, JobState::Failed)], []));
    let state = read(&store, 1).map(|record| record.job.state);
    assert_eq!(state, Some(JobState::Failed));
}

fn a_deleted_record_is_gone(config: StoreConfig) {
    let (store, _) = open(config);
    let mut record = job_record(1, JobState::Completed);
    record.submitted = vec![b'x'; 5_000];
    record.executions = (0..20)
        .map(|partition| execution(1, partition, ExecutionState::Completed))
        .collect();
    let kept = execution_record(1, ComputeState::Accepted);
    commit(&store, batch([record], [kept]));
    let mut deletion = Batch::default();
    deletion.jobs.insert(job_id(1), Write::Delete);
    deletion.executions.insert(execution_id(1), Write::Delete);
    commit(&store, deletion);
    assert_eq!(read(&store, 1), None);
    assert_eq!(scan(&store, at(0)), StoredState::default());
    // What was kept apart is gone too: a new job under the same id does not find it.
    let fresh = job_record(1, JobState::Completed);
    commit(&store, batch([fresh.clone()], []));
    assert_eq!(read(&store, 1), Some(fresh));
}

fn executions_beyond_eight_come_back_in_order(config: StoreConfig) {
    let (store, _) = open(config);
    for count in [8, 9, 16, 17, 100] {
        let mut record = job_record(count, JobState::Running);
        record.executions = (0..count)
            .map(|partition| execution(count, partition, ExecutionState::Running))
            .collect();
        commit(&store, batch([record.clone()], []));
        assert_eq!(
            read(&store, count),
            Some(record.clone()),
            "{count} executions"
        );
        record.executions[count as usize - 1].state = ExecutionState::Completed;
        commit(&store, batch([record.clone()], []));
        assert_eq!(read(&store, count), Some(record), "{count} executions");
    }
}

fn a_job_that_loses_executions_keeps_no_stale_ones(config: StoreConfig) {
    let (store, _) = open(config);
    for count in [40, 17, 3, 12] {
        let mut record = job_record(1, JobState::Running);
        record.executions = (0..count)
            .map(|partition| execution(1, partition, ExecutionState::Running))
            .collect();
        commit(&store, batch([record.clone()], []));
        assert_eq!(read(&store, 1), Some(record), "{count} executions");
    }
}

fn a_long_submission_comes_back_after_updates_of_its_job(config: StoreConfig) {
    let (store, _) = open(config);
    for length in [4_096, 4_097, 300_000] {
        let mut record = job_record(1, JobState::Pending);
        record.submitted = vec![b'x'; length];
        commit(&store, batch([record.clone()], []));
        record.job.state = JobState::Completed;
        commit(&store, batch([record.clone()], []));
        assert_eq!(read(&store, 1), Some(record), "{length} bytes");
    }
}

fn a_list_goes_either_way_and_goes_on_where_it_stopped(config: StoreConfig) {
    let (store, _) = open(config);
    let records = (0..7).map(|n| job_record(n, JobState::Completed));
    commit(&store, batch(records, []));
    for (order, expected) in [
        (ListOrder::OldestFirst, [0, 1, 2, 3, 4, 5, 6]),
        (ListOrder::NewestFirst, [6, 5, 4, 3, 2, 1, 0]),
    ] {
        let mut seen = Vec::new();
        let mut next = range(order, 3);
        loop {
            let (ids, more) = list(&store, next.clone());
            seen.extend(ids);
            next.after = seen.last().cloned();
            if !more {
                break;
            }
        }
        assert_eq!(seen, expected.map(job_id), "{order:?}");
        assert_eq!(list(&store, next), (Vec::new(), false), "{order:?}");
    }
}

fn a_list_of_a_prefix_holds_that_prefix_only(config: StoreConfig) {
    let (store, _) = open(config);
    let numbers = [0x0f, 0x10, 0x11, 0x1f, 0x20];
    let records = numbers.map(|n| job_record(n, JobState::Completed));
    commit(&store, batch(records, []));
    for order in [ListOrder::OldestFirst, ListOrder::NewestFirst] {
        let mut expected = [0x10, 0x11, 0x1f].map(job_id).to_vec();
        if order == ListOrder::NewestFirst {
            expected.reverse();
        }
        let mut wanted = range(order, 10);
        wanted.prefix = "j-0000001".to_owned();
        assert_eq!(list(&store, wanted.clone()), (expected.clone(), false));
        // A cursor outside of the prefix is where the list begins or ends.
        for (after, kept) in [(0x0f, order), (0x20, order)] {
            wanted.after = Some(job_id(after));
            let all = (after == 0x0f) == (kept == ListOrder::OldestFirst);
            let expected = if all { expected.clone() } else { Vec::new() };
            assert_eq!(list(&store, wanted.clone()), (expected, false), "{order:?}");
        }
        wanted.after = None;
        wanted.prefix = "j-9".to_owned();
        assert_eq!(list(&store, wanted), (Vec::new(), false));
    }
}

fn a_list_stops_at_its_row_bound_and_says_so(config: StoreConfig) {
    let (store, _) = open(config);
    let count = u32::try_from(READ_ROWS_MAX).unwrap() + 1;
    let records = (0..count).map(|n| {
        let mut record = job_record(n, JobState::Completed);
        record.executions.clear();
        record
    });
    commit(&store, batch(records, []));
    let (ids, more) = list(&store, range(ListOrder::OldestFirst, usize::MAX));
    assert_eq!((ids.len(), more), (READ_ROWS_MAX, true));
    let (ids, more) = list(&store, range(ListOrder::OldestFirst, 0));
    assert_eq!((ids.len(), more), (0, true));
}

fn a_later_version_brings_its_own_submission_and_keeps_what_it_replaced(config: StoreConfig) {
    let (store, _) = open(config);
    let mut record = job_record(1, JobState::Running);
    record.submitted = vec![b'1'; 5_000];
    commit(&store, batch([record.clone()], []));
    for version in 2..6 {
        record.earlier.push(EarlierVersion {
            job: record.job.clone(),
            idempotency: None,
            submitted_bytes: 5_000,
        });
        if record.earlier.len() > 2 {
            record.earlier.remove(0);
        }
        record.job.version = version;
        // As long as the one before it.
        record.submitted = vec![b'0' + u8::try_from(version).unwrap(); 5_000];
        commit(&store, batch([record.clone()], []));
        assert_eq!(read(&store, 1).as_ref(), Some(&record), "version {version}");
    }
    record.earlier.clear();
    commit(&store, batch([record.clone()], []));
    assert_eq!(read(&store, 1), Some(record));
}

fn a_list_stops_at_its_byte_bound_and_says_so(config: StoreConfig) {
    let (store, _) = open(config);
    let records = (0..20).map(|n| {
        let mut record = job_record(n, JobState::Completed);
        record.job.state_message = "x".repeat(READ_BYTES_MAX / 8);
        record
    });
    commit(&store, batch(records, []));
    let (ids, more) = list(&store, range(ListOrder::OldestFirst, 20));
    assert_eq!((ids.len(), more), (8, true));
}

fn a_row_beyond_the_byte_bound_is_still_returned(config: StoreConfig) {
    let (store, _) = open(config);
    let records = (0..2).map(|n| {
        let mut record = job_record(n, JobState::Completed);
        record.job.state_message = "x".repeat(READ_BYTES_MAX * 2);
        record
    });
    commit(&store, batch(records, []));
    let (ids, more) = list(&store, range(ListOrder::OldestFirst, 20));
    assert_eq!((ids, more), (vec![job_id(0)], true));
}

fn the_images_that_were_pulled_are_there_after_a_reopening_the_latest_list_alone(
    config: StoreConfig,
) {
    let (store, state) = open(config);
    assert_eq!(state.images, PulledImages::default());
    for names in [&["one", "two"][..], &["two"], &["two", "three"]] {
        let images = Some(pulled(names));
        commit(
            &store,
            Batch {
                images,
                ..Batch::default()
            },
        );
    }
    assert_eq!(scan(&store, at(0)).images, pulled(&["two", "three"]));
}

fn a_scan_tells_live_records_from_ended_ones(config: StoreConfig) {
    let (store, _) = open(config);
    let running = job_record(1, JobState::Running);
    let ended_job = job_record(2, JobState::Completed);
    let mut stopping = job_record(3, JobState::Stopped);
    stopping.executions = (0..12)
        .map(|partition| execution(3, partition, ExecutionState::Cancelled))
        .collect();
    stopping.executions[11].state = ExecutionState::Running;
    let accepted = execution_record(1, ComputeState::Accepted);
    let undelivered = execution_record(2, ended(Delivery::Pending));
    let delivered = execution_record(3, ended(Delivery::Acknowledged));
    commit(
        &store,
        batch(
            [running.clone(), ended_job.clone(), stopping.clone()],
            [accepted.clone(), undelivered.clone(), delivered.clone()],
        ),
    );
    let expected = StoredState {
        names: names([&running, &ended_job, &stopping]),
        live_jobs: vec![running, stopping],
        retained: vec![EndedJob::of(&ended_job)],
        last_job: Some(job_id(3)),
        live_executions: vec![accepted, undelivered],
        ended_executions: vec![EndedExecution::of(&delivered)],
        ..StoredState::default()
    };
    assert_eq!(scan(&store, at(0)), expected);
}

fn names<'a>(records: impl IntoIterator<Item = &'a JobRecord>) -> JobNames {
    let mut names = JobNames::default();
    records.into_iter().for_each(|record| names.note(record));
    names
}

fn a_scan_names_own_executions_whose_job_is_missing(config: StoreConfig) {
    let (store, _) = open(config);
    let asked_by = |n, requester: &str| {
        let mut record = execution_record(n, ComputeState::Accepted);
        record.requester = NodeId::from(requester);
        record
    };
    let mut delivered = asked_by(4, NODE);
    delivered.state = ended(Delivery::Acknowledged);
    commit(
        &store,
        batch(
            [
                job_record(1, JobState::Running),
                job_record(2, JobState::Stopped),
            ],
            [
                asked_by(1, NODE),
                asked_by(2, NODE),
                asked_by(3, NODE),
                delivered,
                asked_by(5, "12D3KooWElsewhere"),
            ],
        ),
    );
    assert_eq!(scan(&store, at(0)).orphaned_executions, [execution_id(3)]);
}

fn a_scan_keeps_young_tokens_and_those_of_unknown_age(config: StoreConfig) {
    let (store, _) = open(config);
    let now = at(TOKEN_AGE_MAX_MS + 10_000);
    let unknown = Now {
        boot: BootId([9; 16]),
        boot_ms: 0,
        wall: None,
    };
    let seen = [at(10_000), at(10_001), unknown];
    let records = seen.into_iter().zip(1..).map(|(seen, n)| {
        let mut record = job_record(n, JobState::Completed);
        record.idempotency = Some(token(&format!("token {n}"), seen));
        record
    });
    commit(&store, batch(records, []));
    let kept: Vec<_> = scan(&store, now)
        .ended_jobs
        .into_iter()
        .map(|summary| {
            (
                summary.id,
                summary.tokens.into_iter().next().map(|key| key.token),
            )
        })
        .collect();
    let expected = [2, 3].map(|n| (job_id(n), Some(format!("token {n}"))));
    assert_eq!(kept, expected);
}

fn a_scan_keeps_the_newest_tokens_only(config: StoreConfig) {
    let (store, _) = open(config);
    let count = u32::try_from(TOKENS_MAX).unwrap() + 5;
    let records = (0..count).map(|n| {
        let mut record = job_record(n, JobState::Completed);
        record.executions.clear();
        record.idempotency = Some(token("t", at(0)));
        record
    });
    commit(&store, batch(records, []));
    let kept = scan(&store, at(0)).ended_jobs;
    assert_eq!(kept.len(), TOKENS_MAX);
    assert_eq!(kept[0].id, job_id(5));
}

fn every_commit_is_reported_once_and_in_order(config: StoreConfig) {
    let (store, _) = open(config);
    for seq in 0..20 {
        let n = u32::try_from(seq).unwrap();
        store
            .commit(seq, batch([job_record(n, JobState::Pending)], []))
            .unwrap();
        let report = report(&store);
        assert!(matches!(report, StoreReport::CommitDone { seq: done } if done == seq));
    }
    assert!(store.reports().is_empty());
    close(store);
}

fn a_batch_with_rows_of_one_file_commits_that_file_only(config: StoreConfig) {
    let (store, _) = open(config);
    let before = store.counts();
    commit(&store, Batch::default());
    assert_eq!(store.counts(), before);
    commit(&store, batch([job_record(1, JobState::Pending)], []));
    let after_job = store.counts();
    assert_eq!(after_job.jobs.commits, before.jobs.commits + 1);
    assert_eq!(after_job.jobs.syncs, before.jobs.syncs + 1);
    assert_eq!(after_job.executions, before.executions);
    let accepted = execution_record(1, ComputeState::Accepted);
    commit(&store, batch([], [accepted]));
    let after_both = store.counts();
    assert_eq!(after_both.jobs, after_job.jobs);
    assert_eq!(after_both.executions.syncs, before.executions.syncs + 1);
}
