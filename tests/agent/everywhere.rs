//! Jobs for every node that fits: ops once, daemons for ever.

use super::bench::*;
use codling::agent::{ActivityResult, Turn};
use codling::model::*;

fn everywhere(job_type: JobType) -> Job {
    Job {
        job_type,
        count: 0,
        ..plain()
    }
}

/// An agent that has another compute node beside it.
fn pair() -> Bench {
    let mut bench = Bench::fresh();
    bench.see(OTHER);
    bench
}

/// Which execution a turn asks the other node to run, if any.
fn asked(turn: &Turn) -> Option<ExecutionId> {
    said(turn).into_iter().find_map(|message| match message {
        Message::Ask { execution, .. } => Some(execution.clone()),
        _ => None,
    })
}

/// What the other node says of it.
fn declines(bench: &mut Bench, execution: &ExecutionId, reason: RejectReason) -> Turn {
    let bid = Message::Bid {
        execution: execution.clone(),
        verdict: BidVerdict::Rejected(reason),
    };
    bench.hear(OTHER, bid)
}

fn takes(bench: &mut Bench, execution: &ExecutionId) {
    let accepted = Message::Accepted {
        execution: execution.clone(),
        resources: None,
    };
    bench.hear(OTHER, accepted);
}

fn reports(bench: &mut Bench, execution: &ExecutionId, outcome: Outcome) -> Turn {
    let outcome = Message::Outcome {
        execution: execution.clone(),
        outcome: Box::new(outcome),
    };
    bench.hear(OTHER, outcome)
}

/// Its own execution runs to its end.
fn runs_here(bench: &mut Bench, turn: &Turn) -> Turn {
    let (prepare, _) = begun(turn).expect("it is prepared here");
    let turn = bench.done(&prepare, ActivityResult::Prepared(Ok("c".into())));
    let (run, _) = begun(&turn).expect("it is run here");
    bench.done(&run, ActivityResult::Ran(Ok(output(0))))
}

fn state(turn: &Turn) -> JobState {
    stored_job(turn).1.job.state
}

#[test]
fn an_ops_job_runs_once_on_every_node_and_completes_with_the_last_of_them() {
    let mut bench = pair();
    let turn = bench.submit(&everywhere(JobType::Ops), None);
    let there = asked(&turn).expect("the other node is asked");
    assert_eq!(stored_job(&turn).1.executions.len(), 2);
    let turn = runs_here(&mut bench, &turn);
    assert_eq!(state(&turn), JobState::Running);
    takes(&mut bench, &there);
    let turn = reports(&mut bench, &there, completed(0));
    assert_eq!(state(&turn), JobState::Completed);
    assert_eq!(stored_job(&turn).1.executions.len(), 2);
}

#[test]
fn an_ops_job_waits_for_a_node_that_took_it_and_went() {
    let mut bench = pair();
    let turn = bench.submit(&everywhere(JobType::Ops), None);
    let there = asked(&turn).expect("the other node is asked");
    takes(&mut bench, &there);
    let node = NodeId::from(OTHER);
    bench.event(codling::agent::Event::PeerGone { node });
    let turn = runs_here(&mut bench, &turn);
    assert_eq!(state(&turn), JobState::Running);
}

#[test]
fn an_ops_job_does_without_a_node_that_it_does_not_fit_and_fails_if_it_fits_none() {
    let mut bench = pair();
    let turn = bench.submit(&everywhere(JobType::Ops), None);
    let there = asked(&turn).expect("the other node is asked");
    declines(&mut bench, &there, RejectReason::LabelsDoNotMatch);
    let turn = runs_here(&mut bench, &turn);
    assert_eq!(state(&turn), JobState::Completed);

    let mut bench = Bench::fresh();
    let turn = bench.submit(&wants_a_label(JobType::Ops), None);
    assert_eq!(state(&turn), JobState::Failed);
}

#[test]
fn an_ops_job_that_fails_on_one_node_fails() {
    let mut bench = pair();
    let turn = bench.submit(&everywhere(JobType::Ops), None);
    let there = asked(&turn).expect("the other node is asked");
    takes(&mut bench, &there);
    let failure = Failure::new(FailureKind::ImageNotFound, "no such image");
    let failed = Outcome::Failed {
        failure,
        output: None,
    };
    let turn = reports(&mut bench, &there, failed);
    assert_eq!(state(&turn), JobState::Failed);
}

fn wants_a_label(job_type: JobType) -> Job {
    let constraint = Constraint {
        key: "site".to_owned(),
        operator: "exists".to_owned(),
        values: vec![],
    };
    Job {
        constraints: vec![constraint],
        ..everywhere(job_type)
    }
}

#[test]
fn a_daemon_comes_to_a_node_that_comes_later() {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&everywhere(JobType::Daemon), None);
    assert_eq!(stored_job(&turn).1.executions.len(), 1);
    assert_eq!(state(&turn), JobState::Running);
    let turn = bench.see(OTHER);
    let there = asked(&turn).expect("the other node is asked");
    takes(&mut bench, &there);
    let turn = reports(&mut bench, &there, completed(0));
    assert_eq!(state(&turn), JobState::Running);
    let due = bench.next_deadline_ms().expect("it is started there again");
    assert_eq!(due, bench.now.boot_ms + 1_000);
    assert!(asked(&bench.wait_until(due)).is_some());
}

#[test]
fn a_daemon_that_fits_no_node_waits_without_a_timer_and_is_offered_when_the_node_starts_again() {
    let mut bench = Bench::fresh();
    bench.wait_until(60_000);
    bench.engine(vec![]);
    let turn = bench.submit(&wants_a_label(JobType::Daemon), None);
    let record = stored_job(&turn).1.clone();
    assert_eq!(record.job.state, JobState::Queued);
    assert_eq!(bench.next_deadline_ms(), None);
    let stored = StoredState {
        live_jobs: vec![record],
        ..StoredState::default()
    };
    let mut again = Bench::recover(stored, bench.now);
    again.first_turn();
    let turn = again.engine(vec![]);
    let record = stored_job(&turn).1;
    assert_eq!(record.executions.len(), 2, "it was asked again");
    assert_eq!(record.job.state, JobState::Queued);
}
