//! `codling job run FILE`: what reaches the node, and what is said when a file or the node's answer is no good.

use super::script::Script;
use crate::support::fake_api::{FakeApi, Say, refusal};
use crate::support::program::Program;
use serde_json::{Value, json};
use std::path::Path;

const HELLO: &str = "Name: hello\nType: batch\nTasks:\n  - Name: main\n    Engine:\n      Type: docker\n      \
                     Params: {Image: alpine, Parameters: [echo, 1]}\n    Resources: {CPU: 0.5}\n";

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_file_becomes_a_submission_and_the_command_ends_as_the_job_did() {
    let scratch = tempfile::tempdir().unwrap();
    let yaml = file(scratch.path(), "hello.yaml", HELLO);
    let wrapped = json!({ "Job": { "Name": "w", "Type": "batch" }, "IdempotencyToken": "mine" });
    let json = file(scratch.path(), "hello.json", &wrapped.to_string());
    let api = Script::completed(7).start();
    let ended = Program::new(&["job", "run", &yaml]).api(api.addr).run();
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (7, "to out\n"),
        "{}",
        ended.err
    );
    let ended = Program::new(&["job", "run", "--detach", &json])
        .api(api.addr)
        .run();
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "j-1\n"),
        "{}",
        ended.err
    );
    let puts: Vec<Value> = api
        .asked()
        .into_iter()
        .filter(|asked| asked.method == "PUT")
        .map(|asked| asked.body)
        .collect();
    assert_eq!(
        puts[0]["Job"],
        json!({ "Name": "hello", "Type": "batch", "Tasks": [{
            "Name": "main",
            "Engine": { "Type": "docker", "Params": { "Image": "alpine", "Parameters": ["echo", "1"] } },
            "Resources": { "CPU": "0.5" },
        }]})
    );
    assert_eq!(puts[0]["IdempotencyToken"].as_str().map(str::len), Some(32));
    assert_eq!(puts[1], wrapped);
}

/// A node that says of its job what a history item says, and never that it has ended.
fn never_ends(topic: &'static str, message: &'static str) -> FakeApi {
    FakeApi::start(move |asked| {
        if asked.method == "PUT" {
            let ids = json!({ "JobID": "j-1", "EvaluationID": "v-1", "Warnings": null });
            return Say::Json(200, ids);
        }
        let item = json!({ "SeqNum": 1, "Type": "ExecutionLevel", "Time": "2025-06-01T12:00:00Z",
            "Event": { "Topic": topic, "Message": message } });
        Say::Json(200, json!({ "NextToken": "t", "Items": [item] }))
    })
}

#[test]
fn a_service_is_followed_until_it_runs_and_one_of_no_replicas_not_at_all() {
    let scratch = tempfile::tempdir().unwrap();
    let service = HELLO.replace("batch", "service");
    let yaml = file(scratch.path(), "service.yaml", &service);
    let api = never_ends("Execution", "Running");
    let ended = Program::new(&["job", "run", &yaml]).api(api.addr).run();
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{}", ended.err);
    let told = "codling: it is kept running\nhint: codling job logs --follow j-1";
    assert!(ended.err.contains(told), "{}", ended.err);

    let none = format!("Count: 0\n{service}");
    let yaml = file(scratch.path(), "none.yaml", &none);
    let api = never_ends("Submission", "Job submitted");
    let ended = Program::new(&["job", "run", &yaml]).api(api.addr).run();
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "j-1\n"),
        "{}",
        ended.err
    );
}

#[test]
fn a_dry_run_prints_the_job_and_asks_no_node() {
    let scratch = tempfile::tempdir().unwrap();
    let yaml = file(scratch.path(), "hello.yaml", HELLO);
    let ended = Program::new(&["job", "run", "--dry-run", &yaml, "--api-port", "1"]).run();
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let job: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(job["Tasks"][0]["Resources"]["CPU"], "0.5");
}

#[test]
fn a_file_that_is_no_good_is_not_sent_and_every_problem_has_its_line() {
    let scratch = tempfile::tempdir().unwrap();
    let yaml = file(scratch.path(), "bad.yaml", "Typ: batch\nTasks:\n- Nam: x\n");
    let ended = Program::new(&["job", "run", &yaml, "--api-port", "1"]).run();
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        format!(
            "codling: {yaml}:1:1: \"Typ\" is not a field of a job; did you mean Type?\n\
             {yaml}:3:3: \"Nam\" is not a field of Tasks[0]; did you mean Name?\n\
             hint: nothing was sent; codling job run --help shows a job\n"
        )
    );
    let missing = Program::new(&["job", "run", "/nonexistent/job.yaml"]).run();
    assert_eq!(missing.code, 1);
    assert!(
        missing
            .err
            .contains("cannot read \"/nonexistent/job.yaml\""),
        "{}",
        missing.err
    );
}

#[test]
fn what_the_node_refuses_is_told_with_the_line_of_the_file() {
    let scratch = tempfile::tempdir().unwrap();
    let yaml = file(scratch.path(), "hello.yaml", HELLO);
    let api = FakeApi::start(|_| {
        refusal(
            400,
            "missing job type\nJob.Tasks[0].Resources: invalid CPU value",
            "mend it",
        )
    });
    let ended = Program::new(&["job", "run", &yaml]).api(api.addr).run();
    assert_eq!(ended.code, 125, "the job never ran");
    assert_eq!(
        ended.err,
        format!(
            "codling: {yaml}: missing job type\n\
             {yaml}:8:16: Job.Tasks[0].Resources: invalid CPU value\nhint: mend it\n"
        )
    );
}

#[test]
fn a_job_on_stdin_is_read_to_its_end() {
    let api = FakeApi::start(|_| Say::Json(200, json!({ "JobID": "j-1" })));
    let ended = Program::new(&["job", "run", "--id-only", "--detach", "-"])
        .api(api.addr)
        .stdin(HELLO)
        .run();
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "j-1\n"),
        "{}",
        ended.err
    );
    assert_eq!(api.asked()[0].body["Job"]["Name"], "hello");
}
