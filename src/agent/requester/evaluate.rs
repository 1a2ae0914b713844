//! One look of the scheduler at one job.

use super::history::{change_state, note_execution, note_job};
use super::place::{Occasion, Placement, Reason, next_attempt, nobody_is_there, place};
use super::replica::{Replica, Standing, replicas};
use super::{Live, Requester, Wanted, upkeep};
use crate::agent::ids::execution_id;
use crate::agent::mail::Desk;
use crate::model::{
    Deadline, DesiredState, EvaluationStatus, EvaluationTrigger, Execution, ExecutionId,
    ExecutionState, JobId, JobRecord, JobState, JobType, NodeId, Now, Resources, SpecConfig,
    StoreRoom, Timer, Topic, WriteKind,
};
use std::collections::BTreeSet;

/// How soon a queued job is looked at again when nothing else happens; twice as late after each node that declined.
const LOOK_AGAIN_MS: u64 = 30_000;

/// How often that doubles: a job that waits for days costs two commits in four minutes, and an engine or a node that
/// comes back is not waited for.
const LOOK_AGAIN_DOUBLINGS_MAX: usize = 3;

/// How many declined executions a job keeps: they explain, they do not matter.
const DECLINED_MAX: usize = 8;

/// What is said of a service with no replicas.
const NO_REPLICA: &str = "nothing is to run: the job's Count is 0";

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

    /// Looks at a job for which a node that has come may matter: it waits for one, or is to be on every one.
    pub(super) fn look_at_start(&mut self, id: &JobId, desk: &mut Desk<'_>) {
        let may_matter = |live: &Live| {
            let job_type = live.job().job_type;
            live.look_at.is_some() || job_type.is_on_every_node() || job_type.is_kept_running()
        };
        if self.jobs.get(id).is_some_and(may_matter) {
            self.look(id, Occasion::Start, desk);
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
        let survey = match Survey::of(&live.record, &self.nodes, occasion, desk.now) {
            Ok(survey) => survey,
            Err(reason) => return self.fail(id, &reason, desk),
        };
        if let Some(reason) = &survey.unfit
            && may_fail(&live.record)
        {
            return self.fail(id, reason, desk);
        }
        let over = match live.job().job_type.is_kept_running() {
            _ if !survey.is_over => None,
            false => Some((JobState::Completed, "")),
            // It is to have no replicas.
            true => Some((JobState::Running, NO_REPLICA)),
        };
        if let Some((state, message)) = over {
            if live.job().state == state {
                return;
            }
            change_state(&mut live.record, state, message, desk.now);
            live.record.evaluation.status = EvaluationStatus::Complete;
            self.save(id, WriteKind::Promise);
            return;
        }
        if self.room == StoreRoom::EndsOnly && !survey.placed.is_empty() {
            // A plan is stored before anything comes of it.
            live.look_at = Some(Deadline(desk.now.boot_ms + LOOK_AGAIN_MS));
            return;
        }
        let mut planned = Vec::new();
        for (replica, node) in survey.placed {
            for declined in live.forget_declined(&replica) {
                self.job_of.remove(&declined);
            }
            let execution = live.plan(&replica, node, desk);
            self.job_of.insert(execution.clone(), id.clone());
            planned.push(execution);
        }
        if let Some(reason) = survey.waiting {
            self.queue(id, &reason, survey.pausing, desk);
        } else if let Some(reason) = survey.unfit {
            // Nothing but another node, or this one started otherwise, can help; then it is looked at again.
            self.wait(id, &reason, survey.pausing, desk);
        } else {
            live.look_at = survey.pausing;
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

    /// A node is missing: the job waits within its queue timeout, or fails. It is looked at again at `pausing` too.
    fn queue(
        &mut self,
        id: &JobId,
        reason: &Reason,
        pausing: Option<Deadline>,
        desk: &mut Desk<'_>,
    ) {
        let Some(live) = self.jobs.get_mut(id) else {
            return;
        };
        let executions = live.record.latest_executions();
        let declined = executions.filter(|one| one.state == ExecutionState::AskForBidRejected);
        let doublings = declined.skip(1).take(LOOK_AGAIN_DOUBLINGS_MAX).count();
        // With no node at all only one that comes can help.
        let is_alone = self.nodes.is_empty();
        let soon = Deadline(desk.now.boot_ms + (LOOK_AGAIN_MS << doublings));
        let mut look: Option<Deadline> =
            (!is_alone).then_some(soon).into_iter().chain(pausing).min();
        if may_fail(&live.record) {
            let queue_ms = live.job().task.timeouts.queue_s.saturating_mul(1_000);
            let timer = *live
                .record
                .queue_timer
                .get_or_insert_with(|| Timer::start(desk.now, queue_ms));
            if timer.is_due(desk.now) {
                self.fail(id, reason, desk);
                return;
            }
            look = look.into_iter().chain([timer.deadline()]).min();
        }
        self.wait(id, reason, look, desk);
    }

    /// The job waits for a node, and is looked at again then, if time can help.
    fn wait(&mut self, id: &JobId, reason: &Reason, look: Option<Deadline>, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(id) else {
            return;
        };
        live.look_at = look;
        live.record.evaluation.status = EvaluationStatus::Blocked;
        match live.job().state {
            JobState::Pending => {
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
            // A service waits between two executions, a daemon for one more node.
            JobState::Queued | JobState::Running if live.job().job_type.is_kept_running() => {
                live.record.job.state_message.clone_from(&reason.message);
                self.save(id, WriteKind::RideAlong);
            }
            _ => {}
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

/// What a look at a job has shown.
#[derive(Debug, Default)]
struct Survey {
    /// Which replicas are planned now, and where.
    placed: Vec<(Replica, NodeId)>,
    /// Why one has no node yet.
    waiting: Option<Reason>,
    /// Why one has no node until another comes.
    unfit: Option<Reason>,
    /// When the first of those that pause is started again.
    pausing: Option<Deadline>,
    /// Whether nothing is open and nothing is missing.
    is_over: bool,
}

impl Survey {
    /// # Errors
    /// The job cannot be completed.
    fn of(
        record: &JobRecord,
        nodes: &BTreeSet<NodeId>,
        occasion: Occasion,
        now: Now,
    ) -> Result<Self, Reason> {
        let mut survey = Self::default();
        let is_on_every_node = record.job.job_type.is_on_every_node();
        let replicas = replicas(record, nodes, now);
        let count = replicas.len();
        let (mut complete, mut unfit) = (0, 0);
        for (replica, standing) in replicas {
            match standing {
                Standing::Complete => complete += 1,
                Standing::Open => {}
                Standing::Pausing(until) => {
                    let earlier = survey.pausing.filter(|earlier| *earlier <= until);
                    survey.pausing = earlier.or(Some(until));
                }
                Standing::Missing => match place(record, &replica, nodes, occasion) {
                    Placement::Ask(node) => survey.placed.push((replica, node)),
                    Placement::Wait(reason) => survey.waiting = Some(reason),
                    Placement::Unfit(reason) => {
                        unfit += 1;
                        survey.unfit.get_or_insert(reason);
                    }
                    Placement::Never(reason) => return Err(reason),
                },
            }
        }
        if is_on_every_node && count == 0 {
            survey.waiting = Some(nobody_is_there());
        }
        if is_on_every_node && unfit < count {
            // The nodes that it does not fit do not matter as long as there is one that it does.
            survey.unfit = None;
        }
        let has_nodes = survey.waiting.is_none() && survey.unfit.is_none();
        survey.is_over = has_nodes && complete + unfit == count;
        Ok(survey)
    }
}

/// Whether a job for which there is no node fails. A service that a node has taken once is kept, and a daemon waits for
/// nodes.
fn may_fail(record: &JobRecord) -> bool {
    match record.job.job_type {
        JobType::Batch | JobType::Ops => true,
        JobType::Daemon => false,
        JobType::Service => !record.latest_executions().any(Execution::was_taken),
    }
}

impl Live {
    /// Plans an execution; its ask leaves once it is stored.
    fn plan(&mut self, replica: &Replica, node: NodeId, desk: &Desk<'_>) -> ExecutionId {
        let job = &self.record.job;
        let attempt = next_attempt(&self.record, replica);
        let partition = replica.partition();
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
            upkeep: upkeep::begin(&self.record, replica),
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
    fn forget_declined(&mut self, replica: &Replica) -> Vec<ExecutionId> {
        let (version, job_type) = (self.record.job.version, self.record.job.job_type);
        let is_declined = |execution: &Execution| {
            Replica::of(job_type, execution) == *replica
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
