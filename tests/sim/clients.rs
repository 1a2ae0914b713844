//! Clients: they submit with and without tokens, update, run again, read, stop, lose patience and vanish.

use super::scenario::{ClientPlan, JobPlan, NextVersion};
use super::world::{Happening, World};
use crate::support::jobs::unsubmitted;
use codling::model::{
    ApiReply, ApiRequest, DenyReason, IfUnchanged, Job, JobId, JobRange, ListOrder, RequestId,
    Stored, Submission, Timeouts,
};

/// How long a client waits for a reply (the API's own bound).
const PATIENCE_MS: u64 = 25_000;
/// How long a token is good for.
const TOKEN_MS: u64 = 24 * 60 * 60 * 1_000;
/// How often a client doubles its pause while its node is down, from seconds to minutes: a node may be down for days.
const REFUSED_DOUBLINGS_MAX: u32 = 5;

/// A client and how far it has come.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) plan: ClientPlan,
    job: Option<JobId>,
    next: Next,
    reads_left: u64,
    /// How often in a row its node was not there.
    refused: u32,
}

/// What it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Submit,
    Version(NextVersion),
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
    Update,
    Rerun(JobId),
    Stop,
    /// Of what is kept running, when the world comes to its end.
    End(JobId),
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
            refused: 0,
        }
    }

    pub(super) fn job(&self) -> Option<&JobId> {
        self.job.as_ref()
    }

    /// What comes when the job has the version that it is to have; when.
    fn after_version(&mut self) -> Option<u64> {
        self.next = match self.plan.stop_after_ms {
            Some(_) => Next::Stop,
            None => Next::Read,
        };
        self.plan.stop_after_ms
    }
}

impl World {
    /// A client does what it does next, if its node answers at all.
    pub(super) fn client(&mut self, number: usize) {
        let client = &self.clients[number];
        let node = client.plan.node;
        if client.next == Next::Nothing {
            return;
        }
        if !self.nodes[node].is_working() {
            // Connection refused, or 503: nothing was decided.
            let doublings = client.refused.min(REFUSED_DOUBLINGS_MAX);
            self.clients[number].refused += 1;
            let ms = 500 + self.delay(10_000 << doublings);
            self.after(ms, Happening::Client { client: number });
            return;
        }
        let client = &mut self.clients[number];
        client.refused = 0;
        let (what, request) = match (client.next, client.job.clone()) {
            (Next::Nothing, _) => return,
            (Next::Submit, _) => {
                let submission = Box::new(submission(&client.plan));
                (Asking::Submit, ApiRequest::Submit(submission))
            }
            (Next::Version(NextVersion::Update), _) => {
                let update = Box::new(update(&client.plan));
                (Asking::Update, ApiRequest::Submit(update))
            }
            (Next::Version(NextVersion::Rerun), Some(job)) => {
                (Asking::Rerun(job.clone()), rerun(job, Stored::Unread))
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
        if matches!(asked.what, Asking::Rerun(_)) {
            // It may have happened, so it is not asked for again.
            client.after_version();
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

    /// A client knows from now on which job its submission is.
    fn client_took(&mut self, node: usize, client: Option<usize>, job: &JobId) {
        if let Some(number) = client {
            let plan = &self.clients[number].plan;
            self.watch
                .taken(node, &plan.token, &plan.job.name, job.clone());
        }
    }

    /// A reply leaves its node.
    pub(super) fn reply(&mut self, node: usize, request: RequestId, reply: ApiReply) {
        let Some(asked) = self.asked.remove(&request) else {
            // The client has vanished: the reply is lost, the decision is not.
            return;
        };
        match (&asked.what, &reply) {
            // Its token was lost with jobs.db or is too old, the job itself is there.
            (Asking::Submit, ApiReply::Denied(DenyReason::Unchanged { job, .. }))
                if self.watch.has_lost_jobs(node) || self.may_forget_tokens(node) =>
            {
                self.client_took(node, asked.client, job);
            }
            (Asking::Submit, ApiReply::Submitted { job, .. }) => {
                self.client_took(node, asked.client, job);
            }
            // A submission finds one of its name when the token that brought it went with a lost jobs.db.
            (Asking::Submit | Asking::Update | Asking::Rerun(_), ApiReply::Unread { job }) => {
                return self.bring_stored(asked.client, node, asked.what.clone(), job);
            }
            (Asking::Update, ApiReply::Submitted { job, .. }) => {
                if let Some(number) = asked.client {
                    self.updated(node, number, job.clone());
                }
            }
            (Asking::Update, ApiReply::Denied(DenyReason::Unchanged { .. })) => {}
            (Asking::Rerun(job), ApiReply::Rerun { version, .. }) => {
                self.reran(node, job, *version);
            }
            (Asking::Rerun(_), ApiReply::Denied(DenyReason::NotBegun { .. })) => {}
            (Asking::Rerun(job), ApiReply::NotLive) => self.client_misses(node, job),
            (Asking::Stop, ApiReply::Stopping { .. } | ApiReply::NotLive) => {}
            (Asking::End(_), ApiReply::Stopping { .. } | ApiReply::NotLive) => {}
            (Asking::Stop | Asking::End(_) | Asking::Read(_), ApiReply::Job(record)) => {
                self.client_sees(node, record);
            }
            (Asking::Read(job), ApiReply::NotLive) => {
                // Read from disk, as the API does.
                match self.nodes[node].disk.read_job(job) {
                    Some(record) => self.client_sees(node, &record),
                    None => self.client_misses(node, job),
                }
            }
            (Asking::List, ApiReply::Jobs(jobs)) => {
                for job in jobs {
                    self.client_sees_job(node, job);
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

    /// Whether a node may take a token for one of another day.
    pub(super) fn may_forget_tokens(&self, node: usize) -> bool {
        self.at_ms >= TOKEN_MS || self.nodes[node].clock.has_stepped()
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
                } else if let Some((ms, how)) = client.plan.next_after_ms {
                    client.next = Next::Version(how);
                    wait_ms = Some(ms);
                } else {
                    wait_ms = client.after_version();
                }
            }
            Next::Version(_) => {
                if let ApiReply::Submitted { job, .. } = reply {
                    // Another one, if the first was lost.
                    client.job = Some(job.clone());
                }
                wait_ms = client.after_version();
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

    /// The job is not live: it is read from disk, as the API does, and brought along.
    fn bring_stored(&mut self, client: Option<usize>, node: usize, what: Asking, job: &JobId) {
        let stored = match self.nodes[node].disk.read_job(job) {
            Some(record) => Stored::Record(Box::new(record)),
            None => Stored::Absent,
        };
        let request = match (&what, client) {
            (Asking::Submit, Some(number)) => {
                let first = submission(&self.clients[number].plan);
                ApiRequest::Submit(Box::new(Submission { stored, ..first }))
            }
            (Asking::Update, Some(number)) => {
                let update = update(&self.clients[number].plan);
                ApiRequest::Submit(Box::new(Submission { stored, ..update }))
            }
            _ => rerun(job.clone(), stored),
        };
        self.ask(client, node, what, request);
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

    /// The world comes to its end: what is kept running is stopped.
    pub(super) fn end_job(&mut self, node: usize, job: JobId) {
        let request = end(&job);
        self.ask(None, node, Asking::End(job), request);
    }

    fn ask_again(&mut self, asked: Asked) {
        let request = match &asked.what {
            Asking::End(job) => end(job),
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
        if_unchanged: IfUnchanged::Refuse,
        stored: Stored::Unread,
    }
}

/// The spec that a client sends under the same name later. It needs no token: sent twice, it is the same already.
fn update(plan: &ClientPlan) -> Submission {
    let job = job(&JobPlan {
        code: plan.job.code + 1,
        ..plan.job.clone()
    });
    Submission {
        job,
        submitted: update_document(plan),
        idempotency: None,
        if_unchanged: IfUnchanged::Refuse,
        stored: Stored::Unread,
    }
}

/// What stands for the JSON of an update: the client's name for the job, and which of its specs it is.
pub(super) fn update_document(plan: &ClientPlan) -> Vec<u8> {
    format!("{}{SECOND}", plan.job.name).into_bytes()
}

/// Ends the document of an update.
pub(super) const SECOND: &str = "#2";

fn end(job: &JobId) -> ApiRequest {
    ApiRequest::Stop {
        job: job.clone(),
        reason: "the end of the world".to_owned(),
    }
}

fn rerun(job: JobId, stored: Stored) -> ApiRequest {
    ApiRequest::Rerun {
        job,
        version: 0,
        reason: "again".to_owned(),
        idempotency: None,
        stored,
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
    let mut job = unsubmitted(&plan.name, &params);
    job.job_type = plan.job_type;
    job.count = match plan.job_type.is_on_every_node() {
        true => 0,
        false => plan.count,
    };
    plan.publisher.clone_into(&mut job.task.publisher.kind);
    plan.cpu.clone_into(&mut job.task.resources.cpu);
    job.task.timeouts = Timeouts {
        execution_s: plan.execution_s,
        queue_s: plan.queue_s,
        total_s: plan.total_s,
    };
    job
}
