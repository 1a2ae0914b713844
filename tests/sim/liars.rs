//! A peer that says what it likes, until the world heals; then it only wants to be forgotten.

use super::clients::job;
use super::scenario::{JobPlan, word};
use super::world::{Happening, World};
use codling::model::{
    BidVerdict, ExecutionId, ExecutionState, Failure, FailureKind, JobId, JobType, Message, NodeId,
    Outcome, RejectReason, RunOutput, SpecConfig,
};
use std::collections::BTreeSet;

/// How many lies a run has.
const LIES_MAX: u64 = 60;

/// What the liar knows and did.
#[derive(Debug, Default)]
pub(super) struct LiarState {
    lies: u64,
    /// Executions that others spoke of.
    overheard: Vec<ExecutionId>,
    /// Executions that it was asked to run, and by whom.
    asked: BTreeSet<(usize, ExecutionId)>,
}

fn liar() -> NodeId {
    NodeId::from("liar")
}

impl World {
    pub(super) fn liar_overhears(&mut self, message: &Message) {
        let overheard = &mut self.liar.overheard;
        if self.network.peers() > self.nodes.len() && overheard.len() < 64 {
            overheard.push(message.execution().clone());
        }
    }

    fn liar_says(&mut self, node: usize, message: Message) {
        let to = self.nodes[node].id.clone();
        let from = self.nodes.len();
        self.tell(|| format!("liar -> {to}: {message:?}"));
        self.send(from, &to, &message);
    }

    /// A lie out of the blue.
    pub(super) fn lie(&mut self) {
        if self.is_healed || self.liar.lies >= LIES_MAX {
            return;
        }
        self.liar.lies += 1;
        let node = super::scenario::index(self.seed.below(self.nodes.len() as u64));
        let execution = if self.liar.overheard.is_empty() || self.seed.once_in(4) {
            ExecutionId(format!("e-lie-{}", self.seed.below(4)))
        } else {
            self.seed.pick(&self.liar.overheard).clone()
        };
        let message = self.any_message(execution);
        self.liar_says(node, message);
        let ms = self.delay(4_000) + 50;
        self.after(ms, Happening::Lie);
    }

    fn any_message(&mut self, execution: ExecutionId) -> Message {
        match self.seed.below(10) {
            0 | 1 => Message::Ask {
                partition: 0,
                job: Box::new({
                    let mut job = job(&JobPlan {
                        name: "lie".to_owned(),
                        job_type: *self.seed.pick(&[JobType::Batch, JobType::Service]),
                        image: "here",
                        run_ms: Some(self.seed.below(20_000)),
                        code: 66,
                        count: 1,
                        cpu: word(&mut self.seed, &["", "1", "99"]),
                        publisher: word(&mut self.seed, &["", "noop"]),
                        queue_s: 0,
                        execution_s: 0,
                        total_s: 0,
                    });
                    job.id = JobId::from("j-lie");
                    job.requester = liar();
                    job
                }),
                execution,
            },
            2 => Message::Bid {
                execution,
                verdict: if self.seed.once_in(2) {
                    BidVerdict::Accepted
                } else {
                    BidVerdict::Rejected(RejectReason::QueueFull { limit: 1 })
                },
            },
            3 => Message::AcceptBid { execution },
            4 => Message::RejectBid { execution },
            5 => Message::Accepted {
                execution,
                resources: None,
            },
            6 => Message::Unknown { execution },
            7 => Message::Progress {
                execution,
                state: *self.seed.pick(&ExecutionState::ALL),
            },
            8 => Message::Cancel { execution },
            _ if self.seed.once_in(4) => Message::Acknowledge { execution },
            _ => Message::Outcome {
                execution,
                outcome: Box::new(self.any_outcome()),
            },
        }
    }

    fn any_outcome(&mut self) -> Outcome {
        match self.seed.below(3) {
            0 => Outcome::Cancelled { output: None },
            1 => Outcome::Failed {
                failure: Failure::new(FailureKind::ContainerLost, "so it says"),
                output: None,
            },
            _ => Outcome::Completed {
                output: RunOutput {
                    exit_code: 66,
                    ..RunOutput::default()
                },
                published: SpecConfig::default(),
            },
        }
    }

    /// Something was said to the liar.
    pub(super) fn liar_hears(&mut self, node: usize, message: Message) {
        if matches!(message, Message::Ask { .. } | Message::AcceptBid { .. }) {
            self.liar.asked.insert((node, message.execution().clone()));
        }
        if self.is_healed {
            self.honest_answer(node, &message);
            return;
        }
        let execution = message.execution().clone();
        let answer = match message {
            // In its role it plays along, more or less.
            Message::Ask { .. } if self.seed.once_in(2) => Message::Bid {
                execution,
                verdict: BidVerdict::Accepted,
            },
            Message::AcceptBid { .. } if self.seed.once_in(2) => Message::Accepted {
                execution,
                resources: None,
            },
            Message::Bid { .. } if self.seed.once_in(2) => Message::AcceptBid { execution },
            _ if self.liar.lies < LIES_MAX && self.seed.once_in(2) => {
                self.liar.lies += 1;
                self.any_message(execution)
            }
            _ => return,
        };
        self.liar_says(node, answer);
    }

    fn honest_answer(&mut self, node: usize, message: &Message) {
        let execution = message.execution().clone();
        let answer = match message {
            Message::Ask { .. } => Message::Bid {
                execution,
                verdict: BidVerdict::Rejected(RejectReason::AlreadyEnded),
            },
            Message::AcceptBid { .. } | Message::Cancel { .. } => Message::Unknown { execution },
            Message::Bid {
                verdict: BidVerdict::Accepted,
                ..
            } => Message::RejectBid { execution },
            Message::Accepted { .. } | Message::Progress { .. } => Message::Cancel { execution },
            Message::Outcome { .. } => Message::Acknowledge { execution },
            _ => return,
        };
        self.liar_says(node, answer);
    }

    /// It tells everybody who may wait for it that it gives up.
    pub(super) fn liar_repents(&mut self) {
        if self.network.peers() == self.nodes.len() {
            return;
        }
        for (node, execution) in self.liar.asked.clone() {
            let outcome = Outcome::Failed {
                failure: Failure::new(FailureKind::StoreLost, "it gives up"),
                output: None,
            };
            let message = Message::Outcome {
                execution,
                outcome: Box::new(outcome),
            };
            for late in [60_000, 1_000_000] {
                let arrival = Happening::Arrive {
                    to: node,
                    from: liar(),
                    message: Box::new(message.clone()),
                };
                self.after(late, arrival);
            }
        }
    }
}
