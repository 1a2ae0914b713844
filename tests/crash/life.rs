//! The life of one node: the real agent, gate and store, over files that a recorder writes down.

use super::engine::Made;
use super::outside::{Outside, Spec};
use crate::support::recorder::{Disk, Recorder};
use crate::support::seed::Seed;
use codling::agent::{
    Activity, ActivityId, ActivityResult, Agent, AgentConfig, Event, Gate, Output, Progress,
};
use codling::model::{
    Batch, BootId, DamagedStore, EngineFacts, ImageLowWater, MemoryLimits, NodeId, NodeRoles, Now,
    Origin, RequestId, Resources, RetentionLimits, RunOutput, SpecConfig, Stored, UnixMs,
};
use codling::store::{Place, Store, StoreConfig, StoreError, StoreReport};
use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

/// Steps after which a life that does not come to rest is stuck.
const STEPS_MAX: usize = 2_000;

/// How often a submission is followed by the stop of a service.
const STOPPED_ONE_IN: u64 = 5;

/// Containers of services that end by themselves in one life: each is started again, and a life must come to rest.
const SERVICE_ENDS: u32 = 3;

/// Reopenings that a lasting fault makes fail before it is over.
const REOPENINGS_FAIL: u32 = 3;

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
    pub(super) store: Store,
    config: AgentConfig,
    agent: Agent,
    gate: Gate,
    recorder: Recorder,
    pub(super) seed: Seed,
    boot_ms: u64,
    commits: u64,
    pub(super) requests: u64,
    /// Open submissions.
    pub(super) asked: BTreeMap<RequestId, Spec>,
    /// Submissions whose answers were lost.
    pub(super) again: VecDeque<Spec>,
    ready: VecDeque<Event>,
    /// Containers that run, and end when the seed says so.
    running: Vec<ActivityId>,
    /// How many more containers of services may end by themselves.
    service_ends: u32,
    pub(super) outside: Outside,
    pub(super) moments: Vec<Moment>,
    /// Ops of the opening. A new file is made under another name and renamed, which a backend cannot show, so images of
    /// a first start begin behind it.
    pub(super) opened: usize,
    /// From the op behind which something failed to the last one of the rebuild after it, each time.
    pub(super) rebuilds: Vec<RangeInclusive<usize>>,
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
            service_ends: SERVICE_ENDS,
            outside,
            moments: vec![before],
            opened: recorder.position(),
            rebuilds: Vec::new(),
        };
        life.turn();
        Ok(life)
    }

    /// Submits `jobs` jobs here and there while others run, comes to rest, and stops what is kept running.
    pub(super) fn work(&mut self, jobs: usize) {
        for _ in 0..jobs {
            self.submit();
            if self.seed.once_in(STOPPED_ONE_IN) {
                self.stop_one();
            }
            for _ in 0..self.seed.below(6) {
                self.step();
            }
        }
        self.rest();
        self.stop_services();
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

    /// Ends the process as SIGTERM does; what outlived it.
    pub(super) fn close(mut self) -> (Outside, Vec<Moment>) {
        // What a medium that fails does not take now, the next opening repairs.
        let _ = async_io::block_on(self.store.close());
        (self.outside, std::mem::take(&mut self.moments))
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
            self.outside.sends(&spec);
            self.note();
            self.send(spec, Stored::Unread);
        } else if let Some(index) = self.next_to_end() {
            let id = self.running.swap_remove(index);
            if self.is_of_service(&id) {
                self.service_ends -= 1;
            }
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

    /// Which of the running containers ends next by itself, if it is time for one. Services do a few times in a life.
    fn next_to_end(&mut self) -> Option<usize> {
        let may_end = |id: &ActivityId| self.service_ends > 0 || !self.is_of_service(id);
        let all = self.running.iter().enumerate();
        let may_end: Vec<usize> = all
            .filter(|(_, id)| may_end(id))
            .map(|(index, _)| index)
            .collect();
        let is_time = !may_end.is_empty() && (self.ready.is_empty() || self.seed.once_in(3));
        is_time.then(|| *self.seed.pick(&may_end))
    }

    fn is_of_service(&self, id: &ActivityId) -> bool {
        let made = self.outside.engine.made(&id.execution);
        made.job_type.is_kept_running()
    }

    pub(super) fn event(&mut self, event: Event) {
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
        let began = self.recorder.position();
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
        self.rebuilds.push(began..=self.recorder.position());
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
                let made = Made {
                    code: command.as_str().unwrap().parse().unwrap(),
                    job_type: plan.job.job_type,
                };
                ActivityResult::Prepared(Ok(self.outside.engine.create(&plan.execution, made)))
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
            exit_code: self.outside.engine.made(&id.execution).code,
            ..RunOutput::default()
        }
    }

    pub(super) fn note(&mut self) {
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
