//! Sample records, and a small true world: live jobs at the agent, all others in the store.

use super::support::{Agent, Store, TestServer, Then};
use codling::api::Limits;
use codling::model::{
    ApiReply, ApiRequest, DesiredState, EngineFacts, Evaluation, EvaluationId, EvaluationStatus,
    EvaluationTrigger, Execution, ExecutionId, ExecutionState, HistoryItem, HistoryLevel, Job,
    JobId, JobRange, JobRecord, JobState, JobType, ListOrder, NodeId, NodeInfo, NodeRoles, Origin,
    Params, Resources, ResourcesConfig, RunOutput, SpecConfig, StoreAnswer, StoreQuery, Stored,
    Task, Topic, UnixMs,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const START: UnixMs = UnixMs(1_748_779_200_123);
pub(super) const NODE: &str = "QmXaXu9N5GNetatsvwnTfQqNtSeKAD6uCmarbh3LMRYAcF";

/// The id of the n-th job; later ones sort after earlier ones.
pub(super) fn job_id(n: u32) -> JobId {
    JobId(format!("j-0197{n:04x}-d9cb-769f-a165-70867728950e"))
}

pub(super) fn execution_id(n: u32) -> ExecutionId {
    ExecutionId(format!("e-{n:08x}-4f89-41d3-9a0c-0305e82c3301"))
}

fn spec(kind: &str, params: &str) -> SpecConfig {
    SpecConfig {
        kind: kind.into(),
        params: Params(serde_json::from_str(params).unwrap()),
    }
}

/// A running job with one execution and four items of history.
pub(super) fn running(n: u32) -> JobRecord {
    let id = job_id(n);
    let item = |seq: u64, level, topic, message: &str, details: &[(&str, &str)]| HistoryItem {
        seq,
        level,
        job_version: 1,
        topic,
        message: message.into(),
        details: details
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        time: Some(UnixMs(START.0 + seq * 100)),
    };
    let of_execution = || HistoryLevel::Execution(execution_id(n));
    JobRecord {
        job: Job {
            id: id.clone(),
            name: id.0.clone(),
            namespace: "default".into(),
            job_type: JobType::Batch,
            priority: 0,
            count: 1,
            constraints: Vec::new(),
            meta: BTreeMap::from([("bacalhau.org/requester.id".into(), NODE.into())]),
            labels: BTreeMap::from([("team".into(), "a".into())]),
            task: Task {
                name: "main".into(),
                engine: spec(
                    "docker",
                    r#"{"Entrypoint":null,"Image":"busybox","Parameters":["echo","hi"]}"#,
                ),
                resources: ResourcesConfig {
                    cpu: "500m".into(),
                    memory: "512mb".into(),
                    ..ResourcesConfig::default()
                },
                ..Task::default()
            },
            state: JobState::Running,
            state_message: String::new(),
            version: 1,
            revision: 2,
            created: Some(START),
            modified: Some(UnixMs(START.0 + 300)),
            requester: NodeId::from(NODE),
        },
        submitted: b"{}".to_vec(),
        evaluation: Evaluation {
            id: EvaluationId::from("7c9e6679-7425-40de-944b-e07fc1f90ae7"),
            trigger: EvaluationTrigger::JobRegister,
            status: EvaluationStatus::Complete,
            number: 0,
        },
        executions: vec![Execution {
            id: execution_id(n),
            job_id: id,
            namespace: "default".into(),
            evaluation_id: EvaluationId::from("7c9e6679-7425-40de-944b-e07fc1f90ae7"),
            node_id: NodeId::from(NODE),
            job_version: 1,
            partition: 0,
            attempt: 0,
            desired: DesiredState::Running,
            desired_message: String::new(),
            state: ExecutionState::Running,
            state_message: String::new(),
            published: SpecConfig::default(),
            failure: None,
            upkeep: None,
            reject: None,
            run_output: None,
            allocated: Resources {
                cpu_millis: 500,
                memory_bytes: 512_000_000,
                ..Resources::default()
            },
            revision: 3,
            created: Some(UnixMs(START.0 + 200)),
            modified: Some(UnixMs(START.0 + 300)),
        }],
        history: vec![
            item(
                1,
                HistoryLevel::Job,
                Topic::Submission,
                "Job submitted",
                &[],
            ),
            item(
                2,
                of_execution(),
                Topic::Scheduling,
                "Requested execution",
                &[("NodeID", NODE)],
            ),
            item(
                3,
                HistoryLevel::Job,
                Topic::StateUpdate,
                "Running",
                &[("NewState", "Running")],
            ),
            item(4, of_execution(), Topic::Execution, "Running", &[]),
        ],
        next_seq: 5,
        idempotency: None,
        total_timer: None,
        queue_timer: None,
        earlier: Vec::new(),
    }
}

/// The same job when it has completed.
pub(super) fn completed(n: u32) -> JobRecord {
    let mut record = running(n);
    record.job.state = JobState::Completed;
    record.job.revision = 3;
    let execution = &mut record.executions[0];
    execution.state = ExecutionState::Completed;
    execution.desired = DesiredState::Stopped;
    execution.desired_message = "execution completed".into();
    execution.run_output = Some(RunOutput {
        stdout: b"hi\n".to_vec(),
        ..RunOutput::default()
    });
    for (seq, level, topic, message) in [
        (
            5,
            HistoryLevel::Execution(execution_id(n)),
            Topic::Execution,
            "Completed successfully",
        ),
        (6, HistoryLevel::Job, Topic::StateUpdate, "Completed"),
    ] {
        record.history.push(HistoryItem {
            seq,
            level,
            job_version: 1,
            topic,
            message: message.into(),
            details: BTreeMap::new(),
            time: Some(UnixMs(START.0 + seq * 100)),
        });
    }
    record.next_seq = 7;
    record
}

pub(super) fn node_info() -> NodeInfo {
    let total = Resources {
        cpu_millis: 3_200,
        memory_bytes: 3_000_000_000,
        disk_bytes: 20_000_000_000,
        gpus: 0,
    };
    NodeInfo {
        id: NodeId::from(NODE),
        roles: NodeRoles::Both,
        labels: BTreeMap::from([("os_type".into(), "linux".into())]),
        engines: vec!["docker".into()],
        publishers: Vec::new(),
        storages: Vec::new(),
        total,
        total_origin: Origin::Rule("80 % of 4 cores".into()),
        per_job: total,
        available: Resources {
            cpu_millis: 2_700,
            ..total
        },
        running: 1,
        enqueued: 0,
        engine: Ok(EngineFacts {
            name: "Podman 4.3.1".into(),
            socket: "/run/podman/podman.sock".into(),
            enforces_memory: true,
            image_dir: None,
        }),
        conditions: Vec::new(),
        since: Some(START),
        said: None,
    }
}

/// Jobs by where they are.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) live: BTreeMap<JobId, JobRecord>,
    pub(super) stored: BTreeMap<JobId, JobRecord>,
    /// How many rows one read of the store copies at most; 0 for no bound.
    pub(super) store_rows_max: usize,
}

impl World {
    pub(super) fn with_live(mut self, record: JobRecord) -> Self {
        self.live.insert(record.job.id.clone(), record);
        self
    }

    pub(super) fn with_stored(mut self, record: JobRecord) -> Self {
        self.stored.insert(record.job.id.clone(), record);
        self
    }

    pub(super) fn serve(self) -> TestServer {
        let (agent, store) = self.script();
        TestServer::start(agent, store)
    }

    pub(super) fn serve_within(self, limits: Limits) -> TestServer {
        let (agent, store) = self.script();
        TestServer::with_limits(agent, store, limits)
    }

    pub(super) fn script(self) -> (Agent, Store) {
        let world = Arc::new(Mutex::new(self));
        let agent = {
            let world = world.clone();
            Box::new(move |request| Then::Reply(world.lock().unwrap().answer(request)))
        };
        let store = Box::new(move |query| world.lock().unwrap().read(query));
        (agent, store)
    }

    pub(super) fn answer(&mut self, request: ApiRequest) -> ApiReply {
        let evaluation = EvaluationId::from("7c9e6679-7425-40de-944b-e07fc1f90ae7");
        match request {
            ApiRequest::Submit(_) => ApiReply::Submitted {
                job: job_id(1),
                evaluation,
            },
            ApiRequest::Stop { job, .. } => match self.live.get(&job) {
                None => ApiReply::NotLive,
                Some(record) if record.job.state.is_terminal() => {
                    ApiReply::Job(Box::new(record.clone()))
                }
                Some(_) => ApiReply::Stopping { evaluation },
            },
            ApiRequest::Read { job } => match self.live.get(&job) {
                None => ApiReply::NotLive,
                Some(record) => ApiReply::Job(Box::new(record.clone())),
            },
            ApiRequest::Rerun { job, stored, .. } => match (self.live.get(&job), stored) {
                (None, Stored::Unread) => ApiReply::Unread { job },
                (None, Stored::Absent) => ApiReply::NotLive,
                (Some(_), _) | (None, Stored::Record(_)) => ApiReply::Rerun {
                    version: 2,
                    evaluation,
                },
            },
            ApiRequest::Find { namespace, name } => {
                let mut jobs = self.live.values().chain(self.stored.values());
                let named = jobs
                    .find(|record| record.job.name == name && record.job.namespace == namespace);
                named.map_or(ApiReply::NotLive, |record| ApiReply::Found {
                    job: record.job.id.clone(),
                })
            }
            ApiRequest::List(range) => ApiReply::Jobs(rows(&self.live, &range).0),
            ApiRequest::NodeInfo => ApiReply::Node(Box::new(node_info())),
            ApiRequest::Prune(_) => ApiReply::Prunable(Box::default()),
            ApiRequest::Evidence => ApiReply::NotLive,
        }
    }

    fn read(&self, query: StoreQuery) -> StoreAnswer {
        match query {
            StoreQuery::Job(job) => StoreAnswer::Job(self.stored.get(&job).cloned().map(Box::new)),
            StoreQuery::Jobs(mut range) => {
                if self.store_rows_max > 0 {
                    range.limit = range.limit.min(self.store_rows_max);
                }
                let (rows, more) = rows(&self.stored, &range);
                StoreAnswer::Jobs { rows, more }
            }
        }
    }
}

fn rows(jobs: &BTreeMap<JobId, JobRecord>, range: &JobRange) -> (Vec<Job>, bool) {
    let mut all: Vec<&JobRecord> = jobs
        .values()
        .filter(|record| record.job.id.as_str().starts_with(&range.prefix))
        .filter(|record| match (&range.after, range.order) {
            (None, _) => true,
            (Some(after), ListOrder::OldestFirst) => record.job.id > *after,
            (Some(after), ListOrder::NewestFirst) => record.job.id < *after,
        })
        .collect();
    if range.order == ListOrder::NewestFirst {
        all.reverse();
    }
    let more = all.len() > range.limit;
    all.truncate(range.limit);
    let jobs = all.into_iter().map(|record| record.job.clone());
    (jobs.collect(), more)
}
