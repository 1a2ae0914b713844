//! The desk at which one event is worked on: what time it is, and where messages and outputs go.

use crate::agent::{Activity, ActivityId, Output};
use crate::model::{Message, NodeId, Now};
use std::collections::VecDeque;

/// A message that is on its way inside this node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mail {
    pub(crate) from: NodeId,
    pub(crate) message: Message,
}

/// Lent to the deciders for the time of one event.
#[derive(Debug)]
pub(crate) struct Desk<'a> {
    pub(crate) now: Now,
    pub(crate) me: &'a NodeId,
    pub(crate) mail: &'a mut VecDeque<Mail>,
    pub(crate) outputs: &'a mut Vec<Output>,
}

impl Desk<'_> {
    /// Says something to a node: inside the turn if it is this one.
    pub(crate) fn tell(&mut self, to: &NodeId, message: Message) {
        if to == self.me {
            self.mail.push_back(Mail {
                from: self.me.clone(),
                message,
            });
        } else {
            self.outputs.push(Output::Send {
                to: to.clone(),
                message,
            });
        }
    }

    /// Begins an activity.
    pub(crate) fn begin(&mut self, id: ActivityId, activity: Activity) {
        self.outputs.push(Output::Begin { id, activity });
    }

    /// An outcome that nobody waits for is acknowledged, so that its sender can forget it.
    pub(crate) fn acknowledge_stray(&mut self, from: &NodeId, message: &Message) {
        if let Message::Outcome { execution, .. } = message {
            self.tell(
                from,
                Message::Acknowledge {
                    execution: execution.clone(),
                },
            );
        }
    }
}
