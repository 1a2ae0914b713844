//! Records as they lie in the files: anything comes back as it went in, and what an earlier release wrote is read.
//!
//! `tests/golden/store/<release>/` holds rows as that release wrote them, in hex. This release must write the newest
//! ones byte for byte and read all of them. When a record gets a field: set it in `full_job` or `full_execution`, and let
//! `scripts/rollback --keep` make the folder of the new release (`crate::rollback`); older folders stay as they are.

use super::random;
use super::samples::*;
use super::*;
use crate::rollback::{RELEASES, kept};
use crate::support::recorder::{Disk, Recorder};
use crate::support::seed::Seed;
use codling::model::*;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::BTreeMap;
use std::path::PathBuf;

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const JOBS: TableDefinition<&str, &[u8]> = TableDefinition::new("jobs-v1");
const JOB_EXECUTIONS: TableDefinition<(&str, u32), &[u8]> =
    TableDefinition::new("job-executions-v1");
const JOB_VERSIONS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("job-versions-v1");
const JOB_SUBMITTED: TableDefinition<&str, &[u8]> = TableDefinition::new("job-submitted-v1");
const IMAGES: TableDefinition<&str, &[u8]> = TableDefinition::new("images-v1");
const EXECUTIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("executions-v1");

/// The release whose rows this one writes.
const NEWEST: &str = RELEASES[RELEASES.len() - 1];

fn config_on(recorder: &Recorder) -> StoreConfig {
    StoreConfig {
        node: NodeId::from(NODE),
        jobs: Place::Backend(recorder.backend(Disk::Jobs)),
        executions: Place::Backend(recorder.backend(Disk::Executions)),
        damaged: DamagedStore::Refuse,
    }
}

fn raw(recorder: &Recorder, disk: Disk) -> redb::Database {
    redb::Database::builder()
        .create_with_backend(recorded::Shared(recorder.backend(disk)))
        .unwrap()
}

#[test]
fn any_record_comes_back_as_it_went_in() {
    let config = || StoreConfig {
        node: NodeId::from(NODE),
        jobs: Place::Memory,
        executions: Place::Memory,
        damaged: DamagedStore::Refuse,
    };
    for start in 0..60 {
        let mut seed = Seed::new(start);
        let (store, _) = open(config());
        let mut jobs = BTreeMap::new();
        let mut executions = BTreeMap::new();
        for _ in 0..4 {
            // The same few keys again and again, so that every shape replaces every other.
            let new_jobs: Vec<_> = (0..3).map(|n| random::job_record(&mut seed, n)).collect();
            let new_executions: Vec<_> = (0..3)
                .map(|n| random::execution_record(&mut seed, n))
                .collect();
            jobs.extend(new_jobs.iter().map(|job| (job.job.id.clone(), job.clone())));
            executions.extend(new_executions.iter().map(|e| (e.id.clone(), e.clone())));
            commit(&store, batch(new_jobs, new_executions));
            for (id, record) in &jobs {
                let answer = store.answer(&StoreQuery::Job(id.clone()));
                let expected = StoreAnswer::Job(Some(Box::new(record.clone())));
                assert_eq!(answer, expected, "seed {start}");
            }
        }
        store.reopen(at(0)).unwrap();
        let StoreReport::Reopened(state) = report(&store) else {
            panic!("not reopened, seed {start}");
        };
        let live: Vec<_> = executions
            .values()
            .filter(|e| e.is_live())
            .cloned()
            .collect();
        assert_eq!(state.live_executions, live, "seed {start}");
        let ended: Vec<_> = executions
            .values()
            .filter(|e| !e.is_live())
            .map(EndedExecution::of)
            .collect();
        assert_eq!(state.ended_executions, ended, "seed {start}");
        let live: Vec<_> = jobs.values().filter(|job| job.is_live()).cloned().collect();
        assert_eq!(state.live_jobs, live, "seed {start}");
    }
}

/// A job with every field set.
fn full_job() -> JobRecord {
    let words = |text: &str| BTreeMap::from([(text.to_owned(), format!("{text} value"))]);
    let spec = |kind: &str| SpecConfig {
        kind: kind.to_owned(),
        params: Params(serde_json::Map::from_iter([(
            "Image".to_owned(),
            serde_json::json!("busybox:1"),
        )])),
    };
    let output = RunOutput {
        stdout: vec![0, 0xff],
        stdout_truncated: true,
        stderr: b"err".to_vec(),
        stderr_truncated: true,
        exit_code: -1,
    };
    let mut record = job_record(1, JobState::Failed);
    record.job.job_type = JobType::Ops;
    record.job.priority = -5;
    record.job.count = 9;
    record.job.constraints = vec![Constraint {
        key: "zone".to_owned(),
        operator: "in".to_owned(),
        values: vec!["a".to_owned()],
    }];
    record.job.meta = words("meta");
    record.job.labels = words("label");
    record.job.state_message = "why".to_owned();
    record.job.version = 2;
    record.job.revision = 3;
    record.job.modified = Some(UnixMs(1_700_000_000_001));
    record.job.task = Task {
        name: "main".to_owned(),
        engine: spec("docker"),
        publisher: spec("local"),
        env: words("env"),
        meta: words("meta"),
        input_sources: vec![InputSource {
            source: spec("ipfs"),
            alias: "in".to_owned(),
            target: "/in".to_owned(),
        }],
        result_paths: vec![ResultPath {
            name: "out".to_owned(),
            path: "/out".to_owned(),
        }],
        resources: ResourcesConfig {
            cpu: "500m".to_owned(),
            memory: "1mb".to_owned(),
            disk: "2mb".to_owned(),
            gpu: "1".to_owned(),
        },
        network: Network {
            kind: NetworkKind::Http,
            domains: vec!["example.org".to_owned()],
            ports: vec![Port {
                name: "web".to_owned(),
                fixed: 80,
                target: 8_080,
                host_network: "127.0.0.1".to_owned(),
            }],
        },
        timeouts: Timeouts {
            execution_s: 1,
            queue_s: 2,
            total_s: 3,
        },
    };
    record.executions = (0..9)
        .map(|partition| execution(1, partition, ExecutionState::Failed))
        .collect();
    let first = &mut record.executions[0];
    first.desired_message = "stop".to_owned();
    first.state_message = "failed".to_owned();
    first.published = spec("local");
    first.run_output = Some(output);
    first.allocated = Resources {
        cpu_millis: 1,
        memory_bytes: 2,
        disk_bytes: 3,
        gpus: 4,
    };
    first.created = Some(UnixMs(1));
    first.modified = Some(UnixMs(2));
    first.reject = Some(RejectReason::TooLarge {
        dimension: Dimension::Memory,
        asked: 2,
        limit: 1,
    });
    first.failure = Some(Failure::new(FailureKind::OutOfMemory, "killed"));
    record.history.push(HistoryItem {
        seq: 2,
        level: HistoryLevel::Execution(execution_id(1_000)),
        job_version: 2,
        topic: Topic::ExecutionTimeout,
        message: "late".to_owned(),
        details: words("Hint"),
        time: None,
    });
    record.next_seq = 3;
    record.submitted = vec![b'j'; 4_097];
    record.idempotency = Some(token("t", at(7)));
    record.total_timer = Some(Timer {
        since: at(8),
        spent_ms: 9,
        limit_ms: 10,
    });
    record.queue_timer = Some(Timer::start(at(11), 12));
    record
}

/// A job with an execution in every state, and one that is kept running.
fn job_in_every_state() -> JobRecord {
    let mut record = job_record(4, JobState::Running);
    record.job.job_type = JobType::Service;
    record.executions = (0..)
        .zip(ExecutionState::ALL)
        .map(|(partition, state)| execution(4, partition, state))
        .collect();
    record.executions[0].upkeep = Some(Upkeep {
        short_runs: 1,
        running_since: Some(at(2)),
        pause: Some(Timer::start(at(3), 4)),
    });
    record
}

/// Executions, from the sixth on, in every state on their node that the others are not in.
fn executions_in_every_state() -> Vec<ExecutionRecord> {
    let container = || ContainerId::from("c");
    let ended = |outcome| ComputeState::Ended {
        outcome,
        delivery: Delivery::Acknowledged,
        ended: None,
    };
    let output = RunOutput {
        exit_code: 5,
        ..RunOutput::default()
    };
    let failure = Failure::new(FailureKind::Timeout, "late");
    let states = [
        ComputeState::Running {
            container: container(),
        },
        ComputeState::Publishing {
            container: container(),
            output: output.clone(),
        },
        ended(Outcome::Failed {
            failure,
            output: Some(output.clone()),
        }),
        ended(Outcome::Cancelled {
            output: Some(output),
        }),
    ];
    (6..)
        .zip(states)
        .map(|(n, state)| execution_record(n, state))
        .collect()
}

/// A job of two versions.
fn updated_job() -> JobRecord {
    let mut record = job_record(3, JobState::Completed);
    let mut job = record.job.clone();
    job.state = JobState::Stopped;
    record.job.version = 2;
    record.earlier = vec![EarlierVersion {
        job,
        idempotency: Some(token("first", at(13))),
        submitted_bytes: 14,
    }];
    record
}

/// An execution with every field set.
fn full_execution() -> ExecutionRecord {
    let mut record = execution_record(1, ended(Delivery::Pending));
    record.job = full_job().job;
    record.partition = 3;
    record.away = Some(record.accepted);
    record.ran_in = Some(record.accepted.boot);
    record.resources = Resources {
        cpu_millis: 1,
        memory_bytes: 2,
        disk_bytes: 3,
        gpus: 4,
    };
    record
}

/// The golden file of an execution in a state of its own.
fn state_file(record: &ExecutionRecord) -> String {
    let word = match &record.state {
        ComputeState::Accepted => "accepted",
        ComputeState::Running { .. } => "running",
        ComputeState::Publishing { .. } => "publishing",
        ComputeState::Ended { outcome, .. } => match outcome {
            Outcome::Completed { .. } => "completed",
            Outcome::Failed { .. } => "failed",
            Outcome::Cancelled { .. } => "cancelled",
        },
    };
    format!("execution-{word}.hex")
}

fn golden(release: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/store")
        .join(release)
        .join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(release: &str, name: &str) -> Vec<u8> {
    let path = golden(release, name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

#[track_caller]
fn is_golden(name: &str, bytes: &[u8]) {
    if let Some(folder) = kept() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), hex(bytes) + "\n").unwrap();
        return;
    }
    let path = golden(NEWEST, name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let expected: String = expected.split_whitespace().collect();
    assert!(
        expected == hex(bytes),
        "{} should hold\n{}",
        path.display(),
        hex(bytes)
    );
}

#[test]
fn rows_are_written_byte_for_byte_as_the_newest_golden_ones() {
    let recorder = Recorder::new();
    let (store, _) = open(config_on(&recorder));
    let plain = job_record(2, JobState::Running);
    let accepted = execution_record(2, ComputeState::Accepted);
    let mut all = batch(
        [full_job(), plain, updated_job(), job_in_every_state()],
        [full_execution(), accepted],
    );
    let each = executions_in_every_state();
    let put = |record: &ExecutionRecord| {
        let boxed = Box::new(record.clone());
        (record.id.clone(), Write::Put(boxed))
    };
    all.executions.extend(each.iter().map(put));
    all.images = Some(pulled(&["busybox"]));
    commit(&store, all);
    close(store);
    // A read transaction ends with its database.
    let databases = Disk::BOTH.map(|disk| raw(&recorder, disk));
    let [jobs, executions] = databases.each_ref().map(|db| db.begin_read().unwrap());
    let meta = |txn: &redb::ReadTransaction| {
        let table = txn.open_table(META).unwrap();
        let get = |key| table.get(key).unwrap().unwrap().value();
        (get("schema"), get("content"), table.iter().unwrap().count())
    };
    assert_eq!(meta(&jobs), (1, 1, 2));
    assert_eq!(meta(&executions), (1, 2, 2));
    let row = |table: TableDefinition<&str, &[u8]>, txn: &redb::ReadTransaction, key: &str| {
        let row = txn.open_table(table).unwrap().get(key).unwrap();
        row.unwrap().value().to_vec()
    };
    let id = job_id(1);
    is_golden("job-full.hex", &row(JOBS, &jobs, id.as_str()));
    is_golden("job-plain.hex", &row(JOBS, &jobs, job_id(2).as_str()));
    let updated = job_id(3);
    is_golden("job-updated.hex", &row(JOBS, &jobs, updated.as_str()));
    let versions = jobs.open_table(JOB_VERSIONS).unwrap();
    assert_eq!(versions.iter().unwrap().count(), 1);
    let version = versions.get((updated.as_str(), 1)).unwrap().unwrap();
    is_golden("job-version.hex", version.value());
    let submitted = row(JOB_SUBMITTED, &jobs, id.as_str());
    assert_eq!(submitted, full_job().submitted);
    let chunks = jobs.open_table(JOB_EXECUTIONS).unwrap();
    assert_eq!(chunks.iter().unwrap().count(), 2);
    let chunk = chunks.get((id.as_str(), 0)).unwrap().unwrap();
    is_golden("job-chunk.hex", chunk.value());
    let states = job_id(4);
    is_golden("job-states.hex", &row(JOBS, &jobs, states.as_str()));
    let chunk = chunks.get((states.as_str(), 0)).unwrap().unwrap();
    is_golden("job-states-chunk.hex", chunk.value());
    let full = row(EXECUTIONS, &executions, execution_id(1).as_str());
    is_golden("execution-full.hex", &full);
    let plain = row(EXECUTIONS, &executions, execution_id(2).as_str());
    is_golden("execution-plain.hex", &plain);
    for record in &each {
        let id = record.id.as_str();
        is_golden(&state_file(record), &row(EXECUTIONS, &executions, id));
    }
    is_golden("images.hex", &row(IMAGES, &executions, "pulled"));
}

/// Two files as a release made them, from its golden rows.
fn made_by(release: &str) -> Recorder {
    let recorder = Recorder::new();
    let put = |disk, content, fill: &dyn Fn(&redb::WriteTransaction)| {
        let database = raw(&recorder, disk);
        let txn = database.begin_write().unwrap();
        {
            let mut meta = txn.open_table(META).unwrap();
            meta.insert("schema", 1).unwrap();
            meta.insert("content", content).unwrap();
        }
        fill(&txn);
        txn.commit().unwrap();
    };
    put(Disk::Jobs, 1, &|txn| {
        let mut jobs = txn.open_table(JOBS).unwrap();
        let id = job_id(1);
        let rows = [
            (1, "job-full.hex"),
            (2, "job-plain.hex"),
            (3, "job-updated.hex"),
            (4, "job-states.hex"),
        ];
        for (n, name) in rows {
            let row = unhex(release, name);
            jobs.insert(job_id(n).as_str(), row.as_slice()).unwrap();
        }
        let version = unhex(release, "job-version.hex");
        let mut versions = txn.open_table(JOB_VERSIONS).unwrap();
        let key = (job_id(3).0, 1);
        versions
            .insert((key.0.as_str(), key.1), version.as_slice())
            .unwrap();
        let chunk = unhex(release, "job-chunk.hex");
        let mut chunks = txn.open_table(JOB_EXECUTIONS).unwrap();
        chunks.insert((id.as_str(), 0), chunk.as_slice()).unwrap();
        let chunk = unhex(release, "job-states-chunk.hex");
        let key = job_id(4).0;
        chunks.insert((key.as_str(), 0), chunk.as_slice()).unwrap();
        let mut submitted = txn.open_table(JOB_SUBMITTED).unwrap();
        let json = full_job().submitted;
        submitted.insert(id.as_str(), json.as_slice()).unwrap();
    });
    put(Disk::Executions, 2, &|txn| {
        let mut executions = txn.open_table(EXECUTIONS).unwrap();
        for (n, name) in [(1, "execution-full.hex"), (2, "execution-plain.hex")] {
            let row = unhex(release, name);
            let id = execution_id(n);
            executions.insert(id.as_str(), row.as_slice()).unwrap();
        }
        for record in executions_in_every_state() {
            let row = unhex(release, &state_file(&record));
            let id = record.id.as_str();
            executions.insert(id, row.as_slice()).unwrap();
        }
    });
    recorder
}

#[test]
fn rows_of_every_release_are_read() {
    for release in RELEASES {
        let (store, state) = open(config_on(&made_by(release)));
        let read = |n| store.answer(&StoreQuery::Job(job_id(n)));
        let plain = job_record(2, JobState::Running);
        let found = |record| StoreAnswer::Job(Some(Box::new(record)));
        assert_eq!(read(1), found(full_job()), "release {release}");
        assert_eq!(read(2), found(plain.clone()), "release {release}");
        assert_eq!(read(3), found(updated_job()), "release {release}");
        let live = [plain, job_in_every_state()];
        assert_eq!(state.live_jobs, live, "release {release}");
        let accepted = execution_record(2, ComputeState::Accepted);
        let mut expected = vec![full_execution(), accepted];
        expected.extend(executions_in_every_state());
        let ended = expected.split_off(4);
        assert_eq!(state.live_executions, expected, "release {release}");
        let ended: Vec<_> = ended.iter().map(EndedExecution::of).collect();
        assert_eq!(state.ended_executions, ended, "release {release}");
        assert_eq!(state.jobs_file, FileHistory::Kept, "release {release}");
    }
}

#[test]
fn fields_of_a_later_release_are_skipped_and_come_to_no_harm() {
    // A field 99 at the end of the row's map and of the record's map in it, as a later release might add.
    let mut row = unhex(NEWEST, "job-plain.hex");
    assert_eq!(
        row[..2],
        [0xa1, 0x02],
        "a map whose only entry is the record"
    );
    let field = [0x18, 99, 0x63, b'n', b'e', b'w'];
    row[2] += 1;
    row.extend(field);
    row[0] += 1;
    row.extend(field);
    let mut accepted = unhex(NEWEST, "execution-plain.hex");
    accepted[0] += 1;
    accepted.extend(field);
    let recorder = made_by(NEWEST);
    let write = |disk, table: TableDefinition<&str, &[u8]>, key: &str, row: &[u8]| {
        let database = raw(&recorder, disk);
        let txn = database.begin_write().unwrap();
        txn.open_table(table).unwrap().insert(key, row).unwrap();
        txn.commit().unwrap();
    };
    write(Disk::Jobs, JOBS, job_id(2).as_str(), &row);
    let id = execution_id(2);
    write(Disk::Executions, EXECUTIONS, id.as_str(), &accepted);
    let (_store, state) = open(config_on(&recorder));
    assert_eq!(state.live_jobs[0], job_record(2, JobState::Running));
    let expected = execution_record(2, ComputeState::Accepted);
    assert_eq!(state.live_executions[1], expected);
}

/// The row with these bytes in place of those, of which there is one.
#[track_caller]
fn with(row: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..row.len())
        .filter(|at| row[*at..].starts_with(old))
        .collect();
    let [at] = places[..] else {
        panic!("{old:02x?} is there {} times", places.len());
    };
    [&row[..at], new, &row[at + old.len()..]].concat()
}

#[test]
fn kinds_of_a_later_release_cost_a_record_nothing_but_the_kind() {
    // What is put in their place is number 99 of each.
    let failure = Failure::new(FailureKind::OutOfMemory, "killed");
    let known = minicbor::to_vec(&failure).unwrap();
    let mut later = known.clone();
    later.splice(2..3, [0x18, 99]);
    let job = with(&unhex(NEWEST, "job-full.hex"), &known, &later);
    // A reject reason is an array of its number and its fields.
    let reject = full_job().executions[0].reject.clone();
    let known = minicbor::to_vec(&reject).unwrap();
    let mut later = known.clone();
    later.splice(1..2, [0x18, 99]);
    let job = with(&job, &known, &later);
    let item = full_job().history[1].clone();
    let known = minicbor::to_vec(&item).unwrap();
    let topic = minicbor::to_vec(Topic::ExecutionTimeout).unwrap();
    let place = with(&known, &[&[3], &topic[..]].concat(), &[3, 0x18, 99]);
    let job = with(&job, &known, &place);
    let evaluation = minicbor::to_vec(full_job().evaluation).unwrap();
    let place = with(&evaluation, &[1, 0, 2], &[1, 0x18, 99, 2]);
    let job = with(&job, &evaluation, &place);
    let failed = Failure::new(FailureKind::Timeout, "late");
    let known = minicbor::to_vec(&failed).unwrap();
    let mut later = known.clone();
    later.splice(2..3, [0x18, 99]);
    let execution = with(&unhex(NEWEST, "execution-failed.hex"), &known, &later);

    let recorder = made_by(NEWEST);
    let [jobs, executions] = Disk::BOTH.map(|disk| raw(&recorder, disk));
    let put =
        |database: &redb::Database, table: TableDefinition<&str, &[u8]>, key: &str, row: &[u8]| {
            let txn = database.begin_write().unwrap();
            txn.open_table(table).unwrap().insert(key, row).unwrap();
            txn.commit().unwrap();
        };
    put(&jobs, JOBS, job_id(1).as_str(), &job);
    put(
        &executions,
        EXECUTIONS,
        execution_id(8).as_str(),
        &execution,
    );
    drop((jobs, executions));

    let (store, _) = open(config_on(&recorder));
    let mut expected = full_job();
    expected.executions[0].failure = Some(Failure::new(FailureKind::Other, "killed"));
    expected.executions[0].reject = None;
    expected.history[1].topic = Topic::default();
    expected.evaluation.trigger = EvaluationTrigger::default();
    let read = store.answer(&StoreQuery::Job(job_id(1)));
    assert_eq!(read, StoreAnswer::Job(Some(Box::new(expected))));
}
