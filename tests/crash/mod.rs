//! Crash images: what a power cut may leave of both store files, at every write and every sync, and between the files; and
//! what a second cut may leave in the middle of the recovery from the first.
//!
//! A life of the real agent, gate and store is recorded: batch jobs and services that are submitted, updated, stopped and
//! started again, in every second life on a medium that fails once, so that a commit fails and the agent is rebuilt. For
//! every position of the one sequence of both files' writes and syncs three images are made (all that was written is there,
//! nothing that was not flushed is, some of it is), and more inside a rebuild. Each is opened, recovered against the engine
//! of that moment, and must come to rest with every acknowledged job as it was acknowledged last: a batch job ended once, a
//! service running once, a stopped one stopped, and no container beside these.
//! `CODLING_CRASH_LIFE=3` plays life 3 alone; a failure names it.
//!
//! The same life on a medium that fails at every call in turn is in `fault`. The lives are of `jobs.db` and
//! `executions.db`; every other file that codling writes, what is done to it and what a cut leaves of it, is in the table
//! of `files`, which makes images of the whole data directory of the real binary.

mod clients;
mod engine;
mod fault;
mod files;
mod life;
mod outside;

use crate::support::recorder::{Fault, Image, ImageKind, Recorder, Span};
use crate::support::seed::Seed;
use life::{Life, Moment};
use outside::Outside;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Jobs of one life.
const JOBS: usize = 10;
/// Images of a test run, and of a full one.
const IMAGES: (usize, usize) = (20_000, 250_000);
/// Images of a life, at the least: a sweep that makes fewer has cuts in the wrong places.
const IMAGES_OF_LIFE: usize = 500;

/// How many lives meet a medium that fails in their middle: the others must be whole.
const FAILING_ONE_IN: u64 = 2;
/// What it does, and how many calls or flushes of a life there are to fail.
const FAULTS: [(Fault, u64); 3] = [
    (Fault::Errno(fault::EIO), 400),
    (Fault::Errno(fault::ENOSPC), 400),
    (Fault::Flush(fault::EIO), 60),
];

/// Torn images of each position inside a rebuild: there are few of them.
const TORN_IN_REBUILD: usize = 8;

/// How often a long run tells how far it is: some minutes.
const TOLD_LIVES: u64 = 50;

/// How many images were made.
#[derive(Debug, Default)]
struct Made {
    images: AtomicUsize,
    /// Of those, cut between a failure and the end of the rebuild after it.
    in_rebuilds: AtomicUsize,
    /// And in the recovery from another one.
    in_recoveries: AtomicUsize,
    /// Services that ran at the end of all recoveries.
    services: AtomicUsize,
}

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
fn recover(
    image: Image,
    outside: Outside,
    name: &str,
    seed: u64,
    made: &Made,
) -> (Recorder, Vec<Moment>) {
    made.images.fetch_add(1, Ordering::SeqCst);
    let recorder = Recorder::resume(image);
    let mut life = Life::start(&recorder, outside.clone(), seed);
    life.rest();
    for (job, spec) in &outside.acknowledged {
        let look = life
            .look(job)
            .unwrap_or_else(|| panic!("{name}: acknowledged job {job} is lost"));
        assert!(
            outside.may_be(spec, &look, &life.outside.engine),
            "{name}: job {job} was {spec:?} and is {look:?}"
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
    // Only what is kept running has a container, and one each.
    let running = life.outside.engine.found();
    let wanted = life.jobs().unwrap().into_iter();
    let wanted = wanted.filter(|job| job.job_type.is_kept_running() && !job.state.is_terminal());
    assert_eq!(running.len(), wanted.count(), "{name}: {running:?}");
    made.services.fetch_add(running.len(), Ordering::SeqCst);
    life.stop_services();
    for job in life.jobs().unwrap() {
        assert!(job.state.is_terminal(), "{name}: {job:?} never ends");
    }
    let engine = &life.outside.engine;
    assert_eq!(
        engine.started_twice(),
        Vec::<&codling::model::ExecutionId>::new(),
        "{name}: started twice"
    );
    assert_eq!(engine.found(), [], "{name}: containers are left");
    let moments = std::mem::take(&mut life.moments);
    (recorder, moments)
}

#[test]
fn a_power_cut_at_any_write_loses_no_acknowledged_job_and_ends_each_once() {
    let made = Made::default();
    if let Ok(life) = std::env::var("CODLING_CRASH_LIFE") {
        play(life.parse().expect("CODLING_CRASH_LIFE is a number"), &made);
        return;
    }
    let wanted = images_wanted();
    let next = AtomicU64::new(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while made.images.load(Ordering::SeqCst) < wanted {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    play(number, &made);
                    if number.is_multiple_of(TOLD_LIVES) {
                        println!("{} images", made.images.load(Ordering::SeqCst));
                    }
                }
            });
        }
    });
    let lives = usize::try_from(next.into_inner() - 1).unwrap();
    let images = made.images.into_inner();
    let in_rebuilds = made.in_rebuilds.into_inner();
    let in_recoveries = made.in_recoveries.into_inner();
    let services = made.services.into_inner();
    println!(
        "{images} images of {lives} lives, {in_rebuilds} in rebuilds, {in_recoveries} in recoveries; \
         {services} services ran in the end"
    );
    assert!(images >= lives * IMAGES_OF_LIFE, "too few of {lives} lives");
    assert!(in_rebuilds >= lives, "too few of {lives} lives");
    assert!(in_recoveries >= lives, "too few of {lives} lives");
    assert!(services >= lives, "too few of {lives} lives");
}

/// Records one life and recovers from every image of it, and from one image of every tenth recovery, and of every one of a
/// rebuild.
fn play(number: u64, made: &Made) {
    let recorder = Recorder::new();
    let mut life = Life::start(&recorder, Outside::default(), number);
    let mut seed = Seed::new(number);
    if seed.once_in(FAILING_ONE_IN) {
        let (fault, calls) = *seed.pick(&FAULTS);
        let span = *seed.pick(&[Span::Once, Span::Lasting]);
        let at = usize::try_from(seed.below(calls)).unwrap();
        recorder.fail(fault, at, span);
    }
    life.work(JOBS);
    recorder.heal();
    let moments = std::mem::take(&mut life.moments);
    let rebuilds = std::mem::take(&mut life.rebuilds);
    let opened = life.opened;
    drop(life);
    for position in opened..=recorder.position() {
        let is_in_rebuild = rebuilds.iter().any(|rebuild| rebuild.contains(&position));
        let torn = if is_in_rebuild { TORN_IN_REBUILD } else { 1 };
        let mut kinds = vec![ImageKind::Kept, ImageKind::Dropped];
        kinds.extend((0..torn).map(|_| ImageKind::Torn(seed.next())));
        for kind in kinds {
            let name = format!("CODLING_CRASH_LIFE={number}, op {position}, {kind:?}");
            let image = recorder.image(position, kind);
            let (again, recovery) = recover(
                image,
                moment_at(&moments, position),
                &name,
                seed.next(),
                made,
            );
            if is_in_rebuild {
                made.in_rebuilds.fetch_add(1, Ordering::SeqCst);
            }
            if (is_in_rebuild || seed.once_in(10)) && again.position() > 0 {
                let cut = usize::try_from(seed.below(again.position() as u64)).unwrap();
                let kind = ImageKind::Torn(seed.next());
                let name = format!("{name}, then op {cut} of its recovery, {kind:?}");
                recover(
                    again.image(cut, kind),
                    moment_at(&recovery, cut),
                    &name,
                    seed.next(),
                    made,
                );
                made.in_recoveries.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}
