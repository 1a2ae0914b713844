//! One look of the scheduler at one job.

use super::history::{change_state, note_execution, note_job};
use super::place::{Occasion, Placement, Reason, next_attempt, place};
use super::{Live, Requester, Wanted};
use crate::agent::ids::execution_id;
use crate::agent::mail::Desk;
use crate::model::{
    Deadline, DesiredState, EvaluationStatus, EvaluationTrigger, Execution, ExecutionId,
    ExecutionState, JobId, JobRecord, JobState, NodeId, Resources, SpecConfig, StoreRoom, Timer,
    Topic, WriteKind,
};

/// How soon a queued job is looked at again when nothing else happens; twice as late after each node that declined.
const LOOK_AGAIN_MS: u64 = 30_000;

/// How often that doubles: a job that waits for days costs two commits in four minutes, and an engine or a node that
/// comes back is not waited for.
const LOOK_AGAIN_DOUBLINGS_MAX: usize = 3;

/// How many declined executions a job keeps: they explain, they do not matter.
const DECLINED_MAX: usize = 8;

impl Requester {
    /// Looks at every queued job again: an engine or a node came back.
    pub(crate) fn look_again(&mut self, desk: &mut Desk<'_>) {
        let queued: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|(_, live)| live.look_at.is_some())
            .map(|(id, _)| id.clone())
            .collect();
        for id in queued {
            self.look(&id, Occasion::Again, desk);
        }
    }

    /// Plans what is missing, completes what is complete, fails what cannot be placed.
    pub(super) fn look(&mut self, id: &JobId, occasion: Occasion, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(id) else {
            return;
        };
        if live.job().state.is_terminal() {
            return;
        }
        let mut placed = Vec::new();
        let mut waiting = None;
        let mut complete = 0;
        for (partition, standing) in (0..).zip(standings(&live.record)) {
            match standing {
                Standing::Complete => {
                    complete += 1;
                    continue;
                }
                Standing::Open => continue,
                Standing::Missing => {}
            }
            match place(&live.record, partition, &self.nodes, occasion) {
                Placement::Ask(node) => placed.push((partition, node)),
                Placement::Wait(message, hint) => {
                    waiting = Some(Reason {
                        message,
                        hint,
                        code: None,
                    })
                }
                Placement::Never(reason) => {
                    self.fail(id, &reason, desk);
                    return;
                }
            }
        }
        if complete == live.job().count {
            change_state(&mut live.record, JobState::Completed, "", desk.now);
            live.record.evaluation.status = EvaluationStatus::Complete;
            self.save(id, WriteKind::Promise);
            return;
        }
        if self.room == StoreRoom::EndsOnly && !placed.is_empty() {
            // A plan is stored before anything comes of it.
            live.look_at = Some(Deadline(desk.now.boot_ms + LOOK_AGAIN_MS));
            return;
        }
        let mut planned = Vec::new();
        for (partition, node) in placed {
            for declined in live.forget_declined(partition) {
                self.job_of.remove(&declined);
            }
            let execution = live.plan(partition, node, desk);
            self.job_of.insert(execution.clone(), id.clone());
            planned.push(execution);
        }
        if let Some(reason) = waiting {
            self.queue(id, &reason, desk);
        } else {
            live.look_at = None;
            live.record.evaluation.status = EvaluationStatus::Complete;
        }
        if planned.is_empty() {
            return;
        }
        self.save(id, WriteKind::Promise);
        // A job that failed for its other partitions has cancelled these already.
        if let Some(live) = self.jobs.get_mut(id)
            && !live.job().state.is_terminal()
        {
            for execution in planned {
                live.say(&execution, Wanted::Bid, desk);
            }
        }
    }

    /// A node is missing: the job waits within its queue timeout, or fails.
    fn queue(&mut self, id: &JobId, reason: &Reason, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(id) else {
            return;
        };
        let queue_ms = live.job().task.timeouts.queue_s.saturating_mul(1_000);
        let timer = *live
            .record
            .queue_timer
            .get_or_insert_with(|| Timer::start(desk.now, queue_ms));
        if timer.is_due(desk.now) {
            self.fail(id, reason, desk);
            return;
        }
        let executions = live.record.latest_executions();
        let declined = executions.filter(|one| one.state == ExecutionState::AskForBidRejected);
        let doublings = declined.skip(1).take(LOOK_AGAIN_DOUBLINGS_MAX).count();
        let look = desk.now.boot_ms + (LOOK_AGAIN_MS << doublings);
        live.look_at = Some(Deadline(look).min(timer.deadline()));
        live.record.evaluation.status = EvaluationStatus::Blocked;
        if live.job().state == JobState::Pending {
            let details = [("Hint", reason.hint)];
            note_job(
                &mut live.record,
                Topic::Queueing,
                &reason.message,
                &details,
                desk.now,
            );
            change_state(
                &mut live.record,
                JobState::Queued,
                &reason.message,
                desk.now,
            );
            self.save(id, WriteKind::Promise);
        }
    }

    /// The job's one terminal state when it cannot be completed; what still runs is stopped.
    pub(super) fn fail(&mut self, id: &JobId, reason: &Reason, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(id) else {
            return;
        };
        if live.job().state.is_terminal() {
            return;
        }
        let mut details = vec![("IsError", "true"), ("Hint", reason.hint)];
        details.extend(reason.code.map(|code| ("ErrorCode", code)));
        note_job(
            &mut live.record,
            Topic::Scheduling,
            &reason.message,
            &details,
            desk.now,
        );
        change_state(
            &mut live.record,
            JobState::Failed,
            &reason.message,
            desk.now,
        );
        live.record.evaluation.status = EvaluationStatus::Complete;
        self.save(id, WriteKind::Promise);
        self.stop_executions(id, "the job failed", desk);
    }

    /// An execution changed: the job is looked at once more.
    pub(super) fn look_after(&mut self, id: &JobId, desk: &mut Desk<'_>) {
        if let Some(live) = self.jobs.get_mut(id)
            && !live.job().state.is_terminal()
        {
            live.evaluate_again(EvaluationTrigger::ExecutionUpdate);
        }
        self.look(id, Occasion::First, desk);
    }
}

/// How a partition of the latest version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// None of its executions is open or has completed.
    Missing,
    /// One is open.
    Open,
    /// One has completed.
    Complete,
}

/// All partitions in one pass: a job may have a thousand of them, and is looked at when each ends.
fn standings(record: &JobRecord) -> Vec<Standing> {
    let count = usize::try_from(record.job.count).unwrap_or(usize::MAX);
    let mut standings = vec![Standing::Missing; count];
    for execution in record.latest_executions() {
        let partition = usize::try_from(execution.partition).unwrap_or(usize::MAX);
        let Some(standing) = standings.get_mut(partition) else {
            continue;
        };
        if execution.state == ExecutionState::Completed {
            *standing = Standing::Complete;
        } else if !execution.state.is_terminal() && *standing == Standing::Missing {
            *standing = Standing::Open;
        }
    }
    standings
}

impl Live {
    /// Plans an execution; its ask leaves once it is stored.
    fn plan(&mut self, partition: u32, node: NodeId, desk: &Desk<'_>) -> ExecutionId {
        let job = &self.record.job;
        let attempt = next_attempt(&self.record, partition);
        let id = execution_id(&job.id, job.version, partition, attempt, &node);
        let message = format!("Requested execution on {node}");
        let details = [("NodeID", node.as_str())];
        let execution = Execution {
            id: id.clone(),
            job_id: job.id.clone(),
            namespace: job.namespace.clone(),
            evaluation_id: self.record.evaluation.id.clone(),
            node_id: node.clone(),
            job_version: job.version,
            partition,
            attempt,
            desired: DesiredState::Pending,
            desired_message: String::new(),
            state: ExecutionState::New,
            state_message: String::new(),
            published: SpecConfig::default(),
            run_output: None,
            allocated: Resources::default(),
            revision: 1,
            created: desk.now.wall,
            modified: desk.now.wall,
            reject: None,
            failure: None,
        };
        note_execution(
            &mut self.record,
            &id,
            Topic::Scheduling,
            &message,
            &details,
            desk.now,
        );
        self.record.executions.push(execution);
        id
    }

    /// Keeps a queued job's record small: of its declined executions only the latest stay. Returns those that went.
    fn forget_declined(&mut self, partition: u32) -> Vec<ExecutionId> {
        let version = self.record.job.version;
        let is_declined = |execution: &Execution| {
            execution.partition == partition
                && execution.job_version == version
                && execution.state == ExecutionState::AskForBidRejected
        };
        let declined = self.record.executions.iter().filter(|one| is_declined(one));
        let mut gone: Vec<ExecutionId> = declined.map(|one| one.id.clone()).collect();
        gone.truncate(gone.len().saturating_sub(DECLINED_MAX));
        self.record
            .executions
            .retain(|execution| !gone.contains(&execution.id));
        gone
    }
}
