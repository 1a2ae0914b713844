//! The real node on a scripted engine, where waiting and reading are interrupted. What each of its calls does when it
//! fails is in `hostile`.

use crate::support::engine::{Endpoint, Fault, Play, Runs, ScriptedEngine, ShownPid, Times};
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::wait;
use serde_json::Value;

fn long() -> Play {
    Play {
        runs: Runs::UntilReleased,
        exit_code: 5,
        ..Play::default()
    }
}

fn state(ended: &Value) -> &str {
    ended["Job"]["State"]["StateType"].as_str().unwrap()
}

#[test]
fn a_job_that_is_cancelled_while_a_read_hangs_does_not_wait_for_it() {
    for step in [Endpoint::Pull, Endpoint::Wait] {
        let (dir, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
        if step == Endpoint::Wait {
            let pid = ShownPid::Foreign;
            engine.image("a", Play { pid, ..long() });
        }
        engine.fault(step, Fault::Hang, Times::Always);
        let node = TestNode::start_on(dir.path(), &engine);
        let job = node.submit(&command("a", &["go"]));
        engine.until("the read is asked for", |e| e.count(step) > 0);
        let path = format!("orchestrator/jobs/{job}");
        assert_eq!(node.call("DELETE", &path, None).status, 200);
        assert_eq!(state(&node.ended(&job)), "Stopped", "{step:?}");
        engine.until("no container is left", |e| e.containers().is_empty());
    }
}

#[test]
fn a_burst_of_jobs_of_one_image_has_it_looked_at_once() {
    let (dir, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
    engine.image("a", Play::default());
    let node = TestNode::start_on(dir.path(), &engine);
    for _ in 0..3 {
        let job = node.submit(&command("a", &["go"]));
        assert_eq!(state(&node.ended(&job)), "Completed");
    }
    assert_eq!(engine.count(Endpoint::Image), 1, "{:?}", engine.calls());
}

#[test]
fn a_container_found_by_an_engine_that_stammers_still_reports_its_true_exit_code() {
    for fault in [
        Fault::Close,
        Fault::Status(500, "database is locked"),
        Fault::Garbage,
    ] {
        let (dir, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
        engine.image("a", long());
        let first = TestNode::start_on(dir.path(), &engine);
        let job = first.submit(&command("a", &["go"]));
        first.running(&job);
        first.stop().unwrap();
        // The first inspect lists the container, the second is that of the run that goes on.
        engine.fault(Endpoint::Inspect, fault.clone(), Times::Nth(2));
        let second = TestNode::start_on(dir.path(), &engine);
        wait::until("the fault has happened", || match engine.planned_faults() {
            0 => Ok(()),
            left => Err(left),
        });
        engine.release_containers();
        let ended = second.ended(&job);
        assert_eq!(state(&ended), "Completed", "{fault:?}: {ended:#}");
        let executions = ended["Executions"]["Items"].as_array().unwrap();
        assert_eq!(executions.len(), 1, "{fault:?}: {ended:#}");
        assert_eq!(executions[0]["RunOutput"]["ExitCode"], 5, "{fault:?}");
        engine.until("no container is left", |e| e.containers().is_empty());
        assert_eq!(engine.started(), 1, "{fault:?}");
    }
}

#[test]
fn a_node_stops_in_time_while_the_output_of_an_ended_job_cannot_be_read() {
    let (dir, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
    engine.image(
        "a",
        Play {
            exit_code: 6,
            ..Play::default()
        },
    );
    engine.fault(Endpoint::Logs, Fault::Hang, Times::Always);
    let node = TestNode::start_on(dir.path(), &engine);
    let job = node.submit(&command("a", &["go"]));
    engine.until("the log is read", |e| e.count(Endpoint::Logs) == 1);
    node.stop().unwrap();
    assert_eq!(engine.count(Endpoint::Remove), 0, "the log is still needed");
    engine.heal();
    let ended = TestNode::start_on(dir.path(), &engine).ended(&job);
    let output = &ended["Executions"]["Items"][0]["RunOutput"];
    assert_eq!(output["ExitCode"], 6, "{ended:#}");
    assert_eq!(output["Stdout"], "hello\n");
}
