//! What activities report.

use super::{Compute, Phase, Wish, need_image};
use crate::agent::mail::Desk;
use crate::agent::{Activity, ActivityId, ActivityResult, Entry, Output, Progress, RunFailure};
use crate::model::{
    ComputeState, ContainerId, EndedExecution, ExecutionId, ExecutionState, Failure, FailureKind,
    Message, Now, Outcome, PullNews, RunOutput, SpecConfig, Timer, WriteKind,
};

impl Compute {
    /// News of an activity in flight.
    pub(crate) fn progress(&mut self, id: &ActivityId, progress: Progress, desk: &mut Desk<'_>) {
        match progress {
            Progress::Pulling(news) => self.pulling(id, news, desk),
            Progress::Pulled { image, id, bytes } => {
                self.images.pulled(image, id, bytes, desk.now);
            }
            Progress::Started => self.started(id, desk),
        }
    }

    fn pulling(&self, id: &ActivityId, news: PullNews, desk: &mut Desk<'_>) {
        let Some(held) = self.held.get(&id.execution) else {
            return;
        };
        if matches!(held.phase, Phase::Preparing { step } if step == id.step) {
            let execution = id.execution.clone();
            desk.tell(&held.record.requester, Message::Pulling { execution, news });
        }
    }

    fn started(&mut self, id: &ActivityId, desk: &mut Desk<'_>) {
        let Some(held) = self.held.get_mut(&id.execution) else {
            return;
        };
        let Phase::Running { step, container } = &held.phase else {
            return;
        };
        if *step != id.step {
            return;
        }
        held.record.state = ComputeState::Running {
            container: container.clone(),
        };
        held.record.ran_in = Some(desk.now.boot);
        // Adopted containers keep the timer that counts the time away.
        if held.record.timer.is_none() {
            held.record.timer = held
                .record
                .job
                .timeouts()
                .execution_ms()
                .map(|limit_ms| Timer::start(desk.now, limit_ms));
        }
        let requester = held.record.requester.clone();
        self.save(&id.execution, WriteKind::RideAlong);
        let message = Message::Progress {
            execution: id.execution.clone(),
            state: ExecutionState::Running,
        };
        desk.tell(&requester, message);
    }

    /// The end of an activity.
    pub(crate) fn done(&mut self, id: &ActivityId, result: ActivityResult, desk: &mut Desk<'_>) {
        let execution = &id.execution;
        let current = self.held.get(execution).and_then(|held| held.phase.step());
        if current != Some(id.step) {
            self.stray(id, &result, desk);
            return;
        }
        match result {
            ActivityResult::Prepared(Ok(container)) => self.prepared(execution, container, desk),
            ActivityResult::Ran(Ok(output)) => self.ran(execution, output, desk),
            ActivityResult::Published(Ok(published)) => self.published(execution, published, desk),
            ActivityResult::Discarded(result) => {
                if let Some(held) = self.held.remove(execution) {
                    let ended = EndedExecution::of(&held.record);
                    self.retention.keep(ended.id.0, ended.ended, ended.bytes);
                }
                self.remember_ended(execution.clone());
                if result.is_err() {
                    self.find(desk);
                }
            }
            ActivityResult::Ran(Err(RunFailure { failure, output })) => {
                self.went_wrong(execution, failure, output, desk);
            }
            ActivityResult::Prepared(Err(failure)) | ActivityResult::Published(Err(failure)) => {
                self.went_wrong(execution, failure, None, desk);
            }
        }
    }

    /// A completion that no execution waits for: of a sweep, or of an old step, whose leavings the next sweep takes.
    fn stray(&mut self, id: &ActivityId, result: &ActivityResult, desk: &mut Desk<'_>) {
        let swept = self
            .sweeping
            .get_mut(&id.execution)
            .filter(|sweep| sweep.step == Some(id.step));
        match (swept, result) {
            (Some(_), ActivityResult::Discarded(Ok(()))) => {
                self.sweeping.remove(&id.execution);
                self.start_ready(desk);
            }
            (Some(sweep), _) => {
                sweep.step = None;
                self.find(desk);
            }
            (None, _) => self.find(desk),
        }
    }

    fn prepared(&mut self, execution: &ExecutionId, container: ContainerId, desk: &mut Desk<'_>) {
        let Some(held) = self.held.get(execution) else {
            return;
        };
        match held.wish {
            Wish::Run => self.begin_run(execution, container, Entry::Prepared, desk),
            Wish::Cancel => self.end(execution, Outcome::Cancelled { output: None }, desk),
            Wish::TimeOut => self.time_out(execution, None, desk),
        }
    }

    /// Starts, adopts or collects a container.
    pub(super) fn begin_run(
        &mut self,
        execution: &ExecutionId,
        container: ContainerId,
        entry: Entry,
        desk: &mut Desk<'_>,
    ) {
        let step = self.step();
        let Some(held) = self.held.get_mut(execution) else {
            return;
        };
        held.phase = Phase::Running {
            step,
            container: container.clone(),
        };
        let id = ActivityId {
            execution: execution.clone(),
            step,
        };
        let wish = held.wish;
        desk.begin(id.clone(), Activity::Run { container, entry });
        if wish != Wish::Run {
            desk.outputs.push(Output::Stop { id });
        }
    }

    fn ran(&mut self, execution: &ExecutionId, output: RunOutput, desk: &mut Desk<'_>) {
        let Some(held) = self.held.get(execution) else {
            return;
        };
        match held.wish {
            Wish::Cancel => self.end(
                execution,
                Outcome::Cancelled {
                    output: Some(output),
                },
                desk,
            ),
            Wish::TimeOut => self.time_out(execution, Some(output), desk),
            Wish::Run => {
                let Phase::Running { container, .. } = &held.phase else {
                    return;
                };
                if held.record.job.task.publisher.is_none() {
                    self.end(
                        execution,
                        Outcome::Completed {
                            output,
                            published: SpecConfig::default(),
                        },
                        desk,
                    );
                } else {
                    let container = container.clone();
                    self.begin_publish(execution, container, output, desk);
                }
            }
        }
    }

    /// Publishes what was collected.
    pub(super) fn begin_publish(
        &mut self,
        execution: &ExecutionId,
        container: ContainerId,
        output: RunOutput,
        desk: &mut Desk<'_>,
    ) {
        let step = self.step();
        let Some(held) = self.held.get_mut(execution) else {
            return;
        };
        held.record.state = ComputeState::Publishing {
            container: container.clone(),
            output: output.clone(),
        };
        held.phase = Phase::Publishing { step, output };
        let publisher = held.record.job.task.publisher.clone();
        let requester = held.record.requester.clone();
        self.save(execution, WriteKind::RideAlong);
        let message = Message::Progress {
            execution: execution.clone(),
            state: ExecutionState::Publishing,
        };
        desk.tell(&requester, message);
        desk.begin(
            ActivityId {
                execution: execution.clone(),
                step,
            },
            Activity::Publish {
                container,
                publisher,
            },
        );
    }

    fn published(&mut self, execution: &ExecutionId, published: SpecConfig, desk: &mut Desk<'_>) {
        let Some(held) = self.held.get(execution) else {
            return;
        };
        let Phase::Publishing { output, .. } = &held.phase else {
            return;
        };
        let output = output.clone();
        match held.wish {
            Wish::Cancel => self.end(
                execution,
                Outcome::Cancelled {
                    output: Some(output),
                },
                desk,
            ),
            // It ran in time; publishing is not charged to the job.
            Wish::Run | Wish::TimeOut => {
                self.end(execution, Outcome::Completed { output, published }, desk)
            }
        }
    }

    fn went_wrong(
        &mut self,
        execution: &ExecutionId,
        failure: Failure,
        output: Option<RunOutput>,
        desk: &mut Desk<'_>,
    ) {
        let Some(held) = self.held.get_mut(execution) else {
            return;
        };
        let output = match &held.phase {
            Phase::Publishing { output, .. } => Some(output.clone()),
            _ => output,
        };
        if failure.kind == FailureKind::EngineAway {
            // What became of the container is not known: the engine's return decides.
            held.phase = Phase::Reconciling { after: self.finds };
            self.find(desk);
            return;
        }
        let wish = held.wish;
        match wish {
            Wish::Run if failure.kind == FailureKind::ImageNoSpace && self.clears(desk.now) => {
                self.prepare_again(execution);
            }
            Wish::Run => self.fail(execution, failure, output, desk),
            Wish::Cancel => self.end(execution, Outcome::Cancelled { output }, desk),
            Wish::TimeOut => self.time_out(execution, output, desk),
        }
    }

    /// Whether images go, so that a pull that found no room is worth another try.
    fn clears(&mut self, now: Now) -> bool {
        let held = &self.held;
        // Nothing is removed before the board was read.
        self.board.is_some() && self.images.clear(now, |name| need_image(held, name))
    }

    /// It is the next to be prepared, as if it had not been.
    fn prepare_again(&mut self, execution: &ExecutionId) {
        if let Some(held) = self.held.get_mut(execution) {
            held.phase = Phase::Queued;
            self.capacity.release(execution);
            self.queue.push_front(execution.clone());
        }
    }

    pub(super) fn time_out(
        &mut self,
        execution: &ExecutionId,
        output: Option<RunOutput>,
        desk: &mut Desk<'_>,
    ) {
        let Some(held) = self.held.get(execution) else {
            return;
        };
        let seconds = held.record.timer.map_or(0, |timer| timer.limit_ms / 1_000);
        let failure = Failure::new(
            FailureKind::Timeout,
            format!("the execution ran longer than its {seconds} s"),
        );
        self.fail(execution, failure, output, desk);
    }
}
