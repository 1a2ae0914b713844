//! Ended jobs that were kept long enough are deleted, and nothing else is.

use super::bench::{Bench, OTHER, accept_bid, ask, early, job, output, plain};
use codling::agent::{Activity, ActivityResult, Turn};
use codling::model::{
    ApiReply, ApiRequest, EndedExecution, EndedJob, ExecutionId, JobId, JobNames, JobRecord,
    Message, Overdue, PruneMode, RETAIN_RECORDS, Stored, StoredState, Timeouts, Write, WriteKind,
};

/// The record of a job that no engine was there for, which ends it at once.
fn ended() -> JobRecord {
    let mut bench = Bench::fresh();
    bench.engine_away();
    let turn = bench.submit(&plain(), None);
    match turn.writes.jobs.into_values().next() {
        Some((_, Write::Put(record))) => *record,
        other => panic!("{other:?}"),
    }
}

/// As many ended jobs as are kept, the first of which is `first`.
fn full_with(first: &JobRecord) -> StoredState {
    let others = (1..u128::from(RETAIN_RECORDS)).map(|number| EndedJob {
        id: JobId::from_number(number),
        ended: early(500_000).wall,
        bytes: 1_000,
    });
    let mut names = JobNames::default();
    names.note(first);
    StoredState {
        retained: others.chain([EndedJob::of(first)]).collect(),
        names,
        ..StoredState::default()
    }
}

fn deleted(turn: &Turn) -> Vec<(&JobId, WriteKind)> {
    let writes = turn.writes.jobs.iter();
    writes
        .filter(|(_, (_, write))| *write == Write::Delete)
        .map(|(id, (kind, _))| (id, *kind))
        .collect()
}

#[test]
fn the_job_that_ended_first_is_deleted_with_a_commit_that_happens_anyway_and_its_name_is_free() {
    let first = ended();
    assert!(first.job.state.is_terminal(), "{:?}", first.job.state);
    let mut stored = full_with(&first);
    stored.retained.push(EndedJob {
        id: JobId::from_number(7_777),
        ended: early(500_000).wall,
        bytes: 1_000,
    });
    let mut bench = Bench::recover(stored, early(600_000));
    assert_eq!(deleted(&bench.first_turn()), []);
    assert_eq!(deleted(&bench.engine(vec![])), []);
    let turn = bench.submit(&named("another"), None);
    assert_eq!(deleted(&turn), [(&first.job.id, WriteKind::RideAlong)]);
    let turn = bench.submit(&plain(), None);
    assert_eq!(deleted(&turn), []);
    let written = turn.writes.jobs.values().next();
    let Some((_, Write::Put(record))) = written else {
        panic!("{written:?}");
    };
    assert_eq!(record.job.version, 1, "a job of that name is a new one");
}

#[test]
fn a_job_that_runs_again_is_kept_however_long_ago_it_ended() {
    let first = ended();
    let mut bench = Bench::recover(full_with(&first), early(600_000));
    bench.engine(vec![]);
    let turn = bench.request(ApiRequest::Rerun {
        job: first.job.id.clone(),
        version: 0,
        reason: String::new(),
        idempotency: None,
        stored: Stored::Record(Box::new(first.clone())),
    });
    let written = turn.writes.jobs.get(&first.job.id);
    assert!(matches!(written, Some((_, Write::Put(_)))), "{written:?}");
    // Two more that end at once fill the place that it left, and one.
    bench.engine_away();
    let ends = ["one", "two", "three"].map(|name| bench.submit(&named(name), None));
    let gone: Vec<&JobId> = ends.iter().flat_map(deleted).map(|(id, _)| id).collect();
    assert_eq!(gone, [&JobId::from_number(1)]);
    let read = bench.request(ApiRequest::Read { job: first.job.id });
    assert!(
        !matches!(super::bench::reply(&read), ApiReply::NotLive),
        "{read:?}"
    );
}

#[test]
fn a_week_after_its_end_a_job_is_deleted() {
    let first = ended();
    let week = 7 * 24 * 60 * 60 * 1_000;
    let stored = StoredState {
        retained: vec![EndedJob::of(&first)],
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, early(week));
    assert_eq!(deleted(&bench.submit(&named("early"), None)), []);
    bench.wait_until(week + 60_000);
    let turn = bench.submit(&named("late"), None);
    assert_eq!(deleted(&turn), [(&first.job.id, WriteKind::RideAlong)]);
}

#[test]
fn a_dry_run_of_a_prune_counts_what_is_overdue_and_a_prune_deletes_it_without_another_commit() {
    let week = 7 * 24 * 60 * 60 * 1_000;
    let job = |number: u64| EndedJob {
        id: JobId::from_number(number.into()),
        ended: early(number).wall,
        bytes: 100,
    };
    let stored = StoredState {
        retained: (1..=70).chain([500_000]).map(job).collect(),
        ended_executions: vec![EndedExecution {
            id: ExecutionId::from("e-1"),
            ended: early(1).wall,
            bytes: 30,
        }],
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, early(week + 1_000));
    bench.engine(vec![]);
    let jobs = Overdue {
        count: 70,
        bytes: 7_000,
    };
    let executions = Overdue {
        count: 1,
        bytes: 30,
    };
    for mode in [PruneMode::DryRun, PruneMode::Remove] {
        let turn = bench.request(ApiRequest::Prune(mode));
        let ApiReply::Prunable(prunable) = super::bench::reply(&turn) else {
            panic!("{turn:?}");
        };
        assert_eq!((prunable.jobs, prunable.executions), (jobs, executions));
        if mode == PruneMode::DryRun {
            assert_eq!((deleted(&turn), forgotten(&turn)), (vec![], vec![]));
            continue;
        }
        let gone = deleted(&turn);
        assert_eq!(gone.len(), 64, "a turn's worth");
        assert!(gone.iter().all(|(_, kind)| *kind == WriteKind::Promise));
        assert_eq!(forgotten(&turn), [("e-1", WriteKind::Promise)]);
    }
    assert_eq!(deleted(&bench.wait_until(week + 2_000)).len(), 6);
    assert_eq!(deleted(&bench.wait_until(week + 3_000)).len(), 0);
}

/// Executions that a turn deletes.
fn forgotten(turn: &Turn) -> Vec<(&str, WriteKind)> {
    let writes = turn.writes.executions.iter();
    writes
        .filter(|(_, (_, write))| *write == Write::Delete)
        .map(|(id, (kind, _))| (id.as_str(), *kind))
        .collect()
}

/// Runs an execution of the other node to its very end.
fn run_out(bench: &mut Bench, id: &str) {
    let run = bench.run_for_other(id, &plain());
    bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let execution = ExecutionId::from(id);
    let turn = bench.hear(OTHER, Message::Acknowledge { execution });
    let (discard, activity) = super::bench::begun(&turn).expect("it is discarded");
    assert_eq!(activity, Activity::Discard);
    bench.done(&discard, ActivityResult::Discarded(Ok(())));
}

#[test]
fn of_executions_whose_outcome_is_delivered_only_the_latest_are_kept_and_others_are_never_deleted()
{
    let stored = |number: u64| EndedExecution {
        id: ExecutionId(format!("e-{number}")),
        ended: early(number).wall,
        bytes: 1_000,
    };
    let stored = StoredState {
        ended_executions: (1..=RETAIN_RECORDS).rev().map(stored).collect(),
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, early(600_000));
    bench.engine(vec![]);
    run_out(&mut bench, "e-new");
    let undelivered = bench.run_for_other("e-undelivered", &plain());
    let turn = bench.done(&undelivered, ActivityResult::Ran(Ok(output(0))));
    assert_eq!(forgotten(&turn), [], "one went with the commit before");
    bench.hear(OTHER, ask("e-next", &plain()));
    let turn = bench.hear(OTHER, accept_bid("e-next"));
    assert_eq!(forgotten(&turn), []);
    run_out(&mut bench, "e-2nd");
    bench.hear(OTHER, ask("e-last", &plain()));
    let turn = bench.hear(OTHER, accept_bid("e-last"));
    assert_eq!(forgotten(&turn), [("e-2", WriteKind::RideAlong)]);
}

fn named(name: &str) -> codling::model::Job {
    let mut job = job("100m", Timeouts::default());
    job.name = name.to_owned();
    job
}
