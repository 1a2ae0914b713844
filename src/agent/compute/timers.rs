//! What the clock asks of the compute role.

use super::{Compute, Phase, Wish};
use crate::agent::mail::Desk;
use crate::agent::{ActivityId, Output};
use crate::model::{Deadline, ExecutionId, Failure, FailureKind};

impl Compute {
    /// When `timeout` is due next, if ever.
    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        let held = self.held.values().filter_map(|held| match &held.phase {
            Phase::Bidding { until } => Some(*until),
            Phase::Queued => held.patience.map(|timer| timer.deadline()),
            Phase::Running { .. } if held.wish == Wish::Run => {
                held.record.timer.map(|timer| timer.deadline())
            }
            Phase::Reconciling { .. }
            | Phase::Preparing { .. }
            | Phase::Running { .. }
            | Phase::Publishing { .. }
            | Phase::Ended
            | Phase::Discarding { .. } => None,
        });
        held.chain(self.next_delivery())
            .chain(self.next_offer())
            .chain(self.find_at)
            .chain(self.late_at)
            .chain(self.spare_at)
            .min()
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, desk: &mut Desk<'_>) {
        let now = Deadline(desk.now.boot_ms);
        let came_late = self.late_at.take_if(|at| *at <= now).is_some();
        if came_late || self.find_at.is_some_and(|at| at <= now) {
            self.find(desk);
        }
        self.held
            .retain(|_, held| !matches!(held.phase, Phase::Bidding { until } if until <= now));
        if self.spare_at.is_some_and(|at| at <= now) {
            self.start_ready(desk);
        }
        self.tell_again(desk);
        self.offer_again(desk);
        let mut impatient: Vec<ExecutionId> = Vec::new();
        for (id, held) in &mut self.held {
            match &mut held.phase {
                Phase::Queued if held.patience.is_some_and(|timer| timer.is_due(desk.now)) => {
                    impatient.push(id.clone());
                }
                Phase::Running { step, .. } => {
                    let is_due = held
                        .record
                        .timer
                        .is_some_and(|timer| timer.is_due(desk.now));
                    if is_due && held.wish == Wish::Run {
                        held.wish = Wish::TimeOut;
                        desk.outputs.push(Output::Stop {
                            id: ActivityId {
                                execution: id.clone(),
                                step: *step,
                            },
                        });
                    }
                }
                Phase::Bidding { .. }
                | Phase::Queued
                | Phase::Reconciling { .. }
                | Phase::Preparing { .. }
                | Phase::Publishing { .. }
                | Phase::Ended
                | Phase::Discarding { .. } => {}
            }
        }
        for id in impatient {
            // The end of the one before may have made room for it.
            let still_waits = |held: &super::Held| matches!(held.phase, Phase::Queued);
            if !self.held.get(&id).is_some_and(still_waits) {
                continue;
            }
            let message =
                "the execution waited longer than its job's QueueTimeout for room on this node";
            self.fail(
                &id,
                Failure::new(FailureKind::QueueTimeout, message),
                None,
                desk,
            );
        }
    }
}
