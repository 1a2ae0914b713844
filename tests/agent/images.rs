//! Images that were pulled for jobs go when the disk of the engine's images runs low.

use super::bench::*;
use codling::agent::{Activity, ActivityResult, Event, Output, Progress, Turn};
use codling::model::*;

fn board(available_bytes: u64) -> Event {
    let images = DiskReading {
        size_bytes: 10 << 30,
        available_bytes,
        mode: DiskMode::Writable,
    };
    Event::Board(BoardReading {
        images: Some(images),
        ..BoardReading::default()
    })
}

/// A job of another image than the plain one's.
fn of(image: &str) -> Job {
    let mut job = plain();
    job.task.engine.params.0["Image"] = image.into();
    job
}

fn image(name: &str) -> PulledImage {
    PulledImage {
        name: name.to_owned(),
        id: format!("sha256:{name}"),
        bytes: 1,
        used: None,
    }
}

/// What a turn has removed.
fn removals(turn: &Turn) -> Vec<(&str, &str)> {
    let outputs = turn.outputs.iter();
    outputs
        .filter_map(|output| match output {
            Output::RemoveImage { name, id } => Some((name.as_str(), id.as_str())),
            _ => None,
        })
        .collect()
}

/// Runs an execution whose image is pulled first to its very end; the last turn.
fn pull_and_run(bench: &mut Bench, id: &str, image: &str) -> Turn {
    bench.hear(OTHER, ask(id, &of(image)));
    let turn = bench.hear(OTHER, accept_bid(id));
    let (prepare, _) = begun(&turn).expect("it is prepared");
    let progress = Progress::Pulled {
        image: image.to_owned(),
        id: format!("sha256:{image}"),
        bytes: 5_000,
    };
    let (name, event) = (prepare.clone(), progress);
    let turn = bench.event(Event::Progress {
        id: name,
        progress: event,
    });
    let Some((kind, stored)) = &turn.writes.images else {
        panic!("{turn:?}");
    };
    assert_eq!(*kind, WriteKind::Promise);
    let latest = stored.images.last().expect("it is stored");
    assert_eq!((latest.name.as_str(), latest.bytes), (image, 5_000));
    let container = ContainerId(format!("container of {id}"));
    let turn = bench.done(&prepare, ActivityResult::Prepared(Ok(container)));
    let (run, _) = begun(&turn).expect("it is run");
    bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    assert_eq!(
        removals(&bench.event(board(0))),
        [],
        "it may be needed still"
    );
    let execution = ExecutionId::from(id);
    let turn = bench.hear(OTHER, Message::Acknowledge { execution });
    let (discard, _) = begun(&turn).expect("it is discarded");
    bench.done(&discard, ActivityResult::Discarded(Ok(())))
}

#[test]
fn the_image_of_a_job_that_is_over_goes_when_the_disk_is_low_and_not_before() {
    let mut bench = Bench::fresh();
    let turn = pull_and_run(&mut bench, "e-1", "one");
    assert_eq!(removals(&turn), [("one", "sha256:one")], "the disk is full");
    let gone = Event::ImageRemoved {
        name: "one".to_owned(),
        removal: ImageRemoval::Removed,
    };
    assert!(
        bench.wants_board(&gone),
        "what was free before is not what is free now"
    );
    bench.event(board(1 << 30));
    let turn = bench.event(gone);
    assert_eq!(removals(&turn), []);
    let (kind, stored) = turn.writes.images.expect("it is forgotten");
    assert_eq!((kind, stored.images.len()), (WriteKind::RideAlong, 0));
}

#[test]
fn after_a_restart_the_images_that_were_pulled_before_it_go_and_no_others() {
    let stored = StoredState {
        images: PulledImages {
            images: vec![image("old"), image("new")],
        },
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, early(1_000));
    assert_eq!(
        removals(&bench.event(board(0))),
        [],
        "the engine is not here yet"
    );
    assert_eq!(removals(&bench.engine(vec![])), [("old", "sha256:old")]);
    let mut all = vec!["old"];
    for _ in 0..3 {
        bench.event(board(0));
        let turn = bench.event(Event::ImageRemoved {
            name: (*all.last().unwrap()).to_owned(),
            removal: ImageRemoval::NotOurs,
        });
        if let [("new", "sha256:new")] = removals(&turn)[..] {
            all.push("new");
        }
    }
    assert_eq!(all, ["old", "new"]);
}

#[test]
fn the_end_of_a_job_looks_at_the_board_once_images_were_pulled() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other("e-1", &plain());
    let done = Event::Done {
        id: run,
        result: ActivityResult::Ran(Ok(output(0))),
    };
    bench.wait_until(100_000);
    assert!(!bench.wants_board(&done));
    bench.hear(OTHER, ask("e-2", &of("two")));
    let turn = bench.hear(OTHER, accept_bid("e-2"));
    let (prepare, _) = begun(&turn).expect("it is prepared");
    let progress = Progress::Pulled {
        image: "two".to_owned(),
        id: "sha256:two".to_owned(),
        bytes: 1,
    };
    bench.event(Event::Progress {
        id: prepare,
        progress,
    });
    assert!(bench.wants_board(&done));
}

/// A node that had pulled three images, of which a job needs the one between.
fn two_idle_and_one_needed() -> Bench {
    let stored = StoredState {
        images: PulledImages {
            images: ["old", "busybox", "new"].map(image).into(),
        },
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, early(1_000));
    bench.engine(vec![]);
    bench.run_for_other("e-1", &plain());
    bench
}

fn removed(name: &str) -> Event {
    Event::ImageRemoved {
        name: name.to_owned(),
        removal: ImageRemoval::Removed,
    }
}

#[test]
fn a_dry_run_of_a_prune_shows_idle_images_and_removes_none_and_a_prune_removes_all_of_them() {
    let mut bench = two_idle_and_one_needed();
    for mode in [PruneMode::DryRun, PruneMode::Remove] {
        bench.event(board(5 << 30));
        let turn = bench.request(ApiRequest::Prune(mode));
        let ApiReply::Prunable(prunable) = reply(&turn) else {
            panic!("{turn:?}");
        };
        let names: Vec<&str> = prunable
            .images
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["old", "new"], "a job needs the other one");
        match mode {
            PruneMode::DryRun => assert_eq!(removals(&turn), []),
            PruneMode::Remove => assert_eq!(removals(&turn), [("old", "sha256:old")]),
        }
    }
    assert_eq!(
        removals(&bench.event(removed("old"))),
        [("new", "sha256:new")]
    );
    assert_eq!(removals(&bench.event(removed("new"))), []);
}

/// How an execution ended for its requester.
fn failed_with(turn: &Turn) -> Option<FailureKind> {
    said(turn).into_iter().find_map(|message| match message {
        Message::Outcome { outcome, .. } => match outcome.as_ref() {
            Outcome::Failed { failure, .. } => Some(failure.kind),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn a_pull_that_finds_no_room_has_idle_images_go_is_tried_again_and_fails_when_none_is_left() {
    let mut bench = two_idle_and_one_needed();
    let no_room = || {
        let failure = Failure::new(FailureKind::ImageNoSpace, "no space left on device");
        ActivityResult::Prepared(Err(failure))
    };
    bench.hear(OTHER, ask("e-2", &of("large")));
    let (first, _) = begun(&bench.hear(OTHER, accept_bid("e-2"))).expect("it is prepared");
    // By the time it is looked at, what the pull had written is gone again.
    bench.event(board(5 << 30));
    let turn = bench.done(&first, no_room());
    assert_eq!(removals(&turn), [("old", "sha256:old")]);
    assert_eq!((failed_with(&turn), begun(&turn)), (None, None));
    bench.event(board(5 << 30));
    let turn = bench.event(removed("old"));
    assert_eq!(
        removals(&turn),
        [("new", "sha256:new")],
        "a job needs the other one"
    );
    assert_eq!(begun(&turn), None, "it waits until all of them are gone");
    bench.event(board(5 << 30));
    let turn = bench.event(removed("new"));
    let (second, activity) = begun(&turn).expect("it is tried again");
    assert_eq!(second.execution, first.execution);
    assert!(matches!(activity, Activity::Prepare(_)), "{activity:?}");
    let turn = bench.done(&second, no_room());
    assert_eq!(removals(&turn), []);
    assert_eq!(failed_with(&turn), Some(FailureKind::ImageNoSpace));
}
