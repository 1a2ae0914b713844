//! API requests that wait for the agent's replies.

use crate::agent::Output;
use crate::api::ReplySlot;
use crate::model::{ApiReply, DenyReason, RequestId};
use std::collections::BTreeMap;

/// Slots beyond which those of clients that gave up are dropped: more than the API has connections, each of which has one
/// request at a time, so what is over it is mostly abandoned.
const SWEEP_AT: usize = 512;

/// Reply slots by id. Bounded by the API's connections, and by a sweep of those that gave up waiting.
#[derive(Debug, Default)]
pub(super) struct Requests {
    next: u64,
    waiting: BTreeMap<RequestId, ReplySlot>,
}

impl Requests {
    /// Keeps a slot; the agent sees only the id.
    pub(super) fn keep(&mut self, slot: ReplySlot) -> RequestId {
        if self.waiting.len() >= SWEEP_AT {
            self.waiting.retain(|_, slot| !slot.is_abandoned());
        }
        self.next += 1;
        let id = RequestId(self.next);
        self.waiting.insert(id, slot);
        id
    }

    /// Answers a request, once.
    pub(super) fn answer(&mut self, id: RequestId, reply: ApiReply) {
        if let Some(slot) = self.waiting.remove(&id) {
            slot.send(reply);
        }
    }

    /// The commit failed: whoever waits is told that the outcome is not known, with the job's id where it has one.
    pub(super) fn fail(&mut self, dropped: Vec<Output>) {
        for output in dropped {
            if let Output::Reply { request, reply } = output {
                let job = match *reply {
                    ApiReply::Submitted { job, .. } => Some(job),
                    _ => None,
                };
                self.answer(
                    request,
                    ApiReply::Denied(DenyReason::StoreUnavailable { job }),
                );
            }
        }
        for (_, slot) in std::mem::take(&mut self.waiting) {
            slot.send(ApiReply::Denied(DenyReason::StoreUnavailable { job: None }));
        }
    }
}
