//! What is stored against what the engine has, after every start and every return of the engine.

use super::rebuild::is_rebuilt;
use super::{Compute, Held, LATE_CALL_MS, Phase, Sweep, Wish};
use crate::agent::bidding::EngineView;
use crate::agent::mail::Desk;
use crate::agent::recovery::{Boot, Home, Remedy, remedy};
use crate::agent::{Activity, ActivityId, Entry, Found, FoundState};
use crate::model::{
    ComputeState, Deadline, EndedExecution, EngineFacts, ExecutionId, ExecutionRecord, Failure,
    FailureKind, Message, Outcome, WriteKind,
};
use std::collections::{BTreeMap, BTreeSet};

impl Compute {
    /// Takes over what the store holds, and executions that it lost. Unfinished executions wait for the engine; ended
    /// ones say their outcome again.
    pub(crate) fn recover(
        &mut self,
        live: Vec<ExecutionRecord>,
        rebuilt: Vec<ExecutionRecord>,
        ended: Vec<EndedExecution>,
        orphans: BTreeSet<ExecutionId>,
        desk: &mut Desk<'_>,
    ) {
        for one in ended {
            self.retention.keep(one.id.0.clone(), one.ended, one.bytes);
            self.remember_ended(one.id);
        }
        for record in &rebuilt {
            self.save(&record.id, WriteKind::Promise);
        }
        for mut record in live.into_iter().chain(rebuilt) {
            let id = record.id.clone();
            record.timer = record.timer.map(|timer| timer.rebase(desk.now));
            let phase = match &record.state {
                ComputeState::Ended { .. } => Phase::Ended,
                ComputeState::Accepted if orphans.contains(&id) => {
                    Phase::Reconciling { after: self.finds }
                }
                ComputeState::Accepted => {
                    // If its requester has stopped it meanwhile, it says so before anything is started.
                    let message = Message::Accepted {
                        execution: id.clone(),
                        resources: Some(record.resources),
                    };
                    desk.tell(&record.requester, message);
                    Phase::Reconciling { after: self.finds }
                }
                ComputeState::Running { .. } | ComputeState::Publishing { .. } => {
                    self.capacity.adopt(&id, record.resources);
                    Phase::Reconciling { after: self.finds }
                }
            };
            self.held.insert(id, Held::new(record, phase, desk));
        }
        self.deliver_again(desk);
        self.orphans = orphans;
        self.late_at = Some(Deadline(desk.now.boot_ms + LATE_CALL_MS));
        self.find(desk);
    }

    /// The engine answered: every execution whose container is in doubt gets its remedy, and what belongs to nothing
    /// is discarded.
    pub(crate) fn engine_found(
        &mut self,
        number: u64,
        facts: EngineFacts,
        containers: Vec<Found>,
        desk: &mut Desk<'_>,
    ) {
        self.engine = EngineView::Here(facts);
        self.say_back(desk);
        let found: BTreeMap<ExecutionId, Found> = containers
            .into_iter()
            .map(|container| (container.execution.clone(), container))
            .collect();
        // What runs has its room already; what is to be started gets what that leaves.
        let runs = |id: &ExecutionId| {
            found
                .get(id)
                .is_some_and(|found| found.state == FoundState::Running)
        };
        let (running, others): (Vec<_>, Vec<_>) = self.doubtful(number).into_iter().partition(runs);
        for id in running.into_iter().chain(others) {
            self.reconcile(&id, found.get(&id), desk);
        }
        self.sweeping
            .retain(|id, sweep| sweep.step.is_some() || found.contains_key(id));
        for (id, found) in found {
            self.sweep(id, found.state, desk);
        }
        self.hear_early_asks(desk);
        self.start_ready(desk);
    }

    /// Removes what belongs to nothing, unless that is under way.
    fn sweep(&mut self, id: ExecutionId, state: FoundState, desk: &mut Desk<'_>) {
        let is_under_way = |sweep: &Sweep| sweep.step.is_some();
        if self.held.contains_key(&id) || self.sweeping.get(&id).is_some_and(is_under_way) {
            return;
        }
        let step = self.step();
        let sweep = Sweep {
            state,
            step: Some(step),
        };
        self.sweeping.insert(id.clone(), sweep);
        desk.begin(
            ActivityId {
                execution: id,
                step,
            },
            Activity::Discard,
        );
    }

    /// Executions to reconcile by what this find shows, in the order of their acceptance.
    fn doubtful(&self, number: u64) -> Vec<ExecutionId> {
        let mut doubtful: Vec<&Held> = self
            .held
            .values()
            .filter(|held| matches!(held.phase, Phase::Reconciling { after } if after < number))
            .collect();
        doubtful.sort_by_key(|held| (held.record.accepted.wall, held.record.accepted.boot_ms));
        doubtful.iter().map(|held| held.record.id.clone()).collect()
    }

    fn reconcile(&mut self, id: &ExecutionId, found: Option<&Found>, desk: &mut Desk<'_>) {
        let Some(held) = self.held.get_mut(id) else {
            return;
        };
        let resources = held.record.resources;
        let home = match self.orphans.contains(id) {
            true => Home::CutOff,
            false => Home::Known,
        };
        let ran_in = held.record.ran_in.unwrap_or(held.record.accepted.boot);
        let boot = match ran_in == desk.now.boot && !is_rebuilt(&held.record) {
            true => Boot::Same,
            false => Boot::Other,
        };
        let remedy = remedy(&held.record.state, found, home, boot);
        match (remedy, held.wish) {
            (Remedy::Forget, _) => {
                self.held.remove(id);
                self.deleted.insert(id.clone());
                self.capacity.release(id);
            }
            (Remedy::Start(_), Wish::Cancel | Wish::TimeOut) if self.late_at.is_some() => {
                // A start that was on its way at a crash may still take effect: it is looked at once more, later.
                self.capacity.adopt(id, resources);
            }
            (Remedy::Prepare | Remedy::Start(_) | Remedy::Lost, Wish::Cancel) => {
                self.end(id, Outcome::Cancelled { output: None }, desk);
            }
            (Remedy::Start(_) | Remedy::Lost, Wish::TimeOut) => self.time_out(id, None, desk),
            (Remedy::Start(container), Wish::Run)
                if self.capacity.reserve(id, resources).is_ok() =>
            {
                self.begin_run(id, container, Entry::Found, desk);
            }
            (Remedy::Prepare, Wish::Run | Wish::TimeOut) | (Remedy::Start(_), Wish::Run) => {
                held.phase = Phase::Queued;
                // What it had set aside while it was prepared is asked for again, in turn.
                self.capacity.release(id);
                self.queue.push_back(id.clone());
            }
            (Remedy::Run(container), _) => {
                if found.is_some_and(|found| found.state != FoundState::Running) {
                    // It ended while nobody looked: the time since then is not its own.
                    held.record.timer = None;
                }
                self.capacity.adopt(id, resources);
                self.begin_run(id, container, Entry::Found, desk);
            }
            (Remedy::Publish(container, output), _) => {
                self.begin_publish(id, container, output, desk)
            }
            (Remedy::Lost, Wish::Run) => {
                let failure = if found.is_some() {
                    let message = "its container was cut off, as by a restart of the board, and how it ended is not known";
                    Failure::new(FailureKind::ContainerLost, message)
                } else if is_rebuilt(&held.record) {
                    let message =
                        "the node's store was lost, and the engine has no container of it";
                    Failure::new(FailureKind::StoreLost, message)
                } else {
                    let message = "its container is gone and how it ended is not known";
                    Failure::new(FailureKind::ContainerLost, message)
                };
                self.fail(id, failure, None, desk);
            }
            // In its outbox since it ended.
            (Remedy::Deliver, _) => held.phase = Phase::Ended,
        }
    }

    pub(super) fn hear_early_asks(&mut self, desk: &mut Desk<'_>) {
        for (from, ask) in std::mem::take(&mut self.early_asks).into_values() {
            self.hear(&from, ask, desk);
        }
    }
}
