//! A medium that fails: every call of both store files, in the whole life of a job from the opening to the closing, fails
//! once in every way, for that call alone and until somebody has tried for a while.

use super::life::Life;
use super::outside::Outside;
use crate::support::recorder::{Fault, Image, ImageKind, Recorder, Span};
use codling::model::JobState;
use std::sync::OnceLock;

pub(super) const EIO: i32 = 5;
pub(super) const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EDQUOT: i32 = 122;
/// What the job ends with.
const CODE: i64 = 7;
/// The draws of a life: that one job is played the same way each time.
const SEED: u64 = 1;
/// No life has fewer calls: two openings, four commits and two closings of some pages each.
const CALLS_MIN: usize = 80;
/// Nor fewer flushes: one of each commit, two of each opening and closing.
const FLUSHES_MIN: usize = 8;

/// Both files, made and closed: the first start makes a file under another name, which a backend cannot show.
fn made() -> Image {
    static MADE: OnceLock<Image> = OnceLock::new();
    let make = || {
        let recorder = Recorder::new();
        Life::start(&recorder, Outside::default(), SEED).close();
        recorder.image(recorder.position(), ImageKind::Dropped)
    };
    MADE.get_or_init(make).clone()
}

/// A whole life whose call of number `at` meets `fault`; false if there was no such call.
#[track_caller]
fn survives(fault: Fault, span: Span, at: usize) -> bool {
    let name = format!("{fault:?} at call {at}, {span:?}");
    let recorder = Recorder::resume(made());
    recorder.fail(fault, at, span);
    let mut life = match Life::open(&recorder, Outside::default(), SEED) {
        Ok(life) => life,
        Err(error) => {
            assert!(recorder.has_failed(), "{name}: {error}");
            recorder.heal();
            Life::start(&recorder, Outside::default(), SEED)
        }
    };
    life.submit_once("job", CODE);
    life.rest();
    let (outside, moments) = life.close();
    let met = recorder.has_failed();
    recorder.heal();

    // What a client was told is on the medium at that moment, whatever is not flushed.
    for moment in moments {
        if moment.outside.acknowledged.is_empty() && moment.outside.shown.is_empty() {
            continue;
        }
        let image = recorder.image(moment.position, ImageKind::Dropped);
        let after = Life::start(&Recorder::resume(image), Outside::default(), SEED);
        for job in moment.outside.acknowledged.keys() {
            let look = after.look(job).expect("an acknowledged job is durable");
            let shown = moment.outside.shown.get(job).map(|(_, state)| *state);
            assert!(
                shown.is_none_or(|shown| shown == look.state),
                "{name}: shown as {shown:?}, stored as {look:?}"
            );
        }
    }

    // The next process finds the one job, ended once, and goes on.
    let mut life = Life::start(&recorder, outside, SEED);
    life.submit_once("job", CODE);
    life.submit_once("another", CODE);
    life.rest();
    let jobs = life.outside.acknowledged.clone();
    assert_eq!(jobs.len(), 2, "{name}: a token made a second job");
    for (job, spec) in &jobs {
        let look = life.look(job).expect("it is stored");
        assert_eq!(look.state, JobState::Completed, "{name}: {look:?}");
        assert_eq!(
            (look.codes.as_slice(), look.open.len()),
            (&[CODE][..], 0),
            "{name}"
        );
        assert_eq!(life.jobs_named(&spec.name), 1, "{name}");
    }
    let engine = &life.outside.engine;
    assert!(engine.started_twice().is_empty(), "{name}: started twice");
    assert!(engine.found().is_empty(), "{name}: a container is left");
    met
}

/// Every call of a life, until there is none of that number.
#[track_caller]
fn at_every_call(fault: Fault, calls_min: usize) {
    for span in [Span::Once, Span::Lasting] {
        let calls = (0..).take_while(|at| survives(fault, span, *at)).count();
        assert!(calls >= calls_min, "only {calls} calls of {fault:?}");
    }
}

#[test]
fn a_full_disk_at_any_call_of_the_store_costs_no_acknowledged_job() {
    at_every_call(Fault::Errno(ENOSPC), CALLS_MIN);
}

#[test]
fn an_io_error_at_any_call_of_the_store_costs_no_acknowledged_job() {
    at_every_call(Fault::Errno(EIO), CALLS_MIN);
}

#[test]
fn a_disk_that_turns_read_only_at_any_call_of_the_store_costs_no_acknowledged_job() {
    at_every_call(Fault::Errno(EROFS), CALLS_MIN);
}

#[test]
fn a_quota_that_is_used_up_at_any_call_of_the_store_costs_no_acknowledged_job() {
    at_every_call(Fault::Errno(EDQUOT), CALLS_MIN);
}

#[test]
fn a_failed_flush_at_any_call_of_the_store_costs_no_acknowledged_job() {
    at_every_call(Fault::Flush(EIO), FLUSHES_MIN);
}
