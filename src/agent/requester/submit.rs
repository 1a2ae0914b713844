//! Submissions and stops. What a submission does to a job that is there already is in `versions`.

use super::history::{change_state, note_job};
use super::place::Occasion;
use super::versions::Predecessor;
use super::{DOCUMENTS_BYTES_MAX, Live, Requester, Token, Wanted};
use crate::agent::LIVE_MAX;
use crate::agent::ids::{evaluation_id, fingerprint};
use crate::agent::mail::Desk;
use crate::model::{
    ApiReply, DenyReason, DesiredState, Evaluation, EvaluationId, EvaluationStatus,
    EvaluationTrigger, ExecutionId, IdempotencyKey, Job, JobId, JobRecord, JobState, NodeId, Now,
    StoreRoom, Submission, Timer, Topic, WriteKind,
};

impl Requester {
    /// Takes a job, as a new one or as the next version of the one that has its name, or names the one that the same
    /// token brought before. The reply is true once its turn is durable.
    pub(crate) fn submit(&mut self, submission: Submission, desk: &mut Desk<'_>) -> ApiReply {
        let key = NewKey::of(submission.idempotency, &submission.submitted);
        if let Some(answer) = self.answer_of(key.as_ref()) {
            return answer;
        }
        if self.room == StoreRoom::EndsOnly {
            return ApiReply::Denied(DenyReason::StoreFull);
        }
        if let Some(reason) = self.is_over_bytes(submission.submitted.len()) {
            return ApiReply::Denied(reason);
        }
        let document = Document {
            submitted: submission.submitted,
            key,
        };
        let (job, if_unchanged) = (submission.job, submission.if_unchanged);
        let id = match self.predecessor(&job, submission.stored) {
            Predecessor::Unread(job) => return ApiReply::Unread { job },
            Predecessor::Live(id) => id,
            found @ (Predecessor::None | Predecessor::Stored(_)) => {
                if let Some(reason) = self.is_over_count() {
                    return ApiReply::Denied(reason);
                }
                let Predecessor::Stored(record) = found else {
                    return self.register(job, document, desk);
                };
                let id = record.job.id.clone();
                self.bring_in(*record);
                id
            }
        };
        self.update(&id, job, document, if_unchanged, desk)
    }

    /// A new job.
    fn register(&mut self, mut job: Job, document: Document, desk: &mut Desk<'_>) -> ApiReply {
        let now = desk.now;
        let id = self.ids.next(now.wall);
        job.id = id.clone();
        if job.name.is_empty() {
            job.name = id.0.clone();
        }
        note_requester(&mut job, desk.me);
        (job.version, job.revision) = (1, 1);
        (job.created, job.modified) = (now.wall, now.wall);
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
        let idempotency = document
            .key
            .map(|key| self.remember_new(key, &id, &evaluation.id, None, now));
        let total_timer = total_timer(&job, now);
        let mut record = JobRecord {
            job,
            submitted: document.submitted,
            evaluation,
            executions: Vec::new(),
            history: Vec::new(),
            next_seq: 1,
            idempotency,
            total_timer,
            queue_timer: None,
            earlier: Vec::new(),
        };
        note_job(&mut record, Topic::Submission, "Job submitted", &[], now);
        self.names.note(&record);
        self.bring_in(record);
        self.save(&id, WriteKind::Promise);
        self.look(&id, Occasion::First, desk);
        reply
    }

    /// What a request is told whose token came before: the same, or that it was another request.
    pub(super) fn answer_of(&self, key: Option<&NewKey>) -> Option<ApiReply> {
        let key = key?;
        let token = self.tokens.get(&key.token)?;
        if token.fingerprint != key.fingerprint {
            let token = key.token.clone();
            return Some(ApiReply::Denied(DenyReason::TokenReused { token }));
        }
        let evaluation = token.evaluation.clone();
        Some(match token.rerun_as {
            Some(version) => ApiReply::Rerun {
                version,
                evaluation,
            },
            None => ApiReply::Submitted {
                job: token.job.clone(),
                evaluation,
            },
        })
    }

    /// A token that is used for the first time, as it is stored.
    pub(super) fn remember_new(
        &mut self,
        key: NewKey,
        job: &JobId,
        evaluation: &EvaluationId,
        rerun_as: Option<u64>,
        now: Now,
    ) -> IdempotencyKey {
        let key = IdempotencyKey {
            token: key.token,
            seen: now,
            evaluation_id: evaluation.clone(),
            fingerprint: key.fingerprint,
            rerun_as,
        };
        self.remember(key.token.clone(), Token::new(job.clone(), &key), now);
        key
    }

    /// Why no further job fits into memory, if so.
    pub(super) fn is_over_count(&self) -> Option<DenyReason> {
        (self.jobs.len() >= LIVE_MAX).then_some(DenyReason::TooManyLive { limit: LIVE_MAX })
    }

    /// Why no further document of this size fits into memory, if so.
    fn is_over_bytes(&self, bytes: usize) -> Option<DenyReason> {
        let limit = DOCUMENTS_BYTES_MAX;
        (self.documents_bytes + bytes > limit).then_some(DenyReason::TooManyBytes { limit })
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

/// What came with a job.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The JSON as received; empty for an earlier version that is run again.
    pub(super) submitted: Vec<u8>,
    /// The client's token, if it sent one.
    pub(super) key: Option<NewKey>,
}

/// A token as it came with a request.
#[derive(Debug)]
pub(super) struct NewKey {
    token: String,
    fingerprint: u64,
}

impl NewKey {
    /// The token of a request that is told from others by `document`.
    pub(super) fn of(token: Option<String>, document: &[u8]) -> Option<Self> {
        token.map(|token| Self {
            token,
            fingerprint: fingerprint(document),
        })
    }
}

/// Says in a job whose it is.
pub(super) fn note_requester(job: &mut Job, me: &NodeId) {
    for key in ["bacalhau.org/orchestrator.id", "bacalhau.org/requester.id"] {
        job.meta.insert(key.to_owned(), me.0.clone());
    }
    job.requester = me.clone();
}

/// The clock of a job that may take only so long, started now.
pub(super) fn total_timer(job: &Job, now: Now) -> Option<Timer> {
    let total_s = job.timeouts().total_s;
    (total_s > 0).then(|| Timer::start(now, total_s.saturating_mul(1_000)))
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
