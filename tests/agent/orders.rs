//! What may leave at once and what waits.

use super::bench::{Bench, completed, output, plain};
use codling::agent::{Activity, ActivityId, ActivityResult, Entry, Gate, Output, Plan};
use codling::model::*;

fn id() -> ActivityId {
    ActivityId {
        execution: ExecutionId::from("e-1"),
        step: 1,
    }
}

fn begin(activity: Activity) -> Output {
    Output::Begin { id: id(), activity }
}

#[test]
fn looking_and_preparing_leave_at_once_and_everything_that_binds_waits() {
    let container = || ContainerId::from("c");
    let prepare = Activity::Prepare(Box::new(Plan {
        execution: ExecutionId::from("e-1"),
        job: plain(),
        partition: 0,
        resources: Resources::default(),
    }));
    for reversible in [Output::Find { number: 1 }, begin(prepare)] {
        assert!(!reversible.is_binding(), "{reversible:?}");
    }
    let run = |entry| Activity::Run {
        container: container(),
        entry,
    };
    let publish = Activity::Publish {
        container: container(),
        publisher: SpecConfig::default(),
    };
    let execution = ExecutionId::from("e-1");
    let mut binding = vec![
        begin(run(Entry::Prepared)),
        begin(run(Entry::Found)),
        begin(publish),
        begin(Activity::Discard),
        Output::Stop { id: id() },
        Output::Reply {
            request: RequestId(1),
            reply: Box::new(ApiReply::NotLive),
        },
    ];
    let messages = [
        Message::AcceptBid {
            execution: execution.clone(),
        },
        Message::Cancel {
            execution: execution.clone(),
        },
        Message::Outcome {
            execution: execution.clone(),
            outcome: Box::new(completed(0)),
        },
        Message::Acknowledge { execution },
    ];
    binding.extend(messages.map(|message| Output::Send {
        to: NodeId::from("other"),
        message,
    }));
    for output in binding {
        assert!(output.is_binding(), "{output:?}");
    }
}

#[test]
fn a_local_job_takes_two_commits_at_its_begin_and_two_at_its_end_and_none_between() {
    let mut bench = Bench::fresh();
    let mut gate = Gate::default();
    let mut commits = Vec::new();
    let mut turns = vec![bench.submit(&plain(), None)];
    let mut steps = 0;
    while let Some(turn) = turns.pop() {
        let mut outputs = gate.admit(turn);
        if let Some(batch) = gate.next_batch() {
            commits.push((steps, batch.jobs.len(), batch.executions.len()));
            outputs.extend(gate.committed());
        }
        steps += 1;
        for output in outputs {
            let Output::Begin { id, activity } = output else {
                continue;
            };
            let result = match activity {
                Activity::Prepare(_) => ActivityResult::Prepared(Ok(ContainerId::from("c"))),
                Activity::Run { .. } => {
                    let progress = codling::agent::Progress::Started;
                    let started = codling::agent::Event::Progress {
                        id: id.clone(),
                        progress,
                    };
                    let _ = gate.admit(bench.event(started));
                    ActivityResult::Ran(Ok(self::output(0)))
                }
                Activity::Publish { .. } => ActivityResult::Published(Ok(SpecConfig::default())),
                Activity::Discard => ActivityResult::Discarded(Ok(())),
            };
            turns.push(bench.done(&id, result));
        }
    }
    // Submitted in the first turn, prepared in the second, ended in the third, discarded in the fourth.
    assert_eq!(commits, [(0, 1, 1), (2, 1, 1)]);
    assert_eq!(steps, 4);
}
