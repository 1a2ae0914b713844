//! Crash images: what a power cut may leave of both files, at every write and every sync, and between the files; and what
//! a second cut may leave in the middle of the recovery from the first.
//!
//! A life of the real agent, gate and store is recorded. For every position of the one sequence of both files' writes and
//! syncs three images are made (all that was written is there, nothing that was not flushed is, some of it is); each is
//! opened, recovered against the engine of that moment, and must come to rest with every acknowledged job ended once.
//! `CODLING_CRASH_LIFE=3` plays life 3 alone; a failure names it.
//! The same life on a medium that fails instead of losing its power is in `fault`.

mod engine;
mod fault;
mod life;

use crate::support::recorder::{Image, ImageKind, Recorder};
use crate::support::seed::Seed;
use life::{Life, Moment, Outside};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Jobs of one life.
const JOBS: usize = 10;
/// Images of a test run, and of a full one.
const IMAGES: (usize, usize) = (20_000, 250_000);
/// Images of a life, at the least: a sweep that makes fewer has cuts in the wrong places.
const IMAGES_OF_LIFE: usize = 500;

/// How many images are to be made: `CODLING_CRASH_IMAGES=1000000`, as `scripts/crash --images` sets it.
fn images_wanted() -> usize {
    match (
        std::env::var("CODLING_CRASH_IMAGES"),
        std::env::var_os("CODLING_TEST_FULL"),
    ) {
        (Ok(images), _) => images.parse().expect("CODLING_CRASH_IMAGES is a number"),
        (Err(_), Some(_)) => IMAGES.1,
        (Err(_), None) => IMAGES.0,
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
    let images = AtomicUsize::new(0);
    if let Ok(life) = std::env::var("CODLING_CRASH_LIFE") {
        play(
            life.parse().expect("CODLING_CRASH_LIFE is a number"),
            &images,
        );
        return;
    }
    let wanted = images_wanted();
    let next = AtomicU64::new(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while images.load(Ordering::SeqCst) < wanted {
                    play(next.fetch_add(1, Ordering::SeqCst), &images);
                }
            });
        }
    });
    let (images, lives) = (images.into_inner(), next.into_inner() - 1);
    println!("{images} images of {lives} lives");
    let least = usize::try_from(lives).unwrap() * IMAGES_OF_LIFE;
    assert!(images >= least, "{images} images of {lives} lives");
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
