//! An engine that is away under executions: shown with since when, never a failure.

use super::bench::*;
use codling::agent::{ActivityResult, Event, FoundState, Progress, RunFailure, Turn};
use codling::model::*;

fn away_since(turn: &Turn) -> Vec<Option<UnixMs>> {
    let told = said(turn).into_iter();
    told.filter_map(|message| match message {
        Message::EngineAway { since, .. } => Some(*since),
        _ => None,
    })
    .collect()
}

/// A job of this node whose container runs, and how the node has stored both.
fn running_here() -> (Bench, JobId, StoredState) {
    let mut bench = Bench::fresh();
    let turn = bench.submit(&plain(), None);
    let (prepare, _) = begun(&turn).unwrap();
    let job = stored_job(&turn).1.job.id.clone();
    let container = ContainerId(format!("container of {}", prepare.execution));
    let prepared = ActivityResult::Prepared(Ok(container));
    let (run, _) = begun(&bench.done(&prepare, prepared)).unwrap();
    let progress = Progress::Started;
    let turn = bench.event(Event::Progress { id: run, progress });
    let stored = StoredState {
        live_jobs: vec![stored_job(&turn).1.clone()],
        live_executions: vec![stored_execution(&turn).1.clone()],
        ..StoredState::default()
    };
    (bench, job, stored)
}

fn execution(bench: &mut Bench, job: &JobId) -> Execution {
    let turn = bench.request(ApiRequest::Read { job: job.clone() });
    match reply(&turn) {
        ApiReply::Job(record) => record.executions[0].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn while_its_engine_is_away_a_running_execution_shows_since_when_and_is_running() {
    let (mut bench, job, _) = running_here();
    bench.now = early(60_000);
    bench.engine_away();
    let shown = execution(&mut bench, &job);
    assert_eq!(shown.state, ExecutionState::Running);
    let expected = format!(
        "engine away since {}: nothing listens",
        early(60_000).wall.unwrap()
    );
    assert_eq!(shown.state_message, expected);
    // Looked for in vain for an hour.
    for minute in 2..60 {
        bench.now = early(minute * 60_000);
        let turn = bench.engine_away();
        assert!(
            !turn.writes.has_promise() && turn.writes.jobs.is_empty(),
            "{turn:?}"
        );
    }
    assert_eq!(execution(&mut bench, &job).state_message, expected);
    bench.engine(vec![container(shown.id.as_str(), FoundState::Running)]);
    let shown = execution(&mut bench, &job);
    assert_eq!(
        (shown.state, shown.state_message.as_str()),
        (ExecutionState::Running, "")
    );
}

#[test]
fn since_when_an_engine_is_away_survives_a_kill_and_a_reboot_without_it() {
    let (mut bench, job, mut stored) = running_here();
    bench.now = early(60_000);
    let turn = bench.engine_away();
    // Of its writes only the promise is sure to survive.
    let (kind, record) = stored_execution(&turn);
    assert_eq!(kind, WriteKind::Promise);
    stored.live_executions = vec![record.clone()];
    for now in [early(300_000), at(2, 1_000, 900_000)] {
        let mut second = Bench::recover(stored.clone(), now);
        second.first_turn();
        let turn = second.engine_away();
        assert!(!turn.writes.has_promise(), "it is stored already: {turn:?}");
        let shown = execution(&mut second, &job);
        let since = format!("engine away since {}:", early(60_000).wall.unwrap());
        assert!(shown.state_message.starts_with(&since), "{shown:?}");
        assert_eq!(shown.state, ExecutionState::Running);
    }
}

#[test]
fn an_engine_that_comes_and_goes_for_days_takes_one_place_in_a_jobs_history() {
    let (mut bench, job, _) = running_here();
    let id = execution(&mut bench, &job).id;
    for hour in 1..100 {
        bench.now = early(hour * 3_600_000);
        bench.engine_away();
        bench.engine(vec![container(id.as_str(), FoundState::Running)]);
    }
    let turn = bench.request(ApiRequest::Read { job });
    let ApiReply::Job(record) = reply(&turn) else {
        panic!("{turn:?}");
    };
    let engine = record
        .history
        .iter()
        .filter(|item| item.topic == Topic::Engine);
    let told: Vec<&str> = engine.map(|item| item.message.as_str()).collect();
    assert_eq!(told, ["The engine is back"]);
    assert_eq!(record.history[0].message, "Job submitted");
}

#[test]
fn every_execution_that_needs_the_engine_says_so_and_no_other_one() {
    let mut bench = Bench::fresh();
    let ended = bench.run_for_other("e-ended", &plain());
    bench.done(&ended, ActivityResult::Ran(Ok(output(0))));
    let run = bench.run_for_other("e-runs", &plain());
    let large = job("950m", Timeouts::default());
    bench.hear(OTHER, ask("e-waits", &large));
    bench.hear(OTHER, accept_bid("e-waits"));
    bench.hear(OTHER, ask("e-bid", &plain()));
    bench.now = early(60_000);
    let turn = bench.engine_away();
    let told = said(&turn)
        .into_iter()
        .map(|message| message.execution().as_str().to_owned());
    assert_eq!(told.collect::<Vec<_>>(), ["e-runs", "e-waits"]);
    assert_eq!(away_since(&turn), [early(60_000).wall; 2]);
    // What was bid for is accepted while the engine is away.
    let turn = bench.hear(OTHER, accept_bid("e-bid"));
    assert_eq!(away_since(&turn), [early(60_000).wall]);
    // An activity that finds it away too says nothing new, and fails nothing.
    let failure = Failure::new(FailureKind::EngineAway, "the connection broke");
    let ran = ActivityResult::Ran(Err(RunFailure {
        failure,
        output: None,
    }));
    let turn = bench.done(&run, ran);
    assert_eq!(said(&turn), Vec::<&Message>::new());
    assert!(turn.writes.executions.is_empty(), "{turn:?}");
}

#[test]
fn without_a_set_clock_an_absence_has_no_date_and_is_shown_all_the_same() {
    let (mut bench, job, _) = running_here();
    bench.now.wall = None;
    bench.engine_away();
    assert_eq!(
        execution(&mut bench, &job).state_message,
        "engine away: nothing listens"
    );
}
