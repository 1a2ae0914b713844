//! Every way in which a container fails a job, on real engines: typed, and told with what to do.

use crate::support::engine::{Endpoint, Fault, Play, ScriptedEngine, Times};
use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::{IMAGE, command, shell};
use crate::support::node::TestNode;
use crate::support::program::Program;
use serde_json::{Value, json};

on_real_engines! {
    a_job_beyond_its_memory_fails_as_out_of_memory_with_its_limit_and_a_hint,
    a_job_that_loses_a_child_to_the_memory_limit_and_ends_well_is_completed,
    a_job_without_a_command_or_a_place_to_run_it_fails_as_such,
}

fn node(on: Real, dir: &tempfile::TempDir, flags: &[(&str, &str)]) -> TestNode {
    let socket = on.socket().display().to_string();
    let mut all = vec![("engine-socket", socket.as_str()), ("image-pull", "never")];
    all.extend(flags);
    TestNode::start(dir.path(), &all)
}

/// The details of the last thing in a job's history that says it is an error, and its message among them.
#[track_caller]
fn error(ended: &Value) -> Value {
    let items = ended["History"]["Items"].as_array().unwrap();
    let is_error = |item: &&Value| item["Event"]["Details"]["IsError"] == "true";
    let event = items.iter().rfind(is_error).expect("an error item")["Event"].clone();
    let mut details = event["Details"].clone();
    details["Message"] = event["Message"].clone();
    details
}

fn within_16_mib(line: &str) -> Value {
    let mut submission = shell(line);
    submission["Job"]["Tasks"][0]["Resources"] = json!({"Memory": "16mib"});
    submission
}

/// Takes memory until there is none.
const GREED: &str = "x=a; while true; do x=$x$x; done";

fn a_job_beyond_its_memory_fails_as_out_of_memory_with_its_limit_and_a_hint(on: Real) {
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, &dir, &[]);
    let ended = node.ended(&node.submit(&within_16_mib(&format!("echo begun; {GREED}"))));
    let told = error(&ended);
    assert_eq!(told["ErrorCode"], "OutOfMemory", "{ended:#}");
    let message = told["Message"].as_str().unwrap();
    assert!(message.contains("limit 16777216 bytes"), "{message}");
    // Docker has the kernel's word for it, Podman on cgroup v1 only the signal.
    assert_eq!(
        message.contains("probably"),
        on == Real::Podman,
        "{message}"
    );
    assert!(
        told["Hint"].as_str().unwrap().contains("Resources.Memory"),
        "{told}"
    );
    let output = &ended["Executions"]["Items"][0]["RunOutput"];
    assert_eq!(
        (&output["Stdout"], &output["ExitCode"]),
        (&json!("begun\n"), &json!(137))
    );

    let run = ["run", "--memory", "16mib", IMAGE, "--", "sh", "-c", GREED];
    let ended = Program::new(&run).api(node.api).run();
    assert!(ended.err.contains("out of memory"), "{}", ended.err);
    assert!(ended.err.contains("hint: "), "{}", ended.err);
}

fn a_job_that_loses_a_child_to_the_memory_limit_and_ends_well_is_completed(on: Real) {
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, &dir, &[]);
    let line = format!("sh -c '{GREED}'; echo child $?; exit 0");
    let ended = node.ended(&node.submit(&within_16_mib(&line)));
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    let output = &ended["Executions"]["Items"][0]["RunOutput"];
    assert_eq!(output["Stdout"], "child 137\n", "{ended:#}");
}

fn a_job_without_a_command_or_a_place_to_run_it_fails_as_such(on: Real) {
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, &dir, &[]);
    // An image of nothing: no file, no command.
    let empty = dir.path().join("empty.tar");
    std::fs::write(&empty, [0; 1_024]).unwrap();
    let nothing = format!("localhost/codling-nothing-{}:latest", std::process::id());
    on.command(&["import", empty.to_str().unwrap(), &nothing]);
    let mut nowhere = command(IMAGE, &["true"]);
    nowhere["Job"]["Tasks"][0]["Engine"]["Params"]["WorkingDirectory"] = json!("/etc/passwd");
    for submission in [
        command(&nothing, &[]),
        command(IMAGE, &["/etc/passwd"]),
        nowhere,
    ] {
        let ended = node.ended(&node.submit(&submission));
        let told = error(&ended);
        assert_eq!(told["ErrorCode"], "Entrypoint", "{ended:#}");
        let hint = told["Hint"].as_str().unwrap();
        assert!(hint.contains("check the command"), "{told}");
    }
    on.until_no_container_of(&node.id);
    on.command(&["rmi", &nothing]);
}

#[test]
fn a_limit_that_the_engine_may_not_grant_fails_the_job_as_such() {
    // The real refusals depend on what the machine's root may do; these are their words.
    for refusal in [
        "runc create failed: unable to start container process: unable to apply caps: operation not permitted",
        "runc create failed: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted",
    ] {
        let (dir, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
        engine.image(IMAGE, Play::default());
        engine.fault(Endpoint::Start, Fault::Status(500, refusal), Times::Always);
        let node = TestNode::start_on(dir.path(), &engine);
        let ended = node.ended(&node.submit(&shell("true")));
        let told = error(&ended);
        assert_eq!(told["ErrorCode"], "LimitRefused", "{ended:#}");
        let hint = told["Hint"].as_str().unwrap();
        assert!(hint.contains("--container-caps"), "{told}");
        engine.until("no container is left", |e| e.containers().is_empty());
    }
}
