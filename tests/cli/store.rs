//! `codling store ...` on the store of a real node.

use crate::support::program::{Ended, Program, Running, serve};
use std::path::{Path, PathBuf};

/// `codling store COMMAND ... --data-dir DIR`.
#[track_caller]
fn store(dir: &Path, words: &[&str]) -> Ended {
    let dir = dir.display().to_string();
    let mut all = vec!["store"];
    all.extend(words);
    all.extend(["--data-dir", &dir]);
    Program::new(&all).run()
}

/// A node that has one job that no engine can run, and its port.
#[track_caller]
fn with_a_job(dir: &Path) -> (Running, String) {
    let node = serve(dir, &[]).start();
    let port = node.api().port().to_string();
    let run = ["run", "--detach", "--api-port", &port, "my-image"];
    let submitted = Program::new(&run).run();
    assert_eq!(submitted.code, 0, "{}", submitted.err);
    (node, submitted.out.trim().to_owned())
}

#[track_caller]
fn stop(node: Running) {
    node.signal(rustix::process::Signal::TERM);
    assert_eq!(node.ended().code, 0);
}

fn file_named(dir: &Path, name: &str) -> PathBuf {
    let mut folders = std::fs::read_dir(dir).unwrap().flatten();
    folders
        .find_map(|entry| Some(entry.path().join(name)).filter(|path| path.exists()))
        .expect("a store file")
}

#[test]
fn every_store_command_refuses_the_store_of_a_running_node_and_names_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = with_a_job(dir.path());
    let lines = dir.path().join("lines.jsonl");
    std::fs::write(&lines, "").unwrap();
    let lines = lines.display().to_string();
    for words in [
        vec!["check"],
        vec!["compact"],
        vec!["export"],
        vec!["import", &lines, "--replace"],
    ] {
        let ended = store(dir.path(), &words);
        assert_eq!(ended.code, 3, "{words:?}: {}", ended.err);
        let holder = format!("process {}", node.pid());
        assert!(ended.err.contains(&holder), "{words:?}: {}", ended.err);
        assert!(ended.err.contains("stop the node first"), "{}", ended.err);
        assert_eq!(ended.out, "", "{words:?}");
    }
    stop(node);
}

#[test]
fn a_stopped_store_is_whole_is_compacted_and_moves_to_another_directory_with_its_key() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (node, job) = with_a_job(from.path());
    stop(node);
    let checked = store(from.path(), &["check"]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(
        checked
            .out
            .contains(": whole; jobs: 1, of them unfinished: 0; "),
        "{}",
        checked.out
    );
    assert!(
        checked.out.contains(": whole; executions: 0, "),
        "{}",
        checked.out
    );
    let compacted = store(from.path(), &["compact"]);
    assert_eq!(compacted.code, 0, "{}", compacted.err);
    assert_eq!(
        compacted.out.matches(" bytes before, ").count(),
        2,
        "{}",
        compacted.out
    );

    let saved = from.path().join("saved.jsonl").display().to_string();
    let exported = store(from.path(), &["export", "--output", &saved]);
    assert_eq!(exported.code, 0, "{}", exported.err);
    assert!(
        exported.err.contains("1 jobs and 0 executions exported"),
        "{}",
        exported.err
    );
    let again = store(from.path(), &["export", "--output", &saved]);
    assert_eq!(again.code, 1, "a file was overwritten");
    let streamed = store(from.path(), &["export"]);
    assert_eq!(streamed.out, std::fs::read_to_string(&saved).unwrap());

    let stranger = store(to.path(), &["import", &saved]);
    assert_eq!(stranger.code, 1, "{}", stranger.err);
    assert!(
        stranger.err.contains("no node has started in"),
        "{}",
        stranger.err
    );
    let key = "libp2p_private_key";
    std::fs::copy(from.path().join(key), to.path().join(key)).unwrap();
    let imported = store(to.path(), &["import", &saved]);
    assert_eq!(imported.code, 0, "{}", imported.err);
    let twice = store(to.path(), &["import", &saved]);
    assert_eq!(twice.code, 1, "{}", twice.out);
    assert!(twice.err.contains("holds 1 jobs already"), "{}", twice.err);
    assert!(twice.err.contains("hint: --replace "), "{}", twice.err);

    let node = serve(to.path(), &[]).start();
    let port = node.api().port().to_string();
    let listed = Program::new(&["job", "describe", "--api-port", &port, &job]).run();
    assert_eq!(listed.code, 0, "{}", listed.err);
    stop(node);
}

#[test]
fn a_damaged_file_ends_a_check_with_1_and_the_other_file_is_checked_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = with_a_job(dir.path());
    stop(node);
    let path = file_named(dir.path(), "jobs.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4_096..].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let checked = store(dir.path(), &["check"]);
    assert_eq!(checked.code, 1, "{}", checked.err);
    assert!(
        checked.err.contains("jobs.db\" is damaged"),
        "{}",
        checked.err
    );
    assert!(
        checked.out.contains("executions.db: whole; executions: 0"),
        "{}",
        checked.out
    );
    assert!(std::fs::read(&path).unwrap() == bytes, "the file changed");
    let name = path.display().to_string();
    let named = Program::new(&["store", "check", &name, &name]).run();
    assert_eq!(named.code, 1);
    assert_eq!(named.err.matches("is damaged").count(), 2, "{}", named.err);
    let missing = Program::new(&["store", "check", "/nonexistent/jobs.db"]).run();
    assert_eq!(missing.code, 1);
    assert!(
        missing.err.contains("there is no store file"),
        "{}",
        missing.err
    );
}

#[test]
fn stores_elsewhere_are_found_by_their_variables_and_one_in_memory_is_told() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = elsewhere.path().join("my-jobs.db").display().to_string();
    let flags = [
        "--requester-job-store-path",
        &path,
        "--compute-execution-store-type",
        "inmemory",
    ];
    let node = serve(dir.path(), &flags).start();
    node.api();
    stop(node);
    let at = dir.path().display().to_string();
    let check = || Program::new(&["store", "check", "--data-dir", &at]);
    let ended = check().run();
    assert_eq!(ended.code, 1, "{}", ended.out);
    assert!(ended.err.contains("there is no store in"), "{}", ended.err);
    let ended = check()
        .env("BACALHAU_JOB_STORE_PATH", &path)
        .env("BACALHAU_COMPUTE_STORE_TYPE", "inmemory")
        .run();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.out.starts_with(&format!("{path}: whole; jobs: 0,")),
        "{}",
        ended.out
    );
}
