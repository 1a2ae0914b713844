//! Records to store: small ones by default, every field set on demand, and random ones from a seed.

use codling::model::*;
use std::collections::BTreeMap;

/// The node whose store it is.
pub(crate) const NODE: &str = "12D3KooWRequester";

/// A moment of boot 1.
pub(crate) fn at(boot_ms: u64) -> Now {
    Now {
        boot: BootId([1; 16]),
        boot_ms,
        wall: Some(UnixMs(1_700_000_000_000 + boot_ms)),
    }
}

/// The `n`th job id; ids sort by `n`.
pub(crate) fn job_id(n: u32) -> JobId {
    JobId(format!("j-{n:08x}-0000-4000-8000-000000000000"))
}

/// The `n`th execution id; ids sort by `n`.
pub(crate) fn execution_id(n: u32) -> ExecutionId {
    ExecutionId(format!("e-{n:08x}-0000-4000-8000-000000000000"))
}

/// A job that echoes.
pub(crate) fn job(n: u32, state: JobState) -> Job {
    Job {
        id: job_id(n),
        name: format!("echo {n}"),
        namespace: "default".to_owned(),
        job_type: JobType::Batch,
        priority: 0,
        count: 1,
        constraints: Vec::new(),
        meta: BTreeMap::new(),
        labels: BTreeMap::new(),
        task: Task {
            name: "main".to_owned(),
            ..Task::default()
        },
        state,
        state_message: String::new(),
        version: 1,
        revision: 1,
        created: Some(UnixMs(1_700_000_000_000)),
        modified: None,
        requester: NodeId::from(NODE),
    }
}

/// One execution of job `n`.
pub(crate) fn execution(n: u32, partition: u32, state: ExecutionState) -> Execution {
    Execution {
        id: execution_id(n * 1_000 + partition),
        job_id: job_id(n),
        namespace: "default".to_owned(),
        evaluation_id: EvaluationId::from("0b1c5d62-0000-4000-8000-000000000001"),
        node_id: NodeId::from("12D3KooWCompute"),
        job_version: 1,
        partition,
        attempt: 0,
        desired: DesiredState::Running,
        desired_message: String::new(),
        state,
        state_message: String::new(),
        published: SpecConfig::default(),
        run_output: None,
        allocated: Resources {
            cpu_millis: 100,
            memory_bytes: 1 << 20,
            disk_bytes: 0,
            gpus: 0,
        },
        revision: 1,
        created: None,
        modified: None,
        reject: None,
        failure: None,
        upkeep: None,
    }
}

/// Job `n` with one execution, running or completed as its state says.
pub(crate) fn job_record(n: u32, state: JobState) -> JobRecord {
    let execution_state = if state.is_terminal() {
        ExecutionState::Completed
    } else {
        ExecutionState::BidAccepted
    };
    JobRecord {
        job: job(n, state),
        submitted: br#"{"Job":{"Name":"echo"}}"#.to_vec(),
        evaluation: Evaluation {
            id: EvaluationId::from("0b1c5d62-0000-4000-8000-000000000001"),
            trigger: EvaluationTrigger::JobRegister,
            status: EvaluationStatus::Complete,
            number: 1,
        },
        executions: vec![execution(n, 0, execution_state)],
        history: vec![HistoryItem {
            seq: 1,
            level: HistoryLevel::Job,
            job_version: 1,
            topic: Topic::Submission,
            message: "Job submitted".to_owned(),
            details: BTreeMap::new(),
            time: Some(UnixMs(1_700_000_000_000)),
        }],
        next_seq: 2,
        idempotency: None,
        total_timer: None,
        queue_timer: None,
        earlier: Vec::new(),
    }
}

/// An accepted execution `n`, as its compute node stores it.
pub(crate) fn execution_record(n: u32, state: ComputeState) -> ExecutionRecord {
    ExecutionRecord {
        id: execution_id(n),
        job: job(n, JobState::Running),
        partition: 0,
        requester: NodeId::from(NODE),
        resources: Resources::default(),
        state,
        timer: Some(Timer::start(at(5), 60_000)),
        accepted: at(5),
        away: None,
        ran_in: None,
    }
}

/// An end with exit code 0.
pub(crate) fn ended(delivery: Delivery) -> ComputeState {
    ComputeState::Ended {
        outcome: Outcome::Completed {
            output: RunOutput {
                stdout: b"hi\n".to_vec(),
                ..RunOutput::default()
            },
            published: SpecConfig::default(),
        },
        delivery,
        ended: Some(UnixMs(1_700_000_000_100)),
    }
}

/// A token first used at `seen`.
pub(crate) fn token(text: &str, seen: Now) -> IdempotencyKey {
    IdempotencyKey {
        token: text.to_owned(),
        seen,
        evaluation_id: EvaluationId::from("0b1c5d62-0000-4000-8000-000000000001"),
        fingerprint: 7,
        rerun_as: None,
    }
}

/// A batch that puts these records.
pub(crate) fn batch(
    jobs: impl IntoIterator<Item = JobRecord>,
    executions: impl IntoIterator<Item = ExecutionRecord>,
) -> Batch {
    Batch {
        jobs: jobs
            .into_iter()
            .map(|record| (record.job.id.clone(), Write::Put(Box::new(record))))
            .collect(),
        executions: executions
            .into_iter()
            .map(|record| (record.id.clone(), Write::Put(Box::new(record))))
            .collect(),
        images: None,
    }
}

/// Images that were pulled, in the order of their use.
pub(crate) fn pulled(names: &[&str]) -> PulledImages {
    let image = |name: &&str| PulledImage {
        name: (*name).to_owned(),
        id: format!("sha256:{name}"),
        bytes: 4_096,
        used: Some(UnixMs(1_700_000_000_000)),
    };
    PulledImages {
        images: names.iter().map(image).collect(),
    }
}
