//! The manifest argues for itself: every dependency says why it is there.

use std::fs;
use std::process::Command;

use super::source::root;

/// Crates that must never be in the tree of a release, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    (
        "async-std",
        "discontinued (RUSTSEC-2025-0052); the smol family takes its place",
    ),
    ("async-compat", "brings a tokio runtime"),
    (
        "aws-lc-rs",
        "C and CMake in every cross build; ring or pure Rust instead",
    ),
    (
        "aws-lc-sys",
        "C and CMake in every cross build; ring or pure Rust instead",
    ),
    ("bollard", "needs a tokio runtime"),
    ("chrono", "humantime formats the few times we print"),
    ("clap", "argh is a tenth of its size"),
    ("docker-api", "needs a tokio runtime"),
    (
        "env_logger",
        "brings regex; own writer of a few lines instead",
    ),
    ("native-tls", "needs OpenSSL on the board"),
    ("openssl", "needs OpenSSL on the board"),
    ("openssl-sys", "needs OpenSSL on the board"),
    ("podman-api", "Podman only, needs a tokio runtime"),
    ("regex", "half a megabyte for what a few lines do"),
    ("reqwest", "needs a tokio runtime"),
    ("tokio-macros", "a sign of tokio's runtime features"),
    ("mio", "a sign of tokio's runtime features"),
    (
        "tracing-subscriber",
        "brings regex and a registry; `log` is enough",
    ),
    ("windows-sys", "not for a Linux agent"),
];

/// The golden list, as names.
fn golden_names() -> Vec<String> {
    let list =
        fs::read_to_string(root().join("tests/golden/deps-x86_64-unknown-linux-gnu.txt")).unwrap();
    list.lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_dependency_says_why_it_is_here() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && line.contains('=') && !line.trim_start().starts_with('#') {
            assert!(line.contains(" # "), "no reason on its line: {line}");
        }
    }
}

#[test]
fn the_dependency_list_is_the_agreed_one() {
    let output = Command::new(root().join("scripts/deps")).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn no_forbidden_crate_is_in_the_tree() {
    let names = golden_names();
    assert!(
        names.iter().any(|name| name == "codling"),
        "the golden list is empty"
    );
    for (name, why) in FORBIDDEN {
        assert!(
            !names.iter().any(|other| other == name),
            "{name} is in the tree: {why}"
        );
    }
}
