//! An engine that is away, as its executions show it. Never a failure: each says since when, and goes on when it is back.

use super::Compute;
use crate::agent::bidding::EngineView;
use crate::agent::mail::Desk;
use crate::model::{ExecutionId, Message, WriteKind};

impl Compute {
    /// The engine does not answer. Activities in flight find out by themselves.
    pub(crate) fn engine_away(&mut self, why: String, desk: &mut Desk<'_>) {
        let was_away = matches!(self.engine, EngineView::Away { .. });
        self.engine = EngineView::Away { why };
        // The asks that waited for this news are answered with it.
        self.found_at_ms = Some(desk.now.boot_ms);
        self.hear_early_asks(desk);
        if !was_away {
            let held: Vec<ExecutionId> = self.held.keys().cloned().collect();
            for id in held {
                self.say_if_away(&id, desk);
            }
        }
    }

    /// Tells the requester of an execution that needs the engine since when it is away, if it is. That is a promise, so
    /// that no restart of this node makes the absence younger: one commit for each time the engine goes.
    pub(super) fn say_if_away(&mut self, id: &ExecutionId, desk: &mut Desk<'_>) {
        let (EngineView::Away { why }, Some(held)) = (&self.engine, self.held.get_mut(id)) else {
            return;
        };
        if !held.phase.is_open() {
            return;
        }
        let is_new = held.record.away.is_none();
        let since = *held.record.away.get_or_insert(desk.now);
        let message = Message::EngineAway {
            execution: id.clone(),
            since: since.wall,
            why: why.clone(),
        };
        let requester = held.record.requester.clone();
        if is_new {
            self.save(id, WriteKind::Promise);
        }
        desk.tell(&requester, message);
    }

    /// The engine answers: what said that it is away takes it back.
    pub(super) fn say_back(&mut self, desk: &mut Desk<'_>) {
        let held = self.held.iter_mut();
        let waited: Vec<ExecutionId> = held
            .filter_map(|(id, held)| held.record.away.take().map(|_| id.clone()))
            .collect();
        for id in waited {
            self.save(&id, WriteKind::RideAlong);
            if let Some(held) = self.held.get(&id) {
                let message = Message::EngineBack { execution: id };
                desk.tell(&held.record.requester, message);
            }
        }
    }
}
