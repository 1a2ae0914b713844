//! Records with anything in them, from a seed.

use super::samples;
use crate::support::seed::Seed;
use codling::model::*;
use std::collections::BTreeMap;

const TEXTS: [&str; 6] = [
    "",
    "a",
    "echo hi",
    "\u{fc}ber \u{1F41F}",
    "\0\n\"",
    "0123456789",
];

fn text(seed: &mut Seed) -> String {
    let times = usize::try_from(seed.below(3)).unwrap();
    seed.pick(&TEXTS).repeat(times)
}

fn maybe<T>(seed: &mut Seed, make: fn(&mut Seed) -> T) -> Option<T> {
    seed.once_in(2).then(|| make(seed))
}

fn some<T>(seed: &mut Seed, below: u64, make: fn(&mut Seed) -> T) -> Vec<T> {
    (0..seed.below(below)).map(|_| make(seed)).collect()
}

fn map(seed: &mut Seed) -> BTreeMap<String, String> {
    some(seed, 3, |seed| (text(seed), text(seed)))
        .into_iter()
        .collect()
}

fn bytes(seed: &mut Seed) -> Vec<u8> {
    some(seed, 40, |seed| seed.next().to_le_bytes()[0])
}

fn number(seed: &mut Seed) -> u64 {
    let bits = seed.below(64);
    seed.next() >> bits
}

fn small(seed: &mut Seed) -> u32 {
    u32::try_from(seed.below(1 << 32)).unwrap()
}

fn signed(seed: &mut Seed) -> i64 {
    i64::from_le_bytes(seed.next().to_le_bytes())
}

fn unix_ms(seed: &mut Seed) -> UnixMs {
    UnixMs(number(seed))
}

fn now(seed: &mut Seed) -> Now {
    Now {
        boot: BootId([seed.next().to_le_bytes()[0]; 16]),
        boot_ms: number(seed),
        wall: maybe(seed, unix_ms),
    }
}

fn timer(seed: &mut Seed) -> Timer {
    Timer {
        since: now(seed),
        spent_ms: number(seed),
        limit_ms: number(seed),
    }
}

fn resources(seed: &mut Seed) -> Resources {
    Resources {
        cpu_millis: number(seed),
        memory_bytes: number(seed),
        disk_bytes: number(seed),
        gpus: number(seed),
    }
}

fn spec(seed: &mut Seed) -> SpecConfig {
    let mut params = serde_json::Map::new();
    for (key, value) in map(seed) {
        let value = match seed.below(4) {
            0 => serde_json::Value::Null,
            1 => serde_json::json!([value, 1, -2.5]),
            2 => serde_json::json!({ "deep": { "er": value } }),
            _ => serde_json::Value::String(value),
        };
        params.insert(key, value);
    }
    SpecConfig {
        kind: text(seed),
        params: Params(params),
    }
}

fn task(seed: &mut Seed) -> Task {
    const KINDS: [NetworkKind; 6] = [
        NetworkKind::Default,
        NetworkKind::None,
        NetworkKind::Host,
        NetworkKind::Full,
        NetworkKind::Http,
        NetworkKind::Bridge,
    ];
    Task {
        name: text(seed),
        engine: spec(seed),
        publisher: spec(seed),
        env: map(seed),
        meta: map(seed),
        input_sources: some(seed, 3, |seed| InputSource {
            source: spec(seed),
            alias: text(seed),
            target: text(seed),
        }),
        result_paths: some(seed, 3, |seed| ResultPath {
            name: text(seed),
            path: text(seed),
        }),
        resources: ResourcesConfig {
            cpu: text(seed),
            memory: text(seed),
            disk: text(seed),
            gpu: text(seed),
        },
        network: Network {
            kind: *seed.pick(&KINDS),
            domains: some(seed, 3, text),
            ports: some(seed, 3, |seed| Port {
                name: text(seed),
                fixed: u16::try_from(seed.below(65_536)).unwrap(),
                target: u16::try_from(seed.below(65_536)).unwrap(),
                host_network: text(seed),
            }),
        },
        timeouts: Timeouts {
            execution_s: number(seed),
            queue_s: number(seed),
            total_s: number(seed),
        },
    }
}

const JOB_STATES: [JobState; 6] = [
    JobState::Pending,
    JobState::Queued,
    JobState::Running,
    JobState::Completed,
    JobState::Failed,
    JobState::Stopped,
];

fn job(seed: &mut Seed, n: u32) -> Job {
    const TYPES: [JobType; 4] = [
        JobType::Batch,
        JobType::Service,
        JobType::Daemon,
        JobType::Ops,
    ];
    Job {
        id: samples::job_id(n),
        name: text(seed),
        namespace: text(seed),
        job_type: *seed.pick(&TYPES),
        priority: signed(seed),
        count: small(seed),
        constraints: some(seed, 3, |seed| Constraint {
            key: text(seed),
            operator: text(seed),
            values: some(seed, 3, text),
        }),
        meta: map(seed),
        labels: map(seed),
        task: task(seed),
        state: *seed.pick(&JOB_STATES),
        state_message: text(seed),
        version: number(seed),
        revision: number(seed),
        created: maybe(seed, unix_ms),
        modified: maybe(seed, unix_ms),
        requester: NodeId(text(seed)),
    }
}

fn run_output(seed: &mut Seed) -> RunOutput {
    RunOutput {
        stdout: bytes(seed),
        stdout_truncated: seed.once_in(2),
        stderr: bytes(seed),
        stderr_truncated: seed.once_in(2),
        exit_code: signed(seed),
    }
}

fn failure(seed: &mut Seed) -> Failure {
    Failure::new(
        *seed.pick(&super::pins::FAILURE_KINDS.map(|(kind, _)| kind)),
        text(seed),
    )
}

fn execution(seed: &mut Seed) -> Execution {
    Execution {
        id: ExecutionId(text(seed)),
        job_id: JobId(text(seed)),
        namespace: text(seed),
        evaluation_id: EvaluationId(text(seed)),
        node_id: NodeId(text(seed)),
        job_version: number(seed),
        partition: small(seed),
        attempt: small(seed),
        desired: *seed.pick(&DesiredState::ALL),
        desired_message: text(seed),
        state: *seed.pick(&ExecutionState::ALL),
        state_message: text(seed),
        published: spec(seed),
        run_output: maybe(seed, run_output),
        allocated: resources(seed),
        revision: number(seed),
        created: maybe(seed, unix_ms),
        modified: maybe(seed, unix_ms),
        reject: maybe(seed, |seed| {
            let reasons = super::pins::reject_reasons();
            seed.pick(&reasons).clone()
        }),
        failure: maybe(seed, failure),
        upkeep: maybe(seed, |seed| Upkeep {
            short_runs: small(seed),
            running_since: maybe(seed, now),
            pause: maybe(seed, timer),
        }),
    }
}

fn history_item(seed: &mut Seed) -> HistoryItem {
    HistoryItem {
        seq: number(seed),
        level: match maybe(seed, text) {
            None => HistoryLevel::Job,
            Some(id) => HistoryLevel::Execution(ExecutionId(id)),
        },
        job_version: number(seed),
        topic: seed.pick(&super::pins::TOPICS).0,
        message: text(seed),
        details: map(seed),
        time: maybe(seed, unix_ms),
    }
}

/// Any record of job `n`; one in four has its submission or many of its executions kept apart.
pub(crate) fn job_record(seed: &mut Seed, n: u32) -> JobRecord {
    let submitted = if seed.once_in(8) {
        vec![b'{'; usize::try_from(seed.below(20_000)).unwrap()]
    } else {
        bytes(seed)
    };
    let executions_below = if seed.once_in(8) { 60 } else { 4 };
    JobRecord {
        job: job(seed, n),
        submitted,
        evaluation: Evaluation {
            id: EvaluationId(text(seed)),
            trigger: seed.pick(&super::pins::TRIGGERS).0,
            status: seed.pick(&super::pins::STATUSES).0,
            number: number(seed),
        },
        executions: some(seed, executions_below, execution),
        history: some(seed, 5, history_item),
        next_seq: number(seed),
        idempotency: maybe(seed, token),
        total_timer: maybe(seed, timer),
        queue_timer: maybe(seed, timer),
        earlier: earlier(seed, n),
    }
}

/// Some versions of job `n`. A version never changes, so what it holds hangs on its number alone.
fn earlier(seed: &mut Seed, n: u32) -> Vec<EarlierVersion> {
    let first = 1 + seed.below(3);
    (first..first + seed.below(4))
        .map(|version| {
            let fixed = &mut Seed::new(u64::from(n) << 8 | version);
            let mut job = job(fixed, n);
            job.version = version;
            EarlierVersion {
                job,
                idempotency: maybe(fixed, token),
                submitted_bytes: number(fixed),
            }
        })
        .collect()
}

fn token(seed: &mut Seed) -> IdempotencyKey {
    IdempotencyKey {
        token: text(seed),
        seen: now(seed),
        evaluation_id: EvaluationId(text(seed)),
        fingerprint: number(seed),
        rerun_as: seed.below(2).checked_sub(1).map(|_| number(seed)),
    }
}

/// Any record of execution `n`.
pub(crate) fn execution_record(seed: &mut Seed, n: u32) -> ExecutionRecord {
    let container = ContainerId(text(seed));
    let state = match seed.below(4) {
        0 => ComputeState::Accepted,
        1 => ComputeState::Running { container },
        2 => ComputeState::Publishing {
            container,
            output: run_output(seed),
        },
        _ => ComputeState::Ended {
            outcome: match seed.below(3) {
                0 => Outcome::Completed {
                    output: run_output(seed),
                    published: spec(seed),
                },
                1 => Outcome::Failed {
                    failure: failure(seed),
                    output: maybe(seed, run_output),
                },
                _ => Outcome::Cancelled {
                    output: maybe(seed, run_output),
                },
            },
            delivery: *seed.pick(&[Delivery::Pending, Delivery::Acknowledged]),
            ended: maybe(seed, unix_ms),
        },
    };
    ExecutionRecord {
        id: samples::execution_id(n),
        job: job(seed, n),
        partition: small(seed),
        requester: NodeId(text(seed)),
        resources: resources(seed),
        state,
        timer: maybe(seed, timer),
        accepted: now(seed),
        away: maybe(seed, now),
        ran_in: maybe(seed, |seed| now(seed).boot),
    }
}
