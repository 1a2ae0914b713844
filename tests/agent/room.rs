//! Room on the board: never promised twice, given back at the end.

use super::bench::*;
use codling::agent::{ActivityResult, FoundState};
use codling::model::*;

/// A job that takes the whole board.
fn whole() -> Job {
    job("1", Timeouts::default())
}

#[test]
fn a_second_job_waits_until_the_first_has_given_its_room_back() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &whole());
    bench.hear(OTHER, ask("e-2", &whole()));
    let turn = bench.hear(OTHER, accept_bid("e-2"));
    assert_eq!(begun(&turn), None, "there is no room for both");
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    let (id, _) = begun(&turn).expect("the second is prepared");
    assert_eq!(id.execution, ExecutionId::from("e-2"));
}

#[test]
fn a_container_that_runs_through_a_restart_keeps_its_room() {
    let container_id = ContainerId::from("container of e-1");
    for state in [
        ComputeState::Accepted,
        ComputeState::Running {
            container: container_id.clone(),
        },
        ComputeState::Publishing {
            container: container_id.clone(),
            output: output(0),
        },
    ] {
        let record = record("e-1", &whole(), state, early(0));
        let stored = StoredState {
            live_executions: vec![record],
            ..StoredState::default()
        };
        let mut bench = Bench::recover(stored, early(1_000));
        bench.first_turn();
        bench.engine(vec![container("e-1", FoundState::Running)]);
        bench.hear(OTHER, ask("e-2", &whole()));
        let turn = bench.hear(OTHER, accept_bid("e-2"));
        assert_eq!(begun(&turn), None, "there is no room for both");
    }
}
