//! Real nodes on a disk that is lower than they are told to keep it: what they pulled goes, and nothing else.

use crate::support::engine::{Endpoint, Play, ScriptedEngine};
use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::{IMAGE, command};
use crate::support::node::TestNode;
use crate::support::registry::{Answers, Built, Registry};
use crate::support::wait;
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

fn has(on: Real, image: &str) -> bool {
    let listed = on.command(&["images", "--format", "{{.Repository}}"]);
    let repository = image.rsplit_once(':').map_or(image, |(name, _)| name);
    listed
        .lines()
        .any(|line| line == image || line == repository)
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
    assert!(
        has(on, &ours),
        "the disk is not low by what a node keeps free"
    );
    first.stop().unwrap();

    let second = node(&on.socket(), dir.path(), &[ALWAYS_LOW]);
    for image in [&theirs, IMAGE] {
        let ended = second.ended(&second.submit(&command(image, &["true"])));
        assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    }
    wait::until("the image is gone", || match has(on, &ours) {
        true => Err("it is here"),
        false => Ok(()),
    });
    assert!(
        has(on, &theirs) && has(on, IMAGE),
        "somebody else's is gone"
    );
    // It is pulled again, and goes again.
    let ended = second.ended(&second.submit(&command(&ours, &["true"])));
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    wait::until("the image is gone again", || match has(on, &ours) {
        true => Err("it is here"),
        false => Ok(()),
    });
    second.stop().unwrap();
    on.command(&["rmi", &theirs]);
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
