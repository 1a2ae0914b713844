//! What outlives a power cut: the engine, the clients, and what these were told and may hold the node to.

use super::engine::Engine;
use crate::support::jobs::unsubmitted;
use codling::model::{ExecutionId, Job, JobId, JobState, JobType};
use serde_json::json;
use std::collections::BTreeMap;

/// Everything that a cut does not touch.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    pub(super) engine: Engine,
    /// Jobs that a client was told are taken, as the latest of its specs that was.
    pub(super) acknowledged: BTreeMap<JobId, Spec>,
    /// Ids that clients know, acknowledged or found in a list, by name.
    pub(super) known: BTreeMap<String, JobId>,
    /// Everything that was sent under a job's name.
    pub(super) sent: BTreeMap<String, Vec<Spec>>,
    /// Terminal states that a client was shown, and of which version.
    pub(super) shown: BTreeMap<JobId, (u64, JobState)>,
}

/// What a client wants of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// That it runs once.
    Batch,
    /// That it is kept running.
    Service,
    /// That it ends.
    Stop,
}

/// One spec of a job: each further one of the same name is an update, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) wanted: Wanted,
    /// What it will end with; no two specs of one name end alike.
    pub(super) code: i64,
    pub(super) publisher: &'static str,
    pub(super) token: Option<String>,
}

/// How a client sees a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) version: u64,
    pub(super) state: JobState,
    /// Exit codes of the completed executions of that version.
    pub(super) codes: Vec<i64>,
    /// Executions that have not ended, of any version.
    pub(super) open: Vec<ExecutionId>,
}

impl Outside {
    /// Notes that a client sends this now.
    pub(super) fn sends(&mut self, spec: &Spec) {
        let sent = self.sent.entry(spec.name.clone()).or_default();
        sent.push(spec.clone());
    }

    /// Notes that a client was told that this is taken.
    pub(super) fn acknowledge(&mut self, job: JobId, spec: Spec) {
        self.known.insert(spec.name.clone(), job.clone());
        self.acknowledged.insert(job, spec);
    }

    /// Names of services that nobody has asked to stop.
    pub(super) fn services(&self) -> Vec<&String> {
        let is_wanted = |specs: &[Spec]| {
            let last = specs.last();
            last.is_some_and(|last| last.wanted == Wanted::Service)
        };
        let all = self.sent.iter();
        all.filter(|(_, specs)| is_wanted(specs))
            .map(|(name, _)| name)
            .collect()
    }

    /// Whether a job at rest is what was acknowledged last, or what was sent since and its acknowledgement was lost.
    pub(super) fn may_be(&self, spec: &Spec, look: &Look, engine: &Engine) -> bool {
        let sent = self.sent.get(&spec.name).into_iter().flatten();
        let mut since = sent.skip_while(|other| *other != spec);
        since.any(|other| other.is_met_by(look, engine))
    }
}

impl Spec {
    /// Whether a job at rest is as this wants it.
    fn is_met_by(&self, look: &Look, engine: &Engine) -> bool {
        match self.wanted {
            Wanted::Batch => {
                look.state.is_terminal() && look.open.is_empty() && look.codes == [self.code]
            }
            Wanted::Stop => look.state == JobState::Stopped && look.open.is_empty(),
            Wanted::Service => {
                let [open] = look.open.as_slice() else {
                    return false;
                };
                !look.state.is_terminal()
                    && engine.runs(open)
                    && engine.made(open).code == self.code
            }
        }
    }

    /// The job to submit.
    pub(super) fn job(&self) -> Job {
        let params = json!({"Image": "image", "Parameters": ["exit", self.code.to_string()]});
        let mut job = unsubmitted(&self.name, &params);
        if self.wanted == Wanted::Service {
            job.job_type = JobType::Service;
        }
        self.publisher.clone_into(&mut job.task.publisher.kind);
        job
    }
}
