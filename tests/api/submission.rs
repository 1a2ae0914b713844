//! What a submission becomes.

use super::support::{JSON, TestServer, recorded};
use super::world::World;
use codling::model::{ApiRequest, IfUnchanged, JobState, JobType, NetworkKind, Stored, Submission};
use serde_json::{Value, json};

const JOBS: &str = "/api/v1/orchestrator/jobs";

fn submitted(server: &TestServer) -> Submission {
    match server.asked().pop() {
        Some(ApiRequest::Submit(submission)) => *submission,
        other => panic!("not a submission: {other:?}"),
    }
}

/// The least that is a job, with one field replaced.
fn job(key: &str, value: Value) -> String {
    let mut job = json!({
        "Type": "batch",
        "Tasks": [{"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "busybox"}}}],
    });
    job[key] = value;
    json!({ "Job": job }).to_string()
}

fn task(key: &str, value: Value) -> String {
    let mut task = json!({"Name": "main", "Engine": {"Type": "docker"}});
    task[key] = value;
    job("Tasks", json!([task]))
}

#[test]
fn what_the_cli_sends_becomes_a_normalised_job() {
    let server = World::default().serve();
    let reply = server.put(JOBS, &recorded("submit-request")).ok();
    assert!(reply["Warnings"].is_null());
    let Submission {
        job,
        submitted: text,
        idempotency,
        if_unchanged,
        stored,
    } = submitted(&server);
    assert_eq!(
        (if_unchanged, stored),
        (IfUnchanged::Refuse, Stored::Unread)
    );
    assert_eq!(
        (job.job_type, job.state, job.count),
        (JobType::Batch, JobState::Pending, 1)
    );
    assert_eq!(job.namespace, "default");
    assert_eq!(
        (job.id.as_str(), job.name.as_str()),
        ("", ""),
        "the agent's to fill in"
    );
    assert_eq!(job.task.name, "main");
    assert!(job.task.engine.is("docker") && job.task.publisher.is_none());
    assert_eq!(job.task.network.kind, NetworkKind::Default);
    assert_eq!(idempotency, None, "an empty token is none");
    // The stored text is the job as received, without the credential around it.
    let kept: Value = serde_json::from_slice(&text).unwrap();
    let sent: Value = serde_json::from_str(&recorded("submit-request")).unwrap();
    assert_eq!(kept, sent["Job"]);
    assert!(!String::from_utf8(text).unwrap().contains("redential"));
}

#[test]
fn every_recorded_submission_is_taken_or_refused_for_a_reason_we_chose() {
    let server = World::default().serve();
    let requests: Vec<Value> = serde_json::from_str(&recorded("submit-requests")).unwrap();
    let mut taken = 0;
    for request in requests {
        let scenario = request["scenario"].as_str().unwrap();
        let reply = server.put(JOBS, &request["body"].to_string());
        if scenario.ends_with("/bad-constraint") {
            let message = reply.refused(400, "ValidationError");
            assert!(message.contains("\"bogus\""), "{message}");
        } else {
            assert_eq!(reply.status, 200, "{scenario}: {reply:?}");
            taken += 1;
        }
    }
    assert!(taken > 20, "{taken}");
}

#[test]
fn keys_match_in_any_case_null_is_absent_and_the_last_of_two_wins() {
    let server = World::default().serve();
    let body = r#"{"JOB":{"type":"ops","TYPE":"batch","count":null,"labels":{"Team":"A","team":"a"},"meta":null,
        "constraints":null,"tasks":[{"NAME":"main","engine":{"TYPE":"docker","params":{"image":"busybox"}},
        "publisher":null,"resources":{"cpu":" 0.5 ","MEMORY":"1 Gb"},"network":null,"timeouts":null}]}}"#;
    server.put(JOBS, body).ok();
    let job = submitted(&server).job;
    assert_eq!((job.job_type, job.count), (JobType::Batch, 1));
    assert_eq!(job.labels.len(), 2, "labels keep the case of their keys");
    assert_eq!(job.task.resources.cpu, "0.5");
    assert_eq!(job.task.resources.memory, "1gb");
    assert!(job.task.engine.params.get("Image").is_some());
}

#[test]
fn the_python_client_may_leave_out_what_it_does_not_know() {
    let server = World::default().serve();
    let body = json!({"namespace": "", "idempotencyToken": "", "Job": {
        "Name": "from python", "Count": 1, "Type": "batch",
        "Tasks": [{"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "busybox"}}, "Publisher": {}}],
    }});
    server.put(JOBS, &body.to_string()).ok();
    assert!(submitted(&server).job.task.publisher.is_none());
}

#[test]
fn post_is_an_alias_and_client_ids_go_into_the_meta() {
    let server = World::default().serve();
    let headers = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("X-Bacalhau-InstanceID", "0035969e"),
    ];
    let body = job(
        "Meta",
        json!({"mine": "1", "bacalhau.org/client.instance.id": "forged"}),
    );
    let reply = server
        .client()
        .send("POST", JOBS, &headers, body.as_bytes())
        .ok();
    assert_eq!(reply["Warnings"].as_array().map(Vec::len), Some(1));
    let meta = submitted(&server).job.meta;
    assert_eq!(meta["mine"], "1");
    assert_eq!(meta["bacalhau.org/client.instance.id"], "0035969e");
}

#[test]
fn the_token_of_the_body_goes_before_the_header_and_the_header_before_the_query() {
    let server = World::default().serve();
    let with = |body: Value, headers: &[(&str, &str)], query: &str| {
        let mut all = vec![JSON];
        all.extend(headers);
        let path = format!("{JOBS}{query}");
        server
            .client()
            .send("PUT", &path, &all, body.to_string().as_bytes())
            .ok();
        submitted(&server).idempotency
    };
    let mut body: Value = serde_json::from_str(&job("Count", json!(1))).unwrap();
    let query = "?idempotency_token=q";
    let header = [("Idempotency-Key", "h")];
    assert_eq!(with(body.clone(), &[], query).as_deref(), Some("q"));
    assert_eq!(with(body.clone(), &header, query).as_deref(), Some("h"));
    body["IdempotencyToken"] = json!("b");
    assert_eq!(with(body, &header, query).as_deref(), Some("b"));
}

#[test]
fn what_the_server_keeps_is_left_out_with_a_warning_each() {
    let server = World::default().serve();
    let body = json!({"Job": {
        "ID": "j-mine", "Type": "batch", "Version": 3, "Revision": 2, "CreateTime": 1, "ModifyTime": 1,
        "State": {"StateType": "Completed"}, "Meta": {"bacalhau.org/x": "y"},
        "Tasks": [{"Name": "a", "Engine": {"Type": "docker"}}, {"Name": "b", "Engine": {"Type": "docker"}}],
    }});
    let reply = server.put(JOBS, &body.to_string()).ok();
    let warnings = reply["Warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 8, "{warnings:?}");
    assert!(warnings.contains(&json!("only one task is supported per job")));
    let job = submitted(&server).job;
    assert_eq!(
        (job.id.as_str(), job.version, job.task.name.as_str()),
        ("", 0, "a")
    );
    assert_eq!(job.state, JobState::Pending);
    assert!(job.meta.is_empty());
}

#[test]
fn all_problems_come_in_one_answer_a_line_each() {
    let server = World::default().serve();
    let body = json!({"Job": {
        "Type": "batch", "Count": -1, "Name": 7, "Priority": "high",
        "Constraints": [{"Key": "", "Operator": "=", "Values": ["a"]}, {"Key": "a", "Operator": "in"}],
        "Tasks": [{
            "Name": " ",
            "Env": {"lower": "x"},
            "Resources": {"CPU": "much", "Memory": "-1", "GPU": "1.5"},
            "Timeouts": {"ExecutionTimeout": -1},
            "ResultPaths": [{"Name": "a", "Path": "relative"}, {"Name": "a", "Path": "/b"}],
            "InputSources": [{"Source": {"Type": ""}, "Target": ""}],
            "Network": {"Type": "HTTP", "Domains": ["-bad-"], "Ports": [{"Name": "1x"}]},
        }],
    }});
    let message = server
        .put(JOBS, &body.to_string())
        .refused(400, "ValidationError");
    for expected in [
        "Job.Name must be a string, not a number",
        "Job.Priority must be a whole number, not a string",
        "the job count must be 0 or more, not -1",
        "Job.Constraints[0].Key is missing",
        "constraint \"a\": operator \"in\" needs at least one value",
        "Job.Tasks[0].Name is missing",
        "Job.Tasks[0].Engine.Type is missing",
        "\"lower\" must start with an upper-case letter",
        "invalid CPU value \"much\"",
        "invalid memory value \"-1\"",
        "invalid GPU value \"1.5\"",
        "Job.Tasks[0].Timeouts.ExecutionTimeout must be 0 or more seconds, not -1",
        "Job.Tasks[0].ResultPaths[0].Path must be an absolute path, not \"relative\"",
        "Job.Tasks[0].ResultPaths[1].Name \"a\" is used twice",
        "Job.Tasks[0].ResultPaths needs a publisher",
        "Job.Tasks[0].InputSources[0].Source.Type is missing",
        "Job.Tasks[0].InputSources[0].Target is missing",
        "\"-bad-\" is neither a domain name nor an IP address",
        "Job.Tasks[0].Network.Ports are for networks of type Host or Bridge only",
        "Job.Tasks[0].Network.Ports[0].Name must be a letter or _",
    ] {
        assert!(
            message.lines().any(|line| line.contains(expected)),
            "{expected}\nin\n{message}"
        );
    }
    assert_eq!(server.asked(), [], "a wrong job does not reach the agent");
}

#[test]
fn each_rule_refuses_what_breaks_it_and_nothing_else() {
    let server = World::default().serve();
    let docker = |params: Value| json!({"Type": "docker", "Params": params});
    for (body, problem) in [
        (job("Type", json!(null)), "missing job type"),
        (job("Type", json!("bogus")), "invalid job type: \"bogus\""),
        (job("Tasks", json!([])), "missing job tasks"),
        (
            job("Tasks", json!([null])),
            "Job.Tasks[0] must be an object",
        ),
        (
            job("Count", json!(1.5)),
            "Job.Count must be a whole number, not 1.5",
        ),
        (
            job("Count", json!(1_001)),
            "the job count is too large: 1001 > 1000",
        ),
        (
            job("Labels", json!({"a": 1})),
            "Job.Labels[\"a\"] must be a string",
        ),
        (
            job("Name", json!("a\u{0}")),
            "Job.Name must not contain NUL",
        ),
        (job("Name", json!(" \n")), "Job.Name must not be blank"),
        (
            job("Namespace", json!(" ")),
            "Job.Namespace must not be blank",
        ),
        (job("Namespace", json!("*")), "must not be \"*\""),
        (
            job(
                "Constraints",
                json!([{"Key": "a", "Operator": "!", "Values": ["x"]}]),
            ),
            "takes no value",
        ),
        (
            task("Engine", json!({"Type": " "})),
            "Engine.Type is missing",
        ),
        (
            task("Engine", docker(json!([]))),
            "Engine.Params must be an object",
        ),
        (task("Env", json!({"A": ""})), "must not be empty"),
        (
            task("Env", json!({"BACALHAU_X": "1"})),
            "must not start with BACALHAU_",
        ),
        (
            task(
                "Timeouts",
                json!({"TotalTimeout": 10, "ExecutionTimeout": 6, "QueueTimeout": 5}),
            ),
            "10 s < 11 s",
        ),
        (
            task("Network", json!({"Type": "Wifi"})),
            "must be Default, None, Host, HTTP or Bridge",
        ),
        (
            task("Network", json!({"Type": "None", "Domains": ["a.b"]})),
            "for networks of type HTTP only",
        ),
        (
            task(
                "Network",
                json!({"Type": "Bridge", "Ports": [{"Name": "a", "Static": 80}]}),
            ),
            "at least 1024, not 80",
        ),
        (
            task(
                "Network",
                json!({"Type": "Host", "Ports": [{"Name": "a", "Target": 80}]}),
            ),
            "not for networks of type Host",
        ),
        (
            task(
                "Network",
                json!({"Type": "Bridge", "Ports": [{"Name": "a", "Static": 70_000}]}),
            ),
            "must be 0 to 65535",
        ),
        (
            task(
                "InputSources",
                json!([
                    {"Source": {"Type": "ipfs"}, "Alias": "a", "Target": "/x"},
                    {"Source": {"Type": "ipfs"}, "Alias": "a", "Target": "/y"},
                ]),
            ),
            "Alias \"a\" is used twice",
        ),
        (r#"{"Force":true}"#.to_owned(), "missing job"),
        ("[]".to_owned(), "must be an object, not an array"),
    ] {
        let message = server.put(JOBS, &body).refused(400, "ValidationError");
        assert!(
            message.contains(problem),
            "{body}\n{problem}\nin\n{message}"
        );
    }
    for body in [
        job("Count", json!(0)),
        job("Count", json!(1_000)),
        job("Name", json!("a/b c")),
        task("Engine", json!({"Type": "nosuchengine"})),
        task("Publisher", json!({"Type": "nosuchpublisher"})),
        task(
            "InputSources",
            json!([{"Source": {"Type": "nosuchsource"}, "Target": "/x"}]),
        ),
        task(
            "Timeouts",
            json!({"TotalTimeout": 10, "ExecutionTimeout": 5, "QueueTimeout": 5}),
        ),
        task(
            "Network",
            json!({"Type": "http", "Domains": [" Example.COM ", ".a.b", "10.0.0.1"]}),
        ),
        task(
            "Network",
            json!({"Type": "full", "Ports": [{"Name": "_a1", "Static": 1_024}]}),
        ),
        task(
            "Network",
            json!({"Type": "Bridge", "Ports": [{"Name": "a", "Target": 80, "HostNetwork": "127.0.0.1"}]}),
        ),
    ] {
        assert_eq!(server.put(JOBS, &body).status, 200, "{body}");
    }
}

#[test]
fn an_answer_stays_small_however_many_problems_there_are() {
    let server = World::default().serve();
    let tasks: Vec<Value> = (0..1_000).map(|_| json!({})).collect();
    let message = server
        .put(JOBS, &job("Tasks", json!(tasks)))
        .refused(400, "ValidationError");
    assert_eq!(message, "Job.Tasks has too many items: 1000 > 256");
    let tasks: Vec<Value> = (0..256).map(|_| json!({})).collect();
    let message = server
        .put(JOBS, &job("Tasks", json!(tasks)))
        .refused(400, "ValidationError");
    assert_eq!(message.lines().count(), 33);
    assert!(message.ends_with("more"), "{message}");
}

#[test]
fn every_job_type_is_taken_and_one_for_every_node_has_no_count() {
    let server = World::default().serve();
    for (word, job_type, count) in [
        ("batch", JobType::Batch, 1),
        ("service", JobType::Service, 1),
        ("daemon", JobType::Daemon, 0),
        ("ops", JobType::Ops, 0),
    ] {
        server.put(JOBS, &job("Type", json!(word))).ok();
        let job = submitted(&server).job;
        assert_eq!((job.job_type, job.count), (job_type, count), "{word}");
    }
}

#[test]
fn a_time_that_does_not_bound_what_is_kept_running_is_ignored_with_a_warning() {
    let server = World::default().serve();
    let timeouts = json!({"ExecutionTimeout": 5, "QueueTimeout": 7, "TotalTimeout": 20});
    for (word, ignored) in [
        ("batch", &[][..]),
        ("ops", &[]),
        ("service", &["ExecutionTimeout", "TotalTimeout"]),
        (
            "daemon",
            &["ExecutionTimeout", "TotalTimeout", "QueueTimeout"],
        ),
    ] {
        let body = json!({"Job": {"Type": word, "Tasks": [{
            "Name": "main", "Timeouts": timeouts,
            "Engine": {"Type": "docker", "Params": {"Image": "busybox"}},
        }]}});
        let reply = server.put(JOBS, &body.to_string()).ok();
        let warnings = reply["Warnings"].as_array().cloned().unwrap_or_default();
        let expected: Vec<Value> = ignored
            .iter()
            .map(|key| json!(format!("a {word} job has no {key}; yours was ignored")))
            .collect();
        assert_eq!(warnings, expected);
    }
}
