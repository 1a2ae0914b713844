//! The life of one node: the real agent, gate and store, over files that a recorder writes down.

use super::engine::Engine;
use crate::support::recorder::{Disk, Recorder};
use crate::support::seed::Seed;
use codling::agent::{
    Activity, ActivityId, ActivityResult, Agent, AgentConfig, Event, Gate, Output, Progress,
};
use codling::model::{
    ApiReply, ApiRequest, Batch, BootId, EngineFacts, Job, JobId, JobState, JobType, MemoryLimits,
    NodeId, NodeRoles, Now, Origin, Params, RequestId, Resources, RunOutput, SpecConfig,
    StoreAnswer, StoreQuery, Submission, Task, UnixMs,
};
use codling::store::{Place, Store, StoreConfig, StoreReport};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};

/// Steps after which a life that does not come to rest is stuck.
const STEPS_MAX: usize = 2_000;

/// What outlives a power cut: the engine, the clients and what they were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    pub(super) engine: Engine,
    /// Jobs that a client was told are taken, with the exit code that each will end with.
    pub(super) acknowledged: BTreeMap<JobId, i64>,
    /// Terminal states that a client was shown.
    pub(super) shown: BTreeMap<JobId, JobState>,
}

/// A moment between two things that happened.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// How many writes and syncs there had been.
    pub(super) position: usize,
    pub(super) outside: Outside,
}

/// One process of the node.
#[derive(Debug)]
pub(super) struct Life {
    store: Store,
    agent: Agent,
    gate: Gate,
    recorder: Recorder,
    seed: Seed,
    boot_ms: u64,
    commits: u64,
    requests: u64,
    /// What the job of each open submission will end with.
    asked: BTreeMap<RequestId, i64>,
    ready: VecDeque<Event>,
    /// Containers that run, and end when the seed says so.
    running: Vec<ActivityId>,
    outside: Outside,
    pub(super) moments: Vec<Moment>,
    /// Ops of the opening. A new file is made under another name and renamed, which a backend cannot show, so images of
    /// a first start begin behind it.
    pub(super) opened: usize,
}

impl Life {
    /// Starts a process on what the files hold.
    pub(super) fn start(recorder: &Recorder, outside: Outside, seed: u64) -> Self {
        let me = NodeId::from("node");
        let backend = |disk| Place::Backend(recorder.backend(disk));
        let config = StoreConfig {
            node: me.clone(),
            jobs: backend(Disk::Jobs),
            executions: backend(Disk::Executions),
        };
        let boot_ms = 1_000_000;
        let before = Moment {
            position: 0,
            outside: outside.clone(),
        };
        let (store, stored) =
            Store::open(config, now(boot_ms)).expect("the store opens after every cut");
        let mut drawn = Seed::new(seed);
        let mut agent_seed = [0; 32];
        agent_seed[..8].copy_from_slice(&drawn.next().to_be_bytes());
        let config = AgentConfig {
            me,
            roles: NodeRoles::Both,
            labels: BTreeMap::new(),
            total: Resources {
                cpu_millis: 400,
                memory_bytes: 4 << 30,
                disk_bytes: 4 << 30,
                gpus: 0,
            },
            total_origin: Origin::Default,
            memory_limits: MemoryLimits::Preferred,
            seed: agent_seed,
        };
        let agent = Agent::recover(config, stored, now(boot_ms));
        let mut life = Self {
            store,
            agent,
            gate: Gate::default(),
            recorder: recorder.clone(),
            seed: drawn,
            boot_ms,
            commits: 0,
            requests: 0,
            asked: BTreeMap::new(),
            ready: VecDeque::new(),
            running: Vec::new(),
            outside,
            moments: vec![before],
            opened: recorder.position(),
        };
        life.turn();
        life
    }

    /// Submits `jobs` jobs here and there while others run, then comes to rest.
    pub(super) fn work(&mut self, jobs: usize) {
        for _ in 0..jobs {
            self.submit();
            for _ in 0..self.seed.below(6) {
                self.step();
            }
        }
        self.rest();
    }

    /// Goes on until nothing is left to happen.
    pub(super) fn rest(&mut self) {
        for _ in 0..STEPS_MAX {
            if !self.step() {
                return;
            }
        }
        panic!("the node does not come to rest: {:?}", self.agent);
    }

    /// What outlived this life.
    pub(super) fn outside(&self) -> &Outside {
        &self.outside
    }

    /// A job's state and the exit codes of its completed executions, as a client would be told now.
    pub(super) fn look(&self, job: &JobId) -> Option<(JobState, Vec<i64>)> {
        let StoreAnswer::Job(record) = self.store.answer(&StoreQuery::Job(job.clone())) else {
            panic!("the store does not answer");
        };
        let record = record?;
        let codes = record
            .executions
            .iter()
            .filter_map(|execution| Some(execution.run_output.as_ref()?.exit_code));
        Some((record.job.state, codes.collect()))
    }

    fn submit(&mut self) {
        let code = i64::try_from(self.seed.below(200)).unwrap();
        let publisher = if self.seed.once_in(2) { "noop" } else { "" };
        self.requests += 1;
        let id = RequestId(self.requests);
        self.asked.insert(id, code);
        let submission = Submission {
            job: job(code, publisher),
            submitted: b"{}".to_vec(),
            idempotency: self
                .seed
                .once_in(3)
                .then(|| format!("token {}", self.requests)),
        };
        self.event(Event::Request {
            id,
            request: ApiRequest::Submit(Box::new(submission)),
        });
    }

    /// Lets the next thing happen; false if there is none.
    fn step(&mut self) -> bool {
        if !self.running.is_empty() && (self.ready.is_empty() || self.seed.once_in(3)) {
            let index = usize::try_from(self.seed.below(self.running.len() as u64)).unwrap();
            let id = self.running.swap_remove(index);
            self.outside.engine.end(&id.execution);
            let result = ActivityResult::Ran(Ok(self.output_of(&id)));
            self.event(Event::Done { id, result });
        } else if let Some(event) = self.ready.pop_front() {
            self.event(event);
        } else if let Some(deadline) = self.agent.next_deadline() {
            self.boot_ms = self.boot_ms.max(deadline.0);
            self.event(Event::Timeout);
        } else {
            return false;
        }
        true
    }

    fn event(&mut self, event: Event) {
        self.agent.handle(event, now(self.boot_ms));
        self.turn();
    }

    fn turn(&mut self) {
        let outputs = self.gate.admit(self.agent.turn());
        self.perform(outputs);
        while let Some(batch) = self.gate.next_batch() {
            self.commit(batch);
            let outputs = self.gate.committed();
            self.perform(outputs);
            self.show();
        }
    }

    /// Clients look at their jobs: a terminal state that one was shown is remembered.
    fn show(&mut self) {
        let waiting: Vec<JobId> = self
            .outside
            .acknowledged
            .keys()
            .filter(|job| !self.outside.shown.contains_key(*job))
            .cloned()
            .collect();
        for job in waiting {
            if let Some((state, _)) = self.look(&job).filter(|(state, _)| state.is_terminal()) {
                self.outside.shown.insert(job, state);
            }
        }
        self.note();
    }

    fn commit(&mut self, batch: Batch) {
        self.commits += 1;
        self.store
            .commit(self.commits, batch)
            .expect("the writer takes one batch");
        let report = self
            .store
            .reports()
            .recv_blocking()
            .expect("the writer lives");
        assert!(
            matches!(report, StoreReport::CommitDone { seq } if seq == self.commits),
            "{report:?}"
        );
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply { request, reply } => self.answered(request, *reply),
                Output::Begin { id, activity } => self.begin(id, activity),
                Output::Stop { .. } => {}
                Output::Send { to, .. } => panic!("there is no other node: {to}"),
                Output::Find { number } => {
                    let facts = EngineFacts {
                        name: "engine".to_owned(),
                        socket: "socket".to_owned(),
                        enforces_memory: true,
                    };
                    self.ready.push_back(Event::EngineFound {
                        number,
                        facts,
                        containers: self.outside.engine.found(),
                    });
                }
            }
            self.note();
        }
    }

    fn answered(&mut self, request: RequestId, reply: ApiReply) {
        if let (Some(code), ApiReply::Submitted { job, .. }) = (self.asked.remove(&request), reply)
        {
            self.outside.acknowledged.insert(job, code);
        }
    }

    fn begin(&mut self, id: ActivityId, activity: Activity) {
        let result = match activity {
            Activity::Prepare(plan) => {
                let command = &plan.job.task.engine.params.0["Parameters"][1];
                let code = command.as_str().unwrap().parse().unwrap();
                ActivityResult::Prepared(Ok(self.outside.engine.create(&plan.execution, code)))
            }
            Activity::Run { .. } if self.outside.engine.has_ended(&id.execution) => {
                ActivityResult::Ran(Ok(self.output_of(&id)))
            }
            Activity::Run { .. } => {
                self.outside.engine.start(&id.execution);
                self.ready.push_back(Event::Progress {
                    id: id.clone(),
                    progress: Progress::Started,
                });
                self.running.push(id);
                return;
            }
            Activity::Publish { .. } => ActivityResult::Published(Ok(SpecConfig::default())),
            Activity::Discard => {
                self.outside.engine.remove(&id.execution);
                ActivityResult::Discarded(Ok(()))
            }
        };
        self.ready.push_back(Event::Done { id, result });
    }

    fn output_of(&self, id: &ActivityId) -> RunOutput {
        RunOutput {
            exit_code: self.outside.engine.code(&id.execution),
            ..RunOutput::default()
        }
    }

    fn note(&mut self) {
        self.moments.push(Moment {
            position: self.recorder.position(),
            outside: self.outside.clone(),
        });
    }
}

fn now(boot_ms: u64) -> Now {
    Now {
        boot: BootId([7; 16]),
        boot_ms,
        wall: Some(UnixMs(1_800_000_000_000 + boot_ms)),
    }
}

fn job(code: i64, publisher: &str) -> Job {
    let engine = json!({"Image": "image", "Parameters": ["exit", code.to_string()]});
    let params = Params(engine.as_object().unwrap().clone());
    Job {
        id: JobId::from(""),
        name: String::new(),
        namespace: "default".to_owned(),
        job_type: JobType::Batch,
        priority: 0,
        count: 1,
        constraints: Vec::new(),
        meta: BTreeMap::new(),
        labels: BTreeMap::new(),
        task: Task {
            name: "main".to_owned(),
            engine: SpecConfig {
                kind: "docker".to_owned(),
                params,
            },
            publisher: SpecConfig {
                kind: publisher.to_owned(),
                params: Params::default(),
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
