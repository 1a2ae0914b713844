//! `job list`, `job describe`, `job stop`, `id`, `image load`: what they ask, show and end with.

use crate::support::fake_api::{FakeApi, Say, refusal};
use crate::support::program::Program;
use serde_json::{Value, json};

fn job(id: &str, state: &str) -> Value {
    json!({
        "ID": id, "Name": id, "Type": "batch", "State": { "StateType": state },
        "Tasks": [{ "Name": "main", "Engine": { "Type": "docker", "Params": { "Image": "alpine" } } }],
        "CreateTime": 1_748_779_200_123_456_789_i64,
    })
}

#[test]
fn without_a_node_one_line_says_so_and_how_to_start_one() {
    // The port of a listener that is gone.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    let ended = Program::new(&["job", "list", "--api-port", &port]).run();
    assert_eq!(ended.code, 1);
    assert_eq!(
        ended.err,
        format!(
            "codling: no node is running at http://127.0.0.1:{port}; start one with: codling serve --api-port {port}\n"
        )
    );
    let ended = Program::new(&["run", "image", "--api-port", &port]).run();
    assert_eq!(ended.code, 125, "the job never ran");
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
}

#[test]
fn a_proxy_in_the_environment_is_not_asked_for_a_node() {
    let api = FakeApi::start(|_| Say::Json(200, json!({ "NextToken": "", "Items": [] })));
    let ended = Program::new(&["job", "list"])
        .api(api.addr)
        .env("http_proxy", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .run();
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn a_list_shows_the_newest_jobs_and_how_to_see_more() {
    let api = FakeApi::start(|_| {
        let mut named = job("j-2", "Running");
        named["Type"] = json!("service");
        named["Name"] = json!("evil\u{1b}[2J");
        named["CreateTime"] = json!(0);
        Say::Json(
            200,
            json!({ "NextToken": "more", "Items": [job("j-1", "Completed"), named] }),
        )
    });
    let ended = Program::new(&["job", "list", "--limit=2"])
        .api(api.addr)
        .run();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        ended.out,
        "JOB  TYPE     STATE      CREATED               NAME      IMAGE\n\
         j-1  batch    Completed  2025-06-01T12:00:00Z  -         alpine\n\
         j-2  service  Running    -                     evil?[2J  alpine\n"
    );
    assert!(
        ended.err.contains("codling job list --limit 4"),
        "{}",
        ended.err
    );
    assert_eq!(
        api.asked()[0].path,
        "/api/v1/orchestrator/jobs?limit=2&reverse=true"
    );
}

#[test]
fn json_is_what_the_api_said() {
    let body = json!({ "NextToken": "", "Items": [job("j-1", "Completed")], "Extra": "\u{e9}" });
    let said = body.clone();
    let api = FakeApi::start(move |_| Say::Json(200, said.clone()));
    let ended = Program::new(&["job", "list", "--json"]).api(api.addr).run();
    assert_eq!(ended.out, format!("{body}\n"));
    assert_eq!(ended.err, "");
    let ended = Program::new(&["job", "describe", "a/b", "--json"])
        .api(api.addr)
        .run();
    assert_eq!(ended.out, format!("{body}\n"));
    assert_eq!(
        api.asked()[1].path,
        "/api/v1/orchestrator/jobs/a%2Fb?include=executions,history"
    );
}

#[test]
fn a_description_holds_state_executions_output_and_history() {
    let api = FakeApi::start(|_| {
        let mut failed = job("j-1", "Failed");
        failed["State"]["Message"] = json!("it broke");
        Say::Json(
            200,
            json!({
                "Job": failed,
                "Executions": { "NextToken": "", "Items": [{
                    "ID": "e-1", "NodeID": "n-1", "ComputeState": { "StateType": 10, "Message": "it broke" },
                    "RunOutput": { "Stdout": "one\ntwo\n", "StdoutTruncated": false, "stderr": "", "StderrTruncated": false, "ExitCode": 3, "ErrorMsg": "" },
                }]},
                "History": { "NextToken": "", "Items": [{
                    "SeqNum": 1, "Type": "JobLevel", "Time": "2025-06-01T12:00:00Z",
                    "Event": { "Message": "Job submitted", "Topic": "Submission", "Details": null },
                }]},
            }),
        )
    });
    let ended = Program::new(&["job", "describe", "j-1"])
        .api(api.addr)
        .run();
    assert_eq!(ended.code, 0, "{}", ended.err);
    for line in [
        "Job        j-1",
        "State      Failed",
        "Reason     it broke",
        "Execution  e-1",
        "Exit code  3",
        "Stdout     one",
        "           two",
        "2025-06-01T12:00:00Z  Submission  Job submitted",
    ] {
        assert!(
            ended.out.lines().any(|shown| shown == line),
            "{line}\n{}",
            ended.out
        );
    }
}

#[test]
fn history_and_executions_are_tables_of_what_the_api_said() {
    let api = FakeApi::start(|asked| {
        let items = if asked.path.contains("/history") {
            json!([{ "Time": "2025-06-01T12:00:00Z", "Event": { "Topic": "Submission", "Message": "Job submitted" } }])
        } else {
            json!([
                { "ID": "e-1", "NodeID": "n-1", "CreateTime": 1_748_779_200_123_456_789_i64,
                  "ComputeState": { "StateType": 9 }, "RunOutput": { "ExitCode": 0 } },
                { "ID": "e-2", "NodeID": "n-2", "ComputeState": { "StateType": 4, "Message": "too small" } },
            ])
        };
        Say::Json(200, json!({ "NextToken": "", "Items": items }))
    });
    let history = Program::new(&["job", "history", "j-1", "--limit", "5"])
        .api(api.addr)
        .run();
    assert_eq!(
        history.out,
        "TIME                  TOPIC       EVENT\n2025-06-01T12:00:00Z  Submission  Job submitted\n"
    );
    let executions = Program::new(&["job", "executions", "j-1"])
        .api(api.addr)
        .run();
    assert_eq!(
        executions.out,
        "EXECUTION  STATE              CODE  CREATED               NODE  REASON\n\
         e-1        Completed          0     2025-06-01T12:00:00Z  n-1\n\
         e-2        AskForBidRejected  -     -                     n-2   too small\n"
    );
    let paths: Vec<String> = api.asked().into_iter().map(|asked| asked.path).collect();
    let base = "/api/v1/orchestrator/jobs/j-1";
    assert_eq!(
        paths,
        [
            format!("{base}/history?event_type=all&limit=5"),
            format!("{base}/executions")
        ]
    );
}

#[test]
fn stop_asks_once_with_a_reason() {
    let api = FakeApi::start(|_| Say::Json(200, json!({ "EvaluationID": "v-1" })));
    let ended = Program::new(&["job", "stop", "j-1"]).api(api.addr).run();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.out, "j-1 is being stopped\n");
    let asked = api.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("DELETE", "/api/v1/orchestrator/jobs/j-1")
    );
    assert!(asked[0].body["reason"].is_string());
}

#[test]
fn a_refusal_shows_message_and_hint_and_ends_with_1() {
    let api = FakeApi::start(|_| refusal(404, "no job \"j-1\"", "list them"));
    for args in [["job", "describe", "j-1"], ["job", "stop", "j-1"]] {
        let ended = Program::new(&args).api(api.addr).run();
        assert_eq!(ended.code, 1);
        assert_eq!(ended.err, "codling: no job \"j-1\"\nhint: list them\n");
    }
}

#[test]
fn another_program_on_the_port_is_recognised() {
    let replies = [
        Say::Raw(200, b"<html>".to_vec()),
        Say::Raw(404, b"not found".to_vec()),
        Say::Raw(200, vec![b' '; (16 << 20) + 1]),
        Say::Json(200, json!({ "Items": 7 })),
        Say::Json(302, json!({})),
    ];
    let count = replies.len();
    let mut replies = replies.into_iter();
    let api = FakeApi::start(move |_| replies.next().unwrap_or(Say::HangUp));
    for _ in 0..count {
        let ended = Program::new(&["job", "list"]).api(api.addr).run();
        assert_eq!(ended.code, 1);
        assert!(
            ended.err.contains("does not answer like a node"),
            "{}",
            ended.err
        );
        assert!(
            ended.err.contains("hint: check --api-host"),
            "{}",
            ended.err
        );
    }
    let ended = Program::new(&["job", "list"]).api(api.addr).run();
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("did not answer"), "{}", ended.err);
}

#[test]
fn an_id_is_asked_of_the_data_dir_and_never_made() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().display().to_string();
    let ended = Program::new(&["id", "--data-dir", &dir]).run();
    assert_eq!(ended.code, 1);
    assert!(
        ended.err.contains("no node has started in"),
        "{}",
        ended.err
    );
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn loading_an_image_needs_a_file_and_an_engine() {
    let socket = ["--engine-socket", "/nonexistent/engine.sock"];
    let missing =
        Program::new(&["image", "load", "/nonexistent/i.tar", socket[0], socket[1]]).run();
    assert_eq!(missing.code, 1);
    assert!(
        missing.err.contains("cannot read \"/nonexistent/i.tar\""),
        "{}",
        missing.err
    );
    let away = Program::new(&["image", "load", "/etc/hostname", socket[0], socket[1]]).run();
    assert_eq!(away.code, 1);
    assert!(
        away.err.contains("/nonexistent/engine.sock"),
        "{}",
        away.err
    );
    assert!(
        away.err.contains("hint: get an engine running with: "),
        "{}",
        away.err
    );
    let bad = Program::new(&["image", "load", "x", "--engine-socket", "tcp://x"]).run();
    assert_eq!(bad.code, 2);
}
