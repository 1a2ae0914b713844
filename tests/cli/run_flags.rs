//! What the flags of `codling run` change: what is asked, what is shown, when it ends.

use super::script::Script;
use crate::support::engine::{Play, ScriptedEngine};
use crate::support::fake_api::{FakeApi, Say};
use crate::support::node::TestNode;
use crate::support::program::Program;
use crate::support::wait;
use serde_json::{Value, json};

/// The job of the one submission.
fn submitted(api: &FakeApi) -> Value {
    let asked = api.asked();
    let put = asked.iter().find(|asked| asked.method == "PUT").unwrap();
    put.body["Job"].clone()
}

#[test]
fn working_directory_entrypoint_and_count_reach_the_job_as_typed() {
    let api = Script::completed(0).start();
    let args = [
        "run",
        "--workdir",
        "/srv",
        "--entrypoint",
        "/bin/sh",
        "--entrypoint=-c",
        "--count",
        "3",
        "image",
        "--",
        "echo hi",
    ];
    Program::new(&args).api(api.addr).run();
    let job = submitted(&api);
    assert_eq!(job["Count"], 3);
    assert_eq!(
        job["Tasks"][0]["Engine"]["Params"],
        json!({
            "Image": "image", "Parameters": ["echo hi"], "EnvironmentVariables": [],
            "Entrypoint": ["/bin/sh", "-c"], "WorkingDirectory": "/srv",
        })
    );
}

#[test]
fn a_detached_job_is_its_id_on_stdout_and_nobody_waits_for_it() {
    for (flags, err) in [
        (
            &["--detach"][..],
            "hint: codling job describe j-1 shows how it goes\n",
        ),
        (&["--detach", "--id-only"], ""),
    ] {
        let api = Script::completed(7).start();
        let ended = Program::new(&[&["run"], flags, &["image"]].concat())
            .api(api.addr)
            .run();
        assert_eq!(
            (ended.code, ended.out.as_str(), ended.err.as_str()),
            (0, "j-1\n", err)
        );
        assert_eq!(api.asked().len(), 1, "nothing but the submission is asked");
    }
    let api = Script::completed(7).start();
    let ended = Program::new(&["run", "--detach", "--json", "image"])
        .api(api.addr)
        .run();
    let said: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(said["JobID"], "j-1");
}

#[test]
fn with_id_only_the_end_is_awaited_without_a_word_and_a_failure_is_still_told() {
    let api = Script::completed(7).start();
    let ended = Program::new(&["run", "--id-only", "image"])
        .api(api.addr)
        .run();
    assert_eq!(
        (ended.code, ended.out.as_str(), ended.err.as_str()),
        (7, "j-1\n", "")
    );
    let api = Script::failed("there is no image", json!({ "Hint": "load it" })).start();
    let ended = Program::new(&["run", "--id-only", "image"])
        .api(api.addr)
        .run();
    assert_eq!(ended.code, 125);
    assert_eq!(
        ended.err,
        "codling: job j-1 failed: there is no image\nhint: load it\n"
    );
}

#[test]
fn the_same_refusal_in_other_words_is_told_once() {
    let item = |level: &str, topic: &str, message: &str, details: Value| {
        json!({ "SeqNum": 1, "Type": level, "Time": "2025-06-01T12:00:00Z",
            "Event": { "Topic": topic, "Message": message, "Details": details } })
    };
    let small = "node n-1 does not offer that much: 99 cores asked, at most 1.5 a job";
    let none = format!("no node can run the job: {small}");
    let reason = none.clone();
    let api = FakeApi::start(move |asked| {
        if asked.method == "PUT" {
            return Say::Json(200, json!({ "JobID": "j-1" }));
        }
        if asked.path.contains("/history") {
            let hint = json!({ "Hint": "ask for less" });
            let failed = json!({ "NewState": "Failed", "IsError": "true" });
            return Say::Json(
                200,
                json!({ "NextToken": "", "Items": [
                    item("JobLevel", "Submission", "Job submitted", Value::Null),
                    item("ExecutionLevel", "Scheduling", "Requested execution on n-1", Value::Null),
                    item("ExecutionLevel", "Scheduling", small, hint),
                    item("JobLevel", "Scheduling", &none, Value::Null),
                    item("JobLevel", "State Update", &none, failed),
                ]}),
            );
        }
        let state = json!({ "StateType": "Failed", "Message": reason.clone() });
        Say::Json(200, json!({ "Job": { "ID": "j-1", "State": state } }))
    });
    let ended = Program::new(&["run", "image"]).api(api.addr).run();
    assert_eq!(ended.code, 125);
    assert_eq!(
        ended.err,
        format!(
            "codling: job j-1 submitted\n\
             codling: Requested execution on n-1\n\
             codling: {small}\n\
             codling: job j-1 failed: no node can run the job\n\
             hint: ask for less\n"
        )
    );
}

#[test]
fn a_job_that_runs_several_times_shows_each_output_and_ends_with_the_first_code_that_is_not_0() {
    let execution = |id: &str, out: &str, code: i64| {
        json!({ "ID": id, "NodeID": "n-1", "ComputeState": { "StateType": 9 },
            "RunOutput": { "Stdout": out, "stderr": "", "ExitCode": code } })
    };
    let executions = json!({ "NextToken": "", "Items": [
        execution("e-1", "one\n", 0), execution("e-2", "two\n", 4), execution("e-3", "three\n", 5),
    ]});
    let api = FakeApi::start(move |asked| match asked.method.as_str() {
        "PUT" => Say::Json(200, json!({ "JobID": "j-1" })),
        _ if asked.path.contains("/history") => Say::Json(200, json!({ "NextToken": "" })),
        _ => Say::Json(
            200,
            json!({ "Job": { "ID": "j-1", "State": { "StateType": "Completed" } }, "Executions": executions.clone() }),
        ),
    });
    let ended = Program::new(&["run", "--count", "3", "image"])
        .api(api.addr)
        .run();
    assert_eq!((ended.code, ended.out.as_str()), (4, "one\ntwo\nthree\n"));
    assert!(
        ended.err.contains("execution e-2 ended with 4"),
        "{}",
        ended.err
    );
}

/// Each was read at the end of the job, when a node has no more than the first 2,048 bytes of those that ended long before.
#[test]
fn of_a_job_that_runs_several_times_each_output_is_printed_whole_when_it_ends() {
    let engine = ScriptedEngine::start();
    engine.image("image", Play::as_told());
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start_on(dir.path(), &engine);
    let go = dir.path().join("go");
    let line = format!(
        "if [ $BACALHAU_PARTITION_INDEX = 0 ]; then head -c 50000 /dev/zero | tr '\\0' a; exit 3; fi; \
         while [ ! -e {} ]; do sleep 0.05; done; echo last",
        go.display()
    );
    let small = ["--count=2", "--cpu=0.1", "--memory=16MB"];
    let words = [&["run"], &small[..], &["image", "--", "sh", "-c", &line]].concat();
    let running = Program::new(&words).api(node.api).start();
    let first = "a".repeat(50_000);
    wait::until("the output of the first is printed", || {
        match running.out() {
            out if out == first => Ok(()),
            out => Err(out.len()),
        }
    });
    std::fs::write(go, "").unwrap();
    let ended = running.ended();
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.out == format!("{first}last\n"), "{}", ended.err);
    assert_eq!(
        ended.err.matches(" has ended\n").count(),
        2,
        "{}",
        ended.err
    );
}
