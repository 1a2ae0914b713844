//! The next version of a job: a spec that comes again under its name, or a version that is run again.
//!
//! ```text
//!  version 1   Running, its executions open
//!     | update: in one turn, hence in one commit
//!     |   its executions are to stop; it is set aside as it was
//!     v
//!  version 2   Pending, evaluated at once; its executions have ids of their own
//! ```
//! The job keeps its id and its history. Executions of earlier versions only end: the scheduler looks at those of the
//! latest version alone, and none of an earlier one is planned or accepted any more.

use super::Requester;
use super::history::note_job;
use super::place::Occasion;
use super::submit::{Document, NewKey, note_requester, total_timer};
use crate::agent::mail::Desk;
use crate::model::{
    ApiReply, DenyReason, EarlierVersion, EndedJob, EvaluationId, EvaluationTrigger, ExecutionId,
    IfUnchanged, Job, JobId, JobRecord, JobState, StoreRoom, Stored, Topic, WriteKind,
};

/// How many earlier versions a job keeps: what somebody looks back at. Beyond it the oldest go.
const EARLIER_MAX: usize = 10;

/// How many bytes of submitted JSON they may stand for: they are in memory while the job is live, and in each of its
/// records.
const EARLIER_BYTES_MAX: usize = 128 * 1024;

/// How many ended executions of earlier versions a job keeps; they explain, they do not matter.
const EARLIER_EXECUTIONS_MAX: usize = 32;

/// What is asked of a job that is to run again.
#[derive(Debug)]
pub(crate) struct Rerun {
    /// Which version; 0 is the latest.
    pub(crate) version: u64,
    /// Why, in the user's words. May be empty.
    pub(crate) reason: String,
    /// The client's token, not empty.
    pub(crate) idempotency: Option<String>,
}

/// How a further version comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause<'a> {
    Update,
    /// For this reason, which may be empty.
    Rerun(&'a str),
}

impl Cause<'_> {
    /// What the history says.
    fn message(self) -> String {
        match self {
            Self::Update => "Job updated".to_owned(),
            Self::Rerun("") => "Job rerun".to_owned(),
            Self::Rerun(reason) => format!("Job rerun: {reason}"),
        }
    }
}

/// The job that a submission is the next version of.
#[derive(Debug)]
pub(super) enum Predecessor {
    /// There is none: the job is new.
    None,
    /// This one is not live, and what the store holds of it is not known, or not any more.
    Unread(JobId),
    /// This one, which is in memory.
    Live(JobId),
    /// This one, as the store holds it.
    Stored(Box<JobRecord>),
}

impl Requester {
    /// Whose name a submitted job has.
    pub(super) fn predecessor(&self, job: &Job, stored: Stored) -> Predecessor {
        let named = self.names.find(&job.namespace, &job.name);
        // A job without a name of its own is named by its id.
        let id = named.map_or_else(|| JobId(job.name.clone()), |named| named.id);
        if let Some(live) = self.jobs.get(&id) {
            let is_it = live.job().name == job.name && live.job().namespace == job.namespace;
            return if is_it {
                Predecessor::Live(id)
            } else {
                Predecessor::None
            };
        }
        if !id.looks_whole() {
            return Predecessor::None;
        }
        match stored {
            Stored::Unread => Predecessor::Unread(id),
            Stored::Absent => Predecessor::None,
            Stored::Record(record) => {
                let is_it = record.job.name == job.name && record.job.namespace == job.namespace;
                match is_it {
                    false => Predecessor::None,
                    true if self.is_outdated(&id, &record) => Predecessor::Unread(id),
                    true => Predecessor::Stored(record),
                }
            }
        }
    }

    /// Whether a record is of another job, or older than what is known of it: it has changed since it was read.
    fn is_outdated(&self, id: &JobId, record: &JobRecord) -> bool {
        let job = &record.job;
        let named = self.names.find(&job.namespace, &job.name);
        job.id != *id || named.is_some_and(|named| named.id == *id && named.revision > job.revision)
    }

    /// A submission for a job that is in memory.
    pub(super) fn update(
        &mut self,
        id: &JobId,
        mut job: Job,
        document: Document,
        if_unchanged: IfUnchanged,
        desk: &mut Desk<'_>,
    ) -> ApiReply {
        let Some(live) = self.jobs.get(id) else {
            return ApiReply::NotLive;
        };
        let latest = live.job();
        if latest.job_type != job.job_type {
            let reason = DenyReason::TypeDiffers {
                job: id.clone(),
                name: latest.name.clone(),
                is: latest.job_type,
                asked: job.job_type,
            };
            self.let_go(id);
            return ApiReply::Denied(reason);
        }
        if if_unchanged == IfUnchanged::Refuse && is_same(latest, &job) {
            let reason = DenyReason::Unchanged {
                job: id.clone(),
                name: latest.name.clone(),
                version: latest.version,
            };
            self.let_go(id);
            return ApiReply::Denied(reason);
        }
        note_requester(&mut job, desk.me);
        let replaced = self.replace(id, job, document, Cause::Update, desk);
        replaced.map_or(ApiReply::NotLive, |(_, evaluation)| ApiReply::Submitted {
            job: id.clone(),
            evaluation,
        })
    }

    /// Runs a version of a job again as its next one, or names the one that the same token brought before.
    pub(crate) fn rerun(
        &mut self,
        id: &JobId,
        asked: Rerun,
        stored: Stored,
        desk: &mut Desk<'_>,
    ) -> ApiReply {
        let what = format!("{id} version {}", asked.version);
        let key = NewKey::of(asked.idempotency, what.as_bytes());
        if let Some(answer) = self.answer_of(key.as_ref()) {
            return answer;
        }
        if self.room == StoreRoom::EndsOnly {
            return ApiReply::Denied(DenyReason::StoreFull);
        }
        if !self.jobs.contains_key(id) {
            match stored {
                Stored::Absent => return ApiReply::NotLive,
                Stored::Record(record) if !self.is_outdated(id, &record) => {
                    if let Some(reason) = self.is_over_count() {
                        return ApiReply::Denied(reason);
                    }
                    self.bring_in(*record);
                }
                Stored::Unread | Stored::Record(_) => {
                    return ApiReply::Unread { job: id.clone() };
                }
            }
        }
        let (job, mut document) = match self.version(id, asked.version) {
            Ok(found) => found,
            Err(reason) => {
                self.let_go(id);
                return ApiReply::Denied(reason);
            }
        };
        document.key = key;
        let replaced = self.replace(id, job, document, Cause::Rerun(&asked.reason), desk);
        replaced.map_or(ApiReply::NotLive, |(version, evaluation)| ApiReply::Rerun {
            version,
            evaluation,
        })
    }

    /// A version of a job that is to be run again, with its document where that is kept.
    fn version(&self, id: &JobId, version: u64) -> Result<(Job, Document), DenyReason> {
        let no_such = |oldest, latest| DenyReason::NoSuchVersion {
            job: id.clone(),
            version,
            oldest,
            latest,
        };
        let Some(live) = self.jobs.get(id) else {
            return Err(no_such(0, 0));
        };
        let latest = live.job();
        if matches!(latest.state, JobState::Pending | JobState::Queued) {
            return Err(DenyReason::NotBegun {
                job: id.clone(),
                state: latest.state,
            });
        }
        if version == 0 || version == latest.version {
            let document = Document {
                submitted: live.record.submitted.clone(),
                key: None,
            };
            return Ok((latest.clone(), document));
        }
        let earlier = &live.record.earlier;
        let found = earlier.iter().find(|one| one.job.version == version);
        let oldest = earlier
            .first()
            .map_or(latest.version, |one| one.job.version);
        found
            .map(|one| (one.job.clone(), Document::default()))
            .ok_or_else(|| no_such(oldest, latest.version))
    }

    /// A job that was brought back for nothing leaves memory again.
    fn let_go(&mut self, id: &JobId) {
        let is_over = self.jobs.get(id).is_some_and(|live| !live.record.is_live());
        if is_over
            && !self.dirty.contains_key(id)
            && let Some(record) = self.take_out(id)
        {
            self.retain(&EndedJob::of(&record));
        }
    }

    /// Puts `job` in the place of the latest version: what runs of that is stopped, and the new one is looked at. Its
    /// version and evaluation.
    fn replace(
        &mut self,
        id: &JobId,
        mut job: Job,
        document: Document,
        cause: Cause<'_>,
        desk: &mut Desk<'_>,
    ) -> Option<(u64, EvaluationId)> {
        let now = desk.now;
        let next = self.jobs.get(id)?.job().version + 1;
        self.stop_executions(
            id,
            &format!("version {next} of the job took its place"),
            desk,
        );
        let live = self.jobs.get_mut(id)?;
        let evaluation = live.evaluate_again(EvaluationTrigger::JobRegister);
        let record = &mut live.record;
        self.documents_bytes -= documents_bytes(record);
        let latest = &record.job;
        job.id = id.clone();
        job.name.clone_from(&latest.name);
        job.namespace.clone_from(&latest.namespace);
        job.job_type = latest.job_type;
        (job.state, job.state_message) = (JobState::Pending, String::new());
        (job.version, job.revision) = (next, latest.revision + 1);
        (job.created, job.modified) = (latest.created, now.wall);
        let bytes = u64::try_from(record.submitted.len()).unwrap_or(u64::MAX);
        record.total_timer = total_timer(&job, now);
        record.queue_timer = None;
        record.submitted = document.submitted;
        let mut replaced = std::mem::replace(&mut record.job, job);
        if !replaced.state.is_terminal() {
            replaced.state = JobState::Stopped;
            replaced.state_message = format!("version {next} took its place");
        }
        record.earlier.push(EarlierVersion {
            job: replaced,
            idempotency: record.idempotency.take(),
            submitted_bytes: bytes,
        });
        while record.earlier.len() > EARLIER_MAX || earlier_bytes(record) > EARLIER_BYTES_MAX {
            record.earlier.remove(0);
        }
        self.documents_bytes += documents_bytes(record);
        for gone in forget_earlier_executions(record) {
            self.job_of.remove(&gone);
        }
        note_job(record, Topic::Submission, &cause.message(), &[], now);
        self.names.note(record);
        if let Some(key) = document.key {
            let rerun_as = matches!(cause, Cause::Rerun(_)).then_some(next);
            let key = self.remember_new(key, id, &evaluation, rerun_as, now);
            if let Some(live) = self.jobs.get_mut(id) {
                live.record.idempotency = Some(key);
            }
        }
        self.save(id, WriteKind::Promise);
        self.look(id, Occasion::First, desk);
        Some((next, evaluation))
    }
}

/// What a live job counts for: its document, and those of its earlier versions.
pub(super) fn documents_bytes(record: &JobRecord) -> usize {
    record.submitted.len() + earlier_bytes(record)
}

/// What a job's earlier versions count for.
fn earlier_bytes(record: &JobRecord) -> usize {
    let bytes = record.earlier.iter().map(|one| one.submitted_bytes);
    usize::try_from(bytes.sum::<u64>()).unwrap_or(usize::MAX)
}

/// Of the ended executions of earlier versions only the latest stay. Returns those that went.
fn forget_earlier_executions(record: &mut JobRecord) -> Vec<ExecutionId> {
    let latest = record.job.version;
    let ended = record
        .executions
        .iter()
        .filter(|one| one.job_version < latest && one.state.is_terminal());
    let mut gone: Vec<ExecutionId> = ended.map(|one| one.id.clone()).collect();
    gone.truncate(gone.len().saturating_sub(EARLIER_EXECUTIONS_MAX));
    record.executions.retain(|one| !gone.contains(&one.id));
    gone
}

/// Whether a submitted job asks for what the stored one does. What the server keeps does not count, and quantities were
/// brought into one form when they were read.
fn is_same(stored: &Job, submitted: &Job) -> bool {
    stored.priority == submitted.priority
        && stored.count == submitted.count
        && stored.constraints == submitted.constraints
        && stored.labels == submitted.labels
        && stored.task == submitted.task
        && stored.own_meta().eq(submitted.own_meta())
}
