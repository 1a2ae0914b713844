//! The rules find what they are there for: each planted bug breaks one of them within a few seeds.

use super::plant::Plant;
use super::run::{FIRST_SEED, sweep};
use super::scenario::Scenario;
use super::watch::Rule;

/// Seeds within which each planted bug must be found: a tenth of those of a test run.
const SEEDS: u64 = 2_000;

#[track_caller]
fn is_found(plant: Plant, by: &[Rule]) {
    match sweep(Scenario::of, FIRST_SEED..FIRST_SEED + SEEDS, plant) {
        Ok(_) => panic!("{plant:?} is not found within {SEEDS} seeds"),
        Err((seed, violation)) => {
            let tried = seed - FIRST_SEED + 1;
            println!(
                "{plant:?}: found by seed {tried}: {:?}: {:.120}",
                violation.rule, violation.text
            );
            assert!(by.contains(&violation.rule), "{violation:?}");
        }
    }
}

#[test]
fn a_reply_that_leaves_before_its_turn_is_durable_is_found() {
    is_found(Plant::ReplyBeforeDurable, &[Rule::DurableBeforeItLeaves]);
}

#[test]
fn an_ask_that_leaves_before_its_plan_is_durable_is_found() {
    is_found(Plant::AskBeforeDurable, &[Rule::DurableBeforeItLeaves]);
}

#[test]
fn a_container_that_is_not_discarded_after_a_cancel_is_found() {
    is_found(Plant::NotDiscardedAfterCancel, &[Rule::NothingLeaks]);
}

#[test]
fn a_publish_that_waits_for_its_ride_along_is_found() {
    is_found(
        Plant::PublishWaitsForRideAlong,
        &[Rule::NothingPendsForEver, Rule::KeptRunning],
    );
}

#[test]
fn files_that_are_committed_in_the_wrong_order_are_found() {
    is_found(
        Plant::FilesInWrongOrder,
        &[
            Rule::AnEndIsTold,
            Rule::DurableBeforeItLeaves,
            Rule::StartedOnce,
            Rule::OneTerminalState,
            Rule::NothingPendsForEver,
        ],
    );
}
