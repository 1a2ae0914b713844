//! Real nodes on a disk that is lower than they are told to keep it: what they pulled goes, and nothing else.

use crate::support::engine::{Endpoint, Play, ScriptedEngine};
use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::{IMAGE, command};
use crate::support::node::TestNode;
use crate::support::program::Program;
use crate::support::registry::{Answers, Built, Registry};
use crate::support::wait;
use codling::engine::{ContainerEngine, Engine, SocketSearch};
use std::path::Path;

on_real_engines! {
    an_image_that_was_pulled_is_gone_after_its_job_and_those_of_others_stay,
}

/// More than is free anywhere.
const ALWAYS_LOW: (&str, &str) = ("image-low-water", "99%");

fn node(socket: &Path, dir: &Path, flags: &[(&str, &str)]) -> TestNode {
    let socket = socket.display().to_string();
    let mut all = vec![("engine-socket", socket.as_str())];
    all.extend(flags);
    TestNode::start(dir, &all)
}

/// Whether the engine has an image by this name.
fn has(on: Real, image: &str) -> Result<bool, String> {
    let client = ContainerEngine::new(&SocketSearch::only(on.socket()));
    let found = wait::run(client.image(image));
    found
        .map(|found| found.is_some())
        .map_err(|error| error.to_string())
}

#[track_caller]
fn until_gone(on: Real, image: &str) {
    wait::until("the image is gone", || match has(on, image) {
        Ok(false) => Ok(()),
        other => Err(other),
    });
}

fn an_image_that_was_pulled_is_gone_after_its_job_and_those_of_others_stay(on: Real) {
    let registry = Registry::start();
    registry.serve("ours", Answers::Image(Built::Here));
    registry.serve("theirs", Answers::Image(Built::Here));
    let (ours, theirs) = (registry.name("ours"), registry.name("theirs"));
    on.command(&["pull", &theirs]);
    let dir = tempfile::tempdir().unwrap();
    let first = node(&on.socket(), dir.path(), &[]);
    let ended = first.ended(&first.submit(&command(&ours, &["true"])));
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    on.until_no_container_of(&first.id);
    assert_eq!(has(on, &ours), Ok(true), "the disk is not low by default");
    first.stop().unwrap();

    let second = node(&on.socket(), dir.path(), &[ALWAYS_LOW]);
    for image in [&theirs, IMAGE] {
        let ended = second.ended(&second.submit(&command(image, &["true"])));
        assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    }
    until_gone(on, &ours);
    for image in [&theirs, IMAGE] {
        assert_eq!(has(on, image), Ok(true), "{image} is somebody else's");
    }
    // It is pulled again, and goes again.
    let ended = second.ended(&second.submit(&command(&ours, &["true"])));
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    until_gone(on, &ours);
    second.stop().unwrap();
    on.command(&["rmi", &theirs]);
}

#[test]
fn a_prune_shows_and_removes_images_that_no_job_needs_with_room_enough() {
    let engine = ScriptedEngine::start();
    for image in ["one", "two"] {
        engine.pullable(image, Play::as_told());
    }
    engine.image("theirs", Play::as_told());
    let dir = tempfile::tempdir().unwrap();
    let node = node(engine.socket(), dir.path(), &[]);
    node.ended(&node.submit(&command("one", &["true"])));
    node.running(&node.submit(&command("two", &["sleep", "600"])));
    let prune = |words: &[&str]| {
        let mut all = vec!["prune"];
        all.extend(words);
        Program::new(&all).api(node.api).run()
    };
    engine.until("one container is left", |engine| {
        engine.containers().len() == 1
    });
    let shown = prune(&["--dry-run"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(
        shown.out.contains("one, last used ") && !shown.out.contains("two,"),
        "{}",
        shown.out
    );
    assert!(shown.err.contains("nothing was removed"), "{}", shown.err);
    assert!(engine.has_image("one"));
    let done = prune(&[]);
    assert_eq!(done.out, shown.out);
    engine.until("the idle image is removed", |engine| {
        !engine.has_image("one")
    });
    assert!(engine.has_image("two") && engine.has_image("theirs"));
    wait::until("nothing is left to remove", || {
        match prune(&["--dry-run"]).out {
            out if out == "nothing to remove\n" => Ok(()),
            out => Err(out),
        }
    });
    node.stop().unwrap();
}

#[test]
fn an_image_that_somebody_elses_container_uses_stays_and_with_a_mark_of_zero_every_image_does() {
    let engine = ScriptedEngine::start();
    engine.say("DockerRootDir", "/".into());
    for image in ["one", "two"] {
        engine.pullable(image, Play::as_told());
    }
    let dir = tempfile::tempdir().unwrap();
    let never = node(engine.socket(), dir.path(), &[("image-low-water", "0")]);
    never.ended(&never.submit(&command("one", &["true"])));
    never.ended(&never.submit(&command("two", &["true"])));
    engine.until("both containers are removed", |engine| {
        engine.containers().is_empty()
    });
    never.stop().unwrap();
    assert_eq!(engine.count(Endpoint::RemoveImage), 0);

    engine.foreign_container_of("one");
    let low = node(engine.socket(), dir.path(), &[ALWAYS_LOW]);
    engine.until("the other image is removed", |engine| {
        !engine.has_image("two")
    });
    assert!(engine.has_image("one"));
    low.stop().unwrap();
}
