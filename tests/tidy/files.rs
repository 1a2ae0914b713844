//! What every file looks like, and where files may lie.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::source::{files_under, root, rust_files};

/// A file longer than this holds a second thing that wants a room of its own.
const LINES_MAX: usize = 900;
/// Half of all files are no longer than this: one file is read in one sitting.
const LINES_MEDIAN: usize = 250;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "common", "helpers", "helper", "types", "misc", "manager", "service",
];
/// What may lie at the top level, beside dot-files and the (ignored) build directory.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "build.rs",
    "Cargo.lock",
    "src",
    "cross",
    "scripts",
    "tests",
    "README.md",
    "LICENSE",
    "target",
];
/// The commands that the README and the CI rely on.
const COMMANDS: &[&str] = &[
    ".ci/run",
    "scripts/bench",
    "scripts/check",
    "scripts/deps",
    "scripts/engine",
    "scripts/hooks/pre-push",
    "scripts/quickstart",
    "scripts/release",
    "scripts/size",
    "scripts/symbols",
    "scripts/test",
    "scripts/toolchain",
];

#[test]
fn every_source_file_begins_by_saying_what_it_is() {
    let silent: Vec<String> = rust_files()
        .into_iter()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| file.path)
        .collect();
    assert!(
        silent.is_empty(),
        "no `//!` at the top of:\n{}",
        silent.join("\n")
    );
}

#[test]
fn source_and_scripts_are_ascii() {
    let mut files = rust_files();
    files.extend(files_under("scripts", ""));
    files.extend(files_under(".ci", ""));
    let mut wrong = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            if !line.is_ascii() {
                wrong.push(format!("{}:{}: {line}", file.path, index + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "not ASCII:\n{}", wrong.join("\n"));
}

#[test]
fn files_stay_short_enough_to_be_read() {
    let mut lengths = Vec::new();
    for file in rust_files() {
        let lines = file.text.lines().count();
        assert!(
            lines <= LINES_MAX,
            "{} has {lines} lines: give the second thing in it a room of its own",
            file.path
        );
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(
        median <= LINES_MEDIAN,
        "half of the files are longer than {median} lines"
    );
}

#[test]
fn no_file_is_named_after_nothing() {
    for file in rust_files() {
        for part in file.path.split('/') {
            let name = part.trim_end_matches(".rs");
            assert!(
                !EMPTY_NAMES.contains(&name),
                "{}: name it after what it holds",
                file.path
            );
        }
    }
}

#[test]
fn the_top_level_holds_only_what_a_newcomer_expects() {
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(
            name.starts_with('.') || TOP_LEVEL.contains(&name.as_str()),
            "{name} does not belong at the top level"
        );
    }
}

#[test]
fn every_command_exists_and_can_be_run() {
    for command in COMMANDS {
        let metadata =
            fs::metadata(root().join(command)).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(
            metadata.permissions().mode() & 0o111 != 0,
            "{command} has no run bit"
        );
    }
}

#[test]
fn the_licence_is_the_one_that_the_manifest_names() {
    let licence = fs::read_to_string(root().join("LICENSE")).unwrap();
    assert!(licence.contains("Apache License") && licence.contains("Version 2.0, January 2004"));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("license = \"Apache-2.0\""));
}

/// `#[allow(...)]` in the crate proves itself: a reason, or a comment on its line or a line beside it.
#[test]
fn every_exception_from_a_lint_says_why() {
    let mut wrong = Vec::new();
    for file in files_under("src", ".rs") {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let opens = line.trim_start().starts_with("#[allow(")
                || line.trim_start().starts_with("#![allow(");
            let before = index
                .checked_sub(1)
                .map_or("", |index| lines[index].trim_start());
            let below = lines.get(index + 1).map_or("", |line| line.trim_start());
            let after = lines[index..]
                .iter()
                .take(6)
                .take_while(|line| !line.trim_end().ends_with(")]"));
            let reason =
                line.contains("reason") || after.into_iter().any(|line| line.contains("reason"));
            let comment =
                line.contains("//") || before.starts_with("//") || below.starts_with("//");
            if opens && !reason && !comment {
                wrong.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "lint exceptions without a reason:\n{}",
        wrong.join("\n")
    );
}
