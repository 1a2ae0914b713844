//! What compute nodes say.

use super::history::{change_state, note_engine, note_execution, note_pull};
use super::{Requester, Wanted, advance, upkeep};
use crate::agent::mail::Desk;
use crate::model::{
    BidVerdict, DesiredState, Execution, ExecutionId, ExecutionState, JobId, JobState, Message,
    NodeId, Now, Outcome, PullNews, RejectReason, Resources, Topic, UnixMs, WriteKind,
};

/// What is said of a job that has its first node.
const ACCEPTED: &str = "Accepted by a node";

impl Requester {
    /// One message. Only the node that an execution was planned on is heard about it.
    pub(crate) fn hear(&mut self, from: &NodeId, message: Message, desk: &mut Desk<'_>) {
        let id = message.execution().clone();
        let job = self.job_of.get(&id).cloned();
        let live = job.as_ref().and_then(|job| self.jobs.get(job));
        let execution = live
            .and_then(|live| live.execution(&id))
            .filter(|execution| execution.node_id == *from);
        let (Some(job), Some(execution)) = (job, execution) else {
            // The job is over and out of memory: already so.
            answer_about_the_past(from, &message, desk);
            return;
        };
        if execution.state.is_terminal() {
            answer_about_the_past(from, &message, desk);
            return;
        }
        let desired = execution.desired;
        match message {
            Message::Bid {
                verdict: BidVerdict::Accepted,
                ..
            } => self.bid(&job, &id, desired, desk),
            Message::Bid {
                verdict: BidVerdict::Rejected(reason),
                ..
            } => self.declined(&job, &id, reason, desk),
            Message::Accepted { resources, .. } => {
                self.set_aside(&job, &id, resources);
                self.confirmed(&job, &id, desired, desk);
            }
            Message::Pulling { news, .. } => self.pulling(&job, &id, &news, desk.now),
            Message::Progress { state, .. } => self.progressed(&job, &id, state, desk),
            Message::EngineAway { since, why, .. } => {
                self.engine_away(&job, &id, since, &why, desk.now);
            }
            Message::EngineBack { .. } => self.engine_back(&job, &id, desk.now),
            Message::Unknown { .. } => self.unknown(&job, &id, desired, desk),
            Message::Outcome { outcome, .. } => {
                self.ended(&job, &id, *outcome, desk);
                desk.tell(from, Message::Acknowledge { execution: id });
            }
            // What requesters say is not for this role.
            Message::Ask { .. }
            | Message::AcceptBid { .. }
            | Message::RejectBid { .. }
            | Message::Cancel { .. }
            | Message::Acknowledge { .. } => {}
        }
    }

    fn bid(&mut self, job: &JobId, id: &ExecutionId, desired: DesiredState, desk: &mut Desk<'_>) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        if desired == DesiredState::Stopped {
            live.say(id, Wanted::End, desk);
            return;
        }
        let mut kind = WriteKind::RideAlong;
        if let Some(execution) = live.execution_mut(id) {
            kind = want_it_run(execution);
            if matches!(
                execution.state,
                ExecutionState::New | ExecutionState::AskForBid
            ) {
                advance(execution, ExecutionState::AskForBidAccepted, "", desk.now);
            }
        }
        live.say(id, Wanted::Confirmation, desk);
        self.save(job, kind);
    }

    fn declined(
        &mut self,
        job: &JobId,
        id: &ExecutionId,
        reason: RejectReason,
        desk: &mut Desk<'_>,
    ) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        if live
            .waits
            .get(id)
            .is_none_or(|wait| wait.wanted != Wanted::Bid)
        {
            // It answers an earlier ask than the one that was accepted, and was overtaken by that answer.
            return;
        }
        live.waits.remove(id);
        let Some(execution) = live.execution_mut(id) else {
            return;
        };
        let node = execution.node_id.clone();
        let message = format!("node {node} {reason}");
        let hint = reason.hint();
        execution.desired = DesiredState::Stopped;
        "the node declined".clone_into(&mut execution.desired_message);
        advance(
            execution,
            ExecutionState::AskForBidRejected,
            &message,
            desk.now,
        );
        execution.reject = Some(reason);
        let details = [("Hint", hint), ("NodeID", node.as_str())];
        note_execution(
            &mut live.record,
            id,
            Topic::Scheduling,
            &message,
            &details,
            desk.now,
        );
        self.save(job, WriteKind::Promise);
        self.look_after(job, desk);
    }

    fn confirmed(
        &mut self,
        job: &JobId,
        id: &ExecutionId,
        desired: DesiredState,
        desk: &mut Desk<'_>,
    ) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        if desired == DesiredState::Stopped {
            live.say(id, Wanted::End, desk);
            return;
        }
        live.waits.remove(id);
        let mut kind = WriteKind::RideAlong;
        if let Some(execution) = live.execution_mut(id) {
            kind = want_it_run(execution);
            if matches!(
                execution.state,
                ExecutionState::New | ExecutionState::AskForBid | ExecutionState::AskForBidAccepted
            ) {
                advance(execution, ExecutionState::BidAccepted, "", desk.now);
            }
        }
        // Its container may be far from running: the image may have to be pulled.
        change_state(&mut live.record, JobState::Running, ACCEPTED, desk.now);
        if live.job().job_type.is_kept_running() {
            ACCEPTED.clone_into(&mut live.record.job.state_message);
        }
        self.save(job, kind);
    }

    /// What its node has set aside for an execution, to be shown; the save that follows keeps it.
    fn set_aside(&mut self, job: &JobId, id: &ExecutionId, resources: Option<Resources>) {
        let live = self.jobs.get_mut(job);
        if let Some(execution) = live.and_then(|live| live.execution_mut(id))
            && let Some(resources) = resources
        {
            execution.allocated = resources;
        }
    }

    /// Its node is getting the image; until its container runs the execution is no further than accepted.
    fn pulling(&mut self, job: &JobId, id: &ExecutionId, news: &PullNews, now: Now) {
        if let Some(live) = self.jobs.get_mut(job) {
            note_pull(&mut live.record, id, news, now);
            self.save(job, WriteKind::RideAlong);
        }
    }

    fn progressed(
        &mut self,
        job: &JobId,
        id: &ExecutionId,
        state: ExecutionState,
        desk: &mut Desk<'_>,
    ) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        let Some(execution) = live.execution_mut(id) else {
            return;
        };
        let forward = match (execution.state, state) {
            (ExecutionState::Running, ExecutionState::Publishing) => true,
            (from, ExecutionState::Running | ExecutionState::Publishing) => {
                !matches!(from, ExecutionState::Running | ExecutionState::Publishing)
            }
            _ => false,
        };
        if !forward {
            return;
        }
        advance(execution, state, "", desk.now);
        live.runs(id, desk.now);
        note_execution(
            &mut live.record,
            id,
            Topic::Execution,
            &format!("{state:?}"),
            &[],
            desk.now,
        );
        self.save(job, WriteKind::RideAlong);
    }

    /// The engine of its node is away. That is shown; the execution stands as it stood.
    fn engine_away(
        &mut self,
        job: &JobId,
        id: &ExecutionId,
        since: Option<UnixMs>,
        why: &str,
        now: Now,
    ) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        let text = match since {
            Some(since) => format!("engine away since {since}: {why}"),
            None => format!("engine away: {why}"),
        };
        let Some(execution) = live.execution_mut(id) else {
            return;
        };
        if execution.state_message == text {
            return;
        }
        let state = execution.state;
        advance(execution, state, &text, now);
        note_engine(&mut live.record, id, &text, now);
        self.save(job, WriteKind::RideAlong);
    }

    /// It is back.
    fn engine_back(&mut self, job: &JobId, id: &ExecutionId, now: Now) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        let Some(execution) = live.execution_mut(id) else {
            return;
        };
        let state = execution.state;
        advance(execution, state, "", now);
        note_engine(&mut live.record, id, "The engine is back", now);
        self.save(job, WriteKind::RideAlong);
    }

    /// The node knows nothing of it: it lost the bid, which is made again, or there is nothing left to cancel.
    fn unknown(
        &mut self,
        job: &JobId,
        id: &ExecutionId,
        desired: DesiredState,
        desk: &mut Desk<'_>,
    ) {
        if desired == DesiredState::Stopped {
            self.ended(job, id, Outcome::Cancelled { output: None }, desk);
        } else if let Some(live) = self.jobs.get_mut(job) {
            live.say(id, Wanted::Bid, desk);
        }
    }

    /// The one terminal state of an execution. The acknowledgement leaves once it is stored.
    pub(super) fn ended(
        &mut self,
        job: &JobId,
        id: &ExecutionId,
        outcome: Outcome,
        desk: &mut Desk<'_>,
    ) {
        let Some(live) = self.jobs.get_mut(job) else {
            return;
        };
        live.waits.remove(id);
        let Some(execution) = live.execution_mut(id) else {
            return;
        };
        execution.desired = DesiredState::Stopped;
        let node = execution.node_id.clone();
        let now = desk.now;
        let why = match &outcome {
            Outcome::Completed { output, .. } => upkeep::ended_with(output),
            Outcome::Failed { failure, .. } => failure.message.clone(),
            Outcome::Cancelled { .. } => "it was stopped on its node".to_owned(),
        };
        match outcome {
            Outcome::Completed { output, published } => {
                let message = match output.exit_code {
                    0 => "Completed successfully".to_owned(),
                    code => format!("Completed with exit code {code}"),
                };
                "execution completed".clone_into(&mut execution.desired_message);
                advance(execution, ExecutionState::Completed, "", now);
                execution.run_output = Some(output);
                execution.published = published;
                note_execution(&mut live.record, id, Topic::Execution, &message, &[], now);
            }
            Outcome::Failed { failure, output } => {
                "execution failed".clone_into(&mut execution.desired_message);
                advance(execution, ExecutionState::Failed, &failure.message, now);
                execution.run_output = output;
                let details = [
                    ("IsError", "true"),
                    ("Hint", failure.kind.hint()),
                    ("ErrorCode", failure.kind.name()),
                    ("NodeID", node.as_str()),
                ];
                execution.failure = Some(failure.clone());
                note_execution(
                    &mut live.record,
                    id,
                    Topic::Execution,
                    &failure.message,
                    &details,
                    now,
                );
            }
            Outcome::Cancelled { output } => {
                advance(execution, ExecutionState::Cancelled, "", now);
                execution.run_output = output;
                note_execution(
                    &mut live.record,
                    id,
                    Topic::Execution,
                    "Cancelled",
                    &[],
                    now,
                );
            }
        }
        self.pause(job, id, &why, now);
        self.save(job, WriteKind::Promise);
        self.look_after(job, desk);
    }
}

/// The node may run the execution from here on, so it is never given up for silence, not after a crash either: that is
/// a promise the first time. On this node it joins the batch of the plan.
fn want_it_run(execution: &mut Execution) -> WriteKind {
    if execution.desired == DesiredState::Pending {
        execution.desired = DesiredState::Running;
        return WriteKind::Promise;
    }
    WriteKind::RideAlong
}

/// What is said to a node that speaks of an execution which is over: its outcome is "already so", and whatever else it
/// does for it should end.
fn answer_about_the_past(from: &NodeId, message: &Message, desk: &mut Desk<'_>) {
    let execution = message.execution().clone();
    match message {
        Message::Outcome { .. } => desk.tell(from, Message::Acknowledge { execution }),
        Message::Bid {
            verdict: BidVerdict::Accepted,
            ..
        } => desk.tell(from, Message::RejectBid { execution }),
        Message::Accepted { .. }
        | Message::Pulling { .. }
        | Message::Progress { .. }
        | Message::EngineAway { .. } => desk.tell(from, Message::Cancel { execution }),
        _ => {}
    }
}
