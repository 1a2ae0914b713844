//! Which engine is found, and what is said when none is.

use super::run;
use crate::support::engine::{Endpoint, Fault, Kind, ScriptedEngine, Times, impatient};
use codling::engine::{ContainerEngine, Engine, EngineError, EngineKind, SocketSearch};
use serde_json::json;

#[test]
fn podman_and_docker_are_told_apart_and_spoken_to_in_the_older_version() {
    let podman = ScriptedEngine::start();
    let profile = run(podman.client().connect()).unwrap();
    assert_eq!(
        (profile.kind, profile.api_version.to_string()),
        (EngineKind::Podman, "1.41".to_owned())
    );
    assert_eq!(profile.facts().name, "Podman 4.3.1");

    let docker = ScriptedEngine::start_as(Kind::Docker);
    docker.speak("1.52");
    let profile = run(docker.client().connect()).unwrap();
    assert_eq!(
        (profile.kind, profile.api_version.to_string()),
        (EngineKind::Docker, "1.44".to_owned())
    );
    assert!(docker.calls().iter().any(|call| call == "GET /v1.44/info"));
}

#[test]
fn an_engine_older_than_the_floor_is_named_with_both_versions() {
    let engine = ScriptedEngine::start();
    engine.speak("1.39");
    let error = run(engine.client().connect()).unwrap_err();
    assert!(
        matches!(&error, EngineError::ApiTooOld { version, floor, .. } if version == "1.39" && floor == "1.40")
    );
}

#[test]
fn a_server_that_is_no_engine_is_not_taken_for_one() {
    let engine = ScriptedEngine::start();
    engine.fault(
        Endpoint::Ping,
        Fault::Status(404, "welcome to nginx"),
        Times::Always,
    );
    assert!(matches!(
        run(engine.client().connect()),
        Err(EngineError::Refused { status: 404, .. })
    ));
}

#[test]
fn every_place_that_was_looked_at_is_told_with_its_origin_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("docker.sock"), "not a socket").unwrap();
    let search = SocketSearch {
        docker_host: Some("tcp://10.0.0.1:2375".into()),
        container_host: Some(format!("unix://{}/absent.sock", dir.path().display())),
        runtime_dir: Some(dir.path().to_path_buf()),
        ..SocketSearch::default()
    };
    let engine = ContainerEngine::with_patience(&search, impatient());
    match run(engine.connect()) {
        Err(EngineError::NoEngine { skipped }) => {
            assert_eq!(skipped.len(), 6);
            assert_eq!(
                (skipped[0].origin.as_str(), skipped[1].origin.as_str()),
                ("DOCKER_HOST", "CONTAINER_HOST")
            );
            assert!(
                skipped[0].reason.contains("Unix sockets"),
                "{}",
                skipped[0].reason
            );
            assert_eq!(skipped[1].reason, "no such file");
            assert!(
                skipped[4].reason.contains("refused"),
                "{}",
                skipped[4].reason
            );
        }
        // A machine with an engine of its own.
        Ok(profile) => assert!(profile.skipped.len() >= 2),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_engine_that_appears_later_is_found_and_one_that_returns_is_found_again() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    engine.go_away();
    assert!(matches!(
        run(client.connect()),
        Err(EngineError::NotReachable { .. })
    ));
    engine.come_back();
    run(client.connect()).unwrap();
    engine.go_away();
    assert!(run(client.image("a")).unwrap_err().is_away());
    engine.come_back();
    assert_eq!(run(client.image("a")).unwrap(), None);
}

#[test]
fn an_engine_that_answered_last_is_not_probed_again() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    for _ in 0..3 {
        run(client.connect()).unwrap();
        run(client.image("a")).unwrap();
    }
    assert_eq!(
        (engine.count(Endpoint::Ping), engine.count(Endpoint::Info)),
        (1, 1)
    );
}

#[test]
fn an_engine_that_was_downgraded_is_spoken_to_in_its_new_version() {
    let engine = ScriptedEngine::start();
    engine.speak("1.44");
    let client = engine.client();
    run(client.connect()).unwrap();
    engine.speak("1.40");
    run(client.image("a")).unwrap();
    assert!(engine.calls().last().unwrap().contains("/v1.40/"));
}

#[test]
fn limits_that_the_kernel_cannot_enforce_are_known_before_the_first_job() {
    let engine = ScriptedEngine::start();
    engine.say("MemoryLimit", json!(false));
    assert!(!run(engine.client().connect()).unwrap().enforces_memory);

    let rootless = ScriptedEngine::start();
    rootless.say("SecurityOptions", json!(["name=rootless"]));
    rootless.say("CgroupVersion", json!("1"));
    let profile = run(rootless.client().connect()).unwrap();
    assert!(profile.rootless);
    assert!(!profile.enforces_memory && !profile.enforces_cpu && !profile.enforces_pids);
}
