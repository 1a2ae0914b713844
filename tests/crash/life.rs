//! The life of one node: the real agent, gate and store, over files that a recorder writes down.

use super::engine::Engine;
use crate::support::jobs::unsubmitted;
use crate::support::recorder::{Disk, Recorder};
use crate::support::seed::Seed;
use codling::agent::{
    Activity, ActivityId, ActivityResult, Agent, AgentConfig, Event, Gate, Output, Progress,
};
use codling::model::{
    ApiReply, ApiRequest, Batch, BootId, DamagedStore, EngineFacts, IfUnchanged, ImageLowWater,
    Job, JobId, JobRange, JobRecord, JobState, ListOrder, MemoryLimits, NodeId, NodeRoles, Now,
    Origin, RequestId, Resources, RetentionLimits, RunOutput, SpecConfig, StoreAnswer, StoreQuery,
    Stored, Submission, UnixMs,
};
use codling::store::{Place, Store, StoreConfig, StoreError, StoreReport};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};

/// Steps after which a life that does not come to rest is stuck.
const STEPS_MAX: usize = 2_000;

/// Reopenings that a lasting fault makes fail before it is over.
const REOPENINGS_FAIL: u32 = 3;

/// What outlives a power cut: the engine, the clients and what they were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    pub(super) engine: Engine,
    /// Jobs that a client was told are taken, as the latest of its specs that was.
    pub(super) acknowledged: BTreeMap<JobId, Spec>,
    /// Everything that was sent under a job's name.
    pub(super) sent: BTreeMap<String, Vec<Spec>>,
    /// Terminal states that a client was shown, and of which version.
    pub(super) shown: BTreeMap<JobId, (u64, JobState)>,
}

/// One spec of a job: each further one of the same name is an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) name: String,
    /// What it will end with; no two specs of one name end alike.
    pub(super) code: i64,
    publisher: &'static str,
    token: Option<String>,
}

/// How a client sees a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) version: u64,
    pub(super) state: JobState,
    /// Exit codes of the completed executions of that version.
    pub(super) codes: Vec<i64>,
    /// Executions that have not ended, of any version.
    pub(super) open: usize,
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
    config: AgentConfig,
    agent: Agent,
    gate: Gate,
    recorder: Recorder,
    seed: Seed,
    boot_ms: u64,
    commits: u64,
    requests: u64,
    /// Open submissions.
    asked: BTreeMap<RequestId, Spec>,
    /// Submissions whose answers were lost.
    again: VecDeque<Spec>,
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
        Self::open(recorder, outside, seed).expect("the store opens after every cut")
    }

    /// The same on files that may fail.
    pub(super) fn open(
        recorder: &Recorder,
        outside: Outside,
        seed: u64,
    ) -> Result<Self, StoreError> {
        let me = NodeId::from("node");
        let backend = |disk| Place::Backend(recorder.backend(disk));
        let config = StoreConfig {
            node: me.clone(),
            jobs: backend(Disk::Jobs),
            executions: backend(Disk::Executions),
            damaged: DamagedStore::Refuse,
        };
        let boot_ms = 1_000_000;
        let before = Moment {
            position: 0,
            outside: outside.clone(),
        };
        let (store, stored) = Store::open(config, now(boot_ms))?;
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
            retention: RetentionLimits::default(),
            image_low_water: ImageLowWater::default(),
            seed: agent_seed,
        };
        let agent = Agent::recover(config.clone(), stored, now(boot_ms));
        let mut life = Self {
            store,
            config,
            agent,
            gate: Gate::default(),
            recorder: recorder.clone(),
            seed: drawn,
            boot_ms,
            commits: 0,
            requests: 0,
            asked: BTreeMap::new(),
            again: VecDeque::new(),
            ready: VecDeque::new(),
            running: Vec::new(),
            outside,
            moments: vec![before],
            opened: recorder.position(),
        };
        life.turn();
        Ok(life)
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

    /// A job as a client would be shown it now.
    pub(super) fn look(&self, job: &JobId) -> Option<Look> {
        let record = self.stored(job)?;
        let codes = record
            .latest_executions()
            .filter_map(|execution| Some(execution.run_output.as_ref()?.exit_code));
        let open = record.executions.iter();
        Some(Look {
            version: record.job.version,
            state: record.job.state,
            codes: codes.collect(),
            open: open.filter(|one| !one.state.is_terminal()).count(),
        })
    }

    /// A job as the store holds it. While a medium that fails cannot be read a client is told so, and asks again.
    fn stored(&self, job: &JobId) -> Option<Box<JobRecord>> {
        match self.store.answer(&StoreQuery::Job(job.clone())) {
            StoreAnswer::Job(record) => record,
            StoreAnswer::Unavailable => None,
            other @ StoreAnswer::Jobs { .. } => panic!("one job was asked for: {other:?}"),
        }
    }

    /// How many jobs of this name the store holds.
    pub(super) fn jobs_named(&self, name: &str) -> usize {
        let all = JobRange {
            prefix: String::new(),
            after: None,
            order: ListOrder::OldestFirst,
            limit: 100,
        };
        match self.store.answer(&StoreQuery::Jobs(all)) {
            StoreAnswer::Jobs { rows, more: false } => {
                rows.iter().filter(|job| job.name == name).count()
            }
            other => panic!("the jobs are to be listed: {other:?}"),
        }
    }

    /// Submits one job under a token, as a client that sends it again until it is answered.
    pub(super) fn submit_once(&mut self, name: &str, code: i64) {
        let spec = Spec {
            name: name.to_owned(),
            code,
            publisher: "noop",
            token: Some(format!("token of {name}")),
        };
        let sent = self.outside.sent.entry(name.to_owned()).or_default();
        sent.push(spec.clone());
        self.send(spec, Stored::Unread);
    }

    /// Ends the process as SIGTERM does; what outlived it.
    pub(super) fn close(mut self) -> (Outside, Vec<Moment>) {
        // What a medium that fails does not take now, the next opening repairs.
        let _ = async_io::block_on(self.store.close());
        (self.outside, std::mem::take(&mut self.moments))
    }

    fn submit(&mut self) {
        let code = i64::try_from(self.requests).unwrap();
        let publisher = if self.seed.once_in(2) { "noop" } else { "" };
        let names: Vec<String> = self.outside.sent.keys().cloned().collect();
        // Every third is an update, of a job that runs or of one that has ended.
        let name = match names.is_empty() || !self.seed.once_in(3) {
            true => format!("job {}", self.requests),
            false => self.seed.pick(&names).clone(),
        };
        let token = self.seed.once_in(3);
        let spec = Spec {
            token: token.then(|| format!("token {}", self.requests)),
            name: name.clone(),
            code,
            publisher,
        };
        self.outside
            .sent
            .entry(name)
            .or_default()
            .push(spec.clone());
        self.note();
        self.send(spec, Stored::Unread);
    }

    fn send(&mut self, spec: Spec, stored: Stored) {
        self.requests += 1;
        let id = RequestId(self.requests);
        let submission = Submission {
            job: job(&spec),
            submitted: b"{}".to_vec(),
            idempotency: spec.token.clone(),
            if_unchanged: IfUnchanged::Refuse,
            stored,
        };
        self.asked.insert(id, spec);
        self.event(Event::Request {
            id,
            request: ApiRequest::Submit(Box::new(submission)),
        });
    }

    /// Lets the next thing happen; false if there is none.
    fn step(&mut self) -> bool {
        if let Ok(report) = self.store.reports().try_recv() {
            assert!(
                matches!(report, StoreReport::ReadFailed { .. }) && self.recorder.has_failed(),
                "{report:?}"
            );
            self.rebuild();
            self.turn();
        } else if let Some(spec) = self.again.pop_front() {
            self.send(spec, Stored::Unread);
        } else if !self.running.is_empty() && (self.ready.is_empty() || self.seed.once_in(3)) {
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
            if !self.commit(batch) {
                self.rebuild();
                return self.turn();
            }
            let outputs = self.gate.committed();
            self.perform(outputs);
            self.show();
        }
    }

    /// As the shell does after a failed commit: nothing that waited for it leaves, activities are let go, and an agent is
    /// built from what the store holds once it is back. Clients whose answers were lost send again.
    fn rebuild(&mut self) {
        let _ = std::mem::take(&mut self.gate).fail();
        let unanswered = std::mem::take(&mut self.asked);
        self.ready.clear();
        self.running.clear();
        let mut failed = 0;
        let stored = loop {
            self.store
                .reopen(now(self.boot_ms))
                .expect("the writer is free");
            match self.report() {
                StoreReport::Reopened(stored) => break *stored,
                StoreReport::ReopenFailed { .. } => failed += 1,
                other => panic!("{other:?}"),
            }
            match failed {
                REOPENINGS_FAIL => self.recorder.heal(),
                more => assert!(more < REOPENINGS_FAIL, "it does not come back"),
            }
        };
        self.agent = Agent::recover(self.config.clone(), stored, now(self.boot_ms));
        self.again.extend(unanswered.into_values());
    }

    /// Clients look at their jobs: a terminal state that one was shown is remembered.
    fn show(&mut self) {
        let jobs: Vec<JobId> = self.outside.acknowledged.keys().cloned().collect();
        for job in jobs {
            if let Some(look) = self.look(&job).filter(|look| look.state.is_terminal()) {
                self.outside.shown.insert(job, (look.version, look.state));
            }
        }
        self.note();
    }

    /// Whether the batch is durable.
    fn commit(&mut self, batch: Batch) -> bool {
        self.commits += 1;
        self.store
            .commit(self.commits, batch)
            .expect("the writer takes one batch");
        match self.report() {
            StoreReport::CommitDone { seq } if seq == self.commits => true,
            StoreReport::CommitFailed { seq, .. } if seq == self.commits => {
                assert!(self.recorder.has_failed(), "a commit failed by itself");
                false
            }
            other => panic!("{other:?}"),
        }
    }

    /// What the writer says next. A read that failed meanwhile closed the file, so the writer has more to say.
    fn report(&self) -> StoreReport {
        let reports = self.store.reports();
        loop {
            match reports.recv_blocking().expect("the writer lives") {
                StoreReport::ReadFailed { .. } => assert!(self.recorder.has_failed()),
                other => return other,
            }
        }
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply { request, reply } => self.answered(request, *reply),
                Output::Begin { id, activity } => self.begin(id, activity),
                Output::Stop { id } => self.stop(&id),
                Output::Send { to, .. } => panic!("there is no other node: {to}"),
                Output::RemoveImage { name, .. } => panic!("nobody pulled {name}"),
                Output::Find { number } => {
                    let facts = EngineFacts {
                        name: "engine".to_owned(),
                        socket: "socket".to_owned(),
                        enforces_memory: true,
                        image_dir: None,
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
        let spec = self.asked.remove(&request).expect("it was asked");
        match reply {
            ApiReply::Submitted { job, .. } => {
                self.outside.acknowledged.insert(job, spec);
            }
            ApiReply::Unread { job } => match self.store.answer(&StoreQuery::Job(job)) {
                StoreAnswer::Job(record) => {
                    self.send(spec, record.map_or(Stored::Absent, Stored::Record));
                }
                _ => self.again.push_back(spec),
            },
            other => panic!("{other:?}"),
        }
    }

    /// The container of an activity is stopped before it ends by itself.
    fn stop(&mut self, id: &ActivityId) {
        if let Some(index) = self.running.iter().position(|other| other == id) {
            let id = self.running.swap_remove(index);
            self.outside.engine.end(&id.execution);
            let result = ActivityResult::Ran(Ok(self.output_of(&id)));
            self.ready.push_back(Event::Done { id, result });
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

fn job(spec: &Spec) -> Job {
    let params = json!({"Image": "image", "Parameters": ["exit", spec.code.to_string()]});
    let mut job = unsubmitted(&spec.name, &params);
    spec.publisher.clone_into(&mut job.task.publisher.kind);
    job
}
