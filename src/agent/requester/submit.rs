//! Submissions and stops.

use super::history::{change_state, note_job};
use super::place::Occasion;
use super::{DOCUMENTS_BYTES_MAX, Live, Requester, Token, Wanted};
use crate::agent::LIVE_MAX;
use crate::agent::ids::{evaluation_id, fingerprint};
use crate::agent::mail::Desk;
use crate::model::{
    ApiReply, DenyReason, DesiredState, Evaluation, EvaluationStatus, EvaluationTrigger,
    ExecutionId, IdempotencyKey, JobId, JobRecord, JobState, Submission, Timer, Topic, WriteKind,
};
use std::collections::BTreeMap;

impl Requester {
    /// Takes a job, or names the one that the same token brought before. The reply is true once its turn is durable.
    pub(crate) fn submit(&mut self, submission: Submission, desk: &mut Desk<'_>) -> ApiReply {
        let Submission {
            mut job,
            submitted,
            idempotency,
        } = submission;
        let fingerprint = fingerprint(&submitted);
        if let Some(text) = &idempotency
            && let Some(token) = self.tokens.get(text)
        {
            if token.fingerprint != fingerprint {
                let token = text.clone();
                return ApiReply::Denied(DenyReason::TokenReused { token });
            }
            return ApiReply::Submitted {
                job: token.job.clone(),
                evaluation: token.evaluation.clone(),
            };
        }
        if let Some(reason) = self.is_full(submitted.len()) {
            return ApiReply::Denied(reason);
        }
        let now = desk.now;
        let id = self.ids.next(now.wall);
        job.id = id.clone();
        if job.name.is_empty() {
            job.name = id.0.clone();
        }
        for key in ["bacalhau.org/orchestrator.id", "bacalhau.org/requester.id"] {
            job.meta.insert(key.to_owned(), desk.me.0.clone());
        }
        (job.version, job.revision) = (1, 1);
        (job.created, job.modified) = (now.wall, now.wall);
        job.requester = desk.me.clone();
        let evaluation = Evaluation {
            id: evaluation_id(&id, 0),
            trigger: EvaluationTrigger::JobRegister,
            status: EvaluationStatus::Pending,
            number: 0,
        };
        let reply = ApiReply::Submitted {
            job: id.clone(),
            evaluation: evaluation.id.clone(),
        };
        let idempotency = idempotency.map(|token| IdempotencyKey {
            token,
            seen: now,
            evaluation_id: evaluation.id.clone(),
            fingerprint,
        });
        if let Some(key) = &idempotency {
            self.remember(key.token.clone(), Token::new(id.clone(), key), now);
        }
        let total_s = job.task.timeouts.total_s;
        let mut record = JobRecord {
            job,
            submitted,
            evaluation,
            executions: Vec::new(),
            history: Vec::new(),
            next_seq: 1,
            idempotency,
            total_timer: (total_s > 0).then(|| Timer::start(now, total_s.saturating_mul(1_000))),
            queue_timer: None,
        };
        note_job(&mut record, Topic::Submission, "Job submitted", &[], now);
        self.jobs.insert(
            id.clone(),
            Live {
                record,
                waits: BTreeMap::new(),
                look_at: None,
            },
        );
        self.save(&id, WriteKind::Promise);
        self.look(&id, Occasion::First, desk);
        reply
    }

    /// Why no further job of this size fits into memory, if so.
    fn is_full(&self, bytes: usize) -> Option<DenyReason> {
        if self.jobs.len() >= LIVE_MAX {
            return Some(DenyReason::TooManyLive { limit: LIVE_MAX });
        }
        let held: usize = self
            .jobs
            .values()
            .map(|live| live.record.submitted.len())
            .sum();
        let limit = DOCUMENTS_BYTES_MAX;
        (held + bytes > limit).then_some(DenyReason::TooManyBytes { limit })
    }

    /// Stops a job: it is `Stopped` at once, its executions end as soon as their nodes hear of it.
    pub(crate) fn stop(&mut self, id: &JobId, reason: String, desk: &mut Desk<'_>) -> ApiReply {
        let Some(live) = self.jobs.get_mut(id) else {
            return ApiReply::NotLive;
        };
        if live.job().state.is_terminal() {
            return ApiReply::Job(Box::new(live.record.clone()));
        }
        let evaluation = live.evaluate_again(EvaluationTrigger::JobCancel);
        let reason = if reason.is_empty() {
            "stopped by its user".to_owned()
        } else {
            reason
        };
        change_state(&mut live.record, JobState::Stopped, &reason, desk.now);
        live.record.evaluation.status = EvaluationStatus::Complete;
        self.save(id, WriteKind::Promise);
        self.stop_executions(id, &reason, desk);
        ApiReply::Stopping { evaluation }
    }

    /// Wants every unfinished execution of a job to end.
    pub(super) fn stop_executions(&mut self, id: &JobId, reason: &str, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(id) else {
            return;
        };
        live.look_at = None;
        let open: Vec<ExecutionId> = live
            .record
            .executions
            .iter_mut()
            .filter(|execution| !execution.state.is_terminal())
            .map(|execution| {
                execution.desired = DesiredState::Stopped;
                reason.clone_into(&mut execution.desired_message);
                execution.revision += 1;
                execution.modified = desk.now.wall;
                execution.id.clone()
            })
            .collect();
        for execution in open {
            live.say(&execution, Wanted::End, desk);
        }
    }
}

impl Live {
    /// A further evaluation of this job; its id.
    pub(super) fn evaluate_again(
        &mut self,
        trigger: EvaluationTrigger,
    ) -> crate::model::EvaluationId {
        let number = self.record.evaluation.number + 1;
        let id = evaluation_id(&self.record.job.id, number);
        self.record.evaluation = Evaluation {
            id: id.clone(),
            trigger,
            status: EvaluationStatus::Pending,
            number,
        };
        id
    }
}
