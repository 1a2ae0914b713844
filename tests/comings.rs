//! Real engines that come, go and come back: a Podman service and a Docker daemon of each test's own.

use crate::support::comer::Comer;
use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::shell;
use crate::support::node::TestNode;
use crate::support::wait;
use crate::support::websocket::{Log, LogSocket};
use codling::node::NodeEvent;
use serde_json::Value;

on_real_engines! {
    an_engine_that_is_killed_under_a_running_job_and_comes_back_is_found_with_the_one_container_that_it_had,
    a_container_that_ends_while_its_engine_is_away_is_collected_with_its_true_exit_code,
    a_follower_of_a_job_loses_nothing_when_the_engine_is_killed_and_comes_back,
    an_engine_that_is_absent_at_the_start_is_found_by_itself_when_it_appears,
}

fn node(comer: &Comer, dir: &tempfile::TempDir) -> TestNode {
    let socket = comer.socket().display().to_string();
    TestNode::start(&dir.path().join("node"), &[("engine-socket", &socket)])
}

fn executions(ended: &Value) -> &Vec<Value> {
    ended["Executions"]["Items"].as_array().unwrap()
}

fn an_engine_that_is_killed_under_a_running_job_and_comes_back_is_found_with_the_one_container_that_it_had(
    on: Real,
) {
    let dir = tempfile::tempdir().unwrap();
    let mut comer = Comer::new(on, dir.path());
    comer.come();
    let node = node(&comer, &dir);
    let job = node.submit(&shell("echo begun; sleep 5; echo done; exit 5"));
    node.running(&job);
    comer.go(rustix::process::Signal::KILL);
    comer.come();
    let ended = node.ended(&job);
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    assert_eq!(executions(&ended).len(), 1, "{ended:#}");
    let output = &executions(&ended)[0]["RunOutput"];
    assert_eq!(output["ExitCode"], 5, "{ended:#}");
    assert_eq!(output["Stdout"], "begun\ndone\n", "{ended:#}");
    comer.until_no_container_of(&node.id);
}

fn a_follower_of_a_job_loses_nothing_when_the_engine_is_killed_and_comes_back(on: Real) {
    let dir = tempfile::tempdir().unwrap();
    let mut comer = Comer::new(on, dir.path());
    comer.come();
    let node = node(&comer, &dir);
    // It ends when it is told to, so that the engine is back by then.
    let line = "echo begun; trap 'echo last; exit 0' TERM; while :; do sleep 0.1; done";
    let job = node.submit(&shell(line));
    let mut follower = LogSocket::open(node.api, &job, "follow=true&frames=binary");
    let mut log = Log::default();
    follower.gather(&mut log, |log| !log.stdout.is_empty());
    comer.go(rustix::process::Signal::KILL);
    comer.come();
    let path = format!("orchestrator/jobs/{job}");
    assert_eq!(node.call("DELETE", &path, None).status, 200);
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"begun\nlast\n");
    assert_eq!((log.close, log.error), (Some(1000), None));
    assert_eq!(log.notices, Vec::<String>::new());
    comer.until_no_container_of(&node.id);
}

fn a_container_that_ends_while_its_engine_is_away_is_collected_with_its_true_exit_code(on: Real) {
    let dir = tempfile::tempdir().unwrap();
    let mut comer = Comer::new(on, dir.path());
    comer.come();
    let node = node(&comer, &dir);
    let job = node.submit(&shell("sleep 3; echo late; exit 6"));
    node.running(&job);
    let log = LogSocket::open(node.api, &job, "follow=true&frames=binary");
    let process = comer.process_of(&node.id);
    comer.go(rustix::process::Signal::KILL);
    wait::until("the container's process ends", || {
        let dir = std::path::Path::new("/proc").join(&process);
        if dir.exists() { Err(dir) } else { Ok(()) }
    });
    comer.come();
    let ended = node.ended(&job);
    assert_eq!(executions(&ended).len(), 1, "{ended:#}");
    let output = &executions(&ended)[0]["RunOutput"];
    assert_eq!(output["ExitCode"], 6, "{ended:#}");
    // Docker's daemon writes the log itself: what is printed while it is dead is lost when the container ends, too. That
    // something may be missing is told.
    let is_cut = on == Real::Docker;
    assert_eq!(output["StdoutTruncated"], is_cut, "{ended:#}");
    assert_eq!(output["StderrTruncated"], is_cut, "{ended:#}");
    if on == Real::Podman {
        assert_eq!(output["Stdout"], "late\n", "{ended:#}");
    }
    let all = log.whole();
    let told = all.notices.iter().any(|notice| notice.contains("was away"));
    assert_eq!(told, is_cut, "{:?}", all.notices);
    assert_eq!(all.close, Some(1000));
}

fn an_engine_that_is_absent_at_the_start_is_found_by_itself_when_it_appears(on: Real) {
    let dir = tempfile::tempdir().unwrap();
    let mut comer = Comer::new(on, dir.path());
    let node = node(&comer, &dir);
    node.event("its absence is noticed", |event| {
        matches!(event, NodeEvent::EngineAway { .. }).then_some(())
    });
    comer.come();
    let name = node.event("it is found", |event| match event {
        NodeEvent::EngineFound(facts) => Some(facts.name.clone()),
        _ => None,
    });
    assert!(name.starts_with(&format!("{on:?} ")), "{name}");
    let ended = node.ended(&node.submit(&shell("echo hi")));
    assert_eq!(
        executions(&ended)[0]["RunOutput"]["Stdout"],
        "hi\n",
        "{ended:#}"
    );
}

/// Docker as most boards have it: it ends its containers when it is stopped.
#[test]
fn a_job_that_its_engine_ended_with_itself_is_run_again_and_not_called_completed() {
    let dir = tempfile::tempdir().unwrap();
    let mut comer = Comer::new(Real::Docker, dir.path());
    comer.forget_containers_when_stopped();
    comer.come();
    let node = node(&comer, &dir);
    let mark = "trap 'exit 143' TERM; echo $BACALHAU_EXECUTION_ID; i=0; while [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done";
    let job = node.submit(&shell(mark));
    node.running(&job);
    comer.go(rustix::process::Signal::TERM);
    comer.come();
    let ended = node.ended(&job);
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    let executions = executions(&ended);
    assert_eq!(executions.len(), 2, "{ended:#}");
    let lost = executions[0]["ComputeState"]["Message"].as_str().unwrap();
    assert!(lost.contains("its engine was stopped"), "{lost}");
    let second = format!("{}\n", executions[1]["ID"].as_str().unwrap());
    assert_eq!(executions[1]["RunOutput"]["Stdout"], second, "{ended:#}");
    assert_eq!(executions[1]["RunOutput"]["ExitCode"], 0, "{ended:#}");
}
