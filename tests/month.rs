//! A month of a busy node in virtual time, over the real agent, gate and store: nothing that it keeps grows without end.

use crate::support::jobs::unsubmitted;
use crate::support::wait;
use codling::agent::{
    Activity, ActivityResult, Agent, AgentConfig, Event, Found, FoundState, Gate, Output, Progress,
};
use codling::model::{
    ApiReply, ApiRequest, BootId, ContainerId, DamagedStore, EngineFacts, ExecutionId, IfUnchanged,
    ImageLowWater, Job, JobId, JobState, MemoryLimits, NodeId, NodeRoles, Now, Origin, RequestId,
    Resources, RetentionLimits, RunOutput, SpecConfig, Stored, Submission, UnixMs,
};
use codling::store::{Place, Store, StoreConfig, StoreReport};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const DAYS: u64 = 30;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// So that a month has 10,000.
const JOBS_A_DAY: u64 = 334;
/// By then as many jobs have ended as are kept.
const FULL_AFTER_DAYS: usize = 8;
/// Retention is 8 MiB a file; redb needs room to write beside what it holds.
const FILE_BYTES_MAX: u64 = 24 << 20;

/// What a day ends with.
#[derive(Clone, Copy, Debug)]
struct Evening {
    jobs_bytes: u64,
    executions_bytes: u64,
    /// How much the agent holds, as the length of its description.
    agent_chars: usize,
}

/// What outlives a process.
struct Board {
    jobs: Arc<InMemoryBackend>,
    executions: Arc<InMemoryBackend>,
    containers: BTreeMap<ExecutionId, FoundState>,
    now_ms: u64,
}

/// A process of the node.
struct Process<'a> {
    board: &'a mut Board,
    store: Store,
    agent: Agent,
    gate: Gate,
    ready: VecDeque<Event>,
    commits: u64,
    requests: u64,
    taken: Vec<JobId>,
}

#[test]
fn in_a_month_of_ten_thousand_jobs_and_daily_restarts_neither_files_nor_memory_grow_without_end() {
    let mut board = Board {
        jobs: Arc::new(InMemoryBackend::new()),
        executions: Arc::new(InMemoryBackend::new()),
        containers: BTreeMap::new(),
        now_ms: 1_000,
    };
    let evenings: Vec<Evening> = (1..=DAYS).map(|day| live(&mut board, day)).collect();
    let (early, late) = evenings.split_at(FULL_AFTER_DAYS);
    let most = |of: &[Evening], what: fn(&Evening) -> u64| of.iter().map(what).max().unwrap();
    for (name, what) in [
        ("jobs.db", (|one| one.jobs_bytes) as fn(&Evening) -> u64),
        ("executions.db", |one| one.executions_bytes),
        ("the agent", |one| one.agent_chars as u64),
    ] {
        let (before, after) = (most(early, what), most(late, what));
        println!("{name}: {before} after {FULL_AFTER_DAYS} days, {after} after {DAYS}");
        assert!(after <= before + before / 10, "{name} grows: {evenings:#?}");
    }
    let last = evenings.last().unwrap();
    assert!(last.jobs_bytes <= FILE_BYTES_MAX, "{last:?}");
    assert!(last.executions_bytes <= FILE_BYTES_MAX, "{last:?}");
    assert!(board.containers.is_empty(), "{:?}", board.containers);
}

/// A day from start to stop.
fn live(board: &mut Board, day: u64) -> Evening {
    let me = NodeId::from("node");
    let now = at(board.now_ms);
    let config = StoreConfig {
        node: me.clone(),
        jobs: Place::Backend(board.jobs.clone()),
        executions: Place::Backend(board.executions.clone()),
        damaged: DamagedStore::Refuse,
    };
    let (store, stored) = Store::open(config, now).expect("the store opens");
    let config = AgentConfig {
        me,
        roles: NodeRoles::Both,
        labels: BTreeMap::new(),
        total: Resources {
            cpu_millis: 4_000,
            memory_bytes: 4 << 30,
            disk_bytes: 4 << 30,
            gpus: 0,
        },
        total_origin: Origin::Default,
        memory_limits: MemoryLimits::Preferred,
        retention: RetentionLimits::default(),
        image_low_water: ImageLowWater::default(),
        seed: [u8::try_from(day).unwrap(); 32],
    };
    let agent = Agent::recover(config, stored, now);
    let mut process = Process {
        board,
        store,
        agent,
        gate: Gate::default(),
        ready: VecDeque::new(),
        commits: 0,
        requests: 0,
        taken: Vec::new(),
    };
    process.turn();
    for number in 0..JOBS_A_DAY {
        process.wait(DAY_MS / JOBS_A_DAY);
        process.submit(&format!("job {day}-{number}"));
        process.settle();
    }
    let agent_chars = format!("{:?}", process.agent).len();
    let taken = std::mem::take(&mut process.taken);
    assert_eq!(taken.len() as u64, JOBS_A_DAY, "every job is taken");
    wait::run(process.store.close()).expect("the files are closed");
    Evening {
        jobs_bytes: board.jobs.len().unwrap(),
        executions_bytes: board.executions.len().unwrap(),
        agent_chars,
    }
}

fn at(ms: u64) -> Now {
    Now {
        boot: BootId([1; 16]),
        boot_ms: ms,
        wall: Some(UnixMs(1_800_000_000_000 + ms)),
    }
}

impl Process<'_> {
    /// Time passes; what is due meanwhile is done when it is over.
    fn wait(&mut self, ms: u64) {
        self.board.now_ms += ms;
        while self
            .agent
            .next_deadline()
            .is_some_and(|due| due.0 <= self.board.now_ms)
        {
            self.event(Event::Timeout);
            self.settle();
        }
    }

    fn submit(&mut self, name: &str) {
        self.requests += 1;
        let submission = Submission {
            job: job(name),
            submitted: vec![b' '; 600],
            idempotency: Some(name.to_owned()),
            if_unchanged: IfUnchanged::Refuse,
            stored: Stored::Unread,
        };
        self.event(Event::Request {
            id: RequestId(self.requests),
            request: ApiRequest::Submit(Box::new(submission)),
        });
    }

    fn settle(&mut self) {
        while let Some(event) = self.ready.pop_front() {
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        self.agent.handle(event, at(self.board.now_ms));
        self.turn();
    }

    fn turn(&mut self) {
        let turn = self.agent.turn();
        for (_, write) in turn.writes.jobs.values() {
            if let codling::model::Write::Put(record) = write {
                assert_ne!(record.job.state, JobState::Failed, "{:?}", record.job);
            }
        }
        let outputs = self.gate.admit(turn);
        self.perform(outputs);
        while let Some(batch) = self.gate.next_batch() {
            self.commits += 1;
            self.store
                .commit(self.commits, batch)
                .expect("the writer takes one batch");
            let report = self.store.reports().recv_blocking();
            assert!(
                matches!(report, Ok(StoreReport::CommitDone { .. })),
                "{report:?}"
            );
            let outputs = self.gate.committed();
            self.perform(outputs);
        }
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply { reply, .. } => match *reply {
                    ApiReply::Submitted { job, .. } => self.taken.push(job),
                    other => panic!("{other:?}"),
                },
                Output::Begin { id, activity } => {
                    let execution = id.execution.clone();
                    let containers = &mut self.board.containers;
                    let result = match activity {
                        Activity::Prepare(_) => {
                            containers.insert(execution.clone(), FoundState::Created);
                            ActivityResult::Prepared(Ok(container(&execution)))
                        }
                        Activity::Run { .. } => {
                            containers.insert(execution, FoundState::Exited);
                            let progress = Progress::Started;
                            self.ready.push_back(Event::Progress {
                                id: id.clone(),
                                progress,
                            });
                            ActivityResult::Ran(Ok(RunOutput {
                                stdout: vec![b'x'; 200],
                                ..RunOutput::default()
                            }))
                        }
                        Activity::Publish { .. } => {
                            ActivityResult::Published(Ok(SpecConfig::default()))
                        }
                        Activity::Discard => {
                            containers.remove(&execution);
                            ActivityResult::Discarded(Ok(()))
                        }
                    };
                    self.ready.push_back(Event::Done { id, result });
                }
                Output::Find { number } => {
                    let containers = self.board.containers.iter();
                    let containers = containers.map(|(execution, state)| Found {
                        container: container(execution),
                        execution: execution.clone(),
                        state: *state,
                    });
                    self.ready.push_back(Event::EngineFound {
                        number,
                        facts: EngineFacts {
                            name: "engine".to_owned(),
                            socket: "socket".to_owned(),
                            enforces_memory: true,
                            image_dir: None,
                        },
                        containers: containers.collect(),
                    });
                }
                Output::Stop { .. } | Output::Send { .. } | Output::RemoveImage { .. } => {
                    panic!("{output:?}")
                }
            }
        }
    }
}

fn container(execution: &ExecutionId) -> ContainerId {
    ContainerId(format!("c-{execution}"))
}

fn job(name: &str) -> Job {
    let params = json!({"Image": "busybox", "Parameters": ["echo", "hello"]});
    unsubmitted(name, &params)
}
