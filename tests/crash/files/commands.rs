//! Commands that write files: of stores, and the report of a crash.

use super::*;
use crate::support::http;
use crate::support::jobs::command;
use crate::support::program::Program;
use codling::store::{self, Checked, Existing, ImportError, ImportTargets, Place, StoreError};
use std::path::{Path, PathBuf};

/// Jobs of the stores that commands work on.
const JOBS: usize = 12;
/// What an export is written to, beside the data directory.
const EXPORT: &str = "export.jsonl";

/// A stopped node with some completed jobs.
fn filled(start: &Image) -> Image {
    let engine = engine();
    let watched = serve(Tape::of(start), &engine, None, |api| {
        for _ in 0..JOBS {
            let job = submit(api, &submission(ENDS, "batch"));
            is_in(api, &job, &["Completed"]);
        }
    });
    tree::image(&watched.tape.live())
}

/// Both store files of a node.
fn stores(image: &Image) -> [PathBuf; 2] {
    let id = id_of(image);
    [
        in_data(&format!("{id}-requester/jobs.db")),
        in_data(&format!("{id}-compute/executions.db")),
    ]
}

/// How many records a store file of an image holds; every one can be read.
fn records(top: &Path, file: &Path) -> Result<u64, StoreError> {
    let checked: Checked = store::check(&Place::File(top.join(file)))?;
    assert_eq!(checked.named, Vec::<String>::new());
    Ok(checked.live + checked.ended)
}

/// `codling store WORDS` on the data directory, watched.
fn command_on(image: &Image, words: &[&str]) -> Watched {
    let data = format!("TOP/{DATA}");
    let mut args = vec!["store"];
    args.extend(words);
    args.extend(["--data-dir", &data]);
    let watched = watch(Tape::of(image), &args, None, |_| {});
    assert_eq!(watched.ended.code, 0, "{}", watched.ended.err);
    watched
}

#[test]
fn a_power_cut_in_a_compaction_keeps_every_record() {
    let image = filled(&Image::default());
    let watched = command_on(&image, &["compact"]);
    for (_, name, image) in images(&watched.tape, 0..usize::MAX, Pages::All) {
        on_disk(&image, &name, |top| {
            for file in stores(&image) {
                assert_eq!(
                    records(top, &file).unwrap(),
                    JOBS as u64,
                    "{name}: {file:?}"
                );
            }
        });
    }
}

#[test]
fn a_power_cut_in_an_export_leaves_a_part_that_no_import_takes_or_all_of_it_once_it_was_said() {
    let image = filled(&Image::default());
    let watched = command_on(&image, &["export", "--output", &format!("TOP/{EXPORT}")]);
    let all = tree::image(&watched.tape.live());
    let all = all.file(Path::new(EXPORT)).unwrap().clone();
    let said = watched.tape.said("exported").expect("it tells");
    for (at, name, image) in images(&watched.tape, 0..usize::MAX, Pages::All) {
        let Some(part) = image.file(Path::new(EXPORT)) else {
            assert!(at < said, "{name}: the export is gone");
            continue;
        };
        if at >= said {
            assert!(*part == all, "{name}: the export is not whole");
        }
        if *part != all {
            let there = tempfile::tempdir().unwrap();
            let targets = ImportTargets {
                jobs: Some(there.path().join("jobs.db")),
                executions: Some(there.path().join("executions.db")),
                node: None,
            };
            let taken = store::import(&mut part.as_slice(), &targets, Existing::Refuse);
            let refused = taken.expect_err("it is no whole export");
            let is_told = matches!(refused, ImportError::Cut { .. } | ImportError::Line { .. });
            assert!(is_told, "{name}: {refused}");
        }
    }
}

#[test]
fn a_power_cut_in_an_import_leaves_the_store_before_or_the_new_one_and_it_can_be_done_again() {
    let before = filled(&Image::default());
    let exported = command_on(
        &filled(&before),
        &["export", "--output", &format!("TOP/{EXPORT}")],
    );
    let exported = tree::image(&exported.tape.live());
    let lines = exported.file(Path::new(EXPORT)).unwrap().clone();
    let files = stores(&before);
    let mut empty = before.clone();
    for file in &files {
        empty.remove(file);
    }
    for (mut start, old) in [(before, JOBS as u64), (empty, 0)] {
        start.set(Path::new(EXPORT), lines.clone());
        let export = format!("TOP/{EXPORT}");
        let watched = command_on(&start, &["import", &export, "--replace"]);
        let said = watched.tape.said("imported").expect("it tells");
        for (at, name, image) in images(&watched.tape, 0..usize::MAX, Pages::All) {
            on_disk(&image, &name, |top| {
                for file in &files {
                    let found = match records(top, file) {
                        Err(StoreError::Missing { .. }) => 0,
                        other => other.unwrap(),
                    };
                    let new = 2 * JOBS as u64;
                    assert!(found == new || at < said && found == old, "{name}: {found}");
                }
                let again = Program::new(&[
                    "store",
                    "import",
                    &top.join(EXPORT).display().to_string(),
                    "--replace",
                    "--data-dir",
                    &top.join(DATA).display().to_string(),
                ]);
                let again = again.run();
                assert_eq!(again.code, 0, "{name}: {}", again.err);
            });
        }
    }
}

#[test]
fn a_power_cut_while_a_crash_is_reported_leaves_the_report_before_or_the_new_one() {
    let (mut image, _, _) = stopped();
    let before = b"an earlier report\n".to_vec();
    image.set(&in_data("crash.txt"), before.clone());
    let engine = engine();
    let data = format!("TOP/{DATA}");
    let socket = engine.socket().display().to_string();
    let args = ["serve", "--data-dir", &data, "--engine-socket", &socket];
    let args = [&args[..], &["--api-port", "0", "--port", "0"]].concat();
    let watched = watch(Tape::of(&image), &args, None, |process| {
        let api = process.api();
        process.says("engine Podman");
        engine.go_away();
        let put = command(ENDS, &["x"]);
        // The node may be gone before it has answered.
        let _ = http::request(api, "PUT", "/api/v1/orchestrator/jobs", Some(&put));
    });
    assert_eq!(watched.ended.code, -1, "{}", watched.ended.err);
    let after = tree::image(&watched.tape.live());
    let after = after.file(&in_data("crash.txt")).unwrap().clone();
    assert!(after.starts_with(b"codling 0."), "a new report");
    for (_, name, image) in images(&watched.tape, 0..usize::MAX, Pages::All) {
        let found = image.file(&in_data("crash.txt"));
        let is_whole = found == Some(&before) || found == Some(&after);
        assert!(is_whole, "{name}: {found:?}");
    }
}
