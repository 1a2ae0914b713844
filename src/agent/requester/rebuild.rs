//! Jobs whose file was lost, made good from the executions that this node runs for them.
//!
//! What comes back is the job as it was asked for, under its id, with these executions; they go on and report to it. What
//! was only in jobs.db is gone: history, earlier versions, tokens, ended jobs, and replicas that ended before, which are
//! run again.

use super::history::note_job;
use super::place::ATTEMPTS_MAX;
use super::submit::total_timer;
use crate::agent::ids::{evaluation_id, execution_id};
use crate::model::{
    ComputeState, DesiredState, Evaluation, EvaluationStatus, EvaluationTrigger, Execution,
    ExecutionId, ExecutionRecord, ExecutionState, JobId, JobRecord, JobState, NodeId, Now, Outcome,
    SpecConfig, Topic, Upkeep,
};
use std::collections::{BTreeMap, BTreeSet};

/// Attempts of a service that are tried for the number of the one that runs, so that the next is not one that was used: a
/// year of starts every five minutes, and a fraction of a second on a small board.
const KEPT_ATTEMPTS_MAX: u32 = 100_000;

/// The jobs of those executions that no stored job knows.
pub(crate) fn lost_jobs(
    executions: &[ExecutionRecord],
    orphans: &BTreeSet<ExecutionId>,
    me: &NodeId,
    now: Now,
) -> Vec<JobRecord> {
    let mut jobs: BTreeMap<JobId, JobRecord> = BTreeMap::new();
    let orphans = executions.iter().filter(|one| orphans.contains(&one.id));
    for execution in orphans {
        let version = execution.job.version;
        let record = jobs
            .entry(execution.job.id.clone())
            .or_insert_with(|| job_of(execution, now));
        if record.job.version < version {
            let earlier = std::mem::replace(record, job_of(execution, now));
            record.executions = earlier.executions;
        }
        if was_stopped(execution) && record.job.version == version {
            record.job.state = JobState::Stopped;
        }
        record.executions.push(planned(execution, me, now));
    }
    for record in jobs.values_mut() {
        let latest = record.job.version;
        let executions = record.executions.iter_mut();
        for replaced in executions.filter(|one| one.job_version < latest) {
            replaced.desired = DesiredState::Stopped;
            replaced.desired_message = format!("version {latest} of the job took its place");
        }
    }
    jobs.into_values().collect()
}

fn was_stopped(execution: &ExecutionRecord) -> bool {
    matches!(
        execution.state,
        ComputeState::Ended {
            outcome: Outcome::Cancelled { .. },
            ..
        }
    )
}

fn job_of(execution: &ExecutionRecord, now: Now) -> JobRecord {
    let mut job = execution.job.clone();
    job.state = JobState::Running;
    job.modified = now.wall;
    let total_timer = total_timer(&job, now);
    let evaluation = Evaluation {
        id: evaluation_id(&job.id, 0),
        trigger: EvaluationTrigger::JobRegister,
        status: EvaluationStatus::Complete,
        number: 0,
    };
    let mut record = JobRecord {
        job,
        submitted: Vec::new(),
        evaluation,
        executions: Vec::new(),
        history: Vec::new(),
        next_seq: 1,
        idempotency: None,
        total_timer,
        queue_timer: None,
        earlier: Vec::new(),
    };
    let message = "The store of jobs was lost; this job was made good from its executions";
    note_job(&mut record, Topic::StateUpdate, message, &[], now);
    record
}

/// An execution as it must have been planned.
fn planned(record: &ExecutionRecord, me: &NodeId, now: Now) -> Execution {
    let job = &record.job;
    let attempts_max = match job.job_type.is_kept_running() {
        true => KEPT_ATTEMPTS_MAX,
        false => u32::try_from(ATTEMPTS_MAX).unwrap_or(u32::MAX),
    };
    let attempt = (0..attempts_max).find(|attempt| {
        execution_id(&job.id, job.version, record.partition, *attempt, me) == record.id
    });
    Execution {
        id: record.id.clone(),
        job_id: job.id.clone(),
        namespace: job.namespace.clone(),
        evaluation_id: evaluation_id(&job.id, 0),
        node_id: me.clone(),
        job_version: job.version,
        partition: record.partition,
        attempt: attempt.unwrap_or(attempts_max),
        desired: DesiredState::Running,
        desired_message: String::new(),
        state: ExecutionState::BidAccepted,
        state_message: String::new(),
        published: SpecConfig::default(),
        run_output: None,
        allocated: record.resources,
        revision: 1,
        created: record.accepted.wall,
        modified: now.wall,
        reject: None,
        failure: None,
        upkeep: job.job_type.is_kept_running().then(Upkeep::default),
    }
}
