//! One agent on a bench: told events, asked for turns.

use crate::support::jobs::unsubmitted;
use codling::agent::{
    Activity, ActivityId, ActivityResult, Agent, AgentConfig, Event, Found, FoundState, Output,
    Turn,
};
use codling::model::*;
use serde_json::json;
use std::collections::BTreeMap;

/// The agent's own node.
pub(crate) const ME: &str = "12D3KooWMe";
/// Another node, which is a requester of this one.
pub(crate) const OTHER: &str = "12D3KooWOther";

/// A moment of a boot, on the boot clock and on a wall clock that was set when the first boot began.
pub(crate) fn at(boot: u8, boot_ms: u64, wall_ms: u64) -> Now {
    Now {
        boot: BootId([boot; 16]),
        boot_ms,
        wall: Some(UnixMs(1_800_000_000_000 + wall_ms)),
    }
}

/// A moment of the first boot.
pub(crate) fn early(ms: u64) -> Now {
    at(1, ms, ms)
}

/// A job of one container that asks for `cpu` and may take the times of `timeouts`.
pub(crate) fn job(cpu: &str, timeouts: Timeouts) -> Job {
    let params = json!({"Image": "busybox", "Parameters": ["true"]});
    let mut job = Job {
        id: JobId::from("j-other"),
        version: 1,
        revision: 1,
        requester: NodeId::from(OTHER),
        ..unsubmitted("a job", &params)
    };
    cpu.clone_into(&mut job.task.resources.cpu);
    job.task.timeouts = timeouts;
    job
}

/// A job that asks for little and has all the time.
pub(crate) fn plain() -> Job {
    job("100m", Timeouts::default())
}

pub(crate) fn ask(id: &str, job: &Job) -> Message {
    Message::Ask {
        execution: ExecutionId::from(id),
        job: Box::new(job.clone()),
        partition: 0,
    }
}

pub(crate) fn accept_bid(id: &str) -> Message {
    Message::AcceptBid {
        execution: ExecutionId::from(id),
    }
}

pub(crate) fn output(exit_code: i64) -> RunOutput {
    RunOutput {
        exit_code,
        ..RunOutput::default()
    }
}

pub(crate) fn completed(exit_code: i64) -> Outcome {
    Outcome::Completed {
        output: output(exit_code),
        published: SpecConfig::default(),
    }
}

/// An execution as this node has stored it for the other one.
pub(crate) fn record(id: &str, job: &Job, state: ComputeState, accepted: Now) -> ExecutionRecord {
    ExecutionRecord {
        id: ExecutionId::from(id),
        job: job.clone(),
        partition: 0,
        requester: NodeId::from(OTHER),
        resources: Resources {
            cpu_millis: 1_000,
            ..Resources::default()
        },
        state,
        timer: None,
        accepted,
        away: None,
        ran_in: None,
    }
}

/// A container of an execution as the engine shows it.
pub(crate) fn container(id: &str, state: FoundState) -> Found {
    Found {
        container: ContainerId(format!("container of {id}")),
        execution: ExecutionId::from(id),
        state,
    }
}

/// The agent and what time it is.
pub(crate) struct Bench {
    agent: Agent,
    pub(crate) now: Now,
    requests: u64,
}

impl Bench {
    /// A node of both roles with 1 core, with what a store holds.
    pub(crate) fn recover(stored: StoredState, now: Now) -> Self {
        Self::of(NodeRoles::Both, stored, now)
    }

    /// The same with other roles.
    pub(crate) fn of(roles: NodeRoles, stored: StoredState, now: Now) -> Self {
        Self::with(roles, MemoryLimits::Preferred, stored, now)
    }

    /// The same, which may insist on memory limits.
    pub(crate) fn with(
        roles: NodeRoles,
        memory_limits: MemoryLimits,
        stored: StoredState,
        now: Now,
    ) -> Self {
        let config = AgentConfig {
            me: NodeId::from(ME),
            roles,
            labels: BTreeMap::new(),
            total: Resources {
                cpu_millis: 1_000,
                memory_bytes: 1 << 30,
                disk_bytes: 1 << 30,
                gpus: 0,
            },
            total_origin: Origin::Default,
            memory_limits,
            retention: RetentionLimits::default(),
            image_low_water: ImageLowWater::default(),
            seed: [7; 32],
        };
        let agent = Agent::recover(config, stored, now);
        Self {
            agent,
            now,
            requests: 0,
        }
    }

    /// The same with an empty store and an engine that has answered.
    pub(crate) fn fresh() -> Self {
        let mut bench = Self::recover(StoredState::default(), early(1_000));
        bench.engine(vec![]);
        bench
    }

    /// Tells an event and closes the turn.
    pub(crate) fn event(&mut self, event: Event) -> Turn {
        self.agent.handle(event, self.now);
        self.agent.turn()
    }

    /// Closes the turn of the recovery.
    pub(crate) fn first_turn(&mut self) -> Turn {
        self.agent.turn()
    }

    /// The engine, asked just now, shows these containers.
    pub(crate) fn engine(&mut self, containers: Vec<Found>) -> Turn {
        self.engine_at(u64::MAX, containers)
    }

    /// It showed these when the find of this number was the latest.
    pub(crate) fn engine_at(&mut self, number: u64, containers: Vec<Found>) -> Turn {
        let facts = EngineFacts {
            name: "Podman".to_owned(),
            socket: "/engine.sock".to_owned(),
            enforces_memory: true,
            image_dir: None,
        };
        self.event(Event::EngineFound {
            number,
            facts,
            containers,
        })
    }

    /// An engine that cannot limit memory answers.
    pub(crate) fn engine_without_limits(&mut self) -> Turn {
        let facts = EngineFacts {
            name: "Podman".to_owned(),
            socket: "/engine.sock".to_owned(),
            enforces_memory: false,
            image_dir: None,
        };
        let (number, containers) = (u64::MAX, vec![]);
        self.event(Event::EngineFound {
            number,
            facts,
            containers,
        })
    }

    /// Whether the board is to be read before this event.
    pub(crate) fn wants_board(&self, event: &Event) -> bool {
        self.agent.wants_board(event, self.now)
    }

    /// No engine answers.
    pub(crate) fn engine_away(&mut self) -> Turn {
        let why = "nothing listens".to_owned();
        self.event(Event::EngineAway { why })
    }

    /// A compute node is connected.
    pub(crate) fn see(&mut self, node: &str) -> Turn {
        let node = NodeId::from(node);
        let labels = BTreeMap::new();
        self.event(Event::PeerSeen { node, labels })
    }

    /// A node says something.
    pub(crate) fn hear(&mut self, from: &str, message: Message) -> Turn {
        let from = NodeId::from(from);
        self.event(Event::Message { from, message })
    }

    /// An activity ends.
    pub(crate) fn done(&mut self, id: &ActivityId, result: ActivityResult) -> Turn {
        let id = id.clone();
        self.event(Event::Done { id, result })
    }

    /// Time passes up to `ms` of the boot clock, and what is due is done.
    pub(crate) fn wait_until(&mut self, ms: u64) -> Turn {
        let passed = ms - self.now.boot_ms;
        self.now.boot_ms = ms;
        self.now.wall = self.now.wall.map(|wall| UnixMs(wall.0 + passed));
        self.event(Event::Timeout)
    }

    /// When the agent wants to be told of the time.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.agent.next_deadline().map(|deadline| deadline.0)
    }

    /// A client submits a job, with a token if it has one.
    pub(crate) fn submit(&mut self, job: &Job, token: Option<&str>) -> Turn {
        self.request(ApiRequest::Submit(Box::new(Submission {
            job: job.clone(),
            submitted: b"{}".to_vec(),
            idempotency: token.map(str::to_owned),
            if_unchanged: IfUnchanged::Refuse,
            stored: Stored::Unread,
        })))
    }

    /// A client asks for something.
    pub(crate) fn request(&mut self, request: ApiRequest) -> Turn {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.event(Event::Request { id, request })
    }

    /// Brings an execution of the other node to the point where its container is about to be started; the activity.
    pub(crate) fn run_for_other(&mut self, id: &str, job: &Job) -> ActivityId {
        self.hear(OTHER, ask(id, job));
        let turn = self.hear(OTHER, accept_bid(id));
        let (prepare, _) = begun(&turn).expect("it is prepared");
        let prepared = ActivityResult::Prepared(Ok(ContainerId(format!("container of {id}"))));
        let turn = self.done(&prepare, prepared);
        let (run, activity) = begun(&turn).expect("it is run");
        assert!(matches!(activity, Activity::Run { .. }), "{activity:?}");
        run
    }
}

/// The first activity that a turn begins.
pub(crate) fn begun(turn: &Turn) -> Option<(ActivityId, Activity)> {
    turn.outputs.iter().find_map(|output| match output {
        Output::Begin { id, activity } => Some((id.clone(), activity.clone())),
        _ => None,
    })
}

/// Whether the engine is to be asked what it has.
pub(crate) fn finds(turn: &Turn) -> bool {
    let is_find = |output: &Output| matches!(output, Output::Find { .. });
    turn.outputs.iter().any(is_find)
}

/// What a turn says to other nodes.
pub(crate) fn said(turn: &Turn) -> Vec<&Message> {
    let messages = turn.outputs.iter().filter_map(|output| match output {
        Output::Send { message, .. } => Some(message),
        _ => None,
    });
    messages.collect()
}

/// What a turn answers its only request.
pub(crate) fn reply(turn: &Turn) -> &ApiReply {
    let replies = turn.outputs.iter().filter_map(|output| match output {
        Output::Reply { reply, .. } => Some(reply.as_ref()),
        _ => None,
    });
    let replies: Vec<&ApiReply> = replies.collect();
    let [reply] = replies[..] else {
        panic!("not exactly one reply: {:?}", turn.outputs);
    };
    reply
}

/// The only execution that a turn stores, and how heavy that write is.
pub(crate) fn stored_execution(turn: &Turn) -> (WriteKind, &ExecutionRecord) {
    let rows: Vec<_> = turn.writes.executions.values().collect();
    match rows[..] {
        [(kind, Write::Put(record))] => (*kind, record.as_ref()),
        _ => panic!("not exactly one execution is stored: {rows:?}"),
    }
}

/// The only job that a turn stores, and how heavy that write is.
pub(crate) fn stored_job(turn: &Turn) -> (WriteKind, &JobRecord) {
    let rows: Vec<_> = turn.writes.jobs.values().collect();
    match rows[..] {
        [(kind, Write::Put(record))] => (*kind, record.as_ref()),
        _ => panic!("not exactly one job is stored: {rows:?}"),
    }
}
