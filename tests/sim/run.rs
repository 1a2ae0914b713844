//! Seeds, many at once, and one alone with its story.

use super::plant::Plant;
use super::scenario::Scenario;
use super::watch::{Rule, Violation};
use super::world::{Tally, Telling, World};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Draws what happens from a seed.
pub(super) type Draw = fn(u64) -> Scenario;

/// Where a sweep begins.
pub(super) const FIRST_SEED: u64 = 1;

/// One seed.
///
/// # Errors
/// The first rule that it breaks; a panic breaks [`Rule::RightReply`].
pub(super) fn run_seed(draw: Draw, seed: u64, plant: Plant) -> Result<Tally, Violation> {
    run(draw, seed, plant, Telling::Silent).0
}

fn run(
    draw: Draw,
    seed: u64,
    plant: Plant,
    telling: Telling,
) -> (Result<Tally, Violation>, String) {
    let mut world = World::new(draw(seed), seed, plant, telling);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let result = outcome.unwrap_or_else(|_| {
        Err(Violation {
            rule: Rule::RightReply,
            text: "it panics".to_owned(),
        })
    });
    (result, world.trace())
}

/// All seeds of a range on all cores, until one breaks a rule: the smallest of those found.
///
/// # Errors
/// That seed and its violation.
pub(super) fn sweep(
    draw: Draw,
    seeds: Range<u64>,
    plant: Plant,
) -> Result<Tally, (u64, Violation)> {
    let next = AtomicU64::new(seeds.start);
    let end = AtomicU64::new(seeds.end);
    let found = Mutex::new(None::<(u64, Violation)>);
    let sum = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end.load(Ordering::Relaxed) {
                        break;
                    }
                    match run_seed(draw, seed, plant) {
                        Ok(tally) => mine = mine + tally,
                        Err(violation) => {
                            end.fetch_min(seed, Ordering::Relaxed);
                            let mut found = found.lock().unwrap();
                            if found.as_ref().is_none_or(|(other, _)| seed < *other) {
                                *found = Some((seed, violation));
                            }
                        }
                    }
                }
                let mut sum = sum.lock().unwrap();
                *sum = *sum + mine;
            });
        }
    });
    match found.into_inner().unwrap() {
        Some(found) => Err(found),
        None => Ok(sum.into_inner().unwrap()),
    }
}

/// Which rules a range of seeds breaks: how often, and the first few seeds with the beginning of their case.
pub(super) fn survey(draw: Draw, seeds: Range<u64>) -> BTreeMap<Rule, (u64, Vec<(u64, String)>)> {
    let mut broken: BTreeMap<Rule, (u64, Vec<(u64, String)>)> = BTreeMap::new();
    let mut next = seeds.start;
    // A sweep ends at the first; what is beyond it is swept again.
    while let Err((seed, violation)) = sweep(draw, next..seeds.end, Plant::None) {
        let (count, examples) = broken.entry(violation.rule).or_default();
        *count += 1;
        if examples.len() < 6 {
            examples.push((seed, violation.text.chars().take(200).collect()));
        }
        next = seed + 1;
    }
    broken
}

/// A failure with its story, told by running it again.
pub(super) fn explain(draw: Draw, seed: u64, plant: Plant, violation: &Violation) -> String {
    let (_, trace) = run(draw, seed, plant, Telling::Traced);
    format!(
        "{trace}\nseed {seed} breaks {:?}: {}\nscenario: {:#?}\n\
         replay: CODLING_SIM_SEED={seed} cargo test --test main sim::, with the name of this test",
        violation.rule,
        violation.text,
        draw(seed),
    )
}
