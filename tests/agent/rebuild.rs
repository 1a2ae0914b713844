//! A store file that was lost is made good from the other one.

use super::bench::{Bench, begun, container, early, output, plain, stored_execution, stored_job};
use codling::agent::{Activity, ActivityResult, FoundState, Output};
use codling::model::{
    ApiReply, ApiRequest, ComputeState, Delivery, DesiredState, ExecutionId, FailureKind,
    FileHistory, JobState, Outcome, StoredState, WriteKind,
};

/// A node's job and its execution as they are stored when both were accepted.
fn accepted() -> StoredState {
    let turn = Bench::fresh().submit(&plain(), None);
    StoredState {
        live_jobs: vec![stored_job(&turn).1.clone()],
        live_executions: vec![stored_execution(&turn).1.clone()],
        ..StoredState::default()
    }
}

fn without_jobs(mut stored: StoredState) -> StoredState {
    stored.live_jobs.clear();
    stored.jobs_file = FileHistory::New;
    stored.orphaned_executions = stored
        .live_executions
        .iter()
        .map(|execution| execution.id.clone())
        .collect();
    stored
}

fn without_executions(mut stored: StoredState) -> StoredState {
    stored.live_executions.clear();
    stored.executions_file = FileHistory::New;
    stored
}

#[test]
fn a_job_whose_file_was_lost_comes_back_under_its_id_and_name_and_ends_as_its_execution_ends() {
    let stored = accepted();
    let (job, execution) = (
        stored.live_jobs[0].job.clone(),
        stored.live_executions[0].id.clone(),
    );
    let mut bench = Bench::recover(without_jobs(stored), early(60_000));
    let turn = bench.first_turn();
    let (kind, record) = stored_job(&turn);
    assert_eq!((kind, &record.job.id), (WriteKind::Promise, &job.id));
    assert_eq!(record.job.state, JobState::Running);
    let found = bench.request(ApiRequest::Find {
        namespace: job.namespace.clone(),
        name: job.name.clone(),
    });
    let found = super::bench::reply(&found);
    assert_eq!(
        *found,
        ApiReply::Found {
            job: job.id.clone()
        }
    );
    let turn = bench.engine(vec![container(execution.as_str(), FoundState::Running)]);
    let (run, _) = begun(&turn).expect("it is adopted");
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(7))));
    let (_, record) = stored_job(&turn);
    assert_eq!(record.job.state, JobState::Completed);
    let exit_code = record.executions[0]
        .run_output
        .as_ref()
        .map(|output| output.exit_code);
    assert_eq!(exit_code, Some(7));
}

#[test]
fn of_a_job_that_came_back_in_two_versions_only_the_later_one_goes_on() {
    let mut stored = accepted();
    let first = stored.live_executions[0].clone();
    let mut second = first.clone();
    second.id = ExecutionId::from("e-second");
    second.job.version = 2;
    for order in [[&first, &second], [&second, &first]] {
        stored.live_executions = order.map(Clone::clone).to_vec();
        let mut bench = Bench::recover(without_jobs(stored.clone()), early(60_000));
        let turn = bench.first_turn();
        let (_, record) = stored_job(&turn);
        assert_eq!(record.job.version, 2);
        let wanted = |id: &ExecutionId| {
            let mut executions = record.executions.iter();
            executions.find(|one| one.id == *id).map(|one| one.desired)
        };
        assert_eq!(wanted(&first.id), Some(DesiredState::Stopped));
        assert_eq!(wanted(&second.id), Some(DesiredState::Running));
    }
}

#[test]
fn an_outcome_that_was_not_told_when_the_jobs_were_lost_is_told_of_the_job_that_came_back() {
    let mut stored = accepted();
    let job = stored.live_jobs[0].job.id.clone();
    for (outcome, state) in [
        (super::bench::completed(3), JobState::Completed),
        (Outcome::Cancelled { output: None }, JobState::Stopped),
    ] {
        stored.live_executions[0].state = ComputeState::Ended {
            outcome,
            delivery: Delivery::Pending,
            ended: None,
        };
        let mut bench = Bench::recover(without_jobs(stored.clone()), early(60_000));
        let turn = bench.first_turn();
        let (_, record) = stored_job(&turn);
        assert_eq!((&record.job.id, record.job.state), (&job, state));
        assert!(!record.is_live(), "{:?}", record.executions);
        let turn = bench.engine(vec![]);
        let prepares = |turn| matches!(begun(turn), Some((_, Activity::Prepare(_))));
        assert!(!prepares(&turn), "nothing is run again: {turn:?}");
    }
}

#[test]
fn an_execution_whose_file_was_lost_takes_over_the_container_that_is_there() {
    for state in [FoundState::Running, FoundState::Exited, FoundState::Created] {
        let stored = accepted();
        let execution = stored.live_executions[0].id.clone();
        let mut bench = Bench::recover(without_executions(stored), early(60_000));
        let (kind, record) = {
            let turn = bench.first_turn();
            let (kind, record) = stored_execution(&turn);
            (kind, record.clone())
        };
        assert_eq!((kind, &record.id), (WriteKind::Promise, &execution));
        let found = container(execution.as_str(), state);
        let turn = bench.engine(vec![found.clone()]);
        let (id, activity) = begun(&turn).expect("it goes on");
        assert_eq!(id.execution, execution);
        assert!(
            matches!(&activity, Activity::Run { container, .. } if *container == found.container),
            "{state:?}: {activity:?}"
        );
    }
}

#[test]
fn an_execution_whose_file_was_lost_and_that_has_no_container_fails_as_that_and_is_tried_again() {
    let stored = accepted();
    let lost = stored.live_executions[0].id.clone();
    let mut bench = Bench::recover(without_executions(stored), early(60_000));
    bench.first_turn();
    let turn = bench.engine(vec![]);
    let (_, record) = stored_job(&turn);
    let failed = record.executions.iter().find(|one| one.id == lost);
    let kind = failed
        .and_then(|one| one.failure.as_ref())
        .map(|failure| failure.kind);
    assert_eq!(kind, Some(FailureKind::StoreLost));
    let again = turn.outputs.iter().find_map(|output| match output {
        Output::Begin {
            id,
            activity: Activity::Prepare(_),
        } => Some(&id.execution),
        _ => None,
    });
    let again = again.expect("it is tried again");
    assert_ne!(*again, lost);
}
