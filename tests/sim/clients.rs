//! Clients: they submit with and without tokens, read, stop, lose patience and vanish.

use super::scenario::{ClientPlan, JobPlan};
use super::world::{Happening, World};
use codling::model::{
    ApiReply, ApiRequest, Job, JobId, JobRange, JobState, JobType, ListOrder, NodeId, Params,
    RequestId, ResourcesConfig, SpecConfig, Submission, Task, Timeouts,
};
use std::collections::BTreeMap;

/// How long a client waits for a reply (the API's own bound).
const PATIENCE_MS: u64 = 25_000;

/// A client and how far it has come.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) plan: ClientPlan,
    job: Option<JobId>,
    next: Next,
    reads_left: u64,
}

/// What it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Submit,
    /// Or read, until there are no reads left.
    Stop,
    Read,
    Nothing,
}

/// What a request was for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// `None`: the world's own last questions.
    client: Option<usize>,
    node: usize,
    what: Asking,
}

#[derive(Clone, Debug)]
enum Asking {
    Submit,
    Stop,
    Read(JobId),
    List,
    Node,
}

impl Client {
    pub(super) fn new(plan: ClientPlan) -> Self {
        Self {
            reads_left: plan.reads,
            plan,
            job: None,
            next: Next::Submit,
        }
    }
}

impl World {
    /// A client does what it does next, if its node answers at all.
    pub(super) fn client(&mut self, number: usize) {
        let client = &self.clients[number];
        let node = client.plan.node;
        let (what, request) = match (client.next, client.job.clone()) {
            (Next::Nothing, _) => return,
            (Next::Submit, _) => {
                let submission = Box::new(submission(&client.plan));
                (Asking::Submit, ApiRequest::Submit(submission))
            }
            (Next::Stop, Some(job)) => (
                Asking::Stop,
                ApiRequest::Stop {
                    job,
                    reason: "enough".to_owned(),
                },
            ),
            (_, Some(_)) if self.seed.once_in(4) => {
                let range = JobRange {
                    prefix: String::new(),
                    after: None,
                    order: *self
                        .seed
                        .pick(&[ListOrder::OldestFirst, ListOrder::NewestFirst]),
                    limit: 2,
                };
                (Asking::List, ApiRequest::List(range))
            }
            (_, Some(job)) => (Asking::Read(job.clone()), ApiRequest::Read { job }),
            (_, None) => return,
        };
        if !self.nodes[node].is_working() {
            // Connection refused, or 503: nothing was decided.
            let ms = 500 + self.delay(10_000);
            self.after(ms, Happening::Client { client: number });
            return;
        }
        self.ask(Some(number), node, what, request);
    }

    fn ask(&mut self, client: Option<usize>, node: usize, what: Asking, request: ApiRequest) {
        let id = RequestId(self.asked_in_all);
        self.asked_in_all += 1;
        self.tell(|| format!("request {} to node-{node}: {what:?}", id.0));
        self.asked.insert(id, Asked { client, node, what });
        self.after(PATIENCE_MS, Happening::GiveUp { request: id });
        self.post_request(node, id, request);
    }

    /// The client has waited long enough: the outcome is unknown.
    pub(super) fn give_up(&mut self, request: RequestId) {
        self.unanswered(request);
    }

    /// The process died: all its requests are unanswered.
    pub(super) fn forget_requests(&mut self, node: usize) {
        let asked = self.asked.iter().filter(|(_, asked)| asked.node == node);
        for request in asked.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.unanswered(request);
        }
    }

    /// No reply, or one that says "unknown". With a token one may ask again.
    pub(super) fn unanswered(&mut self, request: RequestId) {
        let Some(asked) = self.asked.remove(&request) else {
            return;
        };
        let Some(number) = asked.client else {
            self.ask_again(asked);
            return;
        };
        let client = &mut self.clients[number];
        if matches!(asked.what, Asking::Submit) && client.plan.token.is_none() {
            client.next = Next::Nothing;
            return;
        }
        let ms = 200 + self.delay(5_000);
        self.after(ms, Happening::Client { client: number });
    }

    /// A commit failed: the reply says "unknown", and which job to ask for.
    pub(super) fn unsure(&mut self, request: RequestId, reply: &ApiReply) {
        let client = self.asked.get(&request).and_then(|asked| asked.client);
        if let (Some(client), ApiReply::Submitted { job, .. }) = (client, reply) {
            let name = &self.clients[client].plan.job.name;
            self.watch.unsure(job.clone(), name);
        }
    }

    /// A reply leaves its node.
    pub(super) fn reply(&mut self, node: usize, request: RequestId, reply: ApiReply) {
        let Some(asked) = self.asked.remove(&request) else {
            // The client has vanished: the reply is lost, the decision is not.
            return;
        };
        match (&asked.what, &reply) {
            (Asking::Submit, ApiReply::Submitted { job, .. }) => {
                let plan = asked.client.map(|number| self.clients[number].plan.clone());
                if let Some(plan) = plan {
                    self.watch
                        .taken(node, &plan.token, &plan.job.name, job.clone());
                }
            }
            (Asking::Stop, ApiReply::Stopping { .. } | ApiReply::NotLive) => {}
            (Asking::Stop | Asking::Read(_), ApiReply::Job(record)) => {
                self.client_sees(node, record);
            }
            (Asking::Read(job), ApiReply::NotLive) => {
                // Read from disk, as the API does.
                match self.nodes[node].disk.job(job).cloned() {
                    Some(record) => self.client_sees(node, &record),
                    None => self.client_misses(node, job),
                }
            }
            (Asking::List, ApiReply::Jobs(records)) => {
                for record in records {
                    self.client_sees(node, record);
                }
            }
            (Asking::Node, ApiReply::Node(info)) => self.check_node(node, info),
            (what, reply) => {
                let text = format!("{what:?} was answered with {reply:?}");
                self.watch.broken(super::watch::Rule::RightReply, text);
            }
        }
        if let Some(number) = asked.client {
            self.go_on(number, &reply);
        }
    }

    fn go_on(&mut self, number: usize, reply: &ApiReply) {
        let client = &mut self.clients[number];
        let mut wait_ms = None;
        match client.next {
            Next::Submit => {
                if let ApiReply::Submitted { job, .. } = reply {
                    client.job = Some(job.clone());
                }
                if client.plan.vanishes {
                    client.next = Next::Nothing;
                } else if let Some(ms) = client.plan.stop_after_ms {
                    client.next = Next::Stop;
                    wait_ms = Some(ms);
                } else {
                    client.next = Next::Read;
                }
            }
            Next::Stop => client.next = Next::Read,
            Next::Read | Next::Nothing => {}
        }
        if client.next == Next::Read {
            if client.reads_left == 0 {
                client.next = Next::Nothing;
                return;
            }
            client.reads_left -= 1;
        }
        if client.next != Next::Nothing {
            let ms = match wait_ms {
                Some(ms) => ms,
                None => self.delay(30_000),
            };
            self.after(ms, Happening::Client { client: number });
        }
    }

    /// When all is quiet, every job that was taken is read once more, and every node is asked how it stands.
    pub(super) fn ask_everything(&mut self) {
        for (node, job) in self.watch.taken_jobs() {
            let request = ApiRequest::Read { job: job.clone() };
            self.ask(None, node, Asking::Read(job), request);
        }
        for node in 0..self.nodes.len() {
            self.ask(None, node, Asking::Node, ApiRequest::NodeInfo);
        }
    }

    fn ask_again(&mut self, asked: Asked) {
        let request = match &asked.what {
            Asking::Read(job) => ApiRequest::Read { job: job.clone() },
            _ => ApiRequest::NodeInfo,
        };
        self.ask(None, asked.node, asked.what, request);
    }
}

fn submission(plan: &ClientPlan) -> Submission {
    Submission {
        job: job(&plan.job),
        submitted: plan.job.name.clone().into_bytes(),
        idempotency: plan.token.clone(),
    }
}

/// A job that behaves as planned.
pub(super) fn job(plan: &JobPlan) -> Job {
    let run = plan
        .run_ms
        .map_or("for ever".to_owned(), |ms| ms.to_string());
    let params = serde_json::json!({
        "Image": plan.image,
        "Parameters": [run, plan.code.to_string()],
    });
    let serde_json::Value::Object(params) = params else {
        panic!("not an object");
    };
    Job {
        id: JobId::from(""),
        name: plan.name.clone(),
        namespace: "default".to_owned(),
        job_type: JobType::Batch,
        priority: 0,
        count: plan.count,
        constraints: Vec::new(),
        meta: BTreeMap::new(),
        labels: BTreeMap::new(),
        task: Task {
            name: "main".to_owned(),
            engine: SpecConfig {
                kind: "docker".to_owned(),
                params: Params(params),
            },
            publisher: SpecConfig {
                kind: plan.publisher.to_owned(),
                params: Params::default(),
            },
            resources: ResourcesConfig {
                cpu: plan.cpu.to_owned(),
                ..ResourcesConfig::default()
            },
            timeouts: Timeouts {
                execution_s: plan.execution_s,
                queue_s: plan.queue_s,
                total_s: plan.total_s,
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
