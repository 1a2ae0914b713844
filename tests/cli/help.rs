//! Help pages are pinned, fit their screen, and need nothing.

use crate::support::program::Program;
use codling::cli::help_pages;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Lines of the smallest screen, which the first page fits.
const SCREEN_FIRST: usize = 24;
/// Lines of a screen that a page without a table of settings fits.
const SCREEN: usize = 36;
/// Lines of `serve`'s page: a line for each flag.
const SCREEN_SERVE: usize = 62;
/// Columns of any terminal.
const COLUMNS: usize = 80;

#[test]
fn help_pages_are_the_golden_ones() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help"));
    let write = std::env::var_os("CODLING_GOLDEN").is_some_and(|value| value == "write");
    let mut names = Vec::new();
    for (path, page) in help_pages() {
        let name = format!("{}.txt", path.replace(' ', "-"));
        let file = folder.join(&name);
        if write {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &page).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            page, golden,
            "{name}; CODLING_GOLDEN=write accepts the change"
        );
        names.push(name);
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "{name} belongs to no command");
    }
}

#[test]
fn every_page_fits_a_screen_and_shows_an_example_or_says_all() {
    for (path, page) in help_pages() {
        let limit = match path.as_str() {
            "codling" => SCREEN_FIRST,
            "codling serve" => SCREEN_SERVE,
            _ => SCREEN,
        };
        assert!(page.lines().count() <= limit, "{path}: too long\n{page}");
        for line in page.lines() {
            assert!(line.len() <= COLUMNS, "{path}: \"{line}\"");
        }
        assert!(
            page.contains("Examples:") || path == "codling version",
            "{path} has no example"
        );
    }
}

#[test]
fn help_and_version_work_in_a_broken_environment() {
    for args in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["help", "job", "list"],
        &["serve", "--help"],
        &["serve", "--api-port", "1", "--help"],
        &["version"],
        &["--version"],
        &["-V"],
    ] {
        let ended = Program::new(args)
            .env("CODLING_API_PORT", "broken")
            .env("DOCKER_HOST", "tcp://nowhere")
            .env("HOME", "/")
            .run();
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{args:?}");
        assert!(!ended.out.is_empty(), "{args:?}");
    }
}

#[test]
fn help_behind_the_command_to_run_belongs_to_that_command() {
    let ended = Program::new(&["run", "image", "--", "ls", "--help"])
        .env("CODLING_API_PORT", "broken")
        .run();
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("CODLING_API_PORT"), "{}", ended.err);
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_codling"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn version_is_the_packages() {
    let plain = Program::new(&["version"]).run();
    assert_eq!(
        plain.out,
        format!("codling {}\n", env!("CARGO_PKG_VERSION"))
    );
    let json = Program::new(&["version", "--json"]).run();
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["Version"], env!("CARGO_PKG_VERSION"));
}
