//! Everything that decides, and touches nothing.
//!
//! ```text
//!   Event, Now --> handle --+--> requester <--- mail ---> compute
//!                           |    (jobs)                   (executions, capacity, bidding)
//!   Turn <------- turn -----+
//!    | writes + outputs
//!   Gate: reversible outputs at once, binding ones when their turn is durable
//! ```
//! One machine: `handle(event, now)` any number of times (at most [`TURN_EVENTS_MAX`] a turn), then `turn()`, and call
//! `handle(Event::Timeout, ..)` at or after `next_deadline()`. Requester and compute of one node speak the same messages
//! as those of two: within a node they pass inside the turn, between nodes they leave as [`Output::Send`].
//!
//! Who owns what: `requester` a job, its evaluation, its executions as planned and its history; `compute` an accepted
//! execution, its container and its capacity; `recovery` the table that says what every stored state means after a
//! crash; `gate` what may leave when; `pressure` what the board can spare at a moment; `health` what is not as it should
//! be. Failures end in exactly one terminal state: an execution that cannot be carried
//! out ends `Failed` with a typed reason on its compute node, its job is tried elsewhere or ends `Failed` with it.
//!
//! **Architecture invariant.** No I/O, no async, no clock, no randomness: a seed and `Now` come in.

mod bidding;
mod capacity;
mod compute;
mod event;
mod gate;
mod health;
mod ids;
mod mail;
mod pressure;
mod recovery;
mod requester;
mod retention;
mod retry;
mod turn;

pub use capacity::{Capacity, NotReserved};
pub use event::{ActivityResult, Event, Found, FoundState, Progress, RunFailure};
pub use gate::{FILLING_BYTES_MAX, Gate};
pub use health::{Crash, Fact, Health, HealthConfig};
pub use turn::{Activity, ActivityId, Entry, Output, Plan, Turn, Writes};

use crate::model::{
    ApiReply, ApiRequest, Census, Deadline, DenyReason, ExecutionId, FileHistory, ImageLowWater,
    MemoryLimits, Message, NodeId, NodeInfo, NodeRole, NodeRoles, Now, Origin, Prunable, RequestId,
    Resources, RetentionLimits, StoredState, UnixMs,
};
use compute::Compute;
use mail::{Desk, Mail};
use requester::{Requester, Rerun};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many ready events one turn takes: enough to fill a commit, few enough to answer the first of them soon.
pub const TURN_EVENTS_MAX: usize = 64;

/// How many jobs, and how many executions, may be live at once: each costs a few KiB of memory.
pub const LIVE_MAX: usize = 4_096;

/// What an agent is told once, at its start.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// This node.
    pub me: NodeId,
    /// Its roles.
    pub roles: NodeRoles,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it offers.
    pub total: Resources,
    /// Where that number comes from.
    pub total_origin: Origin,
    /// What becomes of jobs where the kernel does not limit memory.
    pub memory_limits: MemoryLimits,
    /// How long ended jobs and executions are kept.
    pub retention: RetentionLimits,
    /// The free disk below which pulled images go.
    pub image_low_water: ImageLowWater,
    /// Drawn once per start; new ids are derived from it and from when the agent is built.
    pub seed: [u8; 32],
}

/// The machine. See the module's text.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    requester: Option<Requester>,
    compute: Option<Compute>,
    mail: VecDeque<Mail>,
    outputs: Vec<Output>,
    /// When the latest event came.
    now: Now,
    /// When it was built.
    since: Now,
}

impl Agent {
    /// An agent with what the store holds: after a first start, a clean stop, a kill -9 or a failed commit alike. Its
    /// first turn asks the engine for this node's containers; what it finds decides how unfinished executions go on.
    #[must_use]
    pub fn recover(config: AgentConfig, stored: StoredState, now: Now) -> Self {
        let mut agent = Self {
            config,
            requester: None,
            compute: None,
            mail: VecDeque::new(),
            outputs: Vec::new(),
            now,
            since: now,
        };
        let StoredState {
            live_jobs,
            ended_jobs,
            retained,
            names,
            last_job,
            live_executions,
            ended_executions,
            orphaned_executions,
            images,
            jobs_file,
            executions_file,
            room,
        } = stored;
        let (me, roles) = (agent.config.me.clone(), agent.config.roles);
        let mut desk = Desk {
            now,
            me: &me,
            mail: &mut agent.mail,
            outputs: &mut agent.outputs,
        };
        let mut orphans: BTreeSet<ExecutionId> = orphaned_executions.into_iter().collect();
        let mut lost_jobs = Vec::new();
        if jobs_file == FileHistory::New && roles.has(NodeRole::Requester) {
            lost_jobs = requester::lost_jobs(&live_executions, &orphans, &me, now);
            orphans.clear();
        }
        if roles.has(NodeRole::Compute) {
            let mut compute = Compute::new(&agent.config, room);
            let lost = match executions_file {
                FileHistory::Kept => Vec::new(),
                FileHistory::New => compute.lost_executions(&live_jobs, &me, now),
            };
            compute.recover_images(images);
            compute.recover(live_executions, lost, ended_executions, orphans, &mut desk);
            agent.compute = Some(compute);
        }
        if roles.has(NodeRole::Requester) {
            let last = lost_jobs
                .iter()
                .map(|record| &record.job.id)
                .chain(&last_job)
                .max();
            let mut requester = Requester::new(&agent.config, last, room, now);
            requester.recover(live_jobs, lost_jobs, ended_jobs, retained, names, &mut desk);
            agent.requester = Some(requester);
        }
        agent.deliver(now);
        agent
    }

    /// Takes one event in. Total: surprising input is a transition or nothing, never a panic.
    pub fn handle(&mut self, event: Event, now: Now) {
        self.now = now;
        let me = self.config.me.clone();
        let mut desk = Desk {
            now,
            me: &me,
            mail: &mut self.mail,
            outputs: &mut self.outputs,
        };
        match event {
            Event::Request { id, request } => self.answer(id, request, now),
            Event::Message { from, message } => self.mail.push_back(Mail { from, message }),
            Event::Progress { id, progress } => {
                if let Some(compute) = &mut self.compute {
                    compute.progress(&id, progress, &mut desk);
                }
            }
            Event::Done { id, result } => {
                if let Some(compute) = &mut self.compute {
                    compute.done(&id, result, &mut desk);
                }
            }
            Event::EngineFound {
                number,
                facts,
                containers,
            } => {
                if let Some(compute) = &mut self.compute {
                    compute.engine_found(number, facts, containers, &mut desk);
                }
                if let Some(requester) = &mut self.requester {
                    requester.look_again(&mut desk);
                }
            }
            Event::EngineAway { why } => {
                if let Some(compute) = &mut self.compute {
                    compute.engine_away(why, &mut desk);
                }
            }
            Event::ImageRemoved { name, removal } => {
                if let Some(compute) = &mut self.compute {
                    compute.image_removed(&name, &removal, now);
                }
            }
            Event::Board(reading) => {
                if let Some(compute) = &mut self.compute {
                    compute.board_read(reading, now);
                }
            }
            Event::Room(room) => {
                if let Some(compute) = &mut self.compute {
                    compute.room_seen(room, &mut desk);
                }
                if let Some(requester) = &mut self.requester {
                    requester.room_seen(room, &mut desk);
                }
            }
            Event::PeerSeen { node, labels: _ } => {
                if let Some(requester) = &mut self.requester {
                    requester.peer_seen(node, &mut desk);
                }
            }
            Event::PeerGone { node } => {
                if let Some(requester) = &mut self.requester {
                    requester.peer_gone(&node);
                }
            }
            Event::Timeout => {
                if let Some(compute) = &mut self.compute {
                    compute.timeout(&mut desk);
                }
                if let Some(requester) = &mut self.requester {
                    requester.timeout(&mut desk);
                }
            }
        }
        self.deliver(now);
        if let Some(compute) = &mut self.compute {
            compute.make_room(&mut Desk {
                now,
                me: &me,
                mail: &mut self.mail,
                outputs: &mut self.outputs,
            });
        }
    }

    /// Whether the board is to be read, and the reading told as `Event::Board`, before this event is handled: it may
    /// lead to an admission, or shows the node, and the last reading is not of this moment.
    #[must_use]
    pub fn wants_board(&self, event: &Event, now: Now) -> bool {
        let Some(compute) = &self.compute else {
            return false;
        };
        let bears_on_it = match event {
            Event::Request { .. }
            | Event::Message { .. }
            | Event::EngineFound { .. }
            | Event::PeerSeen { .. }
            | Event::Timeout => true,
            // An end makes room for the next, and leaves an image that may go.
            Event::Done { .. } => compute.has_queue() || compute.has_images(),
            // What the board had before is not what it has now.
            Event::Room(_)
            | Event::ImageRemoved { .. }
            | Event::Progress {
                progress: Progress::Pulled { .. },
                ..
            } => return true,
            Event::Progress { .. }
            | Event::EngineAway { .. }
            | Event::Board(_)
            | Event::PeerGone { .. } => false,
        };
        bears_on_it && compute.wants_board(now)
    }

    /// What the events since the last turn decided. Writes hold the last value per record.
    pub fn turn(&mut self) -> Turn {
        let mut writes = Writes::default();
        if let Some(requester) = &mut self.requester {
            requester.take_writes(&mut writes, self.now);
        }
        if let Some(compute) = &mut self.compute {
            compute.take_writes(&mut writes, self.now);
        }
        Turn {
            writes,
            outputs: std::mem::take(&mut self.outputs),
        }
    }

    /// What is live, by state.
    #[must_use]
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        if let Some(requester) = &self.requester {
            requester.count(&mut census);
        }
        if let Some(compute) = &self.compute {
            compute.count(&mut census);
        }
        census
    }

    /// When `Event::Timeout` is due next, if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        let compute = self.compute.as_ref().and_then(Compute::next_deadline);
        let requester = self.requester.as_ref().and_then(Requester::next_deadline);
        compute.into_iter().chain(requester).min()
    }

    /// Lets requester and compute speak until neither has a message for the other.
    fn deliver(&mut self, now: Now) {
        let me = self.config.me.clone();
        while let Some(Mail { from, message }) = self.mail.pop_front() {
            let mut desk = Desk {
                now,
                me: &me,
                mail: &mut self.mail,
                outputs: &mut self.outputs,
            };
            match message {
                Message::Ask { .. }
                | Message::AcceptBid { .. }
                | Message::RejectBid { .. }
                | Message::Cancel { .. }
                | Message::Acknowledge { .. } => {
                    if let Some(compute) = &mut self.compute {
                        compute.hear(&from, message, &mut desk);
                    }
                }
                Message::Bid { .. }
                | Message::Accepted { .. }
                | Message::Unknown { .. }
                | Message::Pulling { .. }
                | Message::Progress { .. }
                | Message::EngineAway { .. }
                | Message::EngineBack { .. }
                | Message::Outcome { .. } => match &mut self.requester {
                    Some(requester) => requester.hear(&from, message, &mut desk),
                    // Its requester role was taken away: nobody waits for the outcome any more.
                    None => desk.acknowledge_stray(&from, &message),
                },
            }
        }
    }

    fn answer(&mut self, id: RequestId, request: ApiRequest, now: Now) {
        let me = self.config.me.clone();
        let mut desk = Desk {
            now,
            me: &me,
            mail: &mut self.mail,
            outputs: &mut self.outputs,
        };
        let reply = match (request, &mut self.requester) {
            (ApiRequest::NodeInfo, _) => ApiReply::Node(Box::new(self.node_info())),
            (ApiRequest::Prune(mode), requester) => {
                let mut prunable = Prunable::default();
                if let Some(requester) = requester {
                    prunable.jobs = requester.prune(mode, now);
                }
                if let Some(compute) = &mut self.compute {
                    compute.prune(mode, &mut prunable, &mut desk);
                }
                ApiReply::Prunable(Box::new(prunable))
            }
            (ApiRequest::Submit(submission), Some(requester)) => {
                requester.submit(*submission, &mut desk)
            }
            (ApiRequest::Stop { job, reason }, Some(requester)) => {
                requester.stop(&job, reason, &mut desk)
            }
            (
                ApiRequest::Rerun {
                    job,
                    version,
                    reason,
                    idempotency,
                    stored,
                },
                Some(requester),
            ) => {
                let rerun = Rerun {
                    version,
                    reason,
                    idempotency,
                };
                requester.rerun(&job, rerun, stored, &mut desk)
            }
            (ApiRequest::Read { job }, Some(requester)) => requester.read(&job),
            (ApiRequest::Find { namespace, name }, Some(requester)) => {
                requester.find(&namespace, &name)
            }
            (ApiRequest::List(range), Some(requester)) => ApiReply::Jobs(requester.list(&range)),
            // The shell's to answer, which outlives an agent.
            (ApiRequest::Evidence, _) => ApiReply::NotLive,
            (_, None) => ApiReply::Denied(DenyReason::NotRequester),
        };
        self.outputs.push(Output::Reply {
            request: id,
            reply: Box::new(reply),
        });
    }

    fn node_info(&self) -> NodeInfo {
        let mut info = NodeInfo {
            id: self.config.me.clone(),
            roles: self.config.roles,
            labels: self.config.labels.clone(),
            engines: Vec::new(),
            publishers: Vec::new(),
            storages: Vec::new(),
            total: self.config.total,
            total_origin: self.config.total_origin.clone(),
            per_job: self.config.total,
            available: self.config.total,
            running: 0,
            enqueued: 0,
            engine: Err("this node does not run jobs".to_owned()),
            conditions: Vec::new(),
            since: self.now.wall.map(|now| {
                let lasts_ms = self.since.until(&self.now);
                UnixMs(now.0.saturating_sub(lasts_ms))
            }),
            said: self.now.wall,
        };
        if let Some(compute) = &self.compute {
            compute.describe(&mut info);
        }
        info
    }
}
