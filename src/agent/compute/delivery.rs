//! Outcomes on their way to their requesters: in the order in which they ended, until each is acknowledged.
//!
//! One outbox per requester. An outcome is told when it ends, unless earlier ones have not been told again yet. What is not
//! acknowledged is told again, ever more rarely, from the oldest on: as many as [`ROUND`], and one more for each
//! acknowledgement. So a requester that was away for days is asked for with a few messages, and gets the rest as fast as it
//! stores it. The outcomes themselves are in executions.db; after a restart the outboxes are filled from there.

use super::{Compute, Held, Phase};
use crate::agent::mail::Desk;
use crate::agent::retry::Retry;
use crate::model::{ComputeState, Deadline, ExecutionId, Message, NodeId, Now, Outcome, UnixMs};
use std::collections::VecDeque;

/// How many outcomes are told at once to a requester that has acknowledged none of them: an outcome is at most 5 KiB, and
/// a round trip over a bad link takes a second.
const ROUND: usize = 16;

/// What one requester has not acknowledged.
#[derive(Debug)]
pub(super) struct Outbox {
    /// In the order of their ends.
    pending: VecDeque<ExecutionId>,
    /// How many of these, from the first on, have been told in this round.
    told: usize,
    retry: Retry,
}

impl Outbox {
    fn new(now: Now) -> Self {
        Self {
            pending: VecDeque::new(),
            told: 0,
            retry: Retry::start(now),
        }
    }

    /// What is to be told now so that a round is full.
    fn fill(&mut self) -> Vec<ExecutionId> {
        let round = self.pending.len().min(ROUND);
        let next = self.pending.range(self.told.min(round)..round).cloned();
        let next: Vec<ExecutionId> = next.collect();
        self.told = self.told.max(round);
        next
    }
}

impl Compute {
    /// When an outcome is to be told again.
    pub(super) fn next_delivery(&self) -> Option<Deadline> {
        self.outboxes.values().map(|outbox| outbox.retry.at()).min()
    }

    /// An execution has ended.
    pub(super) fn deliver(&mut self, id: &ExecutionId, requester: &NodeId, desk: &mut Desk<'_>) {
        let outbox = self
            .outboxes
            .entry(requester.clone())
            .or_insert_with(|| Outbox::new(desk.now));
        outbox.pending.push_back(id.clone());
        if outbox.told + 1 == outbox.pending.len() {
            outbox.told += 1;
            self.tell_outcome(id, desk);
        }
    }

    /// Outcomes that an earlier life of this node left undelivered: the first of each requester are told at once.
    pub(super) fn deliver_again(&mut self, desk: &mut Desk<'_>) {
        let undelivered = self.held.values();
        let mut undelivered: Vec<&Held> = undelivered
            .filter(|held| matches!(held.phase, Phase::Ended))
            .collect();
        undelivered.sort_by_key(|held| {
            let accepted = held.record.accepted;
            (ended_at(held), accepted.wall, accepted.boot_ms)
        });
        let undelivered: Vec<(ExecutionId, NodeId)> = undelivered
            .iter()
            .map(|held| (held.record.id.clone(), held.record.requester.clone()))
            .collect();
        for (id, requester) in undelivered {
            let outbox = self.outboxes.entry(requester);
            let outbox = outbox.or_insert_with(|| Outbox::new(desk.now));
            outbox.pending.push_back(id);
        }
        let mut next = Vec::new();
        for outbox in self.outboxes.values_mut() {
            next.extend(outbox.fill());
        }
        for id in next {
            self.tell_outcome(&id, desk);
        }
    }

    /// A requester has stored an outcome: it is there, and gets what waits.
    pub(super) fn delivered(&mut self, id: &ExecutionId, requester: &NodeId, desk: &mut Desk<'_>) {
        let Some(outbox) = self.outboxes.get_mut(requester) else {
            return;
        };
        let Some(index) = outbox.pending.iter().position(|pending| pending == id) else {
            return;
        };
        outbox.pending.remove(index);
        outbox.told -= usize::from(index < outbox.told);
        outbox.retry = Retry::start(desk.now);
        let next = outbox.fill();
        if outbox.pending.is_empty() {
            self.outboxes.remove(requester);
        }
        for id in next {
            self.tell_outcome(&id, desk);
        }
    }

    /// Tells again what is due, from the oldest on.
    pub(super) fn tell_again(&mut self, desk: &mut Desk<'_>) {
        let mut next = Vec::new();
        for outbox in self.outboxes.values_mut() {
            if outbox.retry.is_due(desk.now) {
                outbox.told = 0;
                next.extend(outbox.fill());
            }
        }
        for id in next {
            self.tell_outcome(&id, desk);
        }
    }

    fn tell_outcome(&self, id: &ExecutionId, desk: &mut Desk<'_>) {
        let Some(held) = self.held.get(id) else {
            return;
        };
        if let ComputeState::Ended { outcome, .. } = &held.record.state {
            let message = outcome_of(id, outcome);
            desk.tell(&held.record.requester, message);
        }
    }
}

fn outcome_of(id: &ExecutionId, outcome: &Outcome) -> Message {
    Message::Outcome {
        execution: id.clone(),
        outcome: Box::new(outcome.clone()),
    }
}

/// When it ended, if the clock was set.
fn ended_at(held: &Held) -> Option<UnixMs> {
    match &held.record.state {
        ComputeState::Ended { ended, .. } => *ended,
        _ => None,
    }
}
