//! Store files without a node: checked, compacted, exported, imported.

use super::samples::*;
use super::*;
use crate::support::recorder::{Disk, ImageKind, Recorder};
use crate::support::seed::Seed;
use codling::model::*;
use codling::store::{
    Checked, Existing, ExportError, ImportError, ImportTargets, StoreError, check, compact, export,
    import,
};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use std::path::PathBuf;

const JOBS: TableDefinition<&str, &[u8]> = TableDefinition::new("jobs-v1");
const SUBMITTED: TableDefinition<&str, &[u8]> = TableDefinition::new("job-submitted-v1");
const CHUNKS: TableDefinition<(&str, u32), &[u8]> = TableDefinition::new("job-executions-v1");
const VERSIONS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("job-versions-v1");
const IMAGES: TableDefinition<&str, &[u8]> = TableDefinition::new("images-v1");
const EXECUTIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("executions-v1");

fn jobs_db(directory: &Path) -> PathBuf {
    directory.join("node-requester/jobs.db")
}

fn executions_db(directory: &Path) -> PathBuf {
    directory.join("node-compute/executions.db")
}

fn places(directory: &Path) -> [Place; 2] {
    [jobs_db(directory), executions_db(directory)].map(Place::File)
}

fn targets(directory: &Path) -> ImportTargets {
    ImportTargets {
        jobs: Some(jobs_db(directory)),
        executions: Some(executions_db(directory)),
        node: Some(NodeId::from(NODE)),
    }
}

/// A closed store with `count` random jobs and executions.
fn filled(directory: &Path, count: u32) {
    let mut seed = Seed::new(7);
    let (store, _) = open(config_in(directory));
    for n in 0..count {
        let job = random::job_record(&mut seed, n);
        let execution = random::execution_record(&mut seed, n);
        commit(&store, batch([job], [execution]));
    }
    let images = Some(pulled(&["one", "two"]));
    commit(
        &store,
        Batch {
            images,
            ..Batch::default()
        },
    );
    close(store);
}

/// Every row of both files, by table.
fn rows(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let database = redb::Database::open(jobs_db(directory)).unwrap();
    let txn = database.begin_read().unwrap();
    for table in [JOBS, SUBMITTED] {
        for row in txn.open_table(table).unwrap().iter().unwrap() {
            let (key, value) = row.unwrap();
            all.push((format!("{table} {}", key.value()), value.value().to_vec()));
        }
    }
    for row in txn.open_table(CHUNKS).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        all.push((format!("chunk {:?}", key.value()), value.value().to_vec()));
    }
    for row in txn.open_table(VERSIONS).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        all.push((format!("version {:?}", key.value()), value.value().to_vec()));
    }
    let database = redb::Database::open(executions_db(directory)).unwrap();
    let txn = database.begin_read().unwrap();
    for row in txn.open_table(IMAGES).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        all.push((format!("images {}", key.value()), value.value().to_vec()));
    }
    for row in txn.open_table(EXECUTIONS).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        all.push((format!("execution {}", key.value()), value.value().to_vec()));
    }
    all
}

/// Changes a jobs.db by hand.
fn meddle(directory: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Database::open(jobs_db(directory)).unwrap();
    let txn = database.begin_write().unwrap();
    change(&txn);
    txn.commit().unwrap();
}

#[track_caller]
fn checked(path: PathBuf) -> Checked {
    let before = std::fs::read(&path).unwrap();
    let checked = check(&Place::File(path.clone())).unwrap();
    assert!(std::fs::read(&path).unwrap() == before, "the file changed");
    checked
}

fn exported(directory: &Path) -> String {
    let mut text = Vec::new();
    let told = export(&places(directory), Some(&NodeId::from(NODE)), &mut text);
    assert_eq!(told.unwrap().left_out, Vec::<String>::new());
    String::from_utf8(text).unwrap()
}

fn imported(text: &str, directory: &Path, existing: Existing) -> Result<(u64, u64), ImportError> {
    let told = import(&mut text.as_bytes(), &targets(directory), existing)?;
    Ok((told.jobs, told.executions))
}

/// Files of a directory and those below it.
fn files_in(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_in(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn a_check_counts_what_both_files_hold_and_changes_no_byte_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(config_in(directory.path()));
    let jobs = [
        job_record(1, JobState::Running),
        job_record(2, JobState::Completed),
        job_record(3, JobState::Failed),
    ];
    let executions = [execution_record(1, ComputeState::Accepted)];
    commit(&store, batch(jobs, executions));
    // A copy of an open store is what a killed process leaves.
    let killed = directory.path().join("killed.db");
    std::fs::copy(jobs_db(directory.path()), &killed).unwrap();
    close(store);
    for path in [jobs_db(directory.path()), killed] {
        let bytes = std::fs::metadata(&path).unwrap().len();
        let expected = Checked {
            path: path.clone(),
            content: "jobs",
            bytes,
            live: 1,
            ended: 2,
            bad: 0,
            named: Vec::new(),
        };
        assert_eq!(checked(path), expected);
    }
    let executions = checked(executions_db(directory.path()));
    assert_eq!((executions.live, executions.ended), (1, 0));
}

#[test]
fn a_check_names_records_that_cannot_be_read_and_parts_of_no_job_and_goes_on_behind_them() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 40);
    let (store, _) = open(config_in(directory.path()));
    commit(&store, batch([job_record(40, JobState::Failed)], []));
    close(store);
    let whole = checked(jobs_db(directory.path()));
    assert_eq!((whole.live + whole.ended, whole.bad), (41, 0));
    meddle(directory.path(), |txn| {
        let mut jobs = txn.open_table(JOBS).unwrap();
        jobs.insert("j-bad", &b"\xff"[..]).unwrap();
        let other = jobs.get(job_id(40).as_str()).unwrap();
        let other = other.unwrap().value().to_vec();
        jobs.insert("j-alias", other.as_slice()).unwrap();
        let mut chunks = txn.open_table(CHUNKS).unwrap();
        chunks.insert(("j-gone", 0), &b"\x80"[..]).unwrap();
        let mut submitted = txn.open_table(SUBMITTED).unwrap();
        submitted.insert("j-gone", &b"{}"[..]).unwrap();
        let mut versions = txn.open_table(VERSIONS).unwrap();
        versions.insert(("j-gone", 1), &b"\x80"[..]).unwrap();
    });
    let found = checked(jobs_db(directory.path()));
    assert_eq!((found.live + found.ended, found.bad), (41, 5));
    let named = found.named.join("\n");
    for part in [
        "record \"j-bad\" of table \"jobs-v1\"",
        "record \"j-alias\" of table \"jobs-v1\"",
        "record \"j-gone\" of table \"job-executions-v1\": no job has it",
        "record \"j-gone\" of table \"job-submitted-v1\": no job has it",
        "record \"j-gone\" of table \"job-versions-v1\": no job has it",
    ] {
        assert!(named.contains(part), "{part}\n{named}");
    }
}

#[test]
fn a_check_finds_pages_that_changed_and_a_file_that_is_none_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 40);
    let path = jobs_db(directory.path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4_096..].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let error = check(&Place::File(path.clone())).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(std::fs::read(&path).unwrap() == bytes, "the file changed");
    let missing = check(&Place::File(directory.path().join("none.db"))).unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing:?}");
    let foreign = directory.path().join("foreign.db");
    drop(redb::Database::create(&foreign).unwrap());
    let foreign = check(&Place::File(foreign)).unwrap_err();
    assert!(matches!(foreign, StoreError::NotOurs { .. }), "{foreign:?}");
}

#[test]
fn a_compaction_gives_back_what_deleted_records_left_and_keeps_every_other_row() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 400);
    let (store, _) = open(config_in(directory.path()));
    let gone = (0..390).map(|n| (job_id(n), Write::Delete)).collect();
    commit(
        &store,
        Batch {
            jobs: gone,
            ..Batch::default()
        },
    );
    close(store);
    let before = rows(directory.path());
    let told = compact(&Place::File(jobs_db(directory.path()))).unwrap();
    assert!(told.after < told.before / 4, "{told:?}");
    assert_eq!(
        told.after,
        std::fs::metadata(jobs_db(directory.path())).unwrap().len()
    );
    assert!(rows(directory.path()) == before, "a row changed");
    assert_eq!(checked(jobs_db(directory.path())).bad, 0);
}

#[test]
fn a_power_cut_at_any_moment_of_a_compaction_loses_no_record() {
    let made = Recorder::new();
    let config = |recorder: &Recorder| StoreConfig {
        node: NodeId::from(NODE),
        jobs: Place::Backend(recorder.backend(Disk::Jobs)),
        executions: Place::Memory,
        damaged: DamagedStore::Refuse,
    };
    let (store, _) = open(config(&made));
    for n in 0..60 {
        commit(&store, batch([job_record(n, JobState::Running)], []));
    }
    let gone = (0..50).map(|n| (job_id(n), Write::Delete)).collect();
    commit(
        &store,
        Batch {
            jobs: gone,
            ..Batch::default()
        },
    );
    close(store);
    let recorder = Recorder::resume(made.image(made.position(), ImageKind::Dropped));
    let place = |recorder: &Recorder| Place::Backend(recorder.backend(Disk::Jobs));
    let (_, expected) = open(config(&recorder));
    let recorder = Recorder::resume(recorder.image(recorder.position(), ImageKind::Kept));
    let told = compact(&place(&recorder)).unwrap();
    assert!(told.after < told.before, "{told:?}");
    let mut images = 0;
    for cut in 0..=recorder.position() {
        for kind in [
            ImageKind::Kept,
            ImageKind::Dropped,
            ImageKind::Torn(1),
            ImageKind::Torn(2),
        ] {
            let after = Recorder::resume(recorder.image(cut, kind));
            let (_, state) = open(config(&after));
            assert_eq!(state, expected, "cut behind op {cut}, {kind:?}");
            let again = Recorder::resume(recorder.image(cut, kind));
            compact(&place(&again)).unwrap();
            images += 1;
        }
    }
    assert!(images >= 100, "only {images} images");
}

#[test]
fn an_import_gives_back_every_row_of_an_export_to_the_byte() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(from.path(), 600);
    let before: Vec<_> = files_in(from.path())
        .iter()
        .map(std::fs::read)
        .map(Result::unwrap)
        .collect();
    let text = exported(from.path());
    let after: Vec<_> = files_in(from.path())
        .iter()
        .map(std::fs::read)
        .map(Result::unwrap)
        .collect();
    assert!(before == after, "an export changed its store");
    assert_eq!(text.lines().count(), 1 + 600 + 600 + 1 + 1);
    assert_eq!(
        imported(&text, to.path(), Existing::Refuse).unwrap(),
        (600, 600)
    );
    let expected = rows(from.path());
    for table in ["chunk", "version", "job-submitted", "images"] {
        let has_it = |(name, _): &(String, Vec<u8>)| name.contains(table);
        assert!(expected.iter().any(has_it), "no {table} was exported");
    }
    assert!(rows(to.path()) == expected, "a row differs");
    assert_eq!(files_in(to.path()).len(), 2, "{:?}", files_in(to.path()));
    assert!(exported(to.path()) == text, "the second export differs");
}

#[test]
fn an_exported_line_can_be_read_by_eye_and_by_program() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(config_in(directory.path()));
    let job = job_record(1, JobState::Failed);
    commit(
        &store,
        batch([job], [execution_record(1, ComputeState::Accepted)]),
    );
    close(store);
    let text = exported(directory.path());
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["Store"]["Format"], 1);
    assert_eq!(lines[0]["Store"]["Node"], NODE);
    assert_eq!(lines[1]["Job"]["ID"], job_id(1).as_str());
    assert_eq!(lines[1]["Job"]["Name"], "echo 1");
    assert_eq!(lines[1]["Job"]["State"], "Failed");
    assert_eq!(lines[2]["Execution"]["JobID"], job_id(1).as_str());
    assert_eq!(lines[2]["Execution"]["State"], "Accepted");
    assert_eq!(lines[3]["End"]["Jobs"], 1);
}

#[test]
fn a_record_that_cannot_be_read_is_left_out_of_an_export_and_the_others_are_saved() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(from.path(), 5);
    meddle(from.path(), |txn| {
        let mut jobs = txn.open_table(JOBS).unwrap();
        jobs.insert(job_id(2).as_str(), &b"\xff"[..]).unwrap();
    });
    let mut text = Vec::new();
    let told = export(&places(from.path()), None, &mut text).unwrap();
    assert_eq!((told.jobs, told.executions, told.left_out.len()), (4, 5, 1));
    assert!(told.left_out[0].contains(job_id(2).as_str()));
    let text = String::from_utf8(text).unwrap();
    assert_eq!(
        imported(&text, to.path(), Existing::Refuse).unwrap(),
        (4, 5)
    );
    assert_eq!(checked(jobs_db(to.path())).bad, 0);
}

#[test]
fn two_files_of_one_kind_make_no_export() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1);
    let copy = directory.path().join("copy.db");
    std::fs::copy(jobs_db(directory.path()), &copy).unwrap();
    let two = [jobs_db(directory.path()), copy].map(Place::File);
    let error = export(&two, None, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, ExportError::Twice { content: "jobs" }));
}

#[test]
fn a_bad_line_of_an_import_is_named_by_its_number_and_changes_nothing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(from.path(), 3);
    let text = exported(from.path());
    let lines: Vec<&str> = text.lines().collect();
    let with = |number: usize, line: &str| {
        let mut lines = lines.clone();
        lines[number - 1] = line;
        lines.join("\n") + "\n"
    };
    let swapped = {
        let one: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        let mut other: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
        other["Job"]["Row"] = one["Job"]["Row"].clone();
        other.to_string()
    };
    let newer = lines[0].replace("\"Format\":1", "\"Format\":2");
    let bad_base64 = lines[2].replacen("\"Row\":\"", "\"Row\":\"?", 1);
    for (text, number, part) in [
        (with(1, lines[1]), 1, "not the first line"),
        (with(1, &newer), 1, "format 2 is newer than 1"),
        (with(2, "{\"Secret\":{}}"), 2, "unknown variant"),
        (with(3, "no JSON"), 3, "expected"),
        (with(3, &bad_base64), 3, "bad base64"),
        (with(3, &swapped), 3, "do not belong together"),
        (with(3, lines[1]), 3, "came before"),
        (with(4, lines[0]), 4, "a second \"Store\" line"),
        (
            with(9, "{\"End\":{\"Jobs\":9,\"Executions\":3}}"),
            9,
            "9 jobs",
        ),
    ] {
        let error = imported(&text, to.path(), Existing::Refuse).unwrap_err();
        match &error {
            ImportError::Line { number: told, what } => {
                assert_eq!(*told, number, "{error}");
                assert!(what.contains(part), "{error}");
            }
            other => panic!("{part}: {other:?}"),
        }
        let left = files_in(to.path());
        assert_eq!(left, Vec::<PathBuf>::new(), "{part}");
    }
}

#[test]
fn an_export_that_was_cut_is_not_taken_wherever_the_cut_is() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(from.path(), 2);
    let text = exported(from.path());
    let mut seed = Seed::new(3);
    // The line feed at the very end is no loss.
    let end = text.len() - 1;
    let anywhere = (0..40).map(|_| usize::try_from(seed.below(end as u64)).unwrap());
    let behind_a_line = text.match_indices('\n').map(|(at, _)| at + 1);
    for cut in anywhere.chain(behind_a_line.filter(|cut| *cut < end)) {
        let error = imported(&text[..cut], to.path(), Existing::Refuse).unwrap_err();
        let is_told = match &error {
            ImportError::Cut { .. } => true,
            ImportError::Line { number: 0 | 1, .. } => text[..cut].lines().count() <= 1,
            _ => false,
        };
        assert!(is_told, "cut at {cut}: {error:?}");
        assert_eq!(files_in(to.path()), Vec::<PathBuf>::new());
    }
}

#[test]
fn an_import_replaces_records_only_when_it_is_told_to_and_never_a_file_that_is_not_ours() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(from.path(), 3);
    filled(to.path(), 5);
    let text = exported(from.path());
    let before = rows(to.path());
    let error = imported(&text, to.path(), Existing::Refuse).unwrap_err();
    assert!(
        matches!(
            error,
            ImportError::NotEmpty {
                records: 5,
                content: "jobs",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(rows(to.path()) == before, "a row changed");
    assert_eq!(
        imported(&text, to.path(), Existing::Replace).unwrap(),
        (3, 3)
    );
    assert!(rows(to.path()) == rows(from.path()), "a row differs");

    // A store without records is no obstacle, a damaged one is gone only when that was said.
    let empty = tempfile::tempdir().unwrap();
    close(open(config_in(empty.path())).0);
    imported(&text, empty.path(), Existing::Refuse).unwrap();
    let path = jobs_db(to.path());
    std::fs::write(&path, b"not a database").unwrap();
    let error = imported(&text, to.path(), Existing::Refuse).unwrap_err();
    let is_damaged = matches!(error, ImportError::Store(StoreError::Damaged { .. }));
    assert!(is_damaged, "{error:?}");
    imported(&text, to.path(), Existing::Replace).unwrap();
    assert!(rows(to.path()) == rows(from.path()), "a row differs");

    let mut bolt = vec![0; 8_192];
    bolt[16..20].copy_from_slice(&0xed0c_daed_u32.to_le_bytes());
    std::fs::write(&path, &bolt).unwrap();
    let error = imported(&text, to.path(), Existing::Replace).unwrap_err();
    let is_bolt = matches!(error, ImportError::Store(StoreError::Bolt { .. }));
    assert!(is_bolt, "{error:?}");
    assert!(std::fs::read(&path).unwrap() == bolt, "the file changed");
}

#[test]
fn an_export_is_only_for_its_own_node_and_only_where_there_are_files_for_it() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(from.path(), 1);
    let text = exported(from.path());
    let other = ImportTargets {
        node: Some(NodeId::from("12D3KooWOther")),
        ..targets(to.path())
    };
    let error = import(&mut text.as_bytes(), &other, Existing::Refuse).unwrap_err();
    assert!(matches!(error, ImportError::OtherNode { .. }), "{error:?}");
    let memory = ImportTargets {
        executions: None,
        ..targets(to.path())
    };
    let error = import(&mut text.as_bytes(), &memory, Existing::Refuse).unwrap_err();
    assert!(
        matches!(
            error,
            ImportError::NoFile {
                content: "executions"
            }
        ),
        "{error:?}"
    );
    assert_eq!(files_in(to.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_store_that_is_open_is_left_alone_by_every_tool() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(from.path(), 1);
    let text = exported(from.path());
    let (_store, _) = open(config_in(to.path()));
    let place = Place::File(jobs_db(to.path()));
    let in_use = |error: &StoreError| matches!(error, StoreError::InUse { .. });
    assert!(in_use(&check(&place).unwrap_err()));
    assert!(in_use(&compact(&place).unwrap_err()));
    match export(&places(to.path()), None, &mut Vec::new()).unwrap_err() {
        ExportError::Store(error) => assert!(in_use(&error), "{error:?}"),
        other => panic!("{other:?}"),
    }
    match imported(&text, to.path(), Existing::Replace).unwrap_err() {
        ImportError::Store(error) => assert!(in_use(&error), "{error:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_an_interrupted_import_left_is_no_obstacle_and_a_line_feed_at_the_end_may_be_missing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(from.path(), 2);
    filled(to.path(), 1);
    let half = to.path().join("node-requester/jobs.db.import");
    std::fs::copy(jobs_db(to.path()), &half).unwrap();
    let text = exported(from.path());
    imported(text.trim_end(), to.path(), Existing::Replace).unwrap();
    assert!(rows(to.path()) == rows(from.path()), "a row differs");
    assert!(!half.exists());
}
