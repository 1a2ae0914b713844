//! `codling run` against an API that plays every ending.

use super::script::Script;
use crate::support::fake_api::{Asked, FakeApi, Say, refusal};
use crate::support::program::Program;
use serde_json::{Value, json};

#[test]
fn output_goes_where_it_came_from_and_the_exit_code_is_the_containers() {
    for code in [0, 7, 255] {
        let api = Script::completed(code).start();
        let ended = Program::new(&["run", "image", "--", "cmd", "--flag"])
            .api(api.addr)
            .run();
        assert_eq!(i64::from(ended.code), code, "{}", ended.err);
        assert_eq!(ended.out, "to out\n");
        assert_eq!(
            ended.err,
            "codling: job j-1 submitted\ncodling: Running\nto err\ncodling: Completed\n"
        );
    }
}

#[test]
fn the_submission_is_a_batch_job_with_everything_that_was_typed_and_a_fresh_token() {
    let api = Script::completed(0).start();
    let args = [
        "run",
        "--name=n",
        "--timeout",
        "1m30s",
        "--env",
        "A=b=c",
        "--env=D=",
        "--label",
        "k=v",
        "--cpu",
        "500m",
        "--memory",
        "256mb",
        "image",
        "sh",
        "-c",
        "echo --name",
    ];
    Program::new(&args).api(api.addr).run();
    Program::new(&["run", "image"]).api(api.addr).run();
    let puts: Vec<Asked> = api
        .asked()
        .into_iter()
        .filter(|asked| asked.method == "PUT")
        .collect();
    let job = &puts[0].body["Job"];
    assert_eq!(job["Type"], "batch");
    assert_eq!(job["Name"], "n");
    assert_eq!(job["Labels"], json!({ "k": "v" }));
    let task = &job["Tasks"][0];
    assert_eq!(
        task["Engine"],
        json!({ "Type": "docker", "Params": {
            "Image": "image",
            "Parameters": ["sh", "-c", "echo --name"],
            "EnvironmentVariables": ["A=b=c", "D="],
        }})
    );
    assert_eq!(
        task["Resources"],
        json!({ "CPU": "500m", "Memory": "256mb" })
    );
    assert_eq!(task["Timeouts"], json!({ "ExecutionTimeout": 90 }));
    let tokens: Vec<&str> = puts
        .iter()
        .map(|put| put.body["IdempotencyToken"].as_str().unwrap())
        .collect();
    assert_eq!(tokens[0].len(), 32);
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn history_is_followed_by_its_token_until_the_token_is_empty() {
    let api = Script::completed(0).start();
    Program::new(&["run", "image"]).api(api.addr).run();
    let paths: Vec<String> = api
        .asked()
        .into_iter()
        .map(|asked| asked.path)
        .filter(|path| !path.contains("/logs?"))
        .collect();
    let base = "/api/v1/orchestrator/jobs/j-1";
    assert_eq!(
        paths[1..],
        [
            format!("{base}/history?event_type=all&limit=100"),
            format!("{base}/history?event_type=all&limit=100&next_token=t%2B%2F%3D"),
            format!("{base}/history?event_type=all&limit=100&next_token=t%2B%2F%3D"),
            format!("{base}?include=executions"),
        ]
    );
}

#[test]
fn a_cut_output_is_told_in_one_line() {
    let mut script = Script::completed(0);
    script.output["StdoutTruncated"] = json!(true);
    let api = script.start();
    let ended = Program::new(&["run", "image"]).api(api.addr).run();
    assert_eq!(ended.code, 0);
    assert!(
        ended
            .err
            .contains("\ncodling: stdout is cut: the API shows the first 2048 bytes of each\n"),
        "{}",
        ended.err
    );
}

#[test]
fn a_job_that_never_ran_ends_with_125_its_reason_and_a_hint() {
    let details = json!({ "IsError": "true", "Hint": "load it", "ErrorCode": "ImageNotFound" });
    let api = Script::failed("there is no image", details).start();
    let ended = Program::new(&["run", "image"]).api(api.addr).run();
    assert_eq!(ended.code, 125);
    assert_eq!(ended.out, "");
    assert!(
        ended
            .err
            .ends_with("codling: there is no image\ncodling: job j-1 failed\nhint: load it\n"),
        "{}",
        ended.err
    );
}

#[test]
fn a_job_that_ran_out_of_time_ends_with_124_and_keeps_its_output() {
    for code in ["Timeout", "Compute:Timeout"] {
        let mut script = Script::failed("it ran too long", json!({ "ErrorCode": code }));
        script.output = Script::completed(137).output;
        let api = script.start();
        let ended = Program::new(&["run", "image"]).api(api.addr).run();
        assert_eq!(ended.code, 124, "{}", ended.err);
        assert_eq!(ended.out, "to out\n");
        assert!(ended.err.contains("--timeout"), "{}", ended.err);
    }
}

#[test]
fn a_job_that_failed_never_ends_with_0() {
    let mut script = Script::failed("killed", json!({ "ErrorCode": "OutOfMemory" }));
    script.output = Script::completed(137).output;
    let api = script.start();
    assert_eq!(
        Program::new(&["run", "image"]).api(api.addr).run().code,
        137
    );
    let mut script = Script::failed("lost", Value::Null);
    script.output = Script::completed(0).output;
    let api = script.start();
    assert_eq!(
        Program::new(&["run", "image"]).api(api.addr).run().code,
        125
    );
}

#[test]
fn a_job_that_somebody_stopped_ends_with_130() {
    let mut script = Script::failed("stopped by hand", Value::Null);
    script.state = "Stopped";
    let api = script.start();
    let ended = Program::new(&["run", "image"]).api(api.addr).run();
    assert_eq!(ended.code, 130);
    assert!(ended.err.contains("job j-1 was stopped"), "{}", ended.err);
}

#[test]
fn json_replaces_the_output_and_keeps_the_exit_code() {
    let api = Script::completed(3).start();
    let ended = Program::new(&["run", "--json", "image"])
        .api(api.addr)
        .run();
    assert_eq!(ended.code, 3);
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["Job"]["ID"], "j-1");
    assert_eq!(
        value["Executions"]["Items"][0]["RunOutput"]["Stdout"],
        "to out\n"
    );
    assert!(!ended.err.contains("to err"), "{}", ended.err);
}

#[test]
fn a_refused_submission_ends_with_125() {
    let api = FakeApi::start(|_| refusal(400, "no such engine", "use docker"));
    let ended = Program::new(&["run", "image"]).api(api.addr).run();
    assert_eq!(ended.code, 125);
    assert_eq!(ended.err, "codling: no such engine\nhint: use docker\n");
    assert_eq!(api.asked().len(), 1, "400 is not tried again");
}

#[test]
fn a_host_that_does_not_exist_is_told_at_once_and_not_tried_again() {
    // No resolver asks anybody for such a name.
    let ended = Program::new(&["run", "--api-host", "-.-", "image"]).run();
    assert_eq!(ended.code, 125);
    let first = ended.err.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("codling: cannot reach http://-.-:1234"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("check --api-host"), "{}", ended.err);
}

#[test]
fn a_submission_with_an_unknown_outcome_is_sent_again_under_the_same_token() {
    let mut script = Script::completed(0);
    let mut puts = 0;
    let api = FakeApi::start(move |asked| {
        if asked.method == "PUT" {
            puts += 1;
            match puts {
                1 => return Say::HangUp,
                2 => return refusal(503, "outcome unknown", ""),
                _ => {}
            }
        }
        script.answer(asked)
    });
    let ended = Program::new(&["run", "image"]).api(api.addr).run();
    assert_eq!(ended.code, 0, "{}", ended.err);
    let tokens: Vec<Value> = api
        .asked()
        .into_iter()
        .filter(|asked| asked.method == "PUT")
        .map(|asked| asked.body["IdempotencyToken"].clone())
        .collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

#[test]
fn a_node_that_restarts_while_the_job_runs_is_waited_for() {
    let mut script = Script::completed(5);
    let mut gets = 0;
    let api = FakeApi::start(move |asked| {
        if asked.method == "GET" {
            gets += 1;
            match gets {
                2 => return Say::HangUp,
                3 => return refusal(503, "the store opens", ""),
                _ => {}
            }
        }
        script.answer(asked)
    });
    let ended = Program::new(&["run", "image"]).api(api.addr).run();
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert_eq!(
        ended.err.matches("the node does not answer").count(),
        1,
        "{}",
        ended.err
    );
    assert!(ended.err.contains("job j-1 is not lost"), "{}", ended.err);
    assert!(
        ended.err.contains("the node answers again"),
        "{}",
        ended.err
    );
}

#[test]
fn an_interrupt_asks_once_to_stop_the_job_and_ends_with_130() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let mut script = Script::completed(0);
        script.quiet_polls = usize::MAX;
        let api = FakeApi::start(move |asked| {
            if asked.method == "DELETE" {
                return Say::Json(200, json!({ "EvaluationID": "v-2" }));
            }
            script.answer(asked)
        });
        let running = Program::new(&["run", "image"]).api(api.addr).start();
        running.says("Running");
        running.signal(signal);
        let ended = running.ended();
        assert_eq!(ended.code, 130, "{}", ended.err);
        assert!(
            ended.err.contains("interrupted; job j-1 is being stopped"),
            "{}",
            ended.err
        );
        let stops = api
            .asked()
            .into_iter()
            .filter(|asked| asked.method == "DELETE")
            .count();
        assert_eq!(stops, 1);
    }
}

#[test]
fn an_interrupt_while_the_node_is_away_still_ends_with_130_and_says_what_to_do() {
    let mut script = Script::completed(0);
    script.quiet_polls = usize::MAX;
    let api = FakeApi::start(move |asked| {
        if asked.method == "PUT" {
            script.answer(asked)
        } else {
            Say::HangUp
        }
    });
    let running = Program::new(&["run", "image"]).api(api.addr).start();
    running.says("the node does not answer");
    running.signal(rustix::process::Signal::INT);
    let ended = running.ended();
    assert_eq!(ended.code, 130, "{}", ended.err);
    assert!(
        ended
            .err
            .contains("hint: stop it with: codling job stop j-1"),
        "{}",
        ended.err
    );
}

#[test]
fn text_from_a_node_cannot_steer_the_terminal() {
    let api = Script::failed("\u{1b}]0;title\u{7}", Value::Null).start();
    let ended = Program::new(&["run", "image"]).api(api.addr).run();
    assert!(!ended.err.contains('\u{1b}'), "{:?}", ended.err);
}
