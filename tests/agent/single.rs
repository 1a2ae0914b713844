//! One agent and what it has decided so far, as if every commit were durable at once.

use super::*;
use codling::agent::{ActivityId, Agent, AgentConfig};
use codling::model::{
    BootId, ExecutionRecord, Job, JobId, JobRecord, JobType, Now, Origin, Params, Resources,
    SpecConfig, Submission, Task, UnixMs,
};

/// See the module's text.
pub(super) struct Single {
    config: AgentConfig,
    agent: Agent,
    at_ms: u64,
    requests: u64,
    jobs: BTreeMap<JobId, JobRecord>,
    executions: BTreeMap<ExecutionId, ExecutionRecord>,
    /// The activity that was begun last.
    pub(super) latest: Option<ActivityId>,
}

fn now(at_ms: u64) -> Now {
    Now {
        boot: BootId([1; 16]),
        boot_ms: at_ms,
        wall: Some(UnixMs(1_800_000_000_000 + at_ms)),
    }
}

/// A job of so many partitions that any node can run.
pub(super) fn batch_job(count: u32) -> Job {
    let params = serde_json::json!({ "Image": "busybox" });
    Job {
        id: JobId::from(""),
        name: "job".to_owned(),
        namespace: "default".to_owned(),
        job_type: JobType::Batch,
        priority: 0,
        count,
        constraints: Vec::new(),
        meta: BTreeMap::new(),
        labels: BTreeMap::new(),
        task: Task {
            name: "main".to_owned(),
            engine: SpecConfig {
                kind: "docker".to_owned(),
                params: Params(params.as_object().unwrap().clone()),
            },
            ..Task::default()
        },
        state: JobState::Pending,
        state_message: String::new(),
        version: 0,
        revision: 0,
        created: None,
        modified: None,
        requester: NodeId::from(""),
    }
}

impl Single {
    pub(super) fn new(roles: NodeRoles) -> Self {
        let config = AgentConfig {
            me: NodeId::from("a"),
            roles,
            labels: BTreeMap::new(),
            total: Resources {
                cpu_millis: 1_000,
                memory_bytes: 1 << 30,
                disk_bytes: 1 << 30,
                gpus: 0,
            },
            total_origin: Origin::Default,
            seed: [3; 32],
        };
        Self {
            agent: Agent::recover(config.clone(), StoredState::default(), now(0)),
            config,
            at_ms: 0,
            requests: 0,
            jobs: BTreeMap::new(),
            executions: BTreeMap::new(),
            latest: None,
        }
    }

    /// A second passes, and this happens.
    pub(super) fn handle(&mut self, event: Event) {
        self.at_ms += 1_000;
        self.agent.handle(event, now(self.at_ms));
    }

    /// What was decided since the last turn; promises and ride-alongs are kept alike.
    pub(super) fn turn(&mut self) -> Turn {
        let turn = self.agent.turn();
        for (id, (_, write)) in &turn.writes.jobs {
            if let Write::Put(record) = write {
                self.jobs.insert(id.clone(), *record.clone());
            }
        }
        for (id, (kind, write)) in &turn.writes.executions {
            if let (Write::Put(record), WriteKind::Promise) = (write, kind) {
                self.executions.insert(id.clone(), *record.clone());
            }
        }
        for output in &turn.outputs {
            if let Output::Begin { id, .. } = output {
                self.latest = Some(id.clone());
            }
        }
        turn
    }

    pub(super) fn sees(&mut self, node: &str) {
        self.handle(Event::PeerSeen {
            node: NodeId::from(node),
            labels: BTreeMap::new(),
        });
    }

    pub(super) fn submit(&mut self, job: Job) -> Turn {
        self.requests += 1;
        let submission = Submission {
            job,
            submitted: b"{}".to_vec(),
            idempotency: None,
        };
        self.handle(Event::Request {
            id: RequestId(self.requests),
            request: ApiRequest::Submit(Box::new(submission)),
        });
        self.turn()
    }

    pub(super) fn hears(&mut self, from: &NodeId, message: Message) -> Turn {
        self.handle(Event::Message {
            from: from.clone(),
            message,
        });
        self.turn()
    }

    pub(super) fn finds(&mut self, containers: Vec<Found>) -> Turn {
        let facts = EngineFacts {
            name: "Podman 5".to_owned(),
            socket: "/podman.sock".to_owned(),
            enforces_memory: true,
        };
        self.handle(Event::EngineFound { facts, containers });
        self.turn()
    }

    /// The latest activity ends so.
    pub(super) fn completes(&mut self, result: ActivityResult) -> Turn {
        let id = self.latest.clone().unwrap();
        self.handle(Event::Done { id, result });
        self.turn()
    }

    /// What the store holds.
    pub(super) fn stored(&self) -> StoredState {
        StoredState {
            live_jobs: self.jobs.values().cloned().collect(),
            live_executions: self.executions.values().cloned().collect(),
            ..StoredState::default()
        }
    }

    /// A crash: a new agent from this.
    pub(super) fn restart(&mut self, stored: StoredState) {
        self.at_ms += 1_000;
        self.agent = Agent::recover(self.config.clone(), stored, now(self.at_ms));
        self.turn();
    }
}
