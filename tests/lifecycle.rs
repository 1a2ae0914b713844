//! Jobs through the real node in real containers.

use crate::support::jobs::shell;
use crate::support::node::{TestNode, real_engine};

fn node(dir: &tempfile::TempDir) -> TestNode {
    let engine = real_engine();
    TestNode::start(dir.path(), &[("engine-socket", engine.to_str().unwrap())])
}

#[test]
fn a_job_runs_in_a_real_container_and_its_output_and_exit_code_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    let job = node.submit(&shell("echo hi; echo oops >&2; exit 3"));
    let ended = node.ended(&job);
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    let execution = &ended["Executions"]["Items"][0];
    assert_eq!(execution["ComputeState"]["StateType"], 9, "{execution:#}");
    assert_eq!(execution["RunOutput"]["Stdout"], "hi\n");
    assert_eq!(execution["RunOutput"]["stderr"], "oops\n");
    assert_eq!(execution["RunOutput"]["ExitCode"], 3);
    node.stop().unwrap();
}
