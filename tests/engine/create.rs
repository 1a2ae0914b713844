//! What a container is given, and that creating twice is creating once.

use super::{run, spec};
use crate::support::engine::{Endpoint, Fault, Kind, Play, ScriptedEngine, Times};
use codling::engine::{Engine, EngineError, container_name};
use codling::model::{Capability, JOB_OUTPUT_MAX_DEFAULT};
use serde_json::{Value, json};

/// The body of the one container that was created.
fn body(engine: &ScriptedEngine) -> Value {
    let containers = engine.containers();
    assert_eq!(containers.len(), 1);
    containers.into_values().next().unwrap()
}

#[test]
fn a_container_gets_nothing_that_it_did_not_ask_for() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    run(engine.client().create(&spec("1", "a"))).unwrap();
    let body = body(&engine);
    assert_eq!(body["NetworkDisabled"], json!(true));
    let host = &body["HostConfig"];
    assert_eq!(host["NetworkMode"], json!("none"));
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["SecurityOpt"], json!(["no-new-privileges"]));
    assert_eq!(host["Memory"], json!(64 << 20));
    assert_eq!(host["MemorySwap"], host["Memory"]);
    assert_eq!(host["NanoCpus"], json!(500_000_000));
    assert_eq!(host["PidsLimit"], json!(512));
    assert_eq!(body["Labels"]["codling.node"], json!("n-1"));
    assert_eq!(body["Labels"]["codling.job"], json!("j-1"));
    assert_eq!(body["Labels"]["codling.execution"], json!("e-1"));
    for key in [
        "Binds",
        "Mounts",
        "Privileged",
        "CapAdd",
        "Devices",
        "PortBindings",
    ] {
        assert!(host.get(key).is_none(), "{key}");
    }
}

#[test]
fn a_container_gets_the_capabilities_that_the_operator_allows_and_no_others() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let mut asked = spec("1", "a");
    asked.capabilities = ["chown", "CAP_NET_RAW"]
        .map(|name| Capability::parse(name).unwrap())
        .to_vec();
    run(engine.client().create(&asked)).unwrap();
    let host = body(&engine)["HostConfig"].clone();
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["CapAdd"], json!(["CHOWN", "NET_RAW"]));
}

#[test]
fn both_ulimits_are_named_and_neither_is_above_what_may_be_granted() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let client = engine.client();
    run(client.create(&spec("1", "a"))).unwrap();
    let hard = run(client.connect()).unwrap().hard_limits;
    let ulimits = body(&engine)["HostConfig"]["Ulimits"].clone();
    for (index, name, most) in [(0, "nofile", hard.nofile), (1, "nproc", hard.nproc)] {
        assert_eq!(ulimits[index]["Name"], json!(name));
        let (soft, hard) = (
            ulimits[index]["Soft"].as_u64().unwrap(),
            ulimits[index]["Hard"].as_u64().unwrap(),
        );
        assert!(
            soft <= hard && hard <= most && soft > 0,
            "{name}: {soft} {hard} {most}"
        );
    }
}

#[test]
fn each_engine_gets_the_log_driver_that_gives_every_byte_back_and_a_cap() {
    for (kind, driver, config) in [
        (
            Kind::Podman,
            "k8s-file",
            json!({ "max-size": JOB_OUTPUT_MAX_DEFAULT.to_string() }),
        ),
        (
            Kind::Docker,
            "local",
            json!({ "max-size": (JOB_OUTPUT_MAX_DEFAULT / 2).to_string(), "max-file": "2", "compress": "false" }),
        ),
    ] {
        let engine = ScriptedEngine::start_as(kind);
        engine.image("a", Play::default());
        run(engine.client().create(&spec("1", "a"))).unwrap();
        assert_eq!(
            body(&engine)["HostConfig"]["LogConfig"],
            json!({ "Type": driver, "Config": config })
        );
    }
}

#[test]
fn memory_is_left_out_where_the_kernel_cannot_limit_it() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    engine.say("MemoryLimit", json!(false));
    run(engine.client().create(&spec("1", "a"))).unwrap();
    let host = body(&engine)["HostConfig"].clone();
    assert!(host.get("Memory").is_none() && host.get("MemorySwap").is_none());
    assert_eq!(host["PidsLimit"], json!(512));
}

#[test]
fn command_and_environment_arrive_and_what_is_empty_is_left_to_the_image() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let mut asked = spec("1", "a");
    asked.environment = vec!["A=1".into()];
    asked.run.environment = vec!["B=2".into()];
    asked.run.parameters = vec!["sh".into(), "-c".into(), "true".into()];
    run(engine.client().create(&asked)).unwrap();
    let body = body(&engine);
    assert_eq!(body["Env"], json!(["A=1", "B=2"]));
    assert_eq!(body["Cmd"], json!(["sh", "-c", "true"]));
    assert!(body.get("Entrypoint").is_none() && body.get("WorkingDir").is_none());
}

#[test]
fn creating_an_execution_twice_gives_the_same_container() {
    for kind in [Kind::Podman, Kind::Docker] {
        let engine = ScriptedEngine::start_as(kind);
        engine.image("a", Play::default());
        let first = run(engine.client().create(&spec("1", "a"))).unwrap();
        let second = run(engine.client().create(&spec("1", "a"))).unwrap();
        assert_eq!(first.id, second.id, "{kind:?}");
        assert_eq!(engine.containers().len(), 1);
    }
}

#[test]
fn a_create_whose_reply_was_lost_is_found_by_the_next() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let client = engine.client();
    for fault in [Fault::DoAndHang, Fault::DoAndClose] {
        engine.fault(Endpoint::Create, fault, Times::Once);
        let error = run(client.create(&spec("1", "a"))).unwrap_err();
        assert!(error.is_away(), "{error}");
        let created = run(client.create(&spec("1", "a"))).unwrap();
        assert_eq!(engine.containers().len(), 1);
        run(client.remove(&created.id)).unwrap();
    }
}

/// A node was killed while Docker made a container. The next one found its name taken and no container of that name, and
/// failed the job.
#[test]
fn a_create_that_finds_its_name_taken_by_what_is_not_shown_yet_is_made_again() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let taken = Fault::Status(409, "Conflict. The container name is already in use");
    engine.fault(Endpoint::Create, taken, Times::Once);
    let created = run(engine.client().create(&spec("1", "a"))).unwrap();
    assert_eq!(engine.containers().len(), 1);
    assert!(run(engine.client().inspect(&created.id)).is_ok());
}

#[test]
fn a_container_that_was_started_is_not_handed_out_again() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let client = engine.client();
    let id = run(client.create(&spec("1", "a"))).unwrap().id;
    run(client.start(&id)).unwrap();
    let error = run(client.create(&spec("1", "a"))).unwrap_err();
    assert!(
        matches!(&error, EngineError::NameInUse { holder, .. } if holder.contains("this execution")),
        "{error}"
    );
}

#[test]
fn somebody_elses_container_under_our_name_is_not_used() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let name = container_name(&"e-1".into());
    engine.foreign_container(
        &name,
        json!({ "codling.node": "n-2", "codling.execution": "e-1" }),
    );
    let error = run(engine.client().create(&spec("1", "a"))).unwrap_err();
    assert!(
        matches!(&error, EngineError::NameInUse { holder, .. } if holder.contains("somebody else")),
        "{error}"
    );
}

#[test]
fn an_image_that_is_not_here_is_named() {
    let engine = ScriptedEngine::start();
    let error = run(engine.client().create(&spec("1", "absent"))).unwrap_err();
    assert!(
        matches!(&error, EngineError::NoSuchImage { image } if image == "absent"),
        "{error}"
    );
}

#[test]
fn a_name_of_any_execution_is_one_that_engines_take() {
    assert_eq!(container_name(&"e-12/../x y".into()), "codling-e-12_.._x_y");
}

#[test]
fn a_create_that_is_answered_too_late_leaves_a_container_that_is_swept_by_label() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let client = engine.client();
    engine.fault(Endpoint::Create, Fault::Held, Times::Once);
    run(async {
        assert!(matches!(
            client.create(&spec("1", "a")).await,
            Err(EngineError::TimedOut { .. })
        ));
        let found = client.found(&"n-1".into()).await.unwrap();
        assert_eq!(found.len(), 1);
        client.remove(&found[0].id).await.unwrap();
    });
    engine.release_replies();
    assert!(engine.containers().is_empty());
}
