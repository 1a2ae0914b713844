//! The requester role: jobs, from submission to their one terminal state.
//!
//! ```text
//!  submit -> Pending -> evaluate -> plan an execution per partition -> Ask ... Bid -> AcceptBid ... Accepted
//!                          ^  |                                                                       |
//!                          |  `-> nobody fits: Queued (within QueueTimeout) or Failed              Outcome
//!                          `------------------------- evaluate again <--------------------------------'
//! ```
//! Owned here: the job, its latest evaluation, its executions as planned, its history. A planned execution with its node
//! is a promise before its ask leaves, so a decision made twice is the same execution and no two boards run one id. Bids,
//! acceptances and progress are ride-alongs: losing one only makes this role ask again. A job leaves memory when it and
//! all its executions are terminal.

mod evaluate;
mod hear;
mod history;
mod place;
mod reads;
mod rebuild;
mod replica;
mod submit;
mod timers;
mod upkeep;
mod versions;

pub(crate) use rebuild::lost_jobs;

use super::ids::JobIds;
use super::mail::Desk;
use super::retention::Retention;
use super::retry::Retry;
use super::{AgentConfig, Writes};
use crate::model::{
    Deadline, EndedJob, EvaluationId, Execution, ExecutionId, ExecutionState, IdempotencyKey, Job,
    JobId, JobNames, JobRecord, JobSummary, Message, NodeId, NodeRole, Now, Overdue, PruneMode,
    StoreRoom, Write, WriteKind,
};
use place::Occasion;
use std::collections::{BTreeMap, BTreeSet};
use versions::documents_bytes;

pub(crate) use versions::Rerun;

/// How many idempotency tokens are remembered.
const TOKENS_MAX: usize = 1_000;
/// How many bytes of submitted documents may be live: a small part of the smallest board's memory.
const DOCUMENTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// For how long.
const TOKEN_MS: u64 = 24 * 60 * 60 * 1_000;

/// Jobs and their executions as planned. See the module's text.
#[derive(Debug)]
pub(crate) struct Requester {
    ids: JobIds,
    room: StoreRoom,
    /// Nodes that may be asked: this one if it computes, and connected compute nodes.
    nodes: BTreeSet<NodeId>,
    jobs: BTreeMap<JobId, Live>,
    /// What the documents of `jobs` come to: counted as they come and go, for each submission asks.
    documents_bytes: usize,
    job_of: BTreeMap<ExecutionId, JobId>,
    tokens: BTreeMap<String, Token>,
    names: JobNames,
    retention: Retention<u128>,
    dirty: BTreeMap<JobId, WriteKind>,
}

/// An unfinished job.
#[derive(Debug)]
struct Live {
    record: JobRecord,
    /// Answers that are waited for.
    waits: BTreeMap<ExecutionId, Wait>,
    /// When a queued job is looked at again.
    look_at: Option<Deadline>,
}

/// An answer that is waited for.
#[derive(Clone, Copy, Debug)]
struct Wait {
    wanted: Wanted,
    retry: Retry,
    since_ms: u64,
}

/// Which answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// A bid, after an ask.
    Bid,
    /// Its confirmation, after a bid was accepted.
    Confirmation,
    /// An outcome, after a cancel.
    End,
}

/// A client's token.
#[derive(Clone, Debug)]
struct Token {
    job: JobId,
    evaluation: EvaluationId,
    seen: Now,
    fingerprint: u64,
    rerun_as: Option<u64>,
}

impl Token {
    fn new(job: JobId, key: &IdempotencyKey) -> Self {
        Self {
            job,
            evaluation: key.evaluation_id.clone(),
            seen: key.seen,
            fingerprint: key.fingerprint,
            rerun_as: key.rerun_as,
        }
    }
}

impl Requester {
    pub(crate) fn new(
        config: &AgentConfig,
        last_job: Option<&JobId>,
        room: StoreRoom,
        now: Now,
    ) -> Self {
        let mut nodes = BTreeSet::new();
        if config.roles.has(NodeRole::Compute) {
            nodes.insert(config.me.clone());
        }
        Self {
            ids: JobIds::new(config.seed, now.boot_ms, last_job),
            room,
            nodes,
            jobs: BTreeMap::new(),
            documents_bytes: 0,
            job_of: BTreeMap::new(),
            tokens: BTreeMap::new(),
            names: JobNames::default(),
            retention: Retention::new(config.retention),
            dirty: BTreeMap::new(),
        }
    }

    /// Takes over what the store holds, and jobs that it lost: every unfinished execution is asked about again.
    pub(crate) fn recover(
        &mut self,
        live: Vec<JobRecord>,
        rebuilt: Vec<JobRecord>,
        ended: Vec<JobSummary>,
        retained: Vec<EndedJob>,
        names: JobNames,
        desk: &mut Desk<'_>,
    ) {
        self.names = names;
        for job in &retained {
            self.retain(job);
        }
        for summary in ended {
            for key in summary.tokens {
                let token = Token::new(summary.id.clone(), &key);
                self.remember(key.token, token, desk.now);
            }
        }
        let mut ids = Vec::new();
        for mut record in live {
            record.total_timer = record.total_timer.map(|timer| timer.rebase(desk.now));
            record.queue_timer = record.queue_timer.map(|timer| timer.rebase(desk.now));
            Self::forgive_reboot(&mut record, desk.now);
            let id = record.job.id.clone();
            for key in record.tokens() {
                let token = Token::new(id.clone(), key);
                self.remember(key.token.clone(), token, desk.now);
            }
            self.bring_in(record);
            ids.push(id);
        }
        for record in rebuilt {
            let id = record.job.id.clone();
            self.names.note(&record);
            self.bring_in(record);
            self.save(&id, WriteKind::Promise);
            ids.push(id);
        }
        for id in ids {
            self.resume(&id, |_| true, desk);
            self.look(&id, Occasion::Start, desk);
        }
    }

    /// Takes a record into memory.
    fn bring_in(&mut self, record: JobRecord) {
        let id = record.job.id.clone();
        if let Some(number) = id.number() {
            self.retention.revive(number, record.job.modified);
        }
        for execution in &record.executions {
            self.job_of.insert(execution.id.clone(), id.clone());
        }
        self.documents_bytes += documents_bytes(&record);
        let live = Live {
            record,
            waits: BTreeMap::new(),
            look_at: None,
        };
        if let Some(before) = self.jobs.insert(id, live) {
            self.documents_bytes -= documents_bytes(&before.record);
        }
    }

    /// Says again what is open about a job's executions on the nodes that `concerns` picks.
    fn resume(&mut self, id: &JobId, concerns: impl Fn(&NodeId) -> bool, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(id) else {
            return;
        };
        let open: Vec<ExecutionId> = live
            .record
            .executions
            .iter()
            .filter(|execution| !execution.state.is_terminal() && concerns(&execution.node_id))
            .map(|execution| execution.id.clone())
            .collect();
        for execution in open {
            let wanted = match live.execution(&execution) {
                Some(execution) if execution.desired == crate::model::DesiredState::Stopped => {
                    Wanted::End
                }
                _ => Wanted::Bid,
            };
            live.say(&execution, wanted, desk);
        }
    }

    /// Moves the records that changed since the last turn into `writes`, lets finished jobs go, and deletes those that were
    /// kept long enough.
    pub(crate) fn take_writes(&mut self, writes: &mut Writes, now: Now) {
        let mut ended = Vec::new();
        for (id, kind) in std::mem::take(&mut self.dirty) {
            let Some(live) = self.jobs.get(&id) else {
                continue;
            };
            if live.record.is_live() {
                writes
                    .jobs
                    .insert(id, (kind, Write::Put(Box::new(live.record.clone()))));
            } else if let Some(record) = self.take_out(&id) {
                self.names.note(&record);
                ended.push(EndedJob::of(&record));
                // The last state of a job is a promise whatever changed last.
                writes
                    .jobs
                    .insert(id, (WriteKind::Promise, Write::Put(Box::new(record))));
            }
        }
        let turn = writes.jobs.values().map(|(kind, _)| *kind).max();
        let (gone, kind) = self
            .retention
            .due(turn.unwrap_or(WriteKind::RideAlong), now);
        for number in &gone {
            writes
                .jobs
                .insert(JobId::from_number(*number), (kind, Write::Delete));
        }
        if !gone.is_empty() {
            self.names.forget(&gone.into_iter().collect());
        }
        // Only now: what ends with this turn is stored at least once.
        for job in &ended {
            self.retain(job);
        }
    }

    /// Tells which ended jobs are beyond what is kept, and has them go if that is asked.
    pub(crate) fn prune(&mut self, mode: PruneMode, now: Now) -> Overdue {
        let overdue = self.retention.overdue(now);
        if mode == PruneMode::Remove {
            self.retention.hurry();
        }
        overdue
    }

    /// A job has ended and is stored. One whose id is none of ours is kept for ever.
    fn retain(&mut self, job: &EndedJob) {
        if let Some(number) = job.id.number() {
            self.retention.keep(number, job.ended, job.bytes);
        }
    }

    /// Takes a record out of memory.
    fn take_out(&mut self, id: &JobId) -> Option<JobRecord> {
        let live = self.jobs.remove(id)?;
        for execution in &live.record.executions {
            self.job_of.remove(&execution.id);
        }
        self.documents_bytes -= documents_bytes(&live.record);
        Some(live.record)
    }

    fn save(&mut self, id: &JobId, kind: WriteKind) {
        let entry = self.dirty.entry(id.clone()).or_insert(kind);
        *entry = (*entry).max(kind);
    }

    /// Remembers a token; the oldest goes when there are too many, and each after a day.
    fn remember(&mut self, text: String, token: Token, now: Now) {
        self.tokens
            .retain(|_, token| token.seen.until(&now) < TOKEN_MS);
        self.tokens.insert(text, token);
        if self.tokens.len() > TOKENS_MAX
            && let Some(oldest) = self
                .tokens
                .iter()
                .max_by_key(|(_, token)| token.seen.until(&now))
                .map(|(text, _)| text.clone())
        {
            self.tokens.remove(&oldest);
        }
    }

    /// A compute node may be asked from now on; what is open with it is said again.
    pub(crate) fn peer_seen(&mut self, node: NodeId, desk: &mut Desk<'_>) {
        self.nodes.insert(node.clone());
        let ids: Vec<JobId> = self.jobs.keys().cloned().collect();
        for id in ids {
            self.resume(&id, |other| *other == node, desk);
            self.look_at_start(&id, desk);
        }
    }

    /// What the store has room for now: what could not be planned is looked at again.
    pub(crate) fn room_seen(&mut self, room: StoreRoom, desk: &mut Desk<'_>) {
        self.room = room;
        self.look_again(desk);
    }

    /// A compute node is not asked any more. What it accepted stays its own.
    pub(crate) fn peer_gone(&mut self, node: &NodeId) {
        self.nodes.remove(node);
    }
}

impl Live {
    fn execution(&self, id: &ExecutionId) -> Option<&Execution> {
        self.record
            .executions
            .iter()
            .find(|execution| execution.id == *id)
    }

    fn execution_mut(&mut self, id: &ExecutionId) -> Option<&mut Execution> {
        self.record
            .executions
            .iter_mut()
            .find(|execution| execution.id == *id)
    }

    fn job(&self) -> &Job {
        &self.record.job
    }

    /// Says what calls for the wanted answer, and waits for it.
    fn say(&mut self, id: &ExecutionId, wanted: Wanted, desk: &mut Desk<'_>) {
        let Some((node, message)) = self.words(id, wanted) else {
            return;
        };
        let wait = Wait {
            wanted,
            retry: Retry::start(desk.now),
            since_ms: desk.now.boot_ms,
        };
        let wait = match self.waits.get(id) {
            // Said again is not a new wait.
            Some(old) if old.wanted == wanted => Wait {
                since_ms: old.since_ms,
                ..wait
            },
            _ => wait,
        };
        self.waits.insert(id.clone(), wait);
        desk.tell(&node, message);
    }

    fn words(&self, id: &ExecutionId, wanted: Wanted) -> Option<(NodeId, Message)> {
        let execution = self.execution(id)?;
        let message = match wanted {
            Wanted::Bid => {
                let job = Box::new(self.record.job.clone());
                Message::Ask {
                    execution: id.clone(),
                    job,
                    partition: execution.partition,
                }
            }
            Wanted::Confirmation => Message::AcceptBid {
                execution: id.clone(),
            },
            Wanted::End => Message::Cancel {
                execution: id.clone(),
            },
        };
        Some((execution.node_id.clone(), message))
    }
}

/// Moves an execution to a state; a terminal one is never left.
fn advance(execution: &mut Execution, state: ExecutionState, message: &str, now: Now) {
    if !execution.state.is_terminal() {
        execution.state = state;
        message.clone_into(&mut execution.state_message);
        execution.revision += 1;
        execution.modified = now.wall;
    }
}
