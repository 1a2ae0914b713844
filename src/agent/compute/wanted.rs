//! Whether what runs here is still wanted where it was asked for.
//!
//! A requester may have ended an execution before this node took it: its cancel and a late acceptance overtook each other.
//! It has this node stop whatever it hears of it, but what is said of it once may be lost, and a stop may be forgotten in
//! a crash. So its bid is made again, ever more rarely, until its requester has said anything in answer: one that wants
//! it accepts again, one that does not rejects. Once in a life of this node is enough, for what a requester wants it
//! cancels until it ends.

use super::{Compute, Held};
use crate::agent::mail::Desk;
use crate::model::{BidVerdict, Deadline, ExecutionId, Message, NodeId};

impl Held {
    /// When its requester is to be asked whether it is wanted, if ever.
    fn next_offer(&self) -> Option<Deadline> {
        let doubt = self.doubt.filter(|_| self.phase.is_open())?;
        Some(doubt.at())
    }
}

impl Compute {
    /// When a bid is to be made again.
    pub(super) fn next_offer(&self) -> Option<Deadline> {
        self.held.values().filter_map(Held::next_offer).min()
    }

    /// Makes the bids again that are due.
    pub(super) fn offer_again(&mut self, desk: &mut Desk<'_>) {
        for (id, held) in &mut self.held {
            if held.phase.is_open() && held.doubt.as_mut().is_some_and(|it| it.is_due(desk.now)) {
                let message = Message::Bid {
                    execution: id.clone(),
                    verdict: BidVerdict::Accepted,
                };
                desk.tell(&held.record.requester, message);
            }
        }
    }

    /// A requester speaks of an execution. What it says before it was asked may have left it long ago.
    pub(super) fn heard_of(&mut self, id: &ExecutionId, from: &NodeId) {
        if let Some(held) = self.held.get_mut(id)
            && held.record.requester == *from
        {
            held.doubt = held.doubt.filter(|doubt| !doubt.was_due());
        }
    }
}
