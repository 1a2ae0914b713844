//! The binary against a real node and a real engine: what a newcomer types.

use crate::support::engines::Real;
use crate::support::node::TestNode;
use crate::support::program::{Ended, Program};
use crate::support::registry::{Answers, Registry};

/// The image that `scripts/engine` made.
fn image() -> String {
    std::env::var("CODLING_TEST_IMAGE")
        .expect("CODLING_TEST_IMAGE: start the tests with scripts/test")
}

#[track_caller]
fn run(node: &TestNode, flags: &[&str], command: &[&str]) -> Ended {
    let image = image();
    let mut args = vec!["run"];
    args.extend(flags);
    args.extend([image.as_str(), "--"]);
    args.extend(command);
    Program::new(&args).api(node.api).run()
}

#[test]
fn a_real_job_ends_the_command_as_it_ended_itself() {
    let scratch = tempfile::tempdir().unwrap();
    let socket = Real::Podman.socket().display().to_string();
    let node = TestNode::start(scratch.path(), &[("engine-socket", &socket)]);

    let script = "echo \"$WORD\"; echo to-err >&2; exit 7";
    let ended = run(&node, &["--env", "WORD=to-out"], &["sh", "-c", script]);
    assert_eq!(ended.code, 7, "{}", ended.err);
    assert_eq!(ended.out, "to-out\n");
    assert!(ended.err.contains("\nto-err\n"), "{}", ended.err);
    assert!(
        ended.err.ends_with("codling: Completed with exit code 7\n"),
        "{}",
        ended.err
    );

    let ended = run(&node, &["--timeout", "1s"], &["sleep", "60"]);
    assert_eq!(ended.code, 124, "{}", ended.err);
    assert!(
        ended.err.contains("hint: allow more time with --timeout"),
        "{}",
        ended.err
    );

    let ended = run(&node, &[], &["/no/such/program"]);
    assert_eq!(ended.code, 125, "{}", ended.err);
    assert!(ended.err.contains("/no/such/program"), "{}", ended.err);
    assert!(
        ended.err.contains("hint: check the command"),
        "{}",
        ended.err
    );
}

#[test]
fn a_pull_is_told_while_it_lasts_and_one_that_fails_ends_with_its_hint() {
    let scratch = tempfile::tempdir().unwrap();
    let socket = Real::Podman.socket().display().to_string();
    let node = TestNode::start(scratch.path(), &[("engine-socket", &socket)]);
    let registry = Registry::start();
    registry.serve("slow", Answers::Trickling);
    let slow = registry.name("slow");
    let running = Program::new(&["run", &slow, "echo", "hi"])
        .api(node.api)
        .start();
    running.says(&format!("Pulling image {slow}: "));
    registry.release();
    let ended = running.ended();
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "hi\n"),
        "{}",
        ended.err
    );
    let at = |words: &str| {
        ended
            .err
            .find(words)
            .unwrap_or_else(|| panic!("{}", ended.err))
    };
    assert!(at("codling: Pulling image") < at("codling: Pulled image"));
    assert!(at("codling: Pulled image") < at("codling: Running"));

    let refusal = Answers::Refusal(401, "UNAUTHORIZED", "authentication required");
    registry.serve("secret", refusal);
    let ended = Program::new(&["run", &registry.name("secret"), "true"])
        .api(node.api)
        .run();
    assert_eq!(ended.code, 125, "{}", ended.err);
    assert!(ended.err.contains("unauthorized"), "{}", ended.err);
    assert!(
        ended.err.contains("hint: check the image name"),
        "{}",
        ended.err
    );
}

#[test]
fn an_interrupted_job_is_stopped_on_its_node() {
    let scratch = tempfile::tempdir().unwrap();
    let socket = Real::Podman.socket().display().to_string();
    let node = TestNode::start(scratch.path(), &[("engine-socket", &socket)]);
    let image = image();
    let running = Program::new(&["run", &image, "sleep", "60"])
        .api(node.api)
        .start();
    running.says("Running");
    running.signal(rustix::process::Signal::INT);
    let ended = running.ended();
    assert_eq!(ended.code, 130, "{}", ended.err);
    let job = ended
        .err
        .split_whitespace()
        .find(|word| word.starts_with("j-"))
        .expect("the job is named");
    assert_eq!(node.ended(job)["Job"]["State"]["StateType"], "Stopped");
    let beginning = &job[..job.len() - 4];
    let described = Program::new(&["job", "describe", beginning])
        .api(node.api)
        .run();
    assert!(
        described.out.contains("interrupted in codling run"),
        "{}",
        described.out
    );
}
