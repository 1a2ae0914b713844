//! How a service or a daemon is kept running.
//!
//! ```text
//!  Running -> ended, however -> pause (1 s, 2 s, 4 s ... 5 min) -> a further execution -> Running
//!                ^                                                                           |
//!                `-- lasted 10 minutes, or the board was rebooted: the next pause is short --'
//! ```
//! The pause is part of the execution that ended and joins the write that stores its end, so it costs no commit and goes
//! on through restarts. Nothing is timed while a container runs. Only a spec that cannot be run is given up.

use super::history::note_job;
use super::place::is_final;
use super::replica::Replica;
use super::{Live, Requester};
use crate::model::{
    Execution, ExecutionId, ExecutionState, JobId, JobRecord, Now, RunOutput, Timer, Topic, Upkeep,
};
use std::collections::BTreeSet;

/// The first pause: a service that was killed once is back within seconds, and a container whose end has just been told
/// has time to be removed.
const PAUSE_MS: u64 = 1_000;

/// The longest. A service that ends at once is started 288 times a day then, at some 120 kB of the card each; one whose
/// image or network comes back is not waited for much longer.
const PAUSE_MAX_MS: u64 = 5 * 60 * 1_000;

/// An execution that lasted so long was well, and the pause after it is the first one again: well above the longest
/// pause, so that what fails every few minutes is not taken for well.
const STEADY_MS: u64 = 2 * PAUSE_MAX_MS;

/// How many ended executions a job that is kept running keeps beside the last one of each replica: they explain, they do
/// not matter.
const ENDED_MAX: usize = 8;

impl Requester {
    /// A board that was rebooted has ended what ran on it: that is not held against a service, nor is it paused for.
    pub(super) fn forgive_reboot(record: &mut JobRecord, now: Now) {
        for execution in &mut record.executions {
            let Some(upkeep) = &mut execution.upkeep else {
                continue;
            };
            match &mut upkeep.pause {
                Some(pause) if pause.since.boot != now.boot => {
                    (upkeep.pause, upkeep.short_runs) = (None, 0);
                }
                Some(pause) => *pause = pause.rebase(now),
                None => {}
            }
        }
    }

    /// An execution of the latest version has ended, for this reason: its replica is started again after a pause.
    pub(super) fn pause(&mut self, job: &JobId, id: &ExecutionId, why: &str, now: Now) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        let (job, count) = (live.job(), live.job().count);
        let is_kept = job.job_type.is_kept_running() && !job.state.is_terminal();
        let (job_type, version) = (job.job_type, job.version);
        let goes_on = |execution: &Execution| {
            let failure = execution.failure.as_ref();
            is_kept
                && execution.job_version == version
                && !failure.is_some_and(|failure| is_final(job_type, failure.kind, 1))
        };
        let Some(execution) = live.execution_mut(id).filter(|one| goes_on(one)) else {
            return;
        };
        let pause_ms = end(execution, now);
        let replica = match count > 1 {
            true => format!("replica {} starts again", execution.partition),
            false => "starts again".to_owned(),
        };
        let message = format!("{replica} in {} s: {why}", pause_ms / 1_000);
        note_job(&mut live.record, Topic::Scheduling, &message, &[], now);
        live.record.job.state_message = message;
        live.record.job.revision += 1;
        live.record.job.modified = now.wall;
        for gone in forget_ended(&mut live.record) {
            self.job_of.remove(&gone);
        }
    }
}

/// Notes that an execution has ended; how long its replica pauses.
fn end(execution: &mut Execution, now: Now) -> u64 {
    let upkeep = execution.upkeep.get_or_insert_default();
    let was_well = upkeep
        .running_since
        .is_some_and(|since| since.boot != now.boot || since.until(&now) >= STEADY_MS);
    if was_well {
        upkeep.short_runs = 0;
    }
    let pause_ms = pause_ms(upkeep.short_runs);
    upkeep.short_runs = upkeep.short_runs.saturating_add(1);
    upkeep.pause = Some(Timer::start(now, pause_ms));
    pause_ms
}

fn pause_ms(short_runs: u32) -> u64 {
    let doubled = PAUSE_MS.checked_shl(short_runs.min(u64::BITS / 2));
    doubled.map_or(PAUSE_MAX_MS, |ms| ms.min(PAUSE_MAX_MS))
}

/// Why a container's end has its service started again.
pub(super) fn ended_with(output: &RunOutput) -> String {
    format!("it ended with exit code {}", output.exit_code)
}

/// How the next execution of a replica begins, for a job that is kept running.
pub(super) fn begin(record: &JobRecord, replica: &Replica) -> Option<Upkeep> {
    let job_type = record.job.job_type;
    let before = record
        .latest_executions()
        .filter(|execution| Replica::of(job_type, execution) == *replica)
        .filter_map(|execution| execution.upkeep)
        .last();
    job_type.is_kept_running().then(|| Upkeep {
        short_runs: before.map_or(0, |upkeep| upkeep.short_runs),
        ..Upkeep::default()
    })
}

impl Live {
    /// The container of an execution is known to run.
    pub(super) fn runs(&mut self, id: &ExecutionId, now: Now) {
        if let Some(execution) = self.execution_mut(id)
            && let Some(upkeep) = &mut execution.upkeep
        {
            upkeep.running_since.get_or_insert(now);
        }
    }
}

/// Whether an execution was accepted and is over.
fn has_run(state: ExecutionState) -> bool {
    matches!(
        state,
        ExecutionState::Completed | ExecutionState::Failed | ExecutionState::Cancelled
    )
}

/// Keeps the record of a job that runs for years small. Returns the executions that went. The last one of each replica
/// stays: it tells how long to pause, and which attempt comes next.
fn forget_ended(record: &mut JobRecord) -> Vec<ExecutionId> {
    let job_type = record.job.job_type;
    let mut last: BTreeSet<Replica> = BTreeSet::new();
    let mut kept = 0;
    let mut gone = Vec::new();
    let ended = record
        .latest_executions()
        .filter(|execution| has_run(execution.state))
        .collect::<Vec<_>>();
    for execution in ended.into_iter().rev() {
        if last.insert(Replica::of(job_type, execution)) {
            continue;
        }
        kept += 1;
        if kept > ENDED_MAX {
            gone.push(execution.id.clone());
        }
    }
    record
        .executions
        .retain(|execution| !gone.contains(&execution.id));
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_from_a_second_to_five_minutes_and_no_further() {
        let seconds: Vec<u64> = (0..12).map(|runs| pause_ms(runs) / 1_000).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(pause_ms(u32::MAX), PAUSE_MAX_MS);
    }
}
