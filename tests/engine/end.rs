//! The end of a container is awaited without asking its engine, and whatever the engine does meanwhile.

use super::{run, spec};
use crate::support::engine::{
    Endpoint, Fault, Kind, OnStart, Play, Runs, ScriptedEngine, ShownPid, Times,
};
use codling::engine::{ContainerEnd, ContainerEngine, EndWatch, Engine, EngineError};
use codling::model::ContainerId;
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for whoever polls to be caught at it.
const SILENT_FOR: Duration = Duration::from_secs(1);

fn started(engine: &ScriptedEngine, client: &ContainerEngine, play: Play) -> ContainerId {
    engine.image("a", play);
    run(async {
        let id = client.create(&spec("1", "a")).await.unwrap().id;
        client.start(&id).await.unwrap();
        id
    })
}

/// Awaits the end on one thread while `meanwhile` happens on this one.
fn await_end_while(
    client: &ContainerEngine,
    id: &ContainerId,
    meanwhile: impl FnOnce(),
) -> Result<ContainerEnd, EngineError> {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| run(client.await_end(id)));
        meanwhile();
        waiting.join().unwrap()
    })
}

fn long(pid: ShownPid) -> Play {
    Play {
        runs: Runs::UntilReleased,
        exit_code: 5,
        pid,
        ..Play::default()
    }
}

#[test]
fn nothing_is_asked_of_the_engine_while_the_container_runs() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    let id = started(&engine, &client, long(ShownPid::Real));
    let mut asked = 0;
    let end = await_end_while(&client, &id, || {
        // Right after the start, one before and one after the pidfd was opened; then silence until the end.
        engine.until("both looks", |e| e.count(Endpoint::Inspect) == 2);
        let until = Instant::now() + SILENT_FOR;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        asked = engine.count(Endpoint::Inspect);
        engine.release_containers();
    });
    assert_eq!(end.unwrap().exit_code, 5);
    assert_eq!(asked, 2, "{:#?}", engine.calls());
    assert_eq!(engine.count(Endpoint::Wait), 0);
}

#[test]
fn without_a_pidfd_the_engines_wait_is_all_that_is_asked_while_the_container_runs() {
    for kind in [Kind::Podman, Kind::Docker] {
        let engine = ScriptedEngine::start_as(kind);
        let client = engine.client().watching_ends_by(EndWatch::Wait);
        let id = started(&engine, &client, long(ShownPid::Real));
        let mut asked = 0;
        let end = await_end_while(&client, &id, || {
            engine.until("it is asked for the end", |e| e.count(Endpoint::Wait) == 1);
            let until = Instant::now() + SILENT_FOR;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                thread::park_timeout(left);
            }
            asked = engine.count(Endpoint::Inspect);
            engine.release_containers();
        });
        assert_eq!(end.unwrap().exit_code, 5);
        assert_eq!(asked, 1, "{:#?}", engine.calls());
        assert_eq!(engine.count(Endpoint::Wait), 1, "{kind:?}");
    }
}

#[test]
fn the_end_of_a_container_that_cannot_be_started_is_not_awaited() {
    let engine = ScriptedEngine::start();
    let client = engine.client().watching_ends_by(EndWatch::Wait);
    let play = Play {
        on_start: OnStart::NoCommand,
        ..Play::default()
    };
    engine.image("a", play);
    run(async {
        let id = client.create(&spec("1", "a")).await.unwrap().id;
        assert!(client.start(&id).await.is_err());
        assert!(client.await_end(&id).await.is_err());
    });
    assert_eq!(engine.count(Endpoint::Wait), 0);
}

#[test]
fn an_engine_that_notices_late_is_asked_until_it_knows_the_code() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    let id = started(
        &engine,
        &client,
        Play {
            exit_code: 9,
            late_notices: 4,
            ..Play::default()
        },
    );
    assert_eq!(run(client.await_end(&id)).unwrap().exit_code, 9);
}

#[test]
fn a_pid_of_another_namespace_is_not_trusted_so_the_end_comes_from_the_engine() {
    for pid in [ShownPid::Foreign, ShownPid::Unknown] {
        let engine = ScriptedEngine::start();
        let client = engine.client();
        let id = started(&engine, &client, long(pid));
        let end = await_end_while(&client, &id, || {
            engine.until("it is asked for the end", |e| e.count(Endpoint::Wait) == 1);
            engine.release_containers();
        });
        assert_eq!(end.unwrap().exit_code, 5, "{pid:?}");
    }
}

#[test]
fn an_engine_that_is_restarted_while_a_job_runs_costs_nothing() {
    for (pid, waits_by) in [
        (ShownPid::Real, Endpoint::Inspect),
        (ShownPid::Foreign, Endpoint::Wait),
    ] {
        let engine = ScriptedEngine::start();
        let client = engine.client();
        let id = started(&engine, &client, long(pid));
        let end = await_end_while(&client, &id, || {
            engine.until("its end is awaited", |e| e.count(waits_by) > 0);
            engine.go_away();
            engine.come_back();
            engine.release_containers();
        });
        assert_eq!(end.unwrap().exit_code, 5, "{pid:?}");
    }
}

#[test]
fn a_container_that_ends_while_its_engine_is_away_reports_its_code_later() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    let id = started(&engine, &client, long(ShownPid::Real));
    let end = await_end_while(&client, &id, || {
        engine.until("its end is awaited", |e| e.count(Endpoint::Inspect) == 2);
        engine.go_away();
        engine.release_containers();
        engine.until("it has ended", |e| e.running() == 0);
        engine.come_back();
    });
    assert_eq!(end.unwrap().exit_code, 5);
}

#[test]
fn faults_of_inspect_delay_an_end_and_do_not_lose_it() {
    for fault in [
        Fault::Close,
        Fault::HalfReply,
        Fault::Garbage,
        Fault::Body(b"{}".to_vec()),
        Fault::Status(500, "database is locked"),
        Fault::HugeHeader,
        Fault::EndlessBody,
    ] {
        let engine = ScriptedEngine::start();
        let client = engine.client();
        let name = format!("{fault:?}");
        let id = started(
            &engine,
            &client,
            Play {
                exit_code: 5,
                ..Play::default()
            },
        );
        engine.fault(Endpoint::Inspect, fault.clone(), Times::Once);
        engine.fault(Endpoint::Inspect, fault, Times::Once);
        assert_eq!(run(client.await_end(&id)).unwrap().exit_code, 5, "{name}");
    }
}

#[test]
fn a_container_that_is_removed_by_somebody_is_missing_and_not_ended() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    let id = started(&engine, &client, long(ShownPid::Real));
    let end = await_end_while(&client, &id, || {
        engine.until("its end is awaited", |e| e.count(Endpoint::Inspect) == 2);
        run(engine.client().remove(&id)).unwrap();
    });
    assert!(matches!(end, Err(EngineError::NoSuchContainer { .. })));
}

#[test]
fn an_engine_that_never_notices_is_not_waited_for_for_ever() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    let id = started(
        &engine,
        &client,
        Play {
            late_notices: u32::MAX,
            ..long(ShownPid::Real)
        },
    );
    let end = await_end_while(&client, &id, || {
        engine.until("its end is awaited", |e| e.count(Endpoint::Inspect) == 2);
        engine.release_containers();
    });
    // Podman's word "stopped" has the code already.
    assert!(end.is_ok(), "{end:?}");
}

#[test]
fn a_container_that_was_never_started_has_no_end() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let client = engine.client();
    let id = run(client.create(&spec("1", "a"))).unwrap().id;
    assert!(matches!(
        run(client.await_end(&id)),
        Err(EngineError::Refused { .. })
    ));
}

#[test]
fn an_end_is_awaited_across_a_restart_of_this_program() {
    let engine = ScriptedEngine::start();
    let first_life = engine.client();
    let id = started(&engine, &first_life, long(ShownPid::Real));
    drop(first_life);
    let second_life = engine.client();
    let found = run(second_life.found(&"n-1".into())).unwrap();
    assert_eq!(found[0].id, id);
    let end = await_end_while(&second_life, &found[0].id, || engine.release_containers());
    assert_eq!(end.unwrap().exit_code, 5);
}
