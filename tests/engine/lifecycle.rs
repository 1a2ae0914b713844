//! Whole lives of containers on a scripted engine.

use super::{run, spec};
use crate::support::engine::{Endpoint, Fault, OnStart, OnStop, Play, Runs, ScriptedEngine, Times};
use codling::engine::{
    ContainerState, Engine, EngineError, LABEL_EXECUTION, LABEL_NODE, OutputStream, PullCause,
    StopCause,
};
use codling::model::{ImageRemoval, LogExtent, PullProgress};
use futures_lite::StreamExt;
use serde_json::json;
use std::time::Duration;

#[test]
fn a_job_runs_from_create_to_remove() {
    let engine = ScriptedEngine::start();
    let play = Play {
        exit_code: 7,
        stdout: b"hi\n\xff\0".to_vec(),
        stderr: b"oops".to_vec(),
        ..Play::default()
    };
    engine.image("a", play);
    let client = engine.client();
    run(async {
        assert!(client.image("a").await.unwrap().is_some());
        let id = client.create(&spec("1", "a")).await.unwrap().id;
        assert_eq!(client.inspect(&id).await.unwrap(), ContainerState::Created);
        client.start(&id).await.unwrap();
        let end = client.await_end(&id).await.unwrap();
        assert_eq!((end.exit_code, end.memory_limit_bytes), (7, 64 << 20));
        let output = client.output(&id, end.log_rotation).await.unwrap();
        assert_eq!(
            (output.stdout.bytes.as_slice(), output.stdout.truncated),
            (&b"hi\n\xff\0"[..], false)
        );
        assert_eq!(
            (output.stderr.bytes.as_slice(), output.stderr.truncated),
            (&b"oops"[..], false)
        );
        client.remove(&id).await.unwrap();
        client.remove(&id).await.unwrap();
        assert!(matches!(
            client.inspect(&id).await,
            Err(EngineError::NoSuchContainer { .. })
        ));
    });
    assert!(engine.containers().is_empty());
}

#[test]
fn output_beyond_its_first_bytes_is_cut_and_says_so() {
    let engine = ScriptedEngine::start();
    engine.image(
        "a",
        Play {
            stdout: b"x\n".repeat(1_500),
            stderr: vec![b'e'; 2_048],
            ..Play::default()
        },
    );
    let client = engine.client();
    run(async {
        let id = client.create(&spec("1", "a")).await.unwrap().id;
        client.start(&id).await.unwrap();
        let end = client.await_end(&id).await.unwrap();
        let output = client.output(&id, end.log_rotation).await.unwrap();
        assert_eq!(
            (output.stdout.bytes.len(), output.stdout.truncated),
            (2_048, true)
        );
        assert_eq!(
            (output.stderr.bytes.len(), output.stderr.truncated),
            (2_048, false)
        );
    });
}

#[test]
fn a_log_that_may_have_been_rotated_marks_both_streams() {
    let engine = ScriptedEngine::start();
    engine.image(
        "a",
        Play {
            stdout: b"tail of much\n".repeat(1_000),
            stderr: b"few".to_vec(),
            ..Play::default()
        },
    );
    let client = engine.client();
    run(async {
        let mut small = spec("1", "a");
        small.output_max_bytes = 1;
        let id = client.create(&small).await.unwrap().id;
        client.start(&id).await.unwrap();
        let end = client.await_end(&id).await.unwrap();
        let output = client.output(&id, end.log_rotation).await.unwrap();
        assert_eq!(
            (output.stderr.bytes.as_slice(), output.stderr.truncated),
            (&b"few"[..], true)
        );
    });
}

#[test]
fn a_log_is_streamed_in_the_order_of_each_stream() {
    let engine = ScriptedEngine::start();
    engine.image(
        "a",
        Play {
            stdout: b"1\n2\n3".to_vec(),
            stderr: b"e".to_vec(),
            ..Play::default()
        },
    );
    let client = engine.client();
    let mut out = Vec::new();
    run(async {
        let id = client.create(&spec("1", "a")).await.unwrap().id;
        client.start(&id).await.unwrap();
        client.await_end(&id).await.unwrap();
        let mut log = client.logs(&id, LogExtent::Present).await.unwrap();
        while let Some(chunk) = log.next().await {
            let chunk = chunk.unwrap();
            if chunk.stream == OutputStream::Stdout {
                out.extend_from_slice(&chunk.bytes);
            }
        }
    });
    assert_eq!(out, b"1\n2\n3");
}

#[test]
fn a_log_that_cannot_be_read_through_costs_no_outcome() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let client = engine.client();
    run(async {
        let id = client.create(&spec("1", "a")).await.unwrap().id;
        client.start(&id).await.unwrap();
        let end = client.await_end(&id).await.unwrap();
        for fault in [
            Fault::Body(b"\x01\0\0\0\0\0\0\x09half".to_vec()),
            Fault::Body(b"not frames at all".to_vec()),
            Fault::Status(500, "log file is gone"),
        ] {
            engine.fault(Endpoint::Logs, fault, Times::Always);
            let output = client.output(&id, end.log_rotation).await.unwrap();
            assert!(output.stdout.truncated && output.stderr.truncated);
            engine.heal();
        }
        engine.fault(Endpoint::Logs, Fault::Close, Times::Once);
        let output = client.output(&id, end.log_rotation).await.unwrap();
        assert_eq!(
            (output.stdout.bytes.as_slice(), output.stdout.truncated),
            (&b"hello\n"[..], false)
        );
    });
}

#[test]
fn a_command_that_is_not_in_the_image_is_told_from_a_failing_engine() {
    let engine = ScriptedEngine::start();
    engine.image(
        "a",
        Play {
            on_start: OnStart::NoCommand,
            ..Play::default()
        },
    );
    let client = engine.client();
    run(async {
        let id = client.create(&spec("1", "a")).await.unwrap().id;
        let error = client.start(&id).await.unwrap_err();
        assert!(
            matches!(&error, EngineError::BadCommand { message } if message.contains("/nope")),
            "{error}"
        );
        engine.fault(
            Endpoint::Start,
            Fault::Status(500, "database is locked"),
            Times::Once,
        );
        assert!(matches!(
            client.start(&id).await,
            Err(EngineError::Refused { status: 500, .. })
        ));
        for message in [
            "exec: \"x\": executable file not found in $PATH",
            "exec format error",
        ] {
            engine.fault(Endpoint::Start, Fault::Status(404, message), Times::Once);
            assert!(
                matches!(client.start(&id).await, Err(EngineError::BadCommand { .. })),
                "{message}"
            );
        }
    });
}

#[test]
fn found_lists_this_nodes_containers_in_their_states_and_no_others() {
    let engine = ScriptedEngine::start();
    engine.image(
        "quick",
        Play {
            exit_code: 3,
            ..Play::default()
        },
    );
    engine.image(
        "long",
        Play {
            runs: Runs::UntilReleased,
            ..Play::default()
        },
    );
    engine.foreign_container(
        "theirs",
        json!({ "codling.node": "n-2", "codling.execution": "e-9" }),
    );
    engine.foreign_container("no labels", json!({}));
    let client = engine.client();
    run(async {
        let quick = client.create(&spec("quick", "quick")).await.unwrap().id;
        client.start(&quick).await.unwrap();
        client.await_end(&quick).await.unwrap();
        let long = client.create(&spec("long", "long")).await.unwrap().id;
        client.start(&long).await.unwrap();
        client.create(&spec("new", "long")).await.unwrap();
        let found = client.found(&"n-1".into()).await.unwrap();
        let state = |execution: &str| {
            let wanted = Some(execution.into());
            found
                .iter()
                .find(|c| c.execution == wanted)
                .map(|c| c.state.clone())
        };
        assert_eq!(found.len(), 3);
        assert!(
            matches!(state("e-quick"), Some(ContainerState::Exited(end)) if end.exit_code == 3)
        );
        assert!(matches!(
            state("e-long"),
            Some(ContainerState::Running { pid: Some(_) })
        ));
        assert_eq!(state("e-new"), Some(ContainerState::Created));
        assert!(found.iter().all(|c| c.job == Some("j-1".into())));
    });
}

#[test]
fn an_engine_that_ignores_the_filter_still_shows_us_only_ours() {
    let engine = ScriptedEngine::start();
    let all = json!([
        { "Id": "a1", "Labels": { "codling.node": "n-2" } }, { "Id": "a2", "Labels": null }, { "Id": "a3" },
        { "Id": "../../images/x", "Labels": { "codling.node": "n-1" } },
    ]);
    engine.fault(
        Endpoint::List,
        Fault::Body(all.to_string().into_bytes()),
        Times::Once,
    );
    assert_eq!(run(engine.client().found(&"n-1".into())).unwrap(), []);
    assert_eq!(engine.count(Endpoint::Inspect), 0);
}

#[test]
fn a_stop_that_works_needs_no_kill() {
    let engine = ScriptedEngine::start();
    engine.image(
        "a",
        Play {
            runs: Runs::UntilReleased,
            ..Play::default()
        },
    );
    let client = engine.client();
    run(async {
        let id = client.create(&spec("1", "a")).await.unwrap().id;
        client.start(&id).await.unwrap();
        client
            .stop(&id, Duration::from_millis(1_500))
            .await
            .unwrap();
        let end = client.await_end(&id).await.unwrap();
        assert!(end.exit_code == 143 || end.exit_code == 137);
        client.stop(&id, Duration::ZERO).await.unwrap();
        client.kill(&id).await.unwrap();
    });
    assert!(
        engine
            .calls()
            .iter()
            .any(|call| call.ends_with("/stop?t=2")),
        "whole seconds, rounded up"
    );
}

#[test]
fn a_stop_that_is_ignored_hangs_or_fails_is_followed_by_a_kill() {
    for fault in [
        None,
        Some(Fault::Hang),
        Some(Fault::Status(500, "no")),
        Some(Fault::Close),
        Some(Fault::Garbage),
    ] {
        let engine = ScriptedEngine::start();
        engine.image(
            "a",
            Play {
                runs: Runs::UntilReleased,
                on_stop: OnStop::Ignores,
                ..Play::default()
            },
        );
        let client = engine.client();
        let name = format!("{fault:?}");
        if let Some(fault) = fault {
            engine.fault(Endpoint::Stop, fault, Times::Always);
        }
        run(async {
            let id = client.create(&spec("1", "a")).await.unwrap().id;
            client.start(&id).await.unwrap();
            client.stop(&id, Duration::ZERO).await.unwrap();
            let end = client.await_end(&id).await.unwrap();
            assert_eq!(end.exit_code, 137, "{name}");
            assert!(
                !end.is_out_of_memory(StopCause::Node) && end.is_out_of_memory(StopCause::Itself)
            );
        });
        assert_eq!(engine.count(Endpoint::Kill), 1, "{name}");
    }
}

#[test]
fn stopping_and_killing_what_is_not_there_is_done() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    run(async {
        client.stop(&"gone".into(), Duration::ZERO).await.unwrap();
        client.kill(&"gone".into()).await.unwrap();
        client.remove(&"gone".into()).await.unwrap();
    });
}

#[test]
fn an_image_is_removed_by_its_name_and_id_and_not_while_a_container_uses_it() {
    let engine = ScriptedEngine::start();
    engine.image("here", Play::default());
    let client = engine.client();
    run(async {
        let id = client.image("here").await.unwrap().unwrap().id;
        let other = client.remove_image("here", "sha256:11").await.unwrap();
        assert_eq!(other, ImageRemoval::NotOurs);
        let missing = client.remove_image("gone", &id).await.unwrap();
        assert_eq!(missing, ImageRemoval::NotOurs);
        assert_eq!(engine.count(Endpoint::RemoveImage), 0, "nothing was asked");
        engine.foreign_container_of("here");
        match client.remove_image("here", &id).await.unwrap() {
            ImageRemoval::Kept { why } => assert!(why.contains("in use"), "{why}"),
            other => panic!("{other:?}"),
        }
        engine.image("free", Play::default());
        let removed = client.remove_image("free", &id).await.unwrap();
        assert_eq!(removed, ImageRemoval::Removed);
        assert_eq!(client.image("free").await.unwrap(), None);
    });
}

#[test]
fn an_image_is_pulled_with_news_and_is_here_afterwards() {
    let engine = ScriptedEngine::start();
    engine.pullable("far", Play::default());
    let client = engine.client();
    let mut news: Vec<PullProgress> = Vec::new();
    run(async {
        assert_eq!(client.image("far").await.unwrap(), None);
        client
            .pull("far", &mut |progress| news.push(progress))
            .await
            .unwrap();
        assert!(client.image("far").await.unwrap().is_some());
    });
    let underway = PullProgress {
        layers_done: 0,
        layers: 1,
        bytes: 5,
        bytes_total: 10,
    };
    let here = PullProgress {
        layers_done: 1,
        bytes: 10,
        ..underway
    };
    assert_eq!(news, [underway, here]);
}

#[test]
fn the_containers_of_one_execution_are_found_in_one_call_among_many() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let client = engine.client();
    let wanted = run(client.create(&spec("1", "a"))).unwrap().id;
    for other in ["2", "3"] {
        run(client.create(&spec(other, "a"))).unwrap();
    }
    let labels = json!({ (LABEL_NODE): "n-2", (LABEL_EXECUTION): "e-1" });
    engine.foreign_container("of another node", labels);
    let calls = engine.calls().len();
    let found = run(client.found_of(&"n-1".into(), &"e-1".into())).unwrap();
    assert_eq!(found, [wanted]);
    assert_eq!(engine.calls().len(), calls + 1);
}

#[test]
fn a_pull_that_fails_says_why() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    let pull = |fault: Option<Fault>| {
        if let Some(fault) = fault {
            engine.fault(Endpoint::Pull, fault, Times::Once);
        }
        run(client.pull("far", &mut |_| {})).unwrap_err()
    };
    let cause = |fault| match pull(fault) {
        EngineError::PullFailed { cause, .. } => cause,
        other => panic!("{other}"),
    };
    let line = |error: &str| {
        let lines = format!("{{\"status\":\"x\"}}\n{{\"error\":\"{error}\"}}\n");
        Some(Fault::Body(lines.into_bytes()))
    };
    assert_eq!(cause(None), PullCause::Absent);
    let dns = line("dial tcp: lookup r.io on 10.0.0.1:53: no such host");
    assert_eq!(cause(dns), PullCause::NoNetwork);
    let full = line("write /a: no space left on device");
    assert_eq!(cause(full), PullCause::NoSpace);
    let denied = Fault::Status(500, "unauthorized");
    assert_eq!(cause(Some(denied)), PullCause::Denied);
    let limited = Fault::Status(500, "toomanyrequests: slow down");
    assert_eq!(cause(Some(limited)), PullCause::RateLimited);
    let silent = Fault::Body(b"{\"status\":\"done\"}".to_vec());
    assert_eq!(cause(Some(silent)), PullCause::Other);
    assert!(matches!(
        pull(Some(Fault::HalfReply)),
        EngineError::Vanished { .. }
    ));
    assert!(matches!(
        pull(Some(Fault::Hang)),
        EngineError::TimedOut { .. }
    ));
}

#[test]
fn an_image_id_that_is_not_here_is_asked_of_no_registry() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    let id = format!("sha256:{:064x}", 7);
    let error = run(client.pull(&id, &mut |_| {})).unwrap_err();
    let absent = PullCause::Absent;
    assert!(
        matches!(error, EngineError::PullFailed { cause, .. } if cause == absent),
        "{error}"
    );
    assert_eq!(engine.count(Endpoint::Pull), 0);
}

#[test]
fn an_archive_is_handed_on_whole_and_its_names_come_back() {
    let engine = ScriptedEngine::start();
    let archive = futures_lite::io::Cursor::new(vec![7_u8; 300_000]);
    let names = run(engine.client().load_image(Box::pin(archive))).unwrap();
    assert_eq!(names, ["localhost/a:1", "localhost/b:2"]);
    assert!(engine.loaded_bytes() >= 300_000);
}

/// A Podman that was killed while it removed one answered no list any more, and its node took it for absent for ever.
#[test]
fn a_container_whose_removal_was_cut_off_is_removed_and_the_others_are_listed() {
    let engine = ScriptedEngine::start();
    engine.image("alpine", Play::default());
    let client = engine.client();
    run(async {
        let kept = client.create(&spec("kept", "alpine")).await.unwrap().id;
        let torn = client.create(&spec("torn", "alpine")).await.unwrap().id;
        let words: &'static str = Box::leak(
            format!("getting container from store \"{torn}\": container not known")
                .into_boxed_str(),
        );
        engine.fault(Endpoint::List, Fault::Status(500, words), Times::Once);
        let found = client.found(&"n-1".into()).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|container| container.id).collect();
        assert_eq!(found, [kept]);
        // What cannot be removed is no reason to try for ever.
        engine.fault(Endpoint::List, Fault::Status(500, words), Times::Always);
        assert!(client.found(&"n-1".into()).await.is_err());
    });
}
