//! Versions of a job: by name, listed, shown, run again.

use super::support::{TestServer, Then};
use super::world::{World, completed, job_id, running};
use codling::model::{
    ApiReply, ApiRequest, DenyReason, EarlierVersion, EvaluationId, ExecutionState, IfUnchanged,
    JobRecord, JobState, StoreAnswer, Stored,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const JOBS: &str = "/api/v1/orchestrator/jobs";

/// A job of two versions: the first was stopped with its execution, the second has ended.
fn two_versions(n: u32) -> JobRecord {
    let mut record = completed(n);
    let mut first = record.job.clone();
    first.state = JobState::Stopped;
    let mut old = record.executions[0].clone();
    old.id = super::world::execution_id(n + 1_000);
    old.state = ExecutionState::Cancelled;
    record.job.name = "collector".into();
    first.name = "collector".into();
    record.job.version = 2;
    record.job.task.name = "second".into();
    record.executions[0].job_version = 2;
    record.executions.insert(0, old);
    for item in &mut record.history[3..] {
        item.job_version = 2;
    }
    record.earlier = vec![EarlierVersion {
        job: first,
        idempotency: None,
        submitted_bytes: 2,
    }];
    record
}

fn spec(name: &str, force: Value) -> String {
    json!({"Force": force, "Job": {
        "Name": name, "Type": "batch",
        "Tasks": [{"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "busybox"}}}],
    }})
    .to_string()
}

#[test]
fn the_versions_of_a_job_are_listed_in_order_each_as_it_was_last() {
    for world in [
        World::default().with_stored(two_versions(1)),
        World::default().with_live(two_versions(1)),
    ] {
        let body = world
            .serve()
            .get(&format!("{JOBS}/collector/versions"))
            .ok();
        assert_eq!(body["NextToken"], "");
        let items = body["Items"].as_array().unwrap();
        let shown: Vec<_> = items
            .iter()
            .map(|job| {
                let task = job["Tasks"][0]["Name"].as_str().unwrap();
                let state = job["State"]["StateType"].as_str().unwrap();
                assert_eq!(job["ID"], job_id(1).0);
                (job["Version"].as_u64().unwrap(), task, state)
            })
            .collect();
        assert_eq!(shown, [(1, "main", "Stopped"), (2, "second", "Completed")]);
    }
}

#[test]
fn a_version_is_shown_with_its_own_executions_and_history_and_one_that_is_gone_is_404() {
    let server = World::default().with_stored(two_versions(1)).serve();
    let job = format!("{JOBS}/{}", job_id(1));
    for (version, number, task) in [
        ("", 2, "second"),
        ("&job_version=1", 1, "main"),
        ("&job_version=2", 2, "second"),
    ] {
        let body = server
            .get(&format!("{job}?include=executions,history{version}"))
            .ok();
        assert_eq!(
            (&body["Job"]["Version"], &body["Job"]["Tasks"][0]["Name"]),
            (&json!(number), &json!(task))
        );
        for part in ["Executions", "History"] {
            let items = body[part]["Items"].as_array().unwrap();
            assert!(!items.is_empty(), "{part}");
            assert!(
                items.iter().all(|item| item["JobVersion"] == number),
                "{body}"
            );
        }
    }
    let reply = server.get(&format!("{job}?job_version=3"));
    let message = reply.refused(404, "NotFound");
    assert!(
        message.contains("no version 3; versions 1 to 2 are kept"),
        "{message}"
    );
}

#[test]
fn the_history_of_a_version_that_was_replaced_ends_when_its_executions_have() {
    let mut record = two_versions(1);
    record.job.state = JobState::Running;
    let token = |record: &JobRecord, query: &str| {
        let server = World::default().with_live(record.clone()).serve();
        let path = format!("{JOBS}/{}/history?{query}", job_id(1));
        server.get(&path).ok()["NextToken"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(token(&record, "job_version=1"), "");
    for query in ["", "job_version=2", "all_job_versions=true"] {
        assert_ne!(token(&record, query), "", "{query}");
    }
    record.executions[0].state = ExecutionState::Running;
    assert_ne!(token(&record, "job_version=1"), "");
}

#[test]
fn a_name_leads_to_its_job_on_every_route_and_goes_before_a_prefix() {
    let mut named_like_a_prefix = running(2);
    named_like_a_prefix.job.name = job_id(1).0[..10].to_owned();
    let mut other = completed(3);
    other.job.name = "a/b c".into();
    other.job.namespace = "team".into();
    let server = World::default()
        .with_live(running(1))
        .with_live(named_like_a_prefix)
        .with_stored(other)
        .serve();
    let id = |path: &str| server.get(&format!("{JOBS}/{path}")).ok()["Job"]["ID"].clone();
    assert_eq!(id(&job_id(1).0[..10]), job_id(2).0, "the name goes first");
    assert_eq!(id("a%2Fb%20c?namespace=team"), job_id(3).0);
    for tail in ["", "/executions", "/history", "/versions"] {
        let path = format!("{JOBS}/a%2Fb%20c{tail}");
        server.get(&format!("{path}?namespace=team")).ok();
        server.get(&path).refused(404, "NotFound");
    }
    let stop = |body: &str| server.delete(&format!("{JOBS}/a%2Fb%20c"), body);
    stop("{}").refused(404, "NotFound");
    stop(r#"{"Namespace":"team"}"#).refused(409, "ConflictJobState");
}

#[test]
fn a_job_named_by_an_id_of_elsewhere_is_found_by_it_and_a_jobs_own_id_goes_first() {
    let elsewhere = "j-0f8fad5b-d9cb-469f-a165-70867728950e";
    let mut brought = running(1);
    brought.job.name = elsewhere.to_owned();
    let mut usurper = completed(2);
    usurper.job.name = job_id(1).0;
    let server = World::default()
        .with_live(brought)
        .with_stored(usurper)
        .serve();
    for route in ["", "/executions", "/history", "/versions"] {
        server.get(&format!("{JOBS}/{elsewhere}{route}")).ok();
    }
    let found = |text: &str| server.get(&format!("{JOBS}/{text}")).ok()["Job"]["ID"].clone();
    assert_eq!(found(elsewhere), job_id(1).0);
    assert_eq!(found(&job_id(1).0), job_id(1).0);
    let rerun = server.put(&format!("{JOBS}/{elsewhere}/rerun"), "{}").ok();
    assert_eq!(rerun["JobID"], job_id(1).0);
    server
        .client()
        .send("DELETE", &format!("{JOBS}/{elsewhere}"), &[], b"")
        .ok();
}

#[test]
fn a_prefix_of_several_ids_tells_how_many() {
    let world = (1..=3).fold(World::default(), |world, n| world.with_stored(completed(n)));
    let server = world.with_live(running(4)).serve();
    let message = server
        .get(&format!("{JOBS}/j-0197"))
        .refused(409, "MultipleJobsFound");
    assert_eq!(message, "4 jobs have ids that start with \"j-0197\"");
    let world = (1..=300).fold(World::default(), |world, n| world.with_stored(completed(n)));
    let message = world
        .serve()
        .get(&format!("{JOBS}/j-"))
        .refused(409, "MultipleJobsFound");
    assert_eq!(message, "at least 100 jobs have ids that start with \"j-\"");
}

/// An agent that wants the stored job of each further version first, and how often it was asked.
fn asks_for(times: usize) -> (TestServer, Arc<Mutex<Vec<Stored>>>) {
    let brought = Arc::new(Mutex::new(Vec::new()));
    let log = brought.clone();
    let server = TestServer::start(
        Box::new(move |request| {
            let evaluation = EvaluationId::from("7c9e6679-7425-40de-944b-e07fc1f90ae7");
            let mut brought = log.lock().unwrap();
            let (stored, taken) = match request {
                ApiRequest::Submit(submission) => {
                    let job = job_id(1);
                    (submission.stored, ApiReply::Submitted { job, evaluation })
                }
                ApiRequest::Rerun { stored, .. } => (
                    stored,
                    ApiReply::Rerun {
                        version: 2,
                        evaluation,
                    },
                ),
                _ => return Then::Reply(ApiReply::NotLive),
            };
            brought.push(stored);
            let job = job_id(1);
            Then::Reply(if brought.len() > times {
                taken
            } else {
                ApiReply::Unread { job }
            })
        }),
        Box::new(|_| StoreAnswer::Job(Some(Box::new(completed(1))))),
    );
    (server, brought)
}

#[test]
fn a_job_that_has_ended_is_read_and_brought_along_until_the_agent_takes_it() {
    let rerun = format!("{JOBS}/{}/rerun", job_id(1));
    for (path, body) in [
        (JOBS, spec("collector", json!(false))),
        (&rerun, "{}".to_owned()),
    ] {
        let (server, brought) = asks_for(2);
        server.put(path, &body).ok();
        let brought = brought.lock().unwrap();
        let record = Stored::Record(Box::new(completed(1)));
        assert_eq!(*brought, [Stored::Unread, record.clone(), record], "{path}");
        let (server, _) = asks_for(100);
        let reply = server.put(path, &body);
        let message = reply.refused(409, "ConflictJobRevision");
        assert!(message.contains("changes faster"), "{message}");
        assert_eq!(reply.json()["Details"]["Retryable"], "true");
    }
}

#[test]
fn an_update_says_whether_it_is_forced_and_an_unchanged_one_is_told_how() {
    let server = World::default().serve();
    for (force, expected) in [
        (json!(null), IfUnchanged::Refuse),
        (json!(false), IfUnchanged::Refuse),
        (json!(true), IfUnchanged::RunAgain),
    ] {
        server.put(JOBS, &spec("collector", force)).ok();
        let Some(ApiRequest::Submit(submission)) = server.asked().pop() else {
            panic!("not a submission");
        };
        assert_eq!(submission.if_unchanged, expected);
    }
    let unchanged = DenyReason::Unchanged {
        job: job_id(1),
        name: "collector".into(),
        version: 7,
    };
    let server = TestServer::start(
        Box::new(move |_| Then::Reply(ApiReply::Denied(unchanged.clone()))),
        Box::new(|_| StoreAnswer::Unavailable),
    );
    let reply = server.put(JOBS, &spec("collector", json!(false)));
    let message = reply.refused(409, "ConflictJobRevision");
    assert_eq!(
        message,
        format!(
            "job \"collector\" is the same already: {}, version 7; nothing was changed",
            job_id(1)
        )
    );
    assert!(reply.json()["Hint"].as_str().unwrap().contains("--force"));
    assert!(reply.json()["Details"]["Retryable"].is_null());
}

#[test]
fn a_diff_tells_what_a_submission_would_change_and_changes_nothing() {
    let server = World::default()
        .with_stored(two_versions(1))
        .with_live(running(2))
        .serve();
    let diff = format!("{JOBS}/diff");
    let reply = server.put(&diff, &spec("collector", json!(false))).ok();
    let text = reply["Diff"].as_str().unwrap();
    for line in ["- Tasks[0].Name: \"second\"", "+ Tasks[0].Name: \"main\""] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    assert!(!text.contains("bacalhau.org/"), "{text}");
    // As it was described, a job does not differ from itself.
    let described = server.get(&format!("{JOBS}/{}", job_id(2))).ok();
    let same = server.put(&diff, &described.to_string()).ok();
    assert_eq!(same["Diff"], "");
    let warned = same["Warnings"].as_array().unwrap();
    assert!(!warned.is_empty(), "{same}");
    let submitted = |request: &ApiRequest| matches!(request, ApiRequest::Submit(_));
    assert!(!server.asked().iter().any(submitted));

    server
        .put(&diff, &spec("nosuch", json!(false)))
        .refused(404, "NotFound");
    let prefix = &job_id(1).0[..12];
    server
        .put(&diff, &spec(prefix, json!(false)))
        .refused(404, "NotFound");
    let message = server
        .put(&diff, &spec("", json!(false)))
        .refused(400, "ValidationError");
    assert!(message.starts_with("Job.Name is missing"), "{message}");
    let message = server
        .put(JOBS, &spec("diff", json!(false)))
        .refused(400, "ValidationError");
    assert!(message.contains("jobs/diff"), "{message}");
}

#[test]
fn a_rerun_is_answered_as_the_cli_expects_and_refused_for_a_reason() {
    let server = World::default().with_live(running(1)).serve();
    let path = format!("{JOBS}/{}/rerun", job_id(1));
    let body = json!({"Namespace": "", "Credential": null, "IdempotencyToken": "once", "JobVersion": 1, "Reason": "why not"});
    let reply = server.put(&path, &body.to_string()).ok();
    assert_eq!(
        (&reply["JobID"], &reply["JobVersion"]),
        (&json!(job_id(1).0), &json!(2))
    );
    assert!(
        reply["EvaluationID"].is_string() && reply["Warnings"].is_null(),
        "{reply}"
    );
    let Some(ApiRequest::Rerun {
        job,
        version,
        reason,
        idempotency,
        ..
    }) = server.asked().pop()
    else {
        panic!("not a rerun");
    };
    assert_eq!((job, version, reason.as_str()), (job_id(1), 1, "why not"));
    assert_eq!(idempotency.as_deref(), Some("once"));
    let beside = format!("{path}?idempotency_token=beside");
    server.put(&beside, "{}").ok();
    let Some(ApiRequest::Rerun { idempotency, .. }) = server.asked().pop() else {
        panic!("not a rerun");
    };
    assert_eq!(idempotency.as_deref(), Some("beside"));
    for (wrong, found) in [
        (json!(-1), "-1"),
        (json!(1.5), "1.5"),
        (json!("1"), "a string"),
    ] {
        let message = server
            .put(&path, &json!({"JobVersion": wrong}).to_string())
            .refused(400, "BadRequest");
        let expected = format!("JobVersion must be a whole number of 0 or more, not {found}");
        assert_eq!(message, expected);
    }
    let long = json!({"IdempotencyToken": "x".repeat(257)}).to_string();
    let message = server.put(&path, &long).refused(400, "BadRequest");
    assert!(message.ends_with("257 bytes > 256"), "{message}");
    let unknown = format!("{JOBS}/{}/rerun", job_id(9));
    server.put(&unknown, "{}").refused(404, "NotFound");
    let denying = |reason: DenyReason| {
        TestServer::start(
            Box::new(move |_| Then::Reply(ApiReply::Denied(reason.clone()))),
            Box::new(|_| StoreAnswer::Unavailable),
        )
    };
    let not_begun = DenyReason::NotBegun {
        job: job_id(1),
        state: JobState::Queued,
    };
    let message = denying(not_begun)
        .put(&path, "{}")
        .refused(409, "ConflictJobState");
    assert!(message.ends_with("it is Queued"), "{message}");
    let no_such = DenyReason::NoSuchVersion {
        job: job_id(1),
        version: 9,
        oldest: 2,
        latest: 4,
    };
    let message = denying(no_such).put(&path, "{}").refused(404, "NotFound");
    assert!(message.contains("versions 2 to 4 are kept"), "{message}");
    let lost = DenyReason::StoreUnavailable { job: None };
    let reply = denying(lost).put(&path, "{}");
    reply.refused(507, "DatastoreFailure");
    assert_eq!(reply.json()["Details"]["JobID"], job_id(1).0);
}
