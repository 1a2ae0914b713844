//! What requesters say.

use super::{ASK_PACE_MS, BID_MS, Compute, Held, Phase, Wish};
use crate::agent::bidding::{self, EngineView, Offer};
use crate::agent::mail::Desk;
use crate::agent::{Activity, ActivityId, LIVE_MAX, Output};
use crate::model::{
    BidVerdict, ComputeState, Deadline, Delivery, ExecutionId, ExecutionRecord, Job, Message,
    NodeId, Outcome, RejectReason, StoreRoom, WriteKind,
};

impl Compute {
    /// One message. A repetition answers with how the execution stands.
    pub(crate) fn hear(&mut self, from: &NodeId, message: Message, desk: &mut Desk<'_>) {
        self.heard_of(message.execution(), from);
        match message {
            Message::Ask {
                execution,
                job,
                partition,
            } => self.ask(from, execution, job, partition, desk),
            Message::AcceptBid { execution } => self.accept(from, &execution, desk),
            Message::RejectBid { execution } => self.reject(from, &execution, desk),
            Message::Cancel { execution } => self.cancel(from, &execution, desk),
            Message::Acknowledge { execution } => self.acknowledged(from, &execution, desk),
            // What compute nodes say is not for this role.
            Message::Bid { .. }
            | Message::Accepted { .. }
            | Message::Unknown { .. }
            | Message::Pulling { .. }
            | Message::Progress { .. }
            | Message::EngineAway { .. }
            | Message::EngineBack { .. }
            | Message::Outcome { .. } => {}
        }
    }

    fn ask(
        &mut self,
        from: &NodeId,
        id: ExecutionId,
        job: Box<Job>,
        partition: u32,
        desk: &mut Desk<'_>,
    ) {
        if let Some(held) = self.held.get(&id) {
            if held.record.requester == *from {
                let answer = how_it_stands(&id, held);
                desk.tell(from, answer);
            }
            return;
        }
        if self.ended.contains(&id) {
            let verdict = BidVerdict::Rejected(RejectReason::AlreadyEnded);
            desk.tell(
                from,
                Message::Bid {
                    execution: id,
                    verdict,
                },
            );
            return;
        }
        let is_due = self.find_due(ASK_PACE_MS) <= Deadline(desk.now.boot_ms);
        if is_due && matches!(self.engine, EngineView::Away { .. }) {
            // It may have come back since: it is looked for first, so that the job need not be sent twice.
            self.engine = EngineView::Unknown;
            self.find_now(desk);
        }
        let must_wait = self.room == StoreRoom::EndsOnly && from == desk.me;
        if self.engine == EngineView::Unknown || must_wait {
            // At most as many as may be held; the others' requesters say it again.
            if self.early_asks.len() < LIVE_MAX {
                let ask = Message::Ask {
                    execution: id.clone(),
                    job,
                    partition,
                };
                self.early_asks.insert(id, (from.clone(), ask));
            }
            return;
        }
        if self.sweeping.contains_key(&id) {
            return;
        }
        let offer = Offer {
            capacity: &self.capacity,
            engine: &self.engine,
            labels: &self.labels,
            held: self.held.len(),
            memory_limits: self.memory_limits,
            room: self.room,
            board: self.board.as_ref().map(|(_, reading)| reading),
        };
        let verdict = match bidding::consider(&job, &offer) {
            Ok(resources) => {
                let record = ExecutionRecord {
                    id: id.clone(),
                    job: *job,
                    partition,
                    requester: from.clone(),
                    resources,
                    state: ComputeState::Accepted,
                    timer: None,
                    accepted: desk.now,
                    away: None,
                    ran_in: None,
                };
                let phase = Phase::Bidding {
                    until: Deadline(desk.now.boot_ms + BID_MS),
                };
                self.held.insert(id.clone(), Held::new(record, phase, desk));
                BidVerdict::Accepted
            }
            Err(reason) => {
                // It was looked for a moment ago, and is again soon.
                if matches!(reason, RejectReason::EngineAway { .. }) {
                    self.find(desk);
                }
                BidVerdict::Rejected(reason)
            }
        };
        desk.tell(
            from,
            Message::Bid {
                execution: id,
                verdict,
            },
        );
    }

    fn accept(&mut self, from: &NodeId, id: &ExecutionId, desk: &mut Desk<'_>) {
        let Some(held) = self
            .held
            .get_mut(id)
            .filter(|held| held.record.requester == *from)
        else {
            desk.tell(
                from,
                Message::Unknown {
                    execution: id.clone(),
                },
            );
            return;
        };
        if matches!(held.phase, Phase::Bidding { .. }) {
            held.record.accepted = desk.now;
            *held = Held::new(held.record.clone(), Phase::Queued, desk);
            self.queue.push_back(id.clone());
            let answer = how_it_stands(id, held);
            self.save(id, WriteKind::Promise);
            desk.tell(from, answer);
            self.say_if_away(id, desk);
            self.start_ready(desk);
        } else {
            let answer = how_it_stands(id, held);
            desk.tell(from, answer);
        }
    }

    fn reject(&mut self, from: &NodeId, id: &ExecutionId, desk: &mut Desk<'_>) {
        let bidding = self.held.get(id).is_some_and(|held| {
            held.record.requester == *from && matches!(held.phase, Phase::Bidding { .. })
        });
        if bidding {
            self.held.remove(id);
        } else {
            self.cancel(from, id, desk);
        }
    }

    fn cancel(&mut self, from: &NodeId, id: &ExecutionId, desk: &mut Desk<'_>) {
        self.early_asks.remove(id);
        if self.orphans.contains(id) {
            // Its requester is this node, which knows it no more and so cannot have been asked to stop it.
            return;
        }
        let Some(held) = self
            .held
            .get_mut(id)
            .filter(|held| held.record.requester == *from)
        else {
            desk.tell(
                from,
                Message::Unknown {
                    execution: id.clone(),
                },
            );
            return;
        };
        match &held.phase {
            Phase::Bidding { .. } => {
                self.held.remove(id);
                desk.tell(
                    from,
                    Message::Unknown {
                        execution: id.clone(),
                    },
                );
            }
            Phase::Queued => self.end(id, Outcome::Cancelled { output: None }, desk),
            Phase::Reconciling { .. } => held.wish = Wish::Cancel,
            Phase::Preparing { step }
            | Phase::Running { step, .. }
            | Phase::Publishing { step, .. } => {
                let step = *step;
                if held.wish == Wish::Run {
                    held.wish = Wish::Cancel;
                    desk.outputs.push(Output::Stop {
                        id: ActivityId {
                            execution: id.clone(),
                            step,
                        },
                    });
                }
            }
            Phase::Ended | Phase::Discarding { .. } => {
                let answer = how_it_stands(id, held);
                desk.tell(from, answer);
            }
        }
    }

    /// The results are safe: the container may go.
    fn acknowledged(&mut self, from: &NodeId, id: &ExecutionId, desk: &mut Desk<'_>) {
        let step = self.step();
        let Some(held) = self
            .held
            .get_mut(id)
            .filter(|held| held.record.requester == *from)
        else {
            return;
        };
        let (Phase::Ended, ComputeState::Ended { delivery, .. }) =
            (&held.phase, &mut held.record.state)
        else {
            return;
        };
        *delivery = Delivery::Acknowledged;
        held.phase = Phase::Discarding { step };
        self.save(id, WriteKind::RideAlong);
        self.delivered(id, from, desk);
        desk.begin(
            ActivityId {
                execution: id.clone(),
                step,
            },
            Activity::Discard,
        );
    }
}

fn how_it_stands(id: &ExecutionId, held: &Held) -> Message {
    let execution = id.clone();
    match (&held.phase, &held.record.state) {
        (Phase::Bidding { .. }, _) => Message::Bid {
            execution,
            verdict: BidVerdict::Accepted,
        },
        (_, ComputeState::Ended { outcome, .. }) => Message::Outcome {
            execution,
            outcome: Box::new(outcome.clone()),
        },
        _ => Message::Accepted {
            execution,
            resources: Some(held.record.resources),
        },
    }
}
