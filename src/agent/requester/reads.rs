//! Reads of live jobs.

use super::Requester;
use crate::model::{ApiReply, Census, Job, JobId, JobRange, JobState, ListOrder};
use std::ops::Bound;

impl Requester {
    /// Counts the unfinished jobs. A terminal one stays until all its executions are.
    pub(crate) fn count(&self, census: &mut Census) {
        for state in ["pending", "queued", "running", "ending"] {
            census.jobs.insert(state, 0);
        }
        for live in self.jobs.values() {
            let state = match live.record.job.state {
                JobState::Pending => "pending",
                JobState::Queued => "queued",
                JobState::Running => "running",
                JobState::Completed | JobState::Failed | JobState::Stopped => "ending",
            };
            *census.jobs.entry(state).or_default() += 1;
        }
    }

    /// A live job as it stands.
    pub(crate) fn read(&self, id: &JobId) -> ApiReply {
        self.jobs.get(id).map_or(ApiReply::NotLive, |live| {
            ApiReply::Job(Box::new(live.record.clone()))
        })
    }

    /// Which job has this name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> ApiReply {
        match self.names.find(namespace, name) {
            Some(named) => ApiReply::Found { job: named.id },
            None => ApiReply::NotLive,
        }
    }

    /// The live jobs of a range, in its order, at most its limit.
    pub(crate) fn list(&self, range: &JobRange) -> Vec<Job> {
        let first = JobId(range.prefix.clone());
        let starts = |id: &JobId| id.as_str().starts_with(&range.prefix);
        let job = |live: &super::Live| live.record.job.clone();
        match range.order {
            ListOrder::OldestFirst => {
                let from = match &range.after {
                    Some(after) if *after >= first => Bound::Excluded(after.clone()),
                    _ => Bound::Included(first),
                };
                let rows = self
                    .jobs
                    .range((from, Bound::Unbounded))
                    .take_while(|(id, _)| starts(id));
                rows.take(range.limit).map(|(_, live)| job(live)).collect()
            }
            ListOrder::NewestFirst => {
                let to = range
                    .after
                    .clone()
                    .map_or(Bound::Unbounded, Bound::Excluded);
                let rows = self.jobs.range((Bound::Unbounded, to)).rev();
                let rows = rows
                    .skip_while(|(id, _)| !starts(id))
                    .take_while(|(id, _)| starts(id));
                rows.take(range.limit).map(|(_, live)| job(live)).collect()
            }
        }
    }
}
