//! A fleet in virtual time, against everything that can go wrong.
//!
//! ```text
//!  scenario(seed) -> World: clients, nodes (agent + gate + SimDisk), engines, links, a liar, faults
//!                      |  one event queue in virtual milliseconds; every delay and failure is drawn from the seed
//!                      v
//!                    Watch: what leaves a node, what containers do, what clients see; the first broken rule ends a run
//! ```
//!
//! The simulator calls the `agent` and the `Gate` that the node calls, in the order in which the node calls them, and
//! knows no rule of its own for what may leave when. Each seed runs until nothing is left to happen; then everything
//! must be over. `CODLING_SIM_SEED=7` replays seed 7 alone and tells its end, `CODLING_SIM_SURVEY=5000` counts which rules
//! that many seeds break, `CODLING_TEST_FULL=1` runs more seeds.

#![allow(
    clippy::print_stdout,
    reason = "a sweep tells how much it did, and a planted bug how soon it was found"
)]

mod budget;
mod clients;
mod clock;
mod disk;
mod engine;
mod liars;
mod network;
mod node;
mod pair;
mod perform;
mod plant;
mod planted;
mod run;
mod scenario;
mod services;
mod twin;
mod watch;
mod world;

use plant::Plant;
use run::{Draw, FIRST_SEED, explain, run_seed, survey, sweep};
use scenario::Scenario;

/// Seeds of every test run, and of a full one.
const SEEDS: (u64, u64) = (20_000, 400_000);
/// The same for a requester and a compute node that are apart for days.
const SEEDS_OF_PAIRS: (u64, u64) = (100_000, 400_000);

#[test]
fn no_seed_breaks_a_rule() {
    judge(Scenario::of, SEEDS);
}

#[test]
fn a_requester_and_a_compute_node_that_crash_and_lose_each_other_for_days_break_no_rule() {
    judge(Scenario::pair, SEEDS_OF_PAIRS);
}

#[test]
fn one_pair_in_a_hundred_is_apart_for_more_than_a_day() {
    let seeds = FIRST_SEED..FIRST_SEED + 10_000;
    let apart = seeds.filter(|seed| Scenario::pair(*seed).is_apart_for_a_day());
    let apart = apart.count();
    assert!(apart >= 100, "{apart}");
}

fn judge(draw: Draw, (seeds, seeds_full): (u64, u64)) {
    if let Ok(text) = std::env::var("CODLING_SIM_SEED") {
        let seed = text.parse().expect("CODLING_SIM_SEED is a number");
        match run_seed(draw, seed, Plant::None) {
            Ok(tally) => println!("seed {seed} breaks no rule: {tally:?}"),
            Err(violation) => panic!("{}", explain(draw, seed, Plant::None, &violation)),
        }
        return;
    }
    if let Ok(text) = std::env::var("CODLING_SIM_SURVEY") {
        let seeds: u64 = text.parse().expect("CODLING_SIM_SURVEY is a number");
        let broken = survey(draw, FIRST_SEED..FIRST_SEED + seeds);
        assert!(broken.is_empty(), "{broken:#?}");
        return;
    }
    let seeds = match std::env::var_os("CODLING_TEST_FULL") {
        Some(_) => seeds_full,
        None => seeds,
    };
    match sweep(draw, FIRST_SEED..FIRST_SEED + seeds, Plant::None) {
        Ok(tally) => println!("{seeds} seeds: {tally:?}"),
        Err((seed, violation)) => panic!("{}", explain(draw, seed, Plant::None, &violation)),
    }
}
