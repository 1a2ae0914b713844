//! Images on the real engines: those that are here, those that a registry has, and every way in which it can fail.

use crate::support::engine::{Endpoint, Fault, Play, ScriptedEngine, Times};
use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::registry::{Answers, Built, Registry};
use crate::support::small_disk::SmallDisk;
use crate::support::wait;
use codling::engine::{ContainerEngine, Engine, SocketSearch};
use serde_json::Value;
use std::path::Path;

on_real_engines! {
    an_image_that_is_here_runs_by_every_name_that_it_has_and_asks_no_registry,
    an_image_of_another_platform_is_refused_by_both_names_before_anything_starts,
    every_way_in_which_a_registry_fails_is_told_apart_and_has_its_hint,
    an_operator_who_forbids_pulls_has_no_registry_asked,
    a_pull_is_told_while_the_execution_is_accepted_and_nothing_runs_before_its_end,
    a_job_that_is_stopped_while_it_pulls_ends_the_pull_and_leaves_nothing,
}

#[test]
fn an_image_that_does_not_fit_on_the_engines_disk_is_told_as_that() {
    let registry = Registry::start();
    registry.serve("good", Answers::Image(Built::Here));
    let disk = SmallDisk::start();
    let socket = disk.socket().display().to_string();
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[("engine-socket", &socket)]);
    let ended = node.ended(&node.submit(&command(&registry.name("good"), &["true"])));
    let (code, hint) = failed(&ended);
    assert_eq!(code, "ImageNoSpace", "{ended:#}");
    assert!(hint.contains("make room"), "{hint}");
}

#[test]
fn an_image_that_fits_once_others_have_gone_is_pulled_after_them() {
    let engine = ScriptedEngine::start();
    for image in ["one", "two"] {
        engine.pullable(image, Play::as_told());
    }
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start_on(dir.path(), &engine);
    node.ended(&node.submit(&command("one", &["true"])));
    engine.until("its container is removed", |engine| {
        engine.containers().is_empty()
    });
    let full = b"{\"error\":\"write /a: no space left on device\"}\n".to_vec();
    engine.fault(Endpoint::Pull, Fault::Body(full), Times::Once);
    let ended = node.ended(&node.submit(&command("two", &["true"])));
    assert_eq!(state(&ended), "Completed", "{ended:#}");
    assert!(!engine.has_image("one") && engine.has_image("two"));
}

fn node(on: Real, dir: &Path, flags: &[(&str, &str)]) -> TestNode {
    let socket = on.socket().display().to_string();
    let mut all = vec![("engine-socket", socket.as_str())];
    all.extend(flags);
    TestNode::start(dir, &all)
}

fn state(ended: &Value) -> &str {
    ended["Job"]["State"]["StateType"].as_str().unwrap()
}

/// Each history item's number and message.
fn story(job: &Value) -> Vec<(u64, String)> {
    let items = job["History"]["Items"].as_array().unwrap().iter();
    let told = items.map(|item| {
        let message = item["Event"]["Message"].as_str().unwrap();
        (item["SeqNum"].as_u64().unwrap(), message.to_owned())
    });
    told.collect()
}

/// Code and hint of the last item that says it is an error.
fn failed(ended: &Value) -> (String, String) {
    assert_eq!(state(ended), "Failed", "{ended:#}");
    let items = ended["History"]["Items"].as_array().unwrap();
    let is_error = |item: &&Value| item["Event"]["Details"]["ErrorCode"].is_string();
    let details = &items.iter().rfind(is_error).expect("an error item")["Event"]["Details"];
    let text = |key: &str| details[key].as_str().unwrap_or_default().to_owned();
    (text("ErrorCode"), text("Hint"))
}

fn an_image_that_is_here_runs_by_every_name_that_it_has_and_asks_no_registry(on: Real) {
    let registry = Registry::start();
    registry.serve("good", Answers::Image(Built::Here));
    let name = registry.name("good");
    let dir = tempfile::tempdir().unwrap();
    let pulling = node(on, &dir.path().join("a"), &[]);
    let ended = pulling.ended(&pulling.submit(&command(&name, &["echo", "pulled"])));
    let output = &ended["Executions"]["Items"][0]["RunOutput"]["Stdout"];
    assert_eq!(output, "pulled\n", "{ended:#}");

    let asked = registry.requests();
    assert!(!asked.is_empty());
    let id = on.command(&["image", "inspect", "--format", "{{.Id}}", &name]);
    let id = id.trim().trim_start_matches("sha256:");
    let digest = registry.digest("good");
    let names = [
        name.clone(),
        format!("{name}:latest"),
        format!("{name}@{digest}"),
        format!("{name}:latest@{digest}"),
        id.to_owned(),
        format!("sha256:{id}"),
        id[..12].to_owned(),
    ];
    let node = node(on, &dir.path().join("b"), &[("image-pull", "never")]);
    let jobs = names.map(|name| (node.submit(&command(&name, &["echo", "here"])), name));
    for (job, name) in jobs {
        let ended = node.ended(&job);
        let output = &ended["Executions"]["Items"][0]["RunOutput"]["Stdout"];
        assert_eq!(output, "here\n", "{name}: {ended:#}");
    }
    assert_eq!(registry.requests(), asked);
}

fn an_image_of_another_platform_is_refused_by_both_names_before_anything_starts(on: Real) {
    let registry = Registry::start();
    registry.serve("alien", Answers::Image(Built::Elsewhere));
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, dir.path(), &[]);
    // The first job pulls it, the second finds it here.
    for _ in 0..2 {
        let job = command(&registry.name("alien"), &["echo", "hi"]);
        let ended = node.ended(&node.submit(&job));
        let (code, hint) = failed(&ended);
        assert_eq!(code, "WrongPlatform", "{ended:#}");
        assert!(hint.contains("platform"), "{hint}");
        let message = ended["Job"]["State"]["Message"].as_str().unwrap();
        let own = match std::env::consts::ARCH {
            "x86_64" => "linux/amd64",
            "aarch64" => "linux/arm64",
            other => panic!("name {other} here"),
        };
        assert!(
            message.contains("linux/s390x") && message.contains(own),
            "{message}"
        );
        let running = |(_, message): &(u64, String)| message == "Running";
        assert!(!story(&ended).iter().any(running), "{ended:#}");
    }
    on.until_no_container_of(&node.id);
}

fn every_way_in_which_a_registry_fails_is_told_apart_and_has_its_hint(on: Real) {
    let registry = Registry::start();
    registry.serve("good", Answers::Image(Built::Here));
    let refusals = [
        ("login", 401, "UNAUTHORIZED", "authentication required"),
        (
            "secret",
            403,
            "DENIED",
            "requested access to the resource is denied",
        ),
        (
            "busy",
            429,
            "TOOMANYREQUESTS",
            "You have reached your pull rate limit.",
        ),
        ("broken", 500, "UNKNOWN", "unknown error"),
    ];
    for (repository, status, code, message) in refusals {
        registry.serve(repository, Answers::Refusal(status, code, message));
    }
    let cases = [
        (registry.name("login"), "ImageDenied", "login"),
        (registry.name("secret"), "ImageDenied", "login"),
        (registry.name("busy"), "ImageRateLimit", "wait"),
        (registry.name("broken"), "ImagePull", "registry"),
        (registry.name("nobody"), "ImageNotFound", "name"),
        (
            format!("{}:absent", registry.name("good")),
            "ImageNotFound",
            "name",
        ),
        // Nothing listens there.
        (
            "127.0.0.1:1/unreachable".to_owned(),
            "ImageNoNetwork",
            "network",
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, dir.path(), &[]);
    let jobs = cases.map(|case| (node.submit(&command(&case.0, &["true"])), case));
    for (job, (image, code, hinted)) in jobs {
        let ended = node.ended(&job);
        let (told, hint) = failed(&ended);
        assert_eq!(told, code, "{image}: {ended:#}");
        assert!(hint.contains(hinted), "{image}: {hint}");
        let message = ended["Job"]["State"]["Message"].as_str().unwrap();
        assert!(message.contains(&image), "{message} does not name {image}");
    }
    on.until_no_container_of(&node.id);
}

fn an_operator_who_forbids_pulls_has_no_registry_asked(on: Real) {
    let registry = Registry::start();
    registry.serve("good", Answers::Image(Built::Here));
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, dir.path(), &[("image-pull", "never")]);
    let ended = node.ended(&node.submit(&command(&registry.name("good"), &["true"])));
    let (code, hint) = failed(&ended);
    assert_eq!(code, "ImageNotHere", "{ended:#}");
    assert!(hint.contains("--image-pull missing"), "{hint}");
    assert_eq!(registry.requests(), Vec::<String>::new());
}

fn a_pull_is_told_while_the_execution_is_accepted_and_nothing_runs_before_its_end(on: Real) {
    let registry = Registry::start();
    registry.serve("slow", Answers::Trickling);
    let image = registry.name("slow");
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, dir.path(), &[]);
    let job = node.submit(&command(&image, &["echo", "at last"]));
    let path = format!("orchestrator/jobs/{job}?include=executions,history");
    let underway = format!("Pulling image {image}: ");
    let midway = wait::until("the history tells how far the pull is", || {
        let body = node.call("GET", &path, None).body;
        let told = |(_, message): &(u64, String)| message.starts_with(&underway);
        if story(&body).iter().any(told) {
            Ok(body)
        } else {
            Err(body)
        }
    });
    assert_eq!(registry.trickling(), 1);
    let execution = &midway["Executions"]["Items"][0];
    assert_eq!(execution["ComputeState"]["StateType"], 5, "{midway:#}");
    let messages = story(&midway);
    let began = format!("Pulling image {image}");
    assert!(messages.iter().any(|(_, message)| *message == began));
    assert!(messages.iter().all(|(_, message)| message != "Running"));

    registry.release();
    let ended = node.ended(&job);
    assert_eq!(
        ended["Executions"]["Items"][0]["RunOutput"]["Stdout"], "at last\n",
        "{ended:#}"
    );
    let number = |wanted: &str| {
        let messages = story(&ended);
        let found = messages.iter().find(|(_, message)| message == wanted);
        found
            .unwrap_or_else(|| panic!("no {wanted} in {messages:#?}"))
            .0
    };
    assert!(number(&began) < number(&format!("Pulled image {image}")));
    assert!(number(&format!("Pulled image {image}")) < number("Running"));
}

fn a_job_that_is_stopped_while_it_pulls_ends_the_pull_and_leaves_nothing(on: Real) {
    let registry = Registry::start();
    registry.serve("slow", Answers::Trickling);
    let image = registry.name("slow");
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, dir.path(), &[]);
    let job = node.submit(&command(&image, &["echo", "never"]));
    wait::until("the pull is underway", || match registry.trickling() {
        1 => Ok(()),
        other => Err(other),
    });
    let path = format!("orchestrator/jobs/{job}");
    assert_eq!(node.call("DELETE", &path, None).status, 200);
    assert_eq!(state(&node.ended(&job)), "Stopped");
    assert_eq!(node.execution_ended(&job)["ComputeState"]["StateType"], 11);
    wait::until("the engine gives the pull up", || {
        match registry.given_up() {
            1 => Ok(()),
            other => Err(other),
        }
    });
    let engine = ContainerEngine::new(&SocketSearch::only(on.socket()));
    assert_eq!(wait::run(engine.image(&image)).unwrap(), None);
    on.until_no_container_of(&node.id);
}
