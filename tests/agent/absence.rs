//! An engine that is away is looked for when a job needs it, and no more often than that helps.

use super::bench::*;
use codling::agent::{Output, Turn};
use codling::model::*;

fn looks(turn: &Turn) -> usize {
    let is_look = |output: &&Output| matches!(output, Output::Find { .. });
    turn.outputs.iter().filter(is_look).count()
}

fn away() -> Bench {
    let mut bench = Bench::of(NodeRoles::Compute, StoredState::default(), early(1_000));
    bench.engine_away();
    bench
}

/// Who started the engine after a job had failed for it, and sent the job again within five seconds, was told once more
/// that there is none.
#[test]
fn an_engine_that_has_come_is_found_by_the_job_that_comes_a_second_after_the_last_look() {
    let mut bench = away();
    bench.wait_until(2_000);
    let turn = bench.hear(OTHER, ask("e-1", &plain()));
    assert_eq!(looks(&turn), 1, "{turn:?}");
    assert!(said(&turn).is_empty(), "the look comes first: {turn:?}");
    let turn = bench.engine(vec![]);
    assert!(
        matches!(
            said(&turn)[..],
            [Message::Bid {
                verdict: BidVerdict::Accepted,
                ..
            }]
        ),
        "{turn:?}"
    );
}

#[test]
fn a_burst_of_jobs_has_an_absent_engine_looked_for_once_and_all_of_them_are_told() {
    let mut bench = away();
    bench.wait_until(2_000);
    let ids: Vec<String> = (0..100).map(|number| format!("e-{number}")).collect();
    let asked = ids.iter().map(|id| bench.hear(OTHER, ask(id, &plain())));
    assert_eq!(asked.map(|turn| looks(&turn)).sum::<usize>(), 1);
    let turn = bench.engine_away();
    assert_eq!((said(&turn).len(), looks(&turn)), (100, 0), "{turn:?}");
    let turn = bench.hear(OTHER, ask("e-late", &plain()));
    assert_eq!((said(&turn).len(), looks(&turn)), (1, 0), "{turn:?}");
}
