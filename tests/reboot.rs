//! Boards that lose their power under a running job: no crash of the agent, and no end of the job.

use crate::support::comer::Comer;
use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::shell;
use crate::support::node::TestNode;

on_real_engines! {
    a_container_that_a_power_cut_ended_is_not_the_jobs_end_and_is_run_anew_as_another_execution,
}

/// Podman showed it as created, and it was started a second time on what it had half done; Docker showed exit code 255,
/// and the job was called completed with it.
fn a_container_that_a_power_cut_ended_is_not_the_jobs_end_and_is_run_anew_as_another_execution(
    on: Real,
) {
    let dir = tempfile::tempdir().unwrap();
    let mut comer = Comer::on_own_board(on, dir.path());
    comer.come();
    let socket = comer.socket().display().to_string();
    let flags = [("engine-socket", socket.as_str())];
    let node_dir = dir.path().join("node");
    let first = TestNode::start(&node_dir, &flags);
    // A container that is started twice finds what it left.
    let line = "echo $BACALHAU_EXECUTION_ID; [ -e /tmp/seen ] && echo again; touch /tmp/seen; sleep 4; exit 3";
    let job = first.submit(&shell(line));
    first.running(&job);
    let id = first.id.clone();
    first.stop().unwrap();
    comer.lose_power(&id);
    comer.come();

    let second = TestNode::start_after_reboot(&node_dir, &flags);
    let ended = second.ended(&job);
    let executions = ended["Executions"]["Items"].as_array().unwrap();
    assert_eq!(executions.len(), 2, "{ended:#}");
    let lost = executions[0]["ComputeState"]["Message"].as_str().unwrap();
    assert!(lost.contains("restart of the board"), "{lost}");
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    let output = &executions[1]["RunOutput"];
    let expected = format!("{}\n", executions[1]["ID"].as_str().unwrap());
    assert_eq!(output["Stdout"], expected, "{ended:#}");
    assert_eq!(output["ExitCode"], 3, "{ended:#}");
    comer.until_no_container_of(&id);
}
