//! What is a promise, who is believed, and what ends exactly once.

use super::bench::*;
use codling::agent::{Activity, ActivityResult, Output, RunFailure};
use codling::model::*;

#[test]
fn a_submission_stores_its_job_with_the_execution_and_the_acceptance_as_promises() {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&plain(), None);
    let (job_kind, job) = stored_job(&turn);
    let (execution_kind, execution) = stored_execution(&turn);
    assert_eq!(
        (job_kind, execution_kind),
        (WriteKind::Promise, WriteKind::Promise)
    );
    assert_eq!(job.executions.len(), 1);
    assert_eq!(job.executions[0].id, execution.id);
    assert_eq!(execution.resources.cpu_millis, 100);
    assert_eq!(
        job.executions[0].allocated, execution.resources,
        "what was set aside is shown"
    );
    assert!(matches!(reply(&turn), ApiReply::Submitted { .. }));
}

#[test]
fn an_execution_that_is_planned_later_is_a_promise_before_it_is_asked_for() {
    let mut bench = Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000));
    let patient = Timeouts {
        queue_s: 600,
        ..Timeouts::default()
    };
    let turn = bench.submit(&job("100m", patient), None);
    assert_eq!(stored_job(&turn).1.job.state, JobState::Queued);
    let turn = bench.see(OTHER);
    let (kind, job) = stored_job(&turn);
    assert_eq!(kind, WriteKind::Promise);
    assert_eq!(job.executions.len(), 1);
    assert!(matches!(said(&turn)[..], [Message::Ask { .. }]), "{turn:?}");
}

#[test]
fn the_outcome_is_a_promise_and_the_container_stays_until_it_is_acknowledged() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(3))));
    let (kind, record) = stored_execution(&turn);
    assert_eq!(kind, WriteKind::Promise);
    assert!(record.state.is_terminal());
    assert!(
        matches!(said(&turn)[..], [Message::Outcome { .. }]),
        "{turn:?}"
    );
    assert_eq!(begun(&turn), None, "nothing is removed yet");

    let acknowledge = Message::Acknowledge {
        execution: ExecutionId::from("e-1"),
    };
    let turn = bench.hear(OTHER, acknowledge);
    assert_eq!(begun(&turn).map(|(_, what)| what), Some(Activity::Discard));
}

#[test]
fn an_outcome_is_said_again_ever_more_rarely_until_it_is_acknowledged() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let due = bench.next_deadline_ms().expect("it is said again");
        let since = bench.now.boot_ms;
        let turn = bench.wait_until(due);
        if finds(&turn) {
            // The look for what came late after the start.
            continue;
        }
        pauses.push(due - since);
        assert!(
            matches!(said(&turn)[..], [Message::Outcome { .. }]),
            "{turn:?}"
        );
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(
        pauses.last() <= Some(&300_000),
        "a link that is back is noticed"
    );
}

#[test]
fn the_requester_ends_its_job_and_acknowledges_in_one_turn_and_again_when_asked_again() {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&plain(), None);
    let (prepare, _) = begun(&turn).unwrap();
    let execution = prepare.execution.clone();
    let turn = bench.done(&prepare, ActivityResult::Prepared(Ok("c".into())));
    let (run, _) = begun(&turn).unwrap();
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(4))));
    let (kind, job) = stored_job(&turn);
    assert_eq!(kind, WriteKind::Promise);
    assert_eq!(job.job.state, JobState::Completed);
    let (kind, record) = stored_execution(&turn);
    assert_eq!(kind, WriteKind::Promise);
    assert!(matches!(
        record.state,
        ComputeState::Ended {
            delivery: Delivery::Acknowledged,
            ..
        }
    ));
    assert_eq!(begun(&turn).map(|(_, what)| what), Some(Activity::Discard));

    // A job that is over and out of memory: whoever still speaks of it may forget it.
    let again = Message::Outcome {
        execution: execution.clone(),
        outcome: Box::new(completed(9)),
    };
    let turn = bench.hear(OTHER, again);
    assert_eq!(said(&turn), [&Message::Acknowledge { execution }]);
    assert!(!turn.writes.has_promise(), "{turn:?}");
}

#[test]
fn only_the_requester_of_an_execution_is_heard_about_it() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    let execution = ExecutionId::from("e-1");
    let cancel = Message::Cancel {
        execution: execution.clone(),
    };
    let turn = bench.hear("12D3KooWStranger", cancel);
    assert!(
        !turn
            .outputs
            .iter()
            .any(|output| matches!(output, Output::Stop { .. })),
        "{turn:?}"
    );
    bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let acknowledge = Message::Acknowledge { execution };
    let turn = bench.hear("12D3KooWStranger", acknowledge);
    assert_eq!(begun(&turn), None);
}

#[test]
fn only_the_node_of_an_execution_is_believed_about_it() {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&plain(), None);
    let (prepare, _) = begun(&turn).unwrap();
    let lie = Message::Outcome {
        execution: prepare.execution.clone(),
        outcome: Box::new(completed(0)),
    };
    let turn = bench.hear("12D3KooWStranger", lie);
    assert!(turn.writes.jobs.is_empty(), "{turn:?}");
}

#[test]
fn a_cancel_stops_the_activity_and_the_end_waits_for_its_completion() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    let cancel = Message::Cancel {
        execution: ExecutionId::from("e-1"),
    };
    let turn = bench.hear(OTHER, cancel.clone());
    assert_eq!(turn.outputs, [Output::Stop { id: run.clone() }]);
    assert!(!turn.writes.has_promise(), "{turn:?}");
    assert_eq!(
        bench.hear(OTHER, cancel).outputs,
        [],
        "it was asked already"
    );
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(143))));
    let (_, record) = stored_execution(&turn);
    assert!(
        matches!(
            &record.state,
            ComputeState::Ended {
                outcome: Outcome::Cancelled { output: Some(_) },
                ..
            }
        ),
        "{record:?}"
    );
}

#[test]
fn a_completion_of_an_old_step_ends_nothing_and_what_it_left_is_looked_for() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    bench.now.boot_ms += 60_000;
    let mut old = run.clone();
    old.step -= 1;
    let turn = bench.done(&old, ActivityResult::Ran(Ok(output(0))));
    assert!(!turn.writes.has_promise(), "{turn:?}");
    assert!(finds(&turn) && turn.outputs.len() == 1, "{turn:?}");
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(5))));
    assert!(stored_execution(&turn).1.state.is_terminal());
}

#[test]
fn a_job_that_finds_the_engine_away_waits_for_one_look_and_is_answered_by_it() {
    for comes_back in [true, false] {
        let mut bench = Bench::fresh();
        bench.engine_away();
        // Long after the looks that follow a start.
        bench.wait_until(60_000);
        bench.wait_until(70_000);
        let turn = bench.hear(OTHER, ask("e-1", &plain()));
        assert!(finds(&turn), "{turn:?}");
        assert_eq!(said(&turn), Vec::<&Message>::new());
        // The look may take long.
        bench.wait_until(90_000);
        let turn = if comes_back {
            bench.engine(vec![])
        } else {
            bench.engine_away()
        };
        let [Message::Bid { verdict, .. }] = said(&turn)[..] else {
            panic!("{turn:?}");
        };
        assert_eq!(*verdict == BidVerdict::Accepted, comes_back, "{verdict:?}");
    }
}

#[test]
fn a_job_that_waits_for_an_engine_is_looked_at_ever_more_rarely_and_at_once_when_it_is_back() {
    let patient = job(
        "100m",
        Timeouts {
            queue_s: 86_400,
            ..Timeouts::default()
        },
    );
    let mut bench = Bench::fresh();
    bench.engine_away();
    let mut turn = bench.submit(&patient, None);
    let (mut commits, end) = (0, bench.now.boot_ms + 3_600_000);
    while bench.now.boot_ms < end {
        commits += usize::from(turn.writes.has_promise());
        if turn
            .outputs
            .iter()
            .any(|output| matches!(output, Output::Find { .. }))
        {
            turn = bench.engine_away();
        } else {
            let due = bench.next_deadline_ms().expect("it is looked at again");
            turn = bench.wait_until(due);
        }
    }
    assert!((10..60).contains(&commits), "{commits} commits an hour");
    let turn = bench.engine(vec![]);
    assert!(matches!(begun(&turn), Some((_, Activity::Prepare(_)))));
}

#[test]
fn an_engine_that_goes_away_fails_no_execution_and_is_looked_for() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    bench.now.boot_ms += 60_000;
    let failure = Failure::new(FailureKind::EngineAway, "the connection broke");
    let ran = ActivityResult::Ran(Err(RunFailure {
        failure,
        output: None,
    }));
    let turn = bench.done(&run, ran);
    assert!(turn.writes.executions.is_empty(), "{turn:?}");
    assert!(finds(&turn) && turn.outputs.len() == 1, "{turn:?}");
}

#[test]
fn an_execution_that_ended_here_is_not_taken_again() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let acknowledge = Message::Acknowledge {
        execution: ExecutionId::from("e-1"),
    };
    let (discard, _) = begun(&bench.hear(OTHER, acknowledge)).unwrap();
    bench.done(&discard, ActivityResult::Discarded(Ok(())));
    let turn = bench.hear(OTHER, ask("e-1", &plain()));
    let verdict = BidVerdict::Rejected(RejectReason::AlreadyEnded);
    let execution = ExecutionId::from("e-1");
    assert_eq!(said(&turn), [&Message::Bid { execution, verdict }]);
}
