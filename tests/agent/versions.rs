//! The next version of a job: what it stops, what it keeps, and when there is none.

use super::bench::*;
use codling::agent::{Activity, ActivityId, ActivityResult, Output, Turn};
use codling::model::*;

/// The same job with another spec.
fn changed(cpu: &str) -> Job {
    job(cpu, Timeouts::default())
}

fn submission(job: Job) -> Submission {
    Submission {
        job,
        submitted: b"{}".to_vec(),
        idempotency: None,
        if_unchanged: IfUnchanged::Refuse,
        stored: Stored::Unread,
    }
}

fn submit(bench: &mut Bench, submission: Submission) -> Turn {
    bench.request(ApiRequest::Submit(Box::new(submission)))
}

fn rerun(bench: &mut Bench, job: &JobId, version: u64, stored: Stored) -> Turn {
    bench.request(ApiRequest::Rerun {
        job: job.clone(),
        version,
        reason: String::new(),
        idempotency: None,
        stored,
    })
}

fn rerun_once(bench: &mut Bench, job: &JobId, version: u64, token: &str) -> Turn {
    bench.request(ApiRequest::Rerun {
        job: job.clone(),
        version,
        reason: String::new(),
        idempotency: Some(token.to_owned()),
        stored: Stored::Unread,
    })
}

/// Brings what a turn began to the point where its container runs.
fn start(bench: &mut Bench, turn: &Turn) -> ActivityId {
    let (prepare, _) = begun(turn).expect("it is prepared");
    let turn = bench.done(&prepare, ActivityResult::Prepared(Ok("c".into())));
    let (run, activity) = begun(&turn).expect("it is run");
    assert!(matches!(activity, Activity::Run { .. }), "{activity:?}");
    run
}

/// A job of one version that has ended, as the store holds it, on an agent that has let it go.
fn ended() -> (Bench, JobRecord) {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&plain(), None);
    let run = start(&mut bench, &turn);
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let record = stored_job(&turn).1.clone();
    assert_eq!(record.job.state, JobState::Completed);
    let (discard, _) = begun(&turn).expect("its container goes");
    bench.done(&discard, ActivityResult::Discarded(Ok(())));
    (bench, record)
}

fn updates(bench: &mut Bench, record: JobRecord) -> Turn {
    let stored = Stored::Record(Box::new(record));
    submit(
        bench,
        Submission {
            stored,
            ..submission(changed("200m"))
        },
    )
}

#[test]
fn a_spec_that_comes_again_changed_is_the_next_version_and_stops_what_runs_in_the_same_batch() {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&plain(), None);
    let first = stored_job(&turn).1.clone();
    let run = start(&mut bench, &turn);
    let turn = submit(&mut bench, submission(changed("200m")));
    let (kind, record) = stored_job(&turn);
    assert_eq!(kind, WriteKind::Promise);
    let ApiReply::Submitted { job, evaluation } = reply(&turn) else {
        panic!("{turn:?}");
    };
    assert_eq!(*job, first.job.id, "it keeps its id");
    assert_eq!(*evaluation, record.evaluation.id);
    assert_ne!(*evaluation, first.evaluation.id);
    assert_eq!(
        (record.job.version, record.job.state),
        (2, JobState::Running)
    );
    assert_eq!(record.job.task.resources.cpu, "200m");
    assert_eq!(record.job.created, first.job.created);
    assert!(record.job.revision > first.job.revision);
    let [old, new] = &record.executions[..] else {
        panic!("{record:?}");
    };
    assert_eq!((old.job_version, old.desired), (1, DesiredState::Stopped));
    assert_eq!(new.job_version, 2);
    assert_ne!(old.id, new.id);
    assert!(
        turn.outputs.contains(&Output::Stop { id: run.clone() }),
        "{turn:?}"
    );
    let [earlier] = &record.earlier[..] else {
        panic!("{:?}", record.earlier);
    };
    assert_eq!(
        (earlier.job.version, earlier.job.state),
        (1, JobState::Stopped)
    );
    assert_eq!(earlier.job.task.resources.cpu, "100m");
    let seqs: Vec<u64> = record.history.iter().map(|item| item.seq).collect();
    assert!(
        seqs.is_sorted_by(|a, b| a + 1 == *b),
        "one history: {seqs:?}"
    );

    // The old one ends; that it printed something and exited does not complete the new version.
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let (_, record) = stored_job(&turn);
    assert_eq!(record.executions[0].state, ExecutionState::Cancelled);
    assert_eq!(record.job.version, 2);
    assert!(!record.job.state.is_terminal(), "{:?}", record.job);
}

#[test]
fn an_old_version_that_had_ended_unheard_does_not_complete_the_new_one() {
    let mut bench = Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000));
    bench.see(OTHER);
    let turn = bench.submit(&plain(), None);
    let execution = said(&turn)[0].execution().clone();
    submit(&mut bench, submission(changed("200m")));
    let outcome = Box::new(completed(0));
    let turn = bench.hear(OTHER, Message::Outcome { execution, outcome });
    let (_, record) = stored_job(&turn);
    assert_eq!(record.executions[0].state, ExecutionState::Completed);
    assert!(!record.job.state.is_terminal(), "{:?}", record.job);
}

#[test]
fn an_unchanged_spec_is_refused_with_what_is_there_unless_it_is_forced() {
    let mut bench = Bench::fresh();
    let first = bench.submit(&plain(), None);
    let id = stored_job(&first).1.job.id.clone();
    let mut same = plain();
    same.meta.insert(
        "bacalhau.org/client.instance.id".into(),
        "another client".into(),
    );
    let turn = submit(&mut bench, submission(same.clone()));
    let unchanged = DenyReason::Unchanged {
        job: id.clone(),
        name: "a job".into(),
        version: 1,
    };
    assert_eq!(*reply(&turn), ApiReply::Denied(unchanged));
    assert!(turn.writes.jobs.is_empty(), "{turn:?}");
    let forced = Submission {
        if_unchanged: IfUnchanged::RunAgain,
        ..submission(same)
    };
    let turn = submit(&mut bench, forced);
    assert_eq!(stored_job(&turn).1.job.version, 2);
}

#[test]
fn each_part_of_a_spec_makes_it_another_one() {
    type Edit = fn(&mut Job);
    let edits: [(&str, Edit); 6] = [
        ("priority", |job| job.priority = 1),
        ("count", |job| job.count = 2),
        ("labels", |job| {
            drop(job.labels.insert("a".into(), "b".into()))
        }),
        ("meta", |job| drop(job.meta.insert("a".into(), "b".into()))),
        ("task", |job| job.task.name = "other".into()),
        ("constraints", |job| {
            job.constraints.push(Constraint {
                key: "a".into(),
                operator: "exists".into(),
                values: Vec::new(),
            });
        }),
    ];
    for (part, edit) in edits {
        let mut bench = Bench::fresh();
        bench.submit(&plain(), None);
        let mut other = plain();
        edit(&mut other);
        let turn = submit(&mut bench, submission(other));
        assert_eq!(stored_job(&turn).1.job.version, 2, "{part}");
    }
}

#[test]
fn a_name_stands_for_a_job_of_its_namespace_only_and_no_name_for_none() {
    let mut bench = Bench::fresh();
    let first = stored_job(&bench.submit(&plain(), None)).1.job.id.clone();
    for (name, namespace) in [("a job", "other"), ("another", "default"), ("", "default")] {
        let mut job = changed("200m");
        (job.name, job.namespace) = (name.into(), namespace.into());
        let turn = submit(&mut bench, submission(job));
        let (_, record) = stored_job(&turn);
        assert_ne!(record.job.id, first, "{name} in {namespace}");
        assert_eq!(record.job.version, 1);
    }
}

#[test]
fn an_ended_job_is_asked_for_and_goes_on_from_what_the_store_holds() {
    let (mut bench, record) = ended();
    let turn = submit(&mut bench, submission(changed("200m")));
    let job = record.job.id.clone();
    assert_eq!(*reply(&turn), ApiReply::Unread { job });
    assert!(
        turn.writes.jobs.is_empty(),
        "nothing is decided yet: {turn:?}"
    );
    let turn = updates(&mut bench, record.clone());
    let (kind, next) = stored_job(&turn);
    assert_eq!(kind, WriteKind::Promise);
    assert_eq!((next.job.id.clone(), next.job.version), (record.job.id, 2));
    assert_eq!(next.earlier[0].job.state, JobState::Completed);
    assert_eq!(next.executions[0], record.executions[0], "what was is kept");
    assert_eq!(next.history[..record.history.len()], record.history[..]);
    assert!(
        matches!(begun(&turn), Some((_, Activity::Prepare(_)))),
        "{turn:?}"
    );
}

#[test]
fn a_record_that_has_changed_since_it_was_read_is_asked_for_again() {
    let (mut bench, first) = ended();
    let turn = updates(&mut bench, first.clone());
    let run = start(&mut bench, &turn);
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let second = stored_job(&turn).1.clone();
    assert_eq!(
        (second.job.version, second.job.state),
        (2, JobState::Completed)
    );
    // Somebody read the first version before the second one came and went.
    let job = first.job.id.clone();
    let late = Stored::Record(Box::new(first));
    let turn = submit(
        &mut bench,
        Submission {
            stored: late.clone(),
            ..submission(changed("300m"))
        },
    );
    assert_eq!(*reply(&turn), ApiReply::Unread { job: job.clone() });
    let turn = rerun(&mut bench, &job, 0, late);
    assert_eq!(*reply(&turn), ApiReply::Unread { job });
    assert!(turn.writes.jobs.is_empty(), "{turn:?}");
}

#[test]
fn a_name_finds_its_job_live_ended_and_after_a_restart() {
    let (mut bench, record) = ended();
    let find = |bench: &mut Bench, name: &str| {
        let turn = bench.request(ApiRequest::Find {
            namespace: "default".into(),
            name: name.into(),
        });
        reply(&turn).clone()
    };
    let job = record.job.id.clone();
    assert_eq!(
        find(&mut bench, "a job"),
        ApiReply::Found { job: job.clone() }
    );
    assert_eq!(find(&mut bench, "nobody"), ApiReply::NotLive);
    let mut names = JobNames::default();
    names.note(&record);
    let stored = StoredState {
        names,
        last_job: Some(job.clone()),
        ..StoredState::default()
    };
    let mut again = Bench::recover(stored, early(60_000));
    assert_eq!(find(&mut again, "a job"), ApiReply::Found { job });
}

#[test]
fn a_job_named_by_its_id_is_updated_by_that_name() {
    let mut bench = Bench::fresh();
    let mut unnamed = plain();
    unnamed.name.clear();
    let id = stored_job(&bench.submit(&unnamed, None)).1.job.id.clone();
    let mut next = changed("200m");
    next.name = id.0.clone();
    let turn = submit(&mut bench, submission(next));
    let (_, record) = stored_job(&turn);
    assert_eq!((&record.job.id, record.job.version), (&id, 2));
    // A name that only looks like an id is a name like any other, once the store has said that there is no such job.
    let mut other = plain();
    other.name = "j-00000000-0000-7000-8000-000000000000".into();
    let turn = submit(&mut bench, submission(other.clone()));
    assert!(matches!(reply(&turn), ApiReply::Unread { .. }), "{turn:?}");
    let absent = Submission {
        stored: Stored::Absent,
        ..submission(other)
    };
    let turn = submit(&mut bench, absent);
    assert_eq!(stored_job(&turn).1.job.version, 1);
}

#[test]
fn a_token_names_the_answer_that_it_had_after_later_versions_and_a_restart() {
    let mut bench = Bench::fresh();
    let first = bench.submit(&plain(), Some("first"));
    let first_reply = reply(&first).clone();
    let turn = bench.submit(&changed("200m"), Some("second"));
    let second_reply = reply(&turn).clone();
    assert_ne!(first_reply, second_reply, "another evaluation");
    let stored = StoredState {
        live_jobs: vec![stored_job(&turn).1.clone()],
        ..StoredState::default()
    };
    let mut again = Bench::recover(stored, early(60_000));
    again.first_turn();
    for bench in [&mut bench, &mut again] {
        for (token, job, expected) in [
            ("first", plain(), &first_reply),
            ("second", changed("200m"), &second_reply),
        ] {
            let turn = bench.submit(&job, Some(token));
            assert_eq!(reply(&turn), expected, "{token}");
            assert!(turn.writes.jobs.is_empty(), "{turn:?}");
        }
    }
}

#[test]
fn a_rerun_that_is_sent_again_with_its_token_runs_once_also_after_a_restart() {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&plain(), Some("submitted"));
    let id = stored_job(&turn).1.job.id.clone();
    start(&mut bench, &turn);
    let turn = rerun_once(&mut bench, &id, 1, "again");
    let first_reply = reply(&turn).clone();
    assert!(
        matches!(first_reply, ApiReply::Rerun { version: 2, .. }),
        "{first_reply:?}"
    );
    let stored = StoredState {
        live_jobs: vec![stored_job(&turn).1.clone()],
        ..StoredState::default()
    };
    let mut again = Bench::recover(stored, early(60_000));
    again.first_turn();
    for bench in [&mut bench, &mut again] {
        let turn = rerun_once(bench, &id, 1, "again");
        assert_eq!(reply(&turn), &first_reply);
        assert!(turn.writes.jobs.is_empty(), "{turn:?}");
        // The same word for something else is a mistake, whichever came first.
        let reused = |turn: &Turn| {
            matches!(
                reply(turn),
                ApiReply::Denied(DenyReason::TokenReused { .. })
            )
        };
        assert!(reused(&rerun_once(bench, &id, 2, "again")));
        assert!(reused(&rerun_once(bench, &id, 1, "submitted")));
        assert!(reused(&bench.submit(&plain(), Some("again"))));
    }
}

#[test]
fn what_a_job_keeps_of_its_past_is_bounded() {
    let mut bench = Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000));
    bench.see(OTHER);
    let mut last = None;
    for n in 1..=100 {
        let turn = bench.submit(&patient(n), None);
        let asked = said(&turn).into_iter().find_map(|message| match message {
            Message::Ask { execution, .. } => Some(execution.clone()),
            _ => None,
        });
        last = Some(stored_job(&turn).1.clone());
        // The node has nothing left of it when it is told to stop.
        bench.submit(&patient(1_000 + n), None);
        let execution = asked.expect("the node is asked");
        bench.hear(OTHER, Message::Unknown { execution });
    }
    let record = last.expect("submitted");
    let kept: Vec<u64> = record.earlier.iter().map(|one| one.job.version).collect();
    assert_eq!(kept, (189..199).collect::<Vec<u64>>(), "the latest ten");
    let ended = record
        .executions
        .iter()
        .filter(|one| one.state.is_terminal());
    assert_eq!(ended.count(), 32);
    assert!(record.history.len() <= 64);
    for n in 200..205 {
        let large = Submission {
            submitted: vec![b' '; 60_000],
            ..submission(patient(n))
        };
        let turn = submit(&mut bench, large);
        let record = stored_job(&turn).1;
        let bytes: u64 = record.earlier.iter().map(|one| one.submitted_bytes).sum();
        assert!(bytes <= 128 * 1024, "{bytes}");
    }
}

#[test]
fn a_rerun_is_a_new_version_of_the_version_that_was_asked_for() {
    let (mut bench, record) = ended();
    let id = record.job.id.clone();
    assert_eq!(
        *reply(&rerun(&mut bench, &id, 0, Stored::Absent)),
        ApiReply::NotLive
    );
    let turn = rerun(&mut bench, &id, 0, Stored::Unread);
    assert_eq!(*reply(&turn), ApiReply::Unread { job: id.clone() });
    let missing = rerun(&mut bench, &id, 7, Stored::Record(Box::new(record.clone())));
    let no_such = DenyReason::NoSuchVersion {
        job: id.clone(),
        version: 7,
        oldest: 1,
        latest: 1,
    };
    assert_eq!(*reply(&missing), ApiReply::Denied(no_such));
    assert!(missing.writes.jobs.is_empty(), "{missing:?}");
    let turn = updates(&mut bench, record);
    let run = start(&mut bench, &turn);
    bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let second = stored_job(&turn).1.clone();
    // Of the first version, while its name is known to have had a second one.
    let mut read = second;
    read.job.state = JobState::Completed;
    read.job.revision += 10;
    for execution in &mut read.executions {
        execution.state = ExecutionState::Completed;
    }
    let turn = rerun(&mut bench, &id, 1, Stored::Record(Box::new(read)));
    let ApiReply::Rerun { version: 3, .. } = reply(&turn) else {
        panic!("{turn:?}");
    };
    let record = stored_job(&turn).1;
    assert_eq!(
        record.job.task.resources.cpu, "100m",
        "the first version's spec"
    );
    assert_eq!(record.earlier.len(), 2);
}

#[test]
fn a_job_that_waits_for_a_node_is_not_run_again() {
    let mut bench = Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000));
    let id = stored_job(&bench.submit(&patient(1), None))
        .1
        .job
        .id
        .clone();
    let turn = rerun(&mut bench, &id, 0, Stored::Unread);
    let not_begun = DenyReason::NotBegun {
        job: id,
        state: JobState::Queued,
    };
    assert_eq!(*reply(&turn), ApiReply::Denied(not_begun));
}

/// A job that waits for a node.
fn patient(cpu_millis: u64) -> Job {
    let timeouts = Timeouts {
        queue_s: 600,
        ..Timeouts::default()
    };
    job(&format!("{cpu_millis}m"), timeouts)
}

#[test]
fn time_for_the_whole_job_begins_anew_with_a_version() {
    let hour = |s| Timeouts {
        total_s: s,
        queue_s: 600,
        ..Timeouts::default()
    };
    let mut bench = Bench::fresh();
    bench.engine_away();
    bench.submit(&job("100m", hour(600)), None);
    bench.now.boot_ms += 590_000;
    let turn = bench.submit(&job("200m", hour(600)), None);
    let version = stored_job(&turn).1.job.version;
    assert_eq!(version, 2);
    bench.now.boot_ms += 20_000;
    let now = bench.now.boot_ms;
    let turn = bench.wait_until(now);
    let failed =
        turn.writes.jobs.values().any(
            |(_, write)| matches!(write, Write::Put(record) if record.job.state.is_terminal()),
        );
    assert!(!failed, "{turn:?}");
}
