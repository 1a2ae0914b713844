//! What one job costs when nothing goes wrong, and what its client sees.

use super::plant::Plant;
use super::scenario::Scenario;
use super::world::{Telling, World};
use codling::model::{ExecutionState, HistoryLevel, JobState};

/// Two for each file: {job, evaluation, execution} and {accepted} at its beginning, {outcome} and {completed} at its end.
const COMMITS: u64 = 4;

fn quiet_world(seed: u64) -> World {
    let mut world = World::new(Scenario::quiet(), seed, Plant::None, Telling::Traced);
    if let Err(violation) = world.run() {
        panic!("{}\n{violation:?}", world.trace());
    }
    world
}

#[test]
fn a_quiet_local_job_costs_four_commits() {
    for seed in 0..50 {
        let world = quiet_world(seed);
        assert_eq!(world.nodes[0].disk.commits(), COMMITS, "{}", world.trace());
    }
}

#[test]
fn a_quiet_local_job_shows_its_exit_code_and_its_whole_story() {
    let world = quiet_world(1);
    let record = world.nodes[0].disk.jobs().next().unwrap();
    assert_eq!(record.job.state, JobState::Completed);
    let execution = &record.executions[0];
    assert_eq!(execution.state, ExecutionState::Completed);
    let output = execution.run_output.as_ref().unwrap();
    assert_eq!(
        (output.exit_code, output.stdout.as_slice()),
        (3, &b"out"[..])
    );
    let story: Vec<(u64, bool, &str)> = record
        .history
        .iter()
        .map(|item| {
            let of_job = item.level == HistoryLevel::Job;
            (item.seq, of_job, item.message.as_str())
        })
        .collect();
    let expected = [
        (1, true, "Job submitted"),
        (2, false, "Requested execution on node-0"),
        (3, true, "Accepted by a node"),
        (4, false, "Running"),
        (5, false, "Completed with exit code 3"),
        (6, true, "Completed"),
    ];
    assert_eq!(story, expected);
}
