//! The clients of a life: what they send, what they are told, and what they look at.

use super::life::Life;
use super::outside::{Look, Spec, Wanted};
use codling::agent::Event;
use codling::model::{
    ApiReply, ApiRequest, DenyReason, IfUnchanged, Job, JobId, JobRange, JobRecord, ListOrder,
    RequestId, StoreAnswer, StoreQuery, Stored, Submission,
};

/// Services of one life that run at once: half of what the node has room for, so that the other jobs get their turn.
const SERVICES_MAX: usize = 2;

/// What a client that stops a job says.
const REASON: &str = "not needed";

impl Life {
    /// A job as a client would be shown it now.
    pub(super) fn look(&self, job: &JobId) -> Option<Look> {
        let record = self.stored(job)?;
        let codes = record
            .latest_executions()
            .filter_map(|execution| Some(execution.run_output.as_ref()?.exit_code));
        let open = record.executions.iter();
        let open = open.filter(|one| !one.state.is_terminal());
        Some(Look {
            version: record.job.version,
            state: record.job.state,
            codes: codes.collect(),
            open: open.map(|one| one.id.clone()).collect(),
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

    /// All jobs that the store holds; `None` while it cannot be read.
    pub(super) fn jobs(&self) -> Option<Vec<Job>> {
        let all = JobRange {
            prefix: String::new(),
            after: None,
            order: ListOrder::OldestFirst,
            limit: 100,
        };
        match self.store.answer(&StoreQuery::Jobs(all)) {
            StoreAnswer::Jobs { rows, more: false } => Some(rows),
            StoreAnswer::Unavailable => None,
            other => panic!("the jobs are to be listed: {other:?}"),
        }
    }

    /// How many jobs of this name the store holds.
    pub(super) fn jobs_named(&self, name: &str) -> usize {
        let jobs = self.jobs().expect("the store is open");
        jobs.iter().filter(|job| job.name == name).count()
    }

    /// Submits one job under a token, as a client that sends it again until it is answered.
    pub(super) fn submit_once(&mut self, name: &str, code: i64) {
        let spec = Spec {
            name: name.to_owned(),
            wanted: Wanted::Batch,
            code,
            publisher: "noop",
            token: Some(format!("token of {name}")),
        };
        self.outside.sends(&spec);
        self.send(spec, Stored::Unread);
    }

    /// Submits a new job, or every third time an update, of a job that runs or of one that has ended.
    pub(super) fn submit(&mut self) {
        let publisher = if self.seed.once_in(2) { "noop" } else { "" };
        let names: Vec<String> = self.outside.sent.keys().cloned().collect();
        let running = self.outside.services();
        let has_room = running.len() < SERVICES_MAX;
        let updated = match names.is_empty() || !self.seed.once_in(3) {
            true => None,
            false => Some(self.seed.pick(&names).clone()),
        };
        let (name, wanted) = match updated {
            Some(name) => match self.outside.sent[&name][0].wanted {
                Wanted::Service if has_room || running.contains(&&name) => (name, Wanted::Service),
                Wanted::Batch => (name, Wanted::Batch),
                Wanted::Service | Wanted::Stop => (format!("job {}", self.requests), Wanted::Batch),
            },
            None if has_room && self.seed.once_in(4) => {
                (format!("service {}", self.requests), Wanted::Service)
            }
            None => (format!("job {}", self.requests), Wanted::Batch),
        };
        let token = self.seed.once_in(3);
        let spec = Spec {
            token: token.then(|| format!("token {}", self.requests)),
            name,
            wanted,
            code: i64::try_from(self.requests).unwrap(),
            publisher,
        };
        self.outside.sends(&spec);
        self.note();
        self.send(spec, Stored::Unread);
    }

    /// Stops one of the services that a client knows of, if there is one.
    pub(super) fn stop_one(&mut self) {
        let services = self.outside.services().into_iter();
        let known: Vec<String> = services
            .filter(|name| self.outside.known.contains_key(*name))
            .cloned()
            .collect();
        if !known.is_empty() {
            let name = self.seed.pick(&known).clone();
            self.ask_to_stop(&name);
        }
    }

    /// Stops everything that is kept running, acknowledged or not, and comes to rest.
    pub(super) fn stop_services(&mut self) {
        let jobs = loop {
            match self.jobs() {
                Some(jobs) => break jobs,
                None => self.rest(),
            }
        };
        for job in jobs {
            if !job.job_type.is_kept_running() || job.state.is_terminal() {
                continue;
            }
            self.outside.known.insert(job.name.clone(), job.id);
            self.ask_to_stop(&job.name);
        }
        self.rest();
    }

    fn ask_to_stop(&mut self, name: &str) {
        let spec = Spec {
            name: name.to_owned(),
            wanted: Wanted::Stop,
            code: 0,
            publisher: "",
            token: None,
        };
        self.outside.sends(&spec);
        self.note();
        self.send(spec, Stored::Unread);
    }

    pub(super) fn send(&mut self, spec: Spec, stored: Stored) {
        self.requests += 1;
        let id = RequestId(self.requests);
        let request = match spec.wanted {
            Wanted::Batch | Wanted::Service => ApiRequest::Submit(Box::new(Submission {
                job: spec.job(),
                submitted: b"{}".to_vec(),
                idempotency: spec.token.clone(),
                if_unchanged: IfUnchanged::Refuse,
                stored,
            })),
            Wanted::Stop => ApiRequest::Stop {
                job: self.known(&spec),
                reason: REASON.to_owned(),
            },
        };
        self.asked.insert(id, spec);
        self.event(Event::Request { id, request });
    }

    /// The id of a job that a client knows of.
    fn known(&self, spec: &Spec) -> JobId {
        let id = self.outside.known.get(&spec.name);
        id.expect("only what is known is stopped").clone()
    }

    pub(super) fn answered(&mut self, request: RequestId, reply: ApiReply) {
        let spec = self.asked.remove(&request).expect("it was asked");
        match reply {
            ApiReply::Submitted { job, .. }
            // It had landed, and the answer was lost.
            | ApiReply::Denied(DenyReason::Unchanged { job, .. }) => {
                self.outside.acknowledge(job, spec);
            }
            ApiReply::Unread { job } => match self.store.answer(&StoreQuery::Job(job)) {
                StoreAnswer::Job(record) => {
                    self.send(spec, record.map_or(Stored::Absent, Stored::Record));
                }
                _ => self.again.push_back(spec),
            },
            ApiReply::Stopping { .. } | ApiReply::Job(_) | ApiReply::NotLive
                if spec.wanted == Wanted::Stop =>
            {
                self.outside.acknowledge(self.known(&spec), spec);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Clients look at their jobs: a terminal state that one was shown is remembered.
    pub(super) fn show(&mut self) {
        let jobs: Vec<JobId> = self.outside.acknowledged.keys().cloned().collect();
        for job in jobs {
            if let Some(look) = self.look(&job).filter(|look| look.state.is_terminal()) {
                self.outside.shown.insert(job, (look.version, look.state));
            }
        }
        self.note();
    }
}
