//! What only files can do: be made, be kept, be in the way. Nothing that lies at a path already is overwritten.

use super::samples::*;
use super::*;
use crate::support::recorder::{Disk, Recorder, Rule};
use crate::support::seed::Seed;
use crate::support::wait;
use codling::model::*;
use codling::store::{Holder, StoreError};
use redb::TableDefinition;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Linux `EROFS`.
const EROFS: i32 = 30;
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// Opens a store whose jobs.db is at `path`, beside a fresh executions.db.
fn open_at(path: &Path) -> Result<(Store, StoredState), StoreError> {
    let config = StoreConfig {
        node: NodeId::from(NODE),
        jobs: Place::File(path.to_owned()),
        executions: Place::Memory,
        damaged: DamagedStore::Refuse,
    };
    Store::open(config, at(0))
}

#[track_caller]
fn refusal(path: &Path) -> StoreError {
    match open_at(path) {
        Ok(_) => panic!("\"{}\" was opened", path.display()),
        Err(error) => {
            let text = error.to_string();
            let path = path.to_string_lossy();
            assert!(text.contains(&*path), "{text} does not name {path}");
            error
        }
    }
}

/// The refusal of a file that holds these bytes, which it still holds afterwards.
#[track_caller]
fn refusal_of(bytes: &[u8]) -> StoreError {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    std::fs::write(&path, bytes).unwrap();
    let error = refusal(&path);
    assert!(std::fs::read(&path).unwrap() == bytes, "the file changed");
    error
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A jobs.db with one running job, closed cleanly.
fn made_in(directory: &Path) -> PathBuf {
    let config = config_in(directory);
    let Place::File(path) = config.jobs.clone() else {
        unreachable!()
    };
    let (store, _) = open(config);
    commit(&store, batch([job_record(1, JobState::Running)], []));
    close(store);
    path
}

#[test]
fn files_and_the_directories_made_for_them_are_for_their_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("old");
    std::fs::create_dir(&old).unwrap();
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o755)).unwrap();
    let (_store, _) = open(config_in(&old.join("new")));
    assert_eq!(mode(&old), 0o755, "a directory of somebody else");
    for made in ["new", "new/node-requester", "new/node-compute"] {
        assert_eq!(mode(&old.join(made)), 0o700, "{made}");
    }
    for file in ["node-requester/jobs.db", "node-compute/executions.db"] {
        assert_eq!(mode(&old.join("new").join(file)), 0o600, "{file}");
    }
}

#[test]
fn what_was_committed_is_there_after_closing_and_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let job = job_record(1, JobState::Running);
    let accepted = execution_record(1, ComputeState::Accepted);
    let (store, state) = open(config_in(directory.path()));
    assert_eq!(state.jobs_file, FileHistory::New);
    commit(&store, batch([job.clone()], [accepted.clone()]));
    close(store);
    let (_store, state) = open(config_in(directory.path()));
    let mut names = JobNames::default();
    names.note(&job);
    let expected = StoredState {
        live_jobs: vec![job],
        names,
        last_job: Some(job_id(1)),
        live_executions: vec![accepted],
        jobs_file: FileHistory::Kept,
        ..StoredState::default()
    };
    assert_eq!(state, expected);
}

#[test]
fn a_store_that_is_dropped_closes_its_files_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let (store, _) = open_at(&path).unwrap();
    commit(&store, batch([job_record(1, JobState::Running)], []));
    drop(store);
    let (_again, state) = wait::until("the file is free", || open_at(&path));
    assert_eq!(state.live_jobs.len(), 1);
}

#[test]
fn what_an_interrupted_first_start_left_is_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let temporary = directory.path().join("jobs.db.new");
    std::fs::write(&temporary, b"half a file").unwrap();
    close(open_at(&path).unwrap().0);
    assert!(!temporary.exists());
    assert_eq!(open_at(&path).unwrap().1.jobs_file, FileHistory::Kept);
}

#[test]
fn an_empty_file_is_a_new_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    std::fs::write(&path, b"").unwrap();
    assert_eq!(open_at(&path).unwrap().1.jobs_file, FileHistory::New);
}

#[test]
fn a_directory_is_refused_and_a_file_name_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let error = refusal(directory.path());
    assert!(matches!(error, StoreError::IsDirectory { .. }), "{error:?}");
    assert!(error.to_string().contains("file name"), "{error}");
}

#[test]
fn one_path_for_both_files_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let config = StoreConfig {
        node: NodeId::from(NODE),
        jobs: Place::File(path.clone()),
        executions: Place::File(directory.path().join("./store.db")),
        damaged: DamagedStore::Refuse,
    };
    let error = Store::open(config, at(0)).unwrap_err();
    assert!(matches!(error, StoreError::SamePath { .. }), "{error:?}");
    assert!(!path.exists());
}

#[test]
fn a_socket_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
}

#[test]
fn a_bolt_file_is_refused_and_left_as_it_is() {
    const MAGIC: u32 = 0xed0c_daed;
    for (page, bytes) in [
        (0, MAGIC.to_le_bytes()),
        (4_096, MAGIC.to_le_bytes()),
        (65_536, MAGIC.to_le_bytes()),
        (0, MAGIC.to_be_bytes()),
    ] {
        // The first meta page may be torn; then the second one still tells.
        let mut file = vec![0; 131_072];
        file[page + 16..page + 20].copy_from_slice(&bytes);
        let error = refusal_of(&file);
        assert!(matches!(error, StoreError::Bolt { .. }), "{error:?}");
    }
}

/// A process that holds the lock of a file until it is dropped.
struct Locker(Child);

impl Locker {
    #[track_caller]
    fn hold(path: &Path) -> Self {
        let mut child = Command::new("flock")
            .arg("--exclusive")
            .arg(path)
            .args(["sh", "-c", "echo held; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn a_file_in_use_names_the_process_that_holds_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = made_in(directory.path());
    let before = std::fs::read(&path).unwrap();
    let locker = Locker::hold(&path);
    match refusal(&path) {
        StoreError::InUse {
            holder: Holder::Process { pid, name },
            ..
        } => {
            assert_eq!(pid, locker.0.id());
            assert_eq!(name, "flock");
        }
        other => panic!("{other:?}"),
    }
    assert!(std::fs::read(&path).unwrap() == before, "the file changed");
    drop(locker);
    assert_eq!(open_at(&path).unwrap().1.live_jobs.len(), 1);
}

#[test]
fn a_file_that_is_being_made_by_another_process_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let _locker = Locker::hold(&directory.path().join("jobs.db.new"));
    let error = refusal(&path);
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    assert!(!path.exists());
}

#[test]
fn a_second_node_in_one_process_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let (_first, _) = open_at(&path).unwrap();
    match refusal(&path) {
        StoreError::InUse { holder, .. } => assert_eq!(holder, Holder::Itself),
        other => panic!("{other:?}"),
    }
}

/// Sets the schema number in the file's meta table.
fn set_schema(path: &Path, schema: u64) {
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_write().unwrap();
    let mut meta = txn.open_table(META).unwrap();
    meta.insert("schema", schema).unwrap();
    drop(meta);
    txn.commit().unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = made_in(directory.path());
    set_schema(&path, 2);
    let error = refusal_of(&std::fs::read(&path).unwrap());
    match error {
        StoreError::NewerSchema { found, known, .. } => assert_eq!((found, known), (2, 1)),
        other => panic!("{other:?}"),
    }
    // Its release finds everything where it was.
    refusal(&path);
    set_schema(&path, 1);
    assert_eq!(open_at(&path).unwrap().1.live_jobs.len(), 1);
}

#[test]
fn the_other_file_and_a_database_of_another_program_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    made_in(directory.path());
    let executions = directory.path().join("node-compute/executions.db");
    match refusal_of(&std::fs::read(&executions).unwrap()) {
        StoreError::NotOurs { found, wanted, .. } => {
            assert_eq!((found, wanted), ("executions", "jobs"));
        }
        other => panic!("{other:?}"),
    }
    let foreign = directory.path().join("foreign.redb");
    let database = redb::Database::create(&foreign).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(TableDefinition::<u64, u64>::new("theirs"))
        .unwrap();
    txn.commit().unwrap();
    drop(database);
    let error = refusal_of(&std::fs::read(&foreign).unwrap());
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
}

#[test]
fn a_file_that_is_no_database_is_damaged_and_the_message_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let whole = std::fs::read(made_in(directory.path())).unwrap();
    for bytes in [
        &b"not a database"[..],
        &[0; 100_000],
        &whole[..4],
        &whole[..300],
    ] {
        let error = refusal_of(bytes);
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
        assert!(
            error.to_string().contains("--store-damaged set-aside"),
            "{error}"
        );
    }
}

/// A store in `directory` whose damaged files are moved aside.
fn forgiving(directory: &Path) -> Result<(Store, StoredState), StoreError> {
    let config = StoreConfig {
        damaged: DamagedStore::SetAside,
        ..config_in(directory)
    };
    Store::open(config, at(0))
}

#[test]
fn a_damaged_file_is_moved_aside_as_it_is_and_the_other_one_is_kept() {
    for (file, other) in [
        ("node-requester/jobs.db", "node-compute/executions.db"),
        ("node-compute/executions.db", "node-requester/jobs.db"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = open(config_in(directory.path()));
        let accepted = execution_record(1, ComputeState::Accepted);
        commit(
            &store,
            batch([job_record(1, JobState::Running)], [accepted]),
        );
        close(store);
        let path = directory.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let len = bytes.len();
        bytes[4_096..len].fill(0x5a);
        std::fs::write(&path, &bytes).unwrap();
        let (store, state) = forgiving(directory.path()).unwrap();
        close(store);
        let aside = directory.path().join(format!("{file}.damaged"));
        assert!(std::fs::read(&aside).unwrap() == bytes, "{file} changed");
        assert_eq!(codling::store::damaged_beside(&path), [aside]);
        let is_jobs = file.ends_with("jobs.db");
        let (jobs, executions) = match is_jobs {
            true => (FileHistory::New, FileHistory::Kept),
            false => (FileHistory::Kept, FileHistory::New),
        };
        assert_eq!((state.jobs_file, state.executions_file), (jobs, executions));
        assert_eq!(state.live_jobs.is_empty(), is_jobs, "{other} is kept");
        assert_eq!(
            state.live_executions.is_empty(),
            !is_jobs,
            "{other} is kept"
        );
        let (_, again) = forgiving(directory.path()).unwrap();
        assert_eq!(again.jobs_file, FileHistory::Kept, "the new file stays");
    }
}

#[test]
fn a_record_that_cannot_be_decoded_moves_its_file_aside_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = made_in(directory.path());
    spoil_a_record(&path);
    let (_, state) = forgiving(directory.path()).unwrap();
    assert_eq!(state.jobs_file, FileHistory::New);
    assert!(path.with_file_name("jobs.db.damaged").exists());
}

#[test]
fn the_damaged_files_beside_a_store_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    for number in 1..=5 {
        let path = made_in(directory.path());
        std::fs::write(&path, format!("not a database {number}")).unwrap();
        match (number, forgiving(directory.path())) {
            (..=4, Ok((store, _))) => close(store),
            (5, Err(error @ StoreError::TooManyDamaged { .. })) => {
                assert!(error.to_string().contains("check the disk"), "{error}");
                let kept = std::fs::read(&path).unwrap();
                assert_eq!(kept, b"not a database 5");
            }
            (_, other) => panic!("{number}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_damaged_store_is_never_moved_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = made_in(directory.path());
    set_schema(&path, 2);
    let newer = forgiving(directory.path()).unwrap_err();
    assert!(matches!(newer, StoreError::NewerSchema { .. }), "{newer:?}");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let error = forgiving(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::IsDirectory { .. }), "{error:?}");
    assert!(codling::store::damaged_beside(&path).is_empty());
}

#[test]
fn a_page_that_changed_on_the_medium_is_noticed_or_was_not_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let (store, _) = open_at(&path).unwrap();
    for n in 0..30 {
        commit(&store, batch([job_record(n, JobState::Running)], []));
    }
    close(store);
    let whole = std::fs::read(&path).unwrap();
    let (store, expected) = open_at(&path).unwrap();
    close(store);
    let mut noticed = 0;
    for start in 0..200 {
        let mut seed = Seed::new(start);
        let mut bytes = whole.clone();
        let page = usize::try_from(seed.below(whole.len() as u64 / 4_096)).unwrap() * 4_096;
        match seed.below(3) {
            0 => bytes[page..page + 4_096].fill(0),
            1 => {
                let at = page + usize::try_from(seed.below(4_096)).unwrap();
                bytes[at] ^= 1 << seed.below(8);
            }
            _ => bytes[page..page + 512].fill_with(|| seed.next().to_le_bytes()[0]),
        }
        std::fs::write(&path, &bytes).unwrap();
        match open_at(&path) {
            Ok((store, state)) => {
                assert_eq!(state, expected, "seed {start}");
                close(store);
            }
            Err(StoreError::Damaged { .. }) => {
                noticed += 1;
                let after = std::fs::read(&path).unwrap();
                assert!(after == bytes, "seed {start}: the file changed");
            }
            Err(other) => panic!("seed {start}: {other:?}"),
        }
    }
    assert!(noticed >= 50, "only {noticed} of 200");
}

/// Puts a record into a jobs.db that is none.
fn spoil_a_record(path: &Path) {
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_write().unwrap();
    let jobs = TableDefinition::<&str, &[u8]>::new("jobs-v1");
    txn.open_table(jobs)
        .unwrap()
        .insert("j-bad", &b"\xff"[..])
        .unwrap();
    txn.commit().unwrap();
    drop(database);
}

#[test]
fn a_record_that_cannot_be_decoded_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = made_in(directory.path());
    spoil_a_record(&path);
    let error = refusal(&path);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("j-bad"), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_told_from_one_that_is_damaged() {
    let error = refusal(Path::new("/sys/codling/jobs.db"));
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
    let error = refusal(Path::new("/dev/null/jobs.db"));
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
}

#[test]
fn a_file_system_that_turned_read_only_is_told_from_a_broken_one() {
    let recorder = Recorder::new();
    let (store, _) = open(StoreConfig {
        node: NodeId::from(NODE),
        jobs: Place::Backend(recorder.backend(Disk::Jobs)),
        executions: Place::Memory,
        damaged: DamagedStore::Refuse,
    });
    recorder.on_write(Disk::Jobs, Rule::Fail(EROFS));
    store
        .commit(1, batch([job_record(1, JobState::Running)], []))
        .unwrap();
    match report(&store) {
        StoreReport::CommitFailed { error, .. } => {
            assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
}
