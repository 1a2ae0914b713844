//! The pull of an image: what its job shows meanwhile, and that nothing is stored for it.

use super::bench::{Bench, OTHER, accept_bid, ask, begun, plain, reply, said, stored_job};
use codling::agent::{Activity, ActivityId, Event, Progress, Turn};
use codling::model::*;

fn underway(layers_done: u32) -> PullStage {
    PullStage::Underway(PullProgress {
        layers_done,
        layers: 40,
        ..PullProgress::default()
    })
}

fn pulling(bench: &mut Bench, id: &ActivityId, stage: PullStage) -> Turn {
    let image = "busybox".to_owned();
    let progress = Progress::Pulling(PullNews { image, stage });
    let id = id.clone();
    bench.event(Event::Progress { id, progress })
}

/// A job of this node whose container is being prepared.
fn preparing(bench: &mut Bench) -> (JobId, ActivityId) {
    let turn = bench.submit(&plain(), None);
    let job = stored_job(&turn).1.job.id.clone();
    let (id, activity) = begun(&turn).expect("it is prepared at once");
    assert!(matches!(activity, Activity::Prepare(_)), "{activity:?}");
    (job, id)
}

fn record(bench: &mut Bench, job: &JobId) -> JobRecord {
    let turn = bench.request(ApiRequest::Read { job: job.clone() });
    match reply(&turn) {
        ApiReply::Job(record) => record.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

fn pulls(record: &JobRecord) -> Vec<(u64, &str)> {
    let items = record.history.iter();
    let pulls = items.filter(|item| item.topic == Topic::Preparing);
    pulls
        .map(|item| (item.seq, item.message.as_str()))
        .collect()
}

#[test]
fn a_job_shows_its_pull_in_two_items_at_most_and_the_latest_has_a_number_that_was_not_read() {
    let mut bench = Bench::fresh();
    let (job, id) = preparing(&mut bench);
    pulling(&mut bench, &id, PullStage::Began);
    let began = record(&mut bench, &job);
    let first = began.next_seq - 1;
    assert_eq!(pulls(&began), [(first, "Pulling image busybox")]);
    for layers_done in 1..=30 {
        let turn = pulling(&mut bench, &id, underway(layers_done));
        assert!(!turn.writes.has_promise(), "{turn:?}");
        let now = record(&mut bench, &job);
        let message = format!("Pulling image busybox: {layers_done} of 40 layers");
        let latest = (first + u64::from(layers_done), message.as_str());
        assert_eq!(pulls(&now), [(first, "Pulling image busybox"), latest]);
    }
    pulling(&mut bench, &id, PullStage::Ended);
    let ended = record(&mut bench, &job);
    let latest = (first + 31, "Pulled image busybox");
    assert_eq!(pulls(&ended), [(first, "Pulling image busybox"), latest]);
}

#[test]
fn while_its_image_is_pulled_an_execution_is_accepted_and_its_job_does_not_say_that_it_runs() {
    let mut bench = Bench::fresh();
    let (job, id) = preparing(&mut bench);
    pulling(&mut bench, &id, PullStage::Began);
    let record = record(&mut bench, &job);
    assert_eq!(record.executions[0].state, ExecutionState::BidAccepted);
    assert!(
        !record.history.iter().any(|item| item.message == "Running"),
        "{:#?}",
        record.history
    );
}

#[test]
fn news_of_a_pull_are_said_to_the_requester_and_none_after_its_end() {
    let mut bench = Bench::fresh();
    bench.hear(OTHER, ask("e-1", &plain()));
    let turn = bench.hear(OTHER, accept_bid("e-1"));
    let (id, _) = begun(&turn).expect("it is prepared");
    let turn = pulling(&mut bench, &id, PullStage::Began);
    assert!(
        matches!(said(&turn)[..], [Message::Pulling { .. }]),
        "{turn:?}"
    );
    assert!(turn.writes.executions.is_empty(), "{turn:?}");
    let old = ActivityId {
        step: id.step + 1,
        ..id
    };
    let turn = pulling(&mut bench, &old, underway(1));
    assert!(said(&turn).is_empty(), "{turn:?}");
}
