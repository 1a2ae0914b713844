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
use run::{FIRST_SEED, explain, run_seed, survey, sweep};

/// Seeds of every test run.
const SEEDS: u64 = 20_000;
/// Seeds of a full one.
const SEEDS_FULL: u64 = 400_000;

#[test]
fn no_seed_breaks_a_rule() {
    if let Ok(text) = std::env::var("CODLING_SIM_SEED") {
        let seed = text.parse().expect("CODLING_SIM_SEED is a number");
        match run_seed(seed, Plant::None) {
            Ok(tally) => println!("seed {seed} breaks no rule: {tally:?}"),
            Err(violation) => panic!("{}", explain(seed, Plant::None, &violation)),
        }
        return;
    }
    if let Ok(text) = std::env::var("CODLING_SIM_SURVEY") {
        let seeds: u64 = text.parse().expect("CODLING_SIM_SURVEY is a number");
        let broken = survey(FIRST_SEED..FIRST_SEED + seeds);
        assert!(broken.is_empty(), "{broken:#?}");
        return;
    }
    let seeds = match std::env::var_os("CODLING_TEST_FULL") {
        Some(_) => SEEDS_FULL,
        None => SEEDS,
    };
    match sweep(FIRST_SEED..FIRST_SEED + seeds, Plant::None) {
        Ok(tally) => println!("{seeds} seeds: {tally:?}"),
        Err((seed, violation)) => panic!("{}", explain(seed, Plant::None, &violation)),
    }
}
