//! The real node, through the real HTTP client, against an engine that misbehaves: every job ends once, its container is
//! started at most once, and nothing is left over.

use crate::support::engine::{Endpoint, Fault, OnStop, Play, Runs, ScriptedEngine, Times};
use crate::support::jobs::command;
use crate::support::node::TestNode;
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// The calls that a plain job makes after the engine was found, in order.
const CALLS: [Endpoint; 6] = [
    Endpoint::Image,
    Endpoint::Create,
    Endpoint::Start,
    Endpoint::Inspect,
    Endpoint::Logs,
    Endpoint::Remove,
];

fn image(engine: &ScriptedEngine, play: Play) {
    engine.image("play", play);
}

fn job() -> Value {
    command("play", &["go"])
}

fn state(ended: &Value) -> &str {
    ended["Job"]["State"]["StateType"].as_str().unwrap()
}

/// One terminal execution that ran once, its container gone.
#[track_caller]
fn ran_once_and_left_nothing(engine: &ScriptedEngine, ended: &Value, what: &str) {
    let executions = ended["Executions"]["Items"].as_array().unwrap();
    assert_eq!(executions.len(), 1, "{what}: {ended:#}");
    engine.until("its container is removed", |engine| {
        engine.containers().is_empty()
    });
    assert!(
        engine.started() <= 1,
        "{what}: started {} times: {:#?}",
        engine.started(),
        engine.calls()
    );
}

/// A reply that begins with success though nothing was done: where a change is asked for there is nothing else to go by.
fn lies(fault: &Fault) -> bool {
    matches!(fault, Fault::HalfReply | Fault::EndlessBody)
}

#[test]
fn a_job_completes_once_though_each_of_its_calls_fails_once_in_every_way() {
    let faults = [
        Fault::Close,
        Fault::DoAndClose,
        Fault::HalfReply,
        Fault::Garbage,
        Fault::Hang,
        Fault::DoAndHang,
        Fault::HugeHeader,
        Fault::EndlessBody,
    ];
    let cases = CALLS
        .into_iter()
        .flat_map(|call| faults.clone().into_iter().map(move |fault| (call, fault)));
    let threads: Vec<_> = cases
        .map(|(call, fault)| {
            thread::spawn(move || {
                let what = format!("{call:?} {fault:?}");
                let engine = ScriptedEngine::start();
                image(
                    &engine,
                    Play {
                        exit_code: 3,
                        ..Play::default()
                    },
                );
                let dir = tempfile::tempdir().unwrap();
                let node = TestNode::start_on(dir.path(), &engine);
                engine.fault(call, fault.clone(), Times::Once);
                let ended = node.ended(&node.submit(&job()));
                if call == Endpoint::Start && lies(&fault) {
                    assert_eq!(state(&ended), "Failed", "{what}: {ended:#}");
                    ran_once_and_left_nothing(&engine, &ended, &what);
                    return;
                }
                assert_eq!(state(&ended), "Completed", "{what}: {ended:#}");
                let output = &ended["Executions"]["Items"][0]["RunOutput"];
                assert_eq!(
                    (&output["ExitCode"], &output["Stdout"]),
                    (&json!(3), &json!("hello\n")),
                    "{what}"
                );
                if call == Endpoint::Remove && lies(&fault) {
                    // What is said to be gone and is not goes at the next start.
                    engine.until("the removal is asked for", |engine| engine.count(call) == 1);
                    drop(node);
                    let _next = TestNode::start_on(dir.path(), &engine);
                    ran_once_and_left_nothing(&engine, &ended, &what);
                    return;
                }
                ran_once_and_left_nothing(&engine, &ended, &what);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_refusal_of_the_engine_fails_the_job_with_its_words_and_leaves_nothing() {
    for call in [Endpoint::Create, Endpoint::Start] {
        let engine = ScriptedEngine::start();
        image(&engine, Play::default());
        let dir = tempfile::tempdir().unwrap();
        let node = TestNode::start_on(dir.path(), &engine);
        engine.fault(call, Fault::Status(500, "no room at the inn"), Times::Once);
        let ended = node.ended(&node.submit(&job()));
        assert_eq!(state(&ended), "Failed", "{call:?}: {ended:#}");
        let message = ended["Job"]["State"]["Message"].as_str().unwrap();
        assert!(message.contains("no room at the inn"), "{message}");
        engine.until("nothing is left", |engine| engine.containers().is_empty());
    }
}

#[test]
fn a_job_cancelled_while_a_reply_is_outstanding_is_stopped_at_every_step_and_leaves_nothing() {
    for call in CALLS.into_iter().take(5) {
        let engine = ScriptedEngine::start();
        image(
            &engine,
            Play {
                runs: Runs::For(Duration::from_millis(50)),
                ..Play::default()
            },
        );
        let dir = tempfile::tempdir().unwrap();
        let node = TestNode::start_on(dir.path(), &engine);
        engine.fault(call, Fault::Held, Times::Once);
        let id = node.submit(&job());
        engine.until("the call is made", |engine| engine.count(call) == 1);
        let answer = node.call(
            "DELETE",
            &format!("orchestrator/jobs/{id}"),
            Some(&json!({})),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        engine.release_replies();
        let ended = node.ended(&id);
        assert_eq!(state(&ended), "Stopped", "{call:?}: {ended:#}");
        ran_once_and_left_nothing(&engine, &ended, &format!("{call:?}"));
        let execution = node.execution_ended(&id);
        assert_eq!(
            execution["ComputeState"]["StateType"], 11,
            "{call:?}: {execution:#}"
        );
    }
}

#[test]
fn a_container_that_ignores_its_stop_is_killed() {
    let engine = ScriptedEngine::start();
    image(
        &engine,
        Play {
            runs: Runs::UntilReleased,
            on_stop: OnStop::Ignores,
            ..Play::default()
        },
    );
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start_on(dir.path(), &engine);
    let mut submission = job();
    submission["Job"]["Tasks"][0]["Timeouts"] = json!({"ExecutionTimeout": 1});
    let ended = node.ended(&node.submit(&submission));
    assert_eq!(state(&ended), "Failed", "{ended:#}");
    assert_eq!(engine.count(Endpoint::Kill), 1, "{:#?}", engine.calls());
    ran_once_and_left_nothing(&engine, &ended, "ignored stop");
}

#[test]
fn a_job_outlives_an_engine_that_goes_away_while_it_runs_and_comes_back() {
    let engine = ScriptedEngine::start();
    image(
        &engine,
        Play {
            runs: Runs::UntilReleased,
            exit_code: 5,
            ..Play::default()
        },
    );
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start_on(dir.path(), &engine);
    let id = node.submit(&job());
    node.running(&id);
    engine.go_away();
    engine.release_containers();
    let between = node
        .call("GET", &format!("orchestrator/jobs/{id}"), None)
        .body;
    assert_eq!(state(&between), "Running", "an absent engine is no failure");
    engine.come_back();
    let ended = node.ended(&id);
    assert_eq!(state(&ended), "Completed", "{ended:#}");
    assert_eq!(ended["Executions"]["Items"][0]["RunOutput"]["ExitCode"], 5);
    ran_once_and_left_nothing(&engine, &ended, "engine away");
}

/// A container is made before its image has been looked at. Whoever lost the engine, or its own life, in between could
/// not know that the image was the wrong one, and who found the container afterwards once started it.
#[test]
fn a_container_of_another_platform_is_not_started_by_who_finds_it_made_but_not_looked_at() {
    let alien = br#"{"Id":"sha256:00","Os":"linux","Architecture":"s390x","Size":12}"#;
    for interruption in [Fault::Close, Fault::Hang] {
        let (dir, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
        image(&engine, Play::default());
        engine.fault(Endpoint::Image, interruption.clone(), Times::Once);
        engine.fault(Endpoint::Image, Fault::Body(alien.to_vec()), Times::Always);
        let mut node = TestNode::start_on(dir.path(), &engine);
        let id = node.submit(&job());
        if matches!(interruption, Fault::Hang) {
            engine.until("it is made", |e| !e.containers().is_empty());
            node.stop().unwrap();
            node = TestNode::start_on(dir.path(), &engine);
        }
        let ended = node.ended(&id);
        assert_eq!(state(&ended), "Failed", "{interruption:?}: {ended:#}");
        let message = ended["Job"]["State"]["Message"].as_str().unwrap();
        assert!(
            message.contains("the image \"play\" is built for linux/s390x"),
            "{message}"
        );
        assert_eq!(engine.started(), 0, "{interruption:?}");
        engine.until("no container is left", |e| e.containers().is_empty());
    }
}

#[test]
fn an_image_that_is_not_here_is_pulled_and_a_pull_that_fails_names_the_image() {
    let engine = ScriptedEngine::start();
    engine.pullable("far", Play::default());
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start_on(dir.path(), &engine);
    let ended = node.ended(&node.submit(&command("far", &["go"])));
    assert_eq!(state(&ended), "Completed", "{ended:#}");
    let ended = node.ended(&node.submit(&command("nowhere", &["go"])));
    assert_eq!(state(&ended), "Failed");
    assert!(
        ended["Job"]["State"]["Message"]
            .as_str()
            .unwrap()
            .contains("nowhere"),
        "{ended:#}"
    );
}

#[test]
fn containers_of_others_survive_everything() {
    let engine = ScriptedEngine::start();
    image(&engine, Play::default());
    engine.foreign_container(
        "other-node",
        json!({"codling.node": "somebody", "codling.execution": "e-1"}),
    );
    engine.foreign_container("unlabelled", json!({}));
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start_on(dir.path(), &engine);
    node.ended(&node.submit(&job()));
    engine.until("ours is removed", |engine| engine.containers().len() == 2);
    drop(node);
    let node = TestNode::start_on(dir.path(), &engine);
    node.ended(&node.submit(&job()));
    let left: Vec<String> = engine.containers().into_keys().collect();
    engine.until("ours is removed", |engine| engine.containers().len() == 2);
    assert!(
        left.contains(&"other-node".to_owned()) && left.contains(&"unlabelled".to_owned()),
        "{left:?}"
    );
}
