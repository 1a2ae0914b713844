//! Real engines that come, go and come back: a Podman service and a Docker daemon of each test's own.

use crate::support::comer::Comer;
use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::shell;
use crate::support::node::TestNode;
use crate::support::program::Program;
use crate::support::wait;
use crate::support::websocket::{Log, LogSocket};
use codling::node::NodeEvent;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

on_real_engines! {
    an_engine_that_is_killed_under_a_running_job_and_comes_back_is_found_with_the_one_container_that_it_had,
    a_container_that_ends_while_its_engine_is_away_is_collected_with_its_true_exit_code,
    a_follower_of_a_job_loses_nothing_when_the_engine_is_killed_and_comes_back,
    an_engine_that_is_absent_at_the_start_is_found_by_itself_when_it_appears,
    while_its_engine_is_away_a_job_runs_and_shows_since_when_also_through_a_restart_of_its_node,
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
    comer.go(Signal::KILL);
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
    comer.go(Signal::KILL);
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
    comer.go(Signal::KILL);
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

fn while_its_engine_is_away_a_job_runs_and_shows_since_when_also_through_a_restart_of_its_node(
    on: Real,
) {
    for signal in [Signal::KILL, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let mut comer = Comer::new(on, dir.path());
        comer.come();
        let first = node(&comer, &dir);
        let line = "echo begun; trap 'exit 5' TERM; while :; do sleep 0.1; done";
        let job = first.submit(&shell(line));
        first.running(&job);
        let process = comer.process_of(&first.id);
        comer.go(signal);
        let shown = first.waits_for_engine(&job);
        assert_eq!(shown["ComputeState"]["StateType"], 6, "{shown:#}");
        let since = |shown: &Value| {
            let message = shown["ComputeState"]["Message"]
                .as_str()
                .unwrap()
                .to_owned();
            message.split(": ").next().unwrap().to_owned()
        };
        let listed = Program::new(&["job", "executions", &job])
            .api(first.api)
            .run();
        assert!(listed.out.contains(&since(&shown)), "{}", listed.out);
        let told = Program::new(&["job", "describe", &job])
            .api(first.api)
            .run();
        assert!(told.out.contains(&since(&shown)), "{}", told.out);
        first.stop().unwrap();
        let second = node(&comer, &dir);
        let still = second.waits_for_engine(&job);
        assert_eq!(since(&still), since(&shown));
        assert_eq!(still["ComputeState"]["StateType"], 6, "{still:#}");
        comer.come();
        // Whoever brings a job has the engine looked for at once.
        wait::until("a job finds the engine", || {
            let ended = second.ended(&second.submit(&shell("true")));
            match ended["Job"]["State"]["StateType"].as_str() {
                Some("Completed") => Ok(()),
                _ => Err(ended),
            }
        });
        let path = format!("orchestrator/jobs/{job}/executions");
        let found = second.call("GET", &path, None).body["Items"][0].clone();
        let state = &found["ComputeState"];
        assert_eq!(state["StateType"], 6, "{found:#}");
        assert_eq!(
            state["Message"].as_str().unwrap_or_default(),
            "",
            "{found:#}"
        );
        let pid = Pid::from_raw(process.parse().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let ended = second.ended(&job);
        assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
        assert_eq!(executions(&ended).len(), 1, "{ended:#}");
        assert_eq!(
            executions(&ended)[0]["RunOutput"]["ExitCode"],
            5,
            "{ended:#}"
        );
        comer.until_no_container_of(&second.id);
    }
}

#[test]
fn a_job_whose_engine_lost_its_storage_is_told_as_lost_and_tried_again_with_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut comer = Comer::new(Real::Docker, dir.path());
    comer.forget_containers_when_stopped();
    comer.come();
    let socket = comer.socket().display().to_string();
    let flags = [("engine-socket", socket.as_str()), ("image-pull", "never")];
    let node = TestNode::start(&dir.path().join("node"), &flags);
    let job = node.submit(&shell("sleep 1000"));
    node.running(&job);
    comer.go(Signal::TERM);
    comer.lose_storage();
    comer.come();
    let ended = node.ended(&job);
    let failures: Vec<&str> = executions(&ended)
        .iter()
        .map(|one| one["ComputeState"]["Message"].as_str().unwrap())
        .collect();
    assert_eq!(failures.len(), 2, "{ended:#}");
    assert!(failures[0].contains("container"), "{failures:?}");
    assert!(failures[1].contains("image"), "{failures:?}");
    assert_eq!(ended["Job"]["State"]["StateType"], "Failed", "{ended:#}");
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
    comer.go(Signal::TERM);
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
