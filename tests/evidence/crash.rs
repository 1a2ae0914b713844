//! What a real crash of the real binary leaves, and what the next start says of it. A debug build panics on demand.

use crate::support::engine::{Play, ScriptedEngine};
use crate::support::http;
use crate::support::program::{Ended, Program, Running, serve_on};
use crate::support::wait;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// The port in the ready line.
fn api_port(node: &Running) -> String {
    let err = node.says("ready; run a job with: ");
    let rest = err.split("REST on 127.0.0.1:").nth(1).unwrap();
    let digits = rest.chars().take_while(char::is_ascii_digit);
    digits.collect()
}

/// A node that crashes as soon as its engine is away, which it finds out by a second job.
fn crash(dir: &Path) -> Ended {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let node = serve_on(dir, engine.socket(), &[])
        .env("CODLING_TEST_PANIC", "1")
        .start();
    let port = api_port(&node);
    node.says("engine Podman");
    let first = Program::new(&["run", "--api-port", &port, "a", "--", "s3cr3t"]).run();
    assert_eq!(first.code, 0, "{}", first.err);
    engine.go_away();
    Program::new(&["run", "--api-port", &port, "--detach", "a"]).run();
    node.ended()
}

/// The stack, read with the symbols of the build that crashed and refused with those of another.
fn reads_as_functions_and_lines(report: &Path) {
    let symbols = |of: &str| {
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/symbols"))
            .arg(report)
            .arg(of)
            .output()
            .unwrap()
    };
    let read = symbols(env!("CARGO_BIN_EXE_codling"));
    let out = String::from_utf8_lossy(&read.stdout).into_owned();
    let has = |function: &str, file: &str| {
        let mut lines = out.lines();
        lines.any(|line| line.contains(function) && line.contains(file))
    };
    assert!(
        has("codling::cli::serve::serve", "src/cli/serve/mod.rs:")
            && has("codling::node::driver", "src/node/driver.rs:"),
        "{out}\n{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let other = std::env::current_exe().unwrap();
    let refused = symbols(&other.display().to_string());
    assert!(!refused.status.success(), "another build's symbols");
}

#[test]
fn a_crash_leaves_one_report_with_what_happened_last_and_the_next_start_tells_of_it() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("crash.txt");
    let ended = crash(scratch.path());
    assert_eq!(ended.code, -1, "ended by a signal: {}", ended.err);
    let report = fs::read_to_string(&path).unwrap();
    assert!(ended.err.contains(report.trim_end()), "{}", ended.err);
    assert!(report.len() <= 16 * 1024, "{}", report.len());
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    let first = report.lines().next().unwrap();
    assert!(
        first.starts_with("codling 0.1.0 crashed at src/cli/serve/mod.rs:")
            && first.ends_with(": CODLING_TEST_PANIC asks for it"),
        "{first}"
    );
    let build = report
        .lines()
        .find_map(|line| line.strip_prefix("build: "))
        .unwrap();
    assert!(build.len() >= 16, "{build}");
    for event in [
        ": started",
        ": ran, exit code 0",
        ": discarded",
        "request: submit",
        "engine away: ",
    ] {
        assert!(report.contains(event), "{event}\n{report}");
    }
    for needed in ["thread: main", "loaded at: 0x", "stack:\n"] {
        assert!(report.contains(needed), "{needed}\n{report}");
    }
    assert!(!report.contains("s3cr3t"), "of a job only ids: {report}");
    reads_as_functions_and_lines(&path);

    let next = serve_on(scratch.path(), Path::new("/none.sock"), &[]).start();
    let port: u16 = api_port(&next).parse().unwrap();
    let told = next.says("(crashed_before)");
    assert!(told.contains("crashed at src/cli/serve/mod.rs"), "{told}");
    let api = ([127, 0, 0, 1], port).into();
    let node = http::request(api, "GET", "/api/v1/agent/node", None).unwrap();
    let conditions = node.body["Codling"]["Conditions"].to_string();
    assert!(conditions.contains("crashed_before"), "{conditions}");
    drop(next);

    let again = crash(scratch.path());
    assert_eq!(again.code, -1, "{}", again.err);
    let second = fs::read_to_string(&path).unwrap();
    assert_ne!(report, second, "the next crash overwrites");
    let left: Vec<_> = fs::read_dir(scratch.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("crash"))
        .collect();
    assert_eq!(left, ["crash.txt"]);
    fs::remove_file(&path).unwrap();
    let quiet = serve_on(scratch.path(), Path::new("/none.sock"), &[]).start();
    api_port(&quiet);
    let err = wait::until("the start is over", || {
        let err = quiet.err();
        if err.contains("get one running with") {
            Ok(err)
        } else {
            Err(err)
        }
    });
    assert!(!err.contains("crashed"), "{err}");
}
