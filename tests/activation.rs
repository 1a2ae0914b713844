//! A Podman that is started when it is asked something and ends when it is not: what the design's pidfd is for.

use crate::support::activator::Activator;
use crate::support::engines::Real;
use crate::support::jobs::shell;
use crate::support::node::TestNode;
use crate::support::wait;

#[test]
fn the_engine_sleeps_while_a_job_runs_and_wakes_for_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let activator = Activator::start(&dir.path().join("podman.sock"));
    let socket = activator.socket().display().to_string();
    let node = TestNode::start(&dir.path().join("node"), &[("engine-socket", &socket)]);
    let script = "echo begun; trap 'exit 7' TERM; while true; do sleep 0.1; done";
    let job = node.submit(&shell(script));
    node.running(&job);
    wait::until("the service has ended", || match activator.service() {
        None => Ok(()),
        Some(pid) => Err(pid),
    });
    let starts = activator.starts();
    let containers = Real::Podman.containers_of(&node.id);
    assert!(
        containers.len() == 1 && containers[0].starts_with("Up"),
        "{containers:?}"
    );
    node.running(&job);
    assert_eq!(activator.starts(), starts, "nothing asked it meanwhile");

    // By Podman's own command on the same storage, which needs no service.
    let filter = format!("label=codling.node={}", node.id);
    let container = Real::Podman.command(&["ps", "--quiet", "--filter", &filter]);
    Real::Podman.command(&["kill", "--signal", "TERM", container.trim()]);
    let ended = node.ended(&job);
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    let output = &ended["Executions"]["Items"][0]["RunOutput"];
    assert_eq!(output["ExitCode"], 7, "{ended:#}");
    assert_eq!(output["Stdout"], "begun\n", "{ended:#}");
    assert!(activator.starts() > starts);
    Real::Podman.until_no_container_of(&node.id);
}
