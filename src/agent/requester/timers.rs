//! What the clock asks of the requester role.

use super::place::{Occasion, Reason};
use super::{Requester, Wanted};
use crate::agent::mail::Desk;
use crate::model::{
    Deadline, DesiredState, ExecutionId, Failure, FailureKind, JobId, Message, Outcome, StoreRoom,
    Topic,
};

/// How long a node may take to bid (swarm-protocol.md 5.2). An accepted bid is waited for without end: the node may run
/// it already.
const BID_WAIT_MS: u64 = 3 * 60 * 1_000;

impl Requester {
    /// When `timeout` is due next, if ever.
    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        self.jobs
            .values()
            .flat_map(|live| {
                let total = live
                    .record
                    .total_timer
                    .filter(|_| !live.job().state.is_terminal());
                let waits = live.waits.values().map(|wait| wait.retry.at());
                waits
                    .chain(live.look_at)
                    .chain(total.map(|timer| timer.deadline()))
            })
            .min()
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, desk: &mut Desk<'_>) {
        let now = desk.now;
        let ids: Vec<JobId> = self.jobs.keys().cloned().collect();
        for id in ids {
            let Some(live) = self.jobs.get_mut(&id) else {
                continue;
            };
            if !live.job().state.is_terminal()
                && live
                    .record
                    .total_timer
                    .is_some_and(|timer| timer.is_due(now))
            {
                self.out_of_time(&id, desk);
                continue;
            }
            let look = live.look_at.is_some_and(|at| at.0 <= now.boot_ms);
            let mut again: Vec<(ExecutionId, Wanted)> = Vec::new();
            let mut silent: Vec<ExecutionId> = Vec::new();
            for (execution, wait) in &mut live.waits {
                if !wait.retry.is_due(now) {
                    continue;
                }
                if wait.wanted == Wanted::Bid
                    && now.boot_ms - wait.since_ms.min(now.boot_ms) >= BID_WAIT_MS
                {
                    silent.push(execution.clone());
                } else {
                    again.push((execution.clone(), wait.wanted));
                }
            }
            for (execution, wanted) in again {
                if let Some((node, message)) = live.words(&execution, wanted) {
                    desk.tell(&node, message);
                }
            }
            for execution in silent {
                self.no_answer(&id, &execution, desk);
            }
            if look {
                self.look(&id, Occasion::Again, desk);
            }
        }
    }

    fn out_of_time(&mut self, id: &JobId, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(id) else {
            return;
        };
        let seconds = live
            .record
            .total_timer
            .map_or(0, |timer| timer.limit_ms / 1_000);
        let message = format!("the job took longer than its {seconds} s");
        super::history::note_job(&mut live.record, Topic::JobTimeout, &message, &[], desk.now);
        let reason = Reason {
            message,
            hint: FailureKind::Timeout.hint(),
            code: Some(FailureKind::Timeout.name()),
        };
        self.fail(id, &reason, desk);
    }

    /// A node did not bid. Nothing was promised on either side, so another one is asked.
    fn no_answer(&mut self, job: &JobId, id: &ExecutionId, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        let Some(execution) = live.execution(id) else {
            return;
        };
        if execution.desired == DesiredState::Stopped {
            // The silence of another one has just ended the job. This one may run, so its end is waited for.
            return;
        }
        if execution.desired == DesiredState::Running || self.room == StoreRoom::EndsOnly {
            // Its bid was accepted, perhaps in an earlier life of either side: it is asked about without end. And so is
            // one whose successor could not be stored.
            if let Some((node, message)) = live.words(id, Wanted::Bid) {
                desk.tell(&node, message);
            }
            return;
        }
        let node = execution.node_id.clone();
        desk.tell(
            &node,
            Message::RejectBid {
                execution: id.clone(),
            },
        );
        let message = format!(
            "node {node} did not answer the ask within {} s",
            BID_WAIT_MS / 1_000
        );
        let failure = Failure::new(FailureKind::NoAnswer, message);
        self.ended(
            job,
            id,
            Outcome::Failed {
                failure,
                output: None,
            },
            desk,
        );
    }
}
