//! The store flags of `codling serve` (serve.md 1.8), each outcome as an operator meets it.

use crate::support::program::{Ended, Program, Running, serve};
use redb::TableDefinition;
use std::path::Path;

const JOBS_PATH: &str = "--requester-job-store-path";
const EXECUTIONS_PATH: &str = "--compute-execution-store-path";
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// A node whose jobs are to be in `path` ends at once, and the file there is as it was.
#[track_caller]
fn refused(path: &Path, more: &[&str]) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let before = std::fs::read(path).ok();
    let text = path.display().to_string();
    let mut flags = vec![JOBS_PATH, &text];
    flags.extend(more);
    let ended = serve(dir.path(), &flags).run();
    assert_ne!(ended.code, 0, "{}", ended.out);
    assert!(ended.err.contains(&text), "{}", ended.err);
    assert!(std::fs::read(path).ok() == before, "{text} changed");
    ended
}

#[track_caller]
fn stop(node: Running) -> Ended {
    node.signal(rustix::process::Signal::TERM);
    node.ended()
}

/// The store file of jobs of a node that ran in `dir`.
fn made_in(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("jobs.db");
    let text = path.display().to_string();
    let node = serve(&dir.join("data"), &[JOBS_PATH, &text]).start();
    node.api();
    assert_eq!(stop(node).code, 0);
    path
}

#[test]
fn each_store_file_that_cannot_be_used_is_refused_with_its_own_words_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let ended = refused(dir.path(), &[]);
    assert!(
        ended.err.contains("give the path with a file name"),
        "{}",
        ended.err
    );

    let ended = refused(Path::new("/sys/codling/jobs.db"), &[]);
    assert!(ended.err.contains("cannot be written"), "{}", ended.err);

    let bolt = dir.path().join("bolt.db");
    let mut bytes = vec![0; 8_192];
    bytes[16..20].copy_from_slice(&0xed0c_daed_u32.to_le_bytes());
    std::fs::write(&bolt, bytes).unwrap();
    let ended = refused(&bolt, &[]);
    assert!(ended.err.contains("is a bolt database"), "{}", ended.err);

    let ours = made_in(dir.path());
    let newer = dir.path().join("newer.db");
    std::fs::copy(&ours, &newer).unwrap();
    let database = redb::Database::open(&newer).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(META).unwrap().insert("schema", 9).unwrap();
    txn.commit().unwrap();
    drop(database);
    let ended = refused(&newer, &[]);
    assert!(
        ended
            .err
            .contains("has schema 9, and this release knows up to 1"),
        "{}",
        ended.err
    );

    let damaged = dir.path().join("damaged.db");
    let mut bytes = std::fs::read(&ours).unwrap();
    bytes[4_096..].fill(0x5a);
    std::fs::write(&damaged, bytes).unwrap();
    let ended = refused(&damaged, &["--store-damaged", "refuse"]);
    assert!(ended.err.contains("is damaged ("), "{}", ended.err);
    assert_eq!(ended.code, 1);

    let text = ours.display().to_string();
    let first = serve(&dir.path().join("data"), &[JOBS_PATH, &text]).start();
    first.api();
    let ended = refused(&ours, &[]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    let holder = format!("is in use by process {} (\"codling\")", first.pid());
    assert!(ended.err.contains(&holder), "{}", ended.err);
    stop(first);
}

#[test]
fn a_damaged_store_file_is_moved_aside_and_the_node_starts_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = made_in(dir.path());
    let damaged = b"what a worn card left of it".repeat(400);
    std::fs::write(&path, &damaged).unwrap();
    let text = path.display().to_string();
    let node = serve(&dir.path().join("data"), &[JOBS_PATH, &text]).start();
    let err = node.says("store_rebuilt");
    let aside = format!("{text}.damaged");
    assert!(err.contains(&aside), "{err}");
    assert!(std::fs::read(aside).unwrap() == damaged);
    stop(node);
}

#[test]
fn a_relative_path_begins_where_the_node_was_started_and_its_parents_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display().to_string();
    let codling = env!("CARGO_BIN_EXE_codling");
    let words = [
        "-C",
        &at,
        codling,
        "serve",
        "--data-dir",
        "data",
        "--api-port",
        "0",
        "--port",
        "0",
        "--swarm-host",
        "127.0.0.1",
        "--engine-socket",
        "/nonexistent/engine.sock",
        JOBS_PATH,
        "a/b/my-jobs.db",
        EXECUTIONS_PATH,
        "my-executions.db",
    ];
    let node = Program::other("/usr/bin/env", &words).start();
    node.api();
    stop(node);
    for file in ["a/b/my-jobs.db", "my-executions.db", "data/codling.lock"] {
        assert!(dir.path().join(file).is_file(), "{file}");
    }
}

#[test]
fn what_is_kept_in_memory_is_told_at_the_start_its_path_ignored_and_gone_with_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db").display().to_string();
    let flags = [
        "--requester-job-store-type",
        " InMemory ",
        "--compute-execution-store-type",
        "inmemory",
        JOBS_PATH,
        &path,
    ];
    let node = serve(dir.path(), &flags).start();
    let port = node.api().port().to_string();
    let err = node.says("are kept in memory and gone with this process");
    assert!(
        err.contains("--requester-job-store-path is ignored"),
        "{err}"
    );
    let run = ["run", "--detach", "--api-port", &port, "my-image"];
    let submitted = Program::new(&run).run();
    assert_eq!(submitted.code, 0, "{}", submitted.err);
    stop(node);
    assert!(!Path::new(&path).exists());

    let node = serve(dir.path(), &flags).start();
    let port = node.api().port().to_string();
    let job = submitted.out.trim();
    let asked = Program::new(&["job", "describe", "--api-port", &port, job]).run();
    assert_eq!(asked.code, 1, "{}", asked.out);
    assert!(
        asked.err.contains("not found") || asked.err.contains("no job"),
        "{}",
        asked.err
    );
    stop(node);
}
