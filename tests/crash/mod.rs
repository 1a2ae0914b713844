//! Crash images: what a power cut may leave of both files, at every write and every sync, and between the files; and what
//! a second cut may leave in the middle of the recovery from the first.
//!
//! A life of the real agent, gate and store is recorded. For every position of the one sequence of both files' writes and
//! syncs three images are made (all that was written is there, nothing that was not flushed is, some of it is); each is
//! opened, recovered against the engine of that moment, and must come to rest with every acknowledged job ended once.
//! The same life on a medium that fails instead of losing its power is in `fault`.

mod engine;
mod fault;
mod life;

use crate::support::recorder::{Image, ImageKind, Recorder};
use crate::support::seed::Seed;
use life::{Life, Moment, Outside};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lives that are recorded, each by its own seed.
const LIVES: u64 = 6;
/// Jobs of one life.
const JOBS: usize = 10;
/// Images that the test run must reach.
const IMAGES_MIN: usize = 5_000;

/// The lives of this run: `CODLING_CRASH_LIFE=3` plays life 3 alone.
fn lives() -> Vec<u64> {
    match std::env::var("CODLING_CRASH_LIFE") {
        Ok(life) => vec![life.parse().expect("CODLING_CRASH_LIFE is a number")],
        Err(_) => (1..=LIVES
            * if std::env::var("CODLING_TEST_FULL").is_ok() {
                50
            } else {
                1
            })
            .collect(),
    }
}

/// The last moment before the op at `position`: what had left the node by then.
fn moment_at(moments: &[Moment], position: usize) -> Outside {
    let before = moments.partition_point(|moment| moment.position <= position);
    before
        .checked_sub(1)
        .map(|index| moments[index].outside.clone())
        .unwrap_or_default()
}

/// Recovers from an image and comes to rest; checks what must hold then.
fn recover(image: Image, outside: Outside, name: &str, seed: u64) -> (Recorder, Vec<Moment>) {
    let recorder = Recorder::resume(image);
    let mut life = Life::start(&recorder, outside.clone(), seed);
    life.rest();
    for (job, spec) in &outside.acknowledged {
        let look = life
            .look(job)
            .unwrap_or_else(|| panic!("{name}: acknowledged job {job} is lost"));
        assert!(
            look.state.is_terminal() && look.open == 0,
            "{name}: job {job} never ends: {look:?}"
        );
        // It is what was acknowledged last, or an update whose acknowledgement was lost.
        let sent = outside.sent.get(&spec.name).into_iter().flatten();
        let mut may_be = sent.skip_while(|other| *other != spec);
        assert!(
            may_be.any(|other| look.codes == [other.code]),
            "{name}: job {job} was {spec:?} and ended {look:?}"
        );
        if let Some(shown) = outside
            .shown
            .get(job)
            .filter(|shown| shown.0 == look.version)
        {
            assert_eq!(
                shown.1, look.state,
                "{name}: job {job} had been shown as ended"
            );
        }
    }
    let engine = &life.outside().engine;
    assert_eq!(
        engine.started_twice(),
        Vec::<&codling::model::ExecutionId>::new(),
        "{name}: started twice"
    );
    assert_eq!(
        engine.found().len(),
        0,
        "{name}: containers are left: {:?}",
        engine.found()
    );
    let moments = std::mem::take(&mut life.moments);
    (recorder, moments)
}

#[test]
fn a_power_cut_at_any_write_loses_no_acknowledged_job_and_ends_each_once() {
    let images = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = lives()
        .into_iter()
        .map(|number| {
            let images = images.clone();
            std::thread::spawn(move || play(number, &images))
        })
        .collect();
    for thread in threads {
        thread.join().expect("no image breaks a promise");
    }
    let images = images.load(Ordering::SeqCst);
    if std::env::var("CODLING_CRASH_LIFE").is_err() {
        assert!(
            images >= IMAGES_MIN,
            "{images} images are fewer than {IMAGES_MIN}"
        );
    }
}

/// Records one life and recovers from every image of it, and from one image of every tenth recovery.
fn play(number: u64, images: &AtomicUsize) {
    let recorder = Recorder::new();
    let mut life = Life::start(&recorder, Outside::default(), number);
    life.work(JOBS);
    let moments = std::mem::take(&mut life.moments);
    let opened = life.opened;
    drop(life);
    let mut seed = Seed::new(number);
    for position in opened..=recorder.position() {
        for kind in [
            ImageKind::Kept,
            ImageKind::Dropped,
            ImageKind::Torn(seed.next()),
        ] {
            let name = format!("CODLING_CRASH_LIFE={number}, op {position}, {kind:?}");
            let image = recorder.image(position, kind);
            let (again, recovery) =
                recover(image, moment_at(&moments, position), &name, seed.next());
            images.fetch_add(1, Ordering::SeqCst);
            if seed.once_in(10) && again.position() > 0 {
                let cut = usize::try_from(seed.below(again.position() as u64)).unwrap();
                let kind = ImageKind::Torn(seed.next());
                let name = format!("{name}, then op {cut} of its recovery, {kind:?}");
                recover(
                    again.image(cut, kind),
                    moment_at(&recovery, cut),
                    &name,
                    seed.next(),
                );
                images.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}
