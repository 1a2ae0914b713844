//! The job suite: whole jobs through the real node, each case on every engine.

use crate::support::jobs::{self, shell};
use crate::support::node::TestNode;
use crate::support::stand::{Stand, on_every_engine};
use crate::support::wait;
use codling::node::NodeEvent;
use serde_json::{Value, json};

on_every_engine! {
    a_job_runs_in_a_real_container_and_its_output_and_exit_code_come_back,
    every_replica_of_a_job_runs_once_and_knows_its_number,
    a_stopped_node_leaves_its_container_running_and_the_next_start_adopts_it,
    a_container_that_ended_while_the_node_was_away_is_collected_with_its_true_exit_code,
    a_container_that_vanished_while_a_stopped_node_was_away_is_told_as_lost_before_the_job_is_tried_again,
    a_stopped_job_ends_its_container_and_stays_stopped,
    a_job_that_runs_longer_than_its_timeout_is_stopped_and_fails_with_that_reason,
    a_container_that_ignores_the_request_to_end_is_killed_when_its_time_is_up,
    what_this_node_does_not_have_fails_the_job_with_a_reason_that_names_it,
    a_missing_image_and_a_missing_command_are_failures_of_their_own_kind,
    two_nodes_on_one_engine_leave_each_others_containers_alone,
    without_an_engine_a_job_fails_at_once_and_says_so_and_one_with_a_queue_timeout_waits_for_the_engine,
    a_token_names_one_job_also_after_a_restart_and_refuses_another,
}

fn state(ended: &Value) -> &str {
    ended["Job"]["State"]["StateType"].as_str().unwrap()
}

fn execution(ended: &Value) -> &Value {
    &ended["Executions"]["Items"][0]
}

/// The details of the last item that says it is an error.
fn error(ended: &Value) -> &Value {
    let items = ended["History"]["Items"].as_array().unwrap();
    let is_error = |item: &&Value| item["Event"]["Details"]["IsError"] == "true";
    &items.iter().rfind(is_error).expect("an error item")["Event"]
}

fn a_job_runs_in_a_real_container_and_its_output_and_exit_code_come_back(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let job = node.submit(&shell("echo hi; echo oops >&2; exit 3"));
    let ended = node.ended(&job);
    assert_eq!(state(&ended), "Completed", "{ended:#}");
    assert_eq!(
        execution(&ended)["ComputeState"]["StateType"],
        9,
        "{ended:#}"
    );
    let output = &execution(&ended)["RunOutput"];
    assert_eq!(output["Stdout"], "hi\n");
    assert_eq!(output["stderr"], "oops\n");
    assert_eq!(output["ExitCode"], 3);
    on.until_no_container_of(&node.id);
    node.stop().unwrap();
}

fn every_replica_of_a_job_runs_once_and_knows_its_number(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let mut submission = shell("echo $BACALHAU_PARTITION_INDEX of $BACALHAU_PARTITION_COUNT");
    submission["Job"]["Count"] = json!(3);
    let ended = node.ended(&node.submit(&submission));
    assert_eq!(state(&ended), "Completed", "{ended:#}");
    let items = ended["Executions"]["Items"].as_array().unwrap();
    let mut printed: Vec<&str> = items
        .iter()
        .map(|item| item["RunOutput"]["Stdout"].as_str().unwrap())
        .collect();
    printed.sort_unstable();
    assert_eq!(printed, ["0 of 3\n", "1 of 3\n", "2 of 3\n"]);
}

fn a_stopped_node_leaves_its_container_running_and_the_next_start_adopts_it(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let first = on.node(dir.path());
    let job = first.submit(&shell("echo begun; sleep 3; echo done; exit 7"));
    first.running(&job);
    let id = first.id.clone();
    first.stop().unwrap();
    assert_eq!(
        on.containers_of(&id).len(),
        1,
        "the container is left running"
    );

    let second = on.node(dir.path());
    assert_eq!(second.id, id, "the identity stays");
    let ended = second.ended(&job);
    assert_eq!(
        ended["Executions"]["Items"].as_array().unwrap().len(),
        1,
        "{ended:#}"
    );
    assert_eq!(execution(&ended)["RunOutput"]["Stdout"], "begun\ndone\n");
    assert_eq!(execution(&ended)["RunOutput"]["ExitCode"], 7);
    on.until_no_container_of(&id);
}

fn a_container_that_ended_while_the_node_was_away_is_collected_with_its_true_exit_code(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let first = on.node(dir.path());
    let job = first.submit(&shell("sleep 1; echo late; exit 9"));
    first.running(&job);
    let id = first.id.clone();
    first.stop().unwrap();
    wait::until("the container ends", || match on.containers_of(&id) {
        runs if runs == [false] => Ok(()),
        runs => Err(runs),
    });
    let second = on.node(dir.path());
    let ended = second.ended(&job);
    assert_eq!(state(&ended), "Completed", "{ended:#}");
    assert_eq!(execution(&ended)["RunOutput"]["Stdout"], "late\n");
    assert_eq!(execution(&ended)["RunOutput"]["ExitCode"], 9);
    on.until_no_container_of(&id);
}

fn a_container_that_vanished_while_a_stopped_node_was_away_is_told_as_lost_before_the_job_is_tried_again(
    on: &Stand,
) {
    let dir = tempfile::tempdir().unwrap();
    let first = on.node(dir.path());
    let job = first.submit(&shell("echo $BACALHAU_EXECUTION_ID; sleep 3"));
    first.running(&job);
    let id = first.id.clone();
    first.stop().unwrap();
    on.remove_containers_of(&id);

    let second = on.node(dir.path());
    let ended = second.ended(&job);
    assert_eq!(state(&ended), "Completed", "{ended:#}");
    let executions = ended["Executions"]["Items"].as_array().unwrap();
    assert_eq!(executions.len(), 2, "{ended:#}");
    assert_eq!(executions[0]["ComputeState"]["StateType"], 10, "{ended:#}");
    assert_eq!(error(&ended)["Details"]["ErrorCode"], "ContainerLost");
    let printed = format!("{}\n", executions[1]["ID"].as_str().unwrap());
    assert_eq!(executions[1]["RunOutput"]["Stdout"], printed, "{ended:#}");
    on.until_no_container_of(&id);
}

fn a_stopped_job_ends_its_container_and_stays_stopped(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let job = node.submit(&shell("trap 'exit 0' TERM; while true; do sleep 1; done"));
    node.running(&job);
    let stopping = node.call(
        "DELETE",
        &format!("orchestrator/jobs/{job}"),
        Some(&json!({"reason": "enough"})),
    );
    assert_eq!(stopping.status, 200, "{}", stopping.body);
    on.until_no_container_of(&node.id);
    let ended = node.ended(&job);
    assert_eq!(state(&ended), "Stopped");
    assert_eq!(ended["Job"]["State"]["Message"], "enough");
    assert_eq!(
        execution(&ended)["ComputeState"]["StateType"],
        11,
        "{ended:#}"
    );
}

fn a_job_that_runs_longer_than_its_timeout_is_stopped_and_fails_with_that_reason(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let mut submission = shell("echo begun; trap 'exit 0' TERM; while true; do sleep 1; done");
    submission["Job"]["Tasks"][0]["Timeouts"] = json!({"ExecutionTimeout": 1});
    let ended = node.ended(&node.submit(&submission));
    assert_eq!(state(&ended), "Failed", "{ended:#}");
    assert_eq!(error(&ended)["Details"]["ErrorCode"], "Timeout");
    assert_eq!(
        execution(&ended)["RunOutput"]["Stdout"],
        "begun\n",
        "what it had printed is kept"
    );
    on.until_no_container_of(&node.id);
}

fn a_container_that_ignores_the_request_to_end_is_killed_when_its_time_is_up(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let mut submission = shell("trap '' TERM; echo begun; while true; do sleep 1; done");
    submission["Job"]["Tasks"][0]["Timeouts"] = json!({"ExecutionTimeout": 1});
    let ended = node.ended(&node.submit(&submission));
    assert_eq!(
        error(&ended)["Details"]["ErrorCode"],
        "Timeout",
        "{ended:#}"
    );
    let hint = error(&ended)["Details"]["Hint"].as_str().unwrap();
    assert!(hint.contains("ExecutionTimeout"), "{hint}");
    let output = &execution(&ended)["RunOutput"];
    assert_eq!(
        (&output["Stdout"], &output["ExitCode"]),
        (&json!("begun\n"), &json!(137))
    );
    on.until_no_container_of(&node.id);
}

fn what_this_node_does_not_have_fails_the_job_with_a_reason_that_names_it(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let with = |key: &str, value: Value| {
        let mut submission = shell("true");
        submission["Job"]["Tasks"][0][key] = value;
        submission
    };
    let cases = [
        (
            with("Publisher", json!({"Type": "ipfs"})),
            "publisher \"ipfs\"",
        ),
        (
            with(
                "InputSources",
                json!([{"Source": {"Type": "s3", "Params": {}}, "Target": "/inputs"}]),
            ),
            "input source \"s3\"",
        ),
        (with("Network", json!({"Type": "Host"})), "network \"Host\""),
        (
            with("Engine", json!({"Type": "wasm", "Params": {}})),
            "engine \"wasm\"",
        ),
        (
            with("Resources", json!({"CPU": "10000"})),
            "10000.000 cores asked, at most",
        ),
    ];
    for (submission, named) in cases {
        let ended = node.ended(&node.submit(&submission));
        assert_eq!(state(&ended), "Failed", "{ended:#}");
        let message = ended["Job"]["State"]["Message"].as_str().unwrap();
        assert!(message.contains(named), "{message} does not name {named}");
        assert!(error(&ended)["Details"]["Hint"].is_string(), "{ended:#}");
    }
}

fn a_missing_image_and_a_missing_command_are_failures_of_their_own_kind(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node_with(dir.path(), &[("image-pull", "never")]);
    let ended = node.ended(&node.submit(&jobs::command("localhost/absent:latest", &["true"])));
    assert_eq!(
        error(&ended)["Details"]["ErrorCode"],
        "ImageNotHere",
        "{ended:#}"
    );
    let ended = node.ended(&node.submit(&jobs::command(jobs::IMAGE, &["/no/such/command"])));
    assert_eq!(
        error(&ended)["Details"]["ErrorCode"],
        "Entrypoint",
        "{ended:#}"
    );
    on.until_no_container_of(&node.id);
}

fn two_nodes_on_one_engine_leave_each_others_containers_alone(on: &Stand) {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let owner = on.node(left.path());
    let job = owner.submit(&shell("sleep 3; echo mine"));
    owner.running(&job);
    let other = on.node(right.path());
    other.event("the engine is found", |event| {
        matches!(event, NodeEvent::EngineFound(_)).then_some(())
    });
    let ended = other.ended(&other.submit(&shell("echo other")));
    assert_eq!(state(&ended), "Completed");
    other.stop().unwrap();
    let ended = owner.ended(&job);
    assert_eq!(
        execution(&ended)["RunOutput"]["Stdout"],
        "mine\n",
        "{ended:#}"
    );
}

fn without_an_engine_a_job_fails_at_once_and_says_so_and_one_with_a_queue_timeout_waits_for_the_engine(
    on: &Stand,
) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("engine.sock");
    let node = TestNode::start(
        &dir.path().join("node"),
        &[("engine-socket", socket.to_str().unwrap())],
    );
    let ended = node.ended(&node.submit(&shell("true")));
    assert_eq!(state(&ended), "Failed");
    let message = ended["Job"]["State"]["Message"].as_str().unwrap();
    assert!(message.contains("no container engine"), "{message}");
    let hint = error(&ended)["Details"]["Hint"].as_str().unwrap();
    assert!(hint.contains("start Podman or Docker"), "{hint}");

    let mut patient = shell("echo patience");
    patient["Job"]["Tasks"][0]["Timeouts"] = json!({"QueueTimeout": 600});
    let waiting = node.submit(&patient);
    let queued = node
        .call("GET", &format!("orchestrator/jobs/{waiting}"), None)
        .body;
    assert_eq!(queued["Job"]["State"]["StateType"], "Queued", "{queued:#}");
    std::os::unix::fs::symlink(on.socket(), &socket).unwrap();
    let ended = node.ended(&waiting);
    let executions = ended["Executions"]["Items"].as_array().unwrap();
    let ran = executions.last().unwrap();
    assert_eq!(ran["RunOutput"]["Stdout"], "patience\n", "{ended:#}");
}

fn a_token_names_one_job_also_after_a_restart_and_refuses_another(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let first = on.node(dir.path());
    let mut submission = shell("true");
    submission["IdempotencyToken"] = json!("token-1");
    let job = first.submit(&submission);
    assert_eq!(first.submit(&submission), job);
    first.ended(&job);
    first.stop().unwrap();
    let second = on.node(dir.path());
    assert_eq!(second.submit(&submission), job);
    let mut other = shell("false");
    other["IdempotencyToken"] = json!("token-1");
    let refused = second.call("PUT", "orchestrator/jobs", Some(&other));
    assert_eq!(
        refused.status, 409,
        "another job under the same token: {}",
        refused.body
    );
    let list = second.call("GET", "orchestrator/jobs", None).body;
    assert_eq!(list["Items"].as_array().unwrap().len(), 1, "{list:#}");
}
