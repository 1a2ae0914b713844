//! The recovery table, cell by cell: every stored state of an execution against everything that the engine may show.

use super::bench::*;
use codling::agent::{Activity, ActivityResult, Entry, Found, FoundState, Turn};
use codling::model::*;

/// What a start makes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing, neither now nor later.
    Rests,
    /// Its container is removed, for it belongs to nothing.
    Removes,
    /// A container is made, since none was promised to have run.
    Prepares,
    /// The container that is there is started, awaited or collected, whichever it needs; its own end is told.
    Runs,
    /// The results that were collected are published; the end that was collected is told.
    Publishes,
    /// It has failed for a reason that has its own name, and its requester may run it anew.
    IsLost,
    /// The outcome is told again until it is acknowledged; only then its container is removed.
    TellsAgain,
}

/// Makes a test of each cell.
macro_rules! cells {
    ($($name:ident: $stored:expr, $view:expr => $then:ident;)+) => {
        $(#[test] fn $name() { play($stored, $view, Then::$then) })+
    };
}

cells! {
    a_container_that_was_created_for_nothing_is_removed: None, Created => Removes;
    a_container_that_runs_for_nothing_is_removed: None, Running => Removes;
    a_container_that_ended_for_nothing_is_removed: None, Exited => Removes;
    a_container_that_a_reboot_cut_off_and_that_belongs_to_nothing_is_removed: None, CutOff => Removes;

    what_was_accepted_and_has_no_container_is_prepared: Some(accepted()), Missing => Prepares;
    what_was_accepted_and_created_is_started: Some(accepted()), Created => Runs;
    what_was_accepted_and_runs_is_adopted: Some(accepted()), Running => Runs;
    what_was_accepted_and_ended_is_collected: Some(accepted()), Exited => Runs;
    what_was_accepted_and_cut_off_by_a_reboot_is_lost: Some(accepted()), CutOff => IsLost;

    what_ran_and_has_no_container_any_more_is_lost: Some(running()), Missing => IsLost;
    what_ran_and_is_shown_as_created_in_the_same_boot_is_started: Some(running()), Created => Runs;
    what_ran_and_runs_is_adopted: Some(running()), Running => Runs;
    what_ran_and_has_ended_is_collected: Some(running()), Exited => Runs;
    what_ran_and_was_cut_off_by_a_reboot_is_lost: Some(running()), CutOff => IsLost;

    what_was_published_and_has_no_container_any_more_is_lost: Some(publishing()), Missing => IsLost;
    what_was_published_is_published_again_from_a_container_shown_as_created: Some(publishing()), Created => Publishes;
    what_was_published_is_published_again_from_a_container_shown_as_running: Some(publishing()), Running => Publishes;
    what_was_published_is_published_again_from_its_ended_container: Some(publishing()), Exited => Publishes;
    what_was_published_is_published_again_after_a_reboot: Some(publishing()), CutOff => Publishes;

    an_outcome_is_told_again_though_its_container_is_gone: Some(ended(Delivery::Pending)), Missing => TellsAgain;
    an_outcome_is_told_again_before_its_created_container_is_removed: Some(ended(Delivery::Pending)), Created => TellsAgain;
    an_outcome_is_told_again_before_its_running_container_is_removed: Some(ended(Delivery::Pending)), Running => TellsAgain;
    an_outcome_is_told_again_before_its_ended_container_is_removed: Some(ended(Delivery::Pending)), Exited => TellsAgain;
    an_outcome_is_told_again_after_a_reboot: Some(ended(Delivery::Pending)), CutOff => TellsAgain;

    what_was_acknowledged_and_has_no_container_rests: Some(ended(Delivery::Acknowledged)), Missing => Rests;
    what_was_acknowledged_and_is_shown_as_created_is_removed: Some(ended(Delivery::Acknowledged)), Created => Removes;
    what_was_acknowledged_and_is_shown_as_running_is_removed: Some(ended(Delivery::Acknowledged)), Running => Removes;
    what_was_acknowledged_and_ended_is_removed: Some(ended(Delivery::Acknowledged)), Exited => Removes;
    what_was_acknowledged_and_cut_off_is_removed: Some(ended(Delivery::Acknowledged)), CutOff => Removes;
}

/// What the engine shows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Missing,
    Created,
    Running,
    Exited,
    /// In another boot than it was started in.
    CutOff,
}
use View::{Created, CutOff, Exited, Missing, Running};

const ID: &str = "e-1";
/// The exit code of a container that ends after the start, and of one whose end was collected before.
const CODES: (i64, i64) = (6, 7);

fn accepted() -> ComputeState {
    ComputeState::Accepted
}

fn running() -> ComputeState {
    ComputeState::Running {
        container: ContainerId::from("container of e-1"),
    }
}

fn publishing() -> ComputeState {
    ComputeState::Publishing {
        container: ContainerId::from("container of e-1"),
        output: output(CODES.1),
    }
}

fn ended(delivery: Delivery) -> ComputeState {
    ComputeState::Ended {
        outcome: completed(CODES.1),
        delivery,
        ended: None,
    }
}

/// A node that starts with this in its store; its first turn.
fn start(state: Option<ComputeState>, now: Now) -> (Bench, Turn) {
    let mut stored = StoredState::default();
    match state {
        None => {}
        Some(ComputeState::Ended {
            delivery: Delivery::Acknowledged,
            ..
        }) => {
            let ended = EndedExecution {
                id: ExecutionId::from(ID),
                ended: early(0).wall,
                bytes: 1_000,
            };
            stored.ended_executions = vec![ended];
        }
        Some(state) => stored.live_executions = vec![record(ID, &plain(), state, early(0))],
    }
    let mut bench = Bench::recover(stored, now);
    let turn = bench.first_turn();
    (bench, turn)
}

fn shown(view: View) -> Vec<Found> {
    let state = match view {
        View::Missing => return vec![],
        View::Created => FoundState::Created,
        View::Running => FoundState::Running,
        View::Exited => FoundState::Exited,
        View::CutOff => FoundState::CutOff,
    };
    vec![container(ID, state)]
}

fn play(state: Option<ComputeState>, view: View, then: Then) {
    let now = match view {
        View::CutOff => at(2, 1_000, 60_000),
        _ => early(60_000),
    };
    // An engine that is away first changes nothing of what follows.
    for away_first in [false, true] {
        let (mut bench, first) = start(state.clone(), now);
        assert_eq!(
            begun(&first),
            None,
            "nothing before the engine has answered"
        );
        if away_first {
            let turn = bench.engine_away();
            assert_eq!(begun(&turn), None, "{turn:?}");
            assert!(!ends(&turn), "an absence ends nothing: {turn:?}");
        }
        let turn = bench.engine(shown(view));
        follow(&mut bench, &first, &turn, then);
    }
}

/// Whether a turn ends an execution.
fn ends(turn: &Turn) -> bool {
    let mut writes = turn.writes.executions.values();
    writes.any(|(_, write)| matches!(write, Write::Put(record) if record.state.is_terminal()))
}

fn follow(bench: &mut Bench, first: &Turn, turn: &Turn, then: Then) {
    let acknowledge = || Message::Acknowledge {
        execution: ExecutionId::from(ID),
    };
    let found = ContainerId::from("container of e-1");
    match then {
        Then::Rests => {
            assert_eq!(begun(turn), None, "{turn:?}");
            assert!(!ends(turn), "{turn:?}");
        }
        Then::Removes => {
            assert_eq!(begun(turn).map(|(_, what)| what), Some(Activity::Discard));
            assert!(!ends(turn), "{turn:?}");
        }
        Then::Prepares => {
            let (id, what) = begun(turn).expect("it goes on");
            assert!(matches!(what, Activity::Prepare(_)), "{what:?}");
            let turn = bench.done(&id, ActivityResult::Prepared(Ok(found)));
            let (id, what) = begun(&turn).expect("it is run");
            assert!(matches!(what, Activity::Run { .. }), "{what:?}");
            let turn = bench.done(&id, ActivityResult::Ran(Ok(output(CODES.0))));
            tells(&turn, completed(CODES.0));
        }
        Then::Runs => {
            let (id, what) = begun(turn).expect("it goes on");
            let expected = Activity::Run {
                container: found,
                entry: Entry::Found,
            };
            assert_eq!(what, expected);
            let turn = bench.done(&id, ActivityResult::Ran(Ok(output(CODES.0))));
            tells(&turn, completed(CODES.0));
        }
        Then::Publishes => {
            let (id, what) = begun(turn).expect("it goes on");
            assert!(matches!(what, Activity::Publish { .. }), "{what:?}");
            let published = ActivityResult::Published(Ok(SpecConfig::default()));
            let turn = bench.done(&id, published);
            tells(&turn, completed(CODES.1));
        }
        Then::IsLost => {
            let (kind, record) = stored_execution(turn);
            assert_eq!(kind, WriteKind::Promise);
            let ComputeState::Ended {
                outcome: Outcome::Failed { failure, .. },
                ..
            } = &record.state
            else {
                panic!("{record:?}");
            };
            assert_eq!(failure.kind, FailureKind::ContainerLost);
            assert!(failure.kind.is_transient(), "it may be run anew");
            assert_eq!(begun(turn), None, "what there is stays until it is known");
            let turn = bench.hear(OTHER, acknowledge());
            assert_eq!(begun(&turn).map(|(_, what)| what), Some(Activity::Discard));
        }
        Then::TellsAgain => {
            tells_only(first, completed(CODES.1));
            assert_eq!(begun(turn), None, "{turn:?}");
            let turn = bench.hear(OTHER, acknowledge());
            assert_eq!(begun(&turn).map(|(_, what)| what), Some(Activity::Discard));
        }
    }
}

/// The outcome is stored as a promise and told.
#[track_caller]
fn tells(turn: &Turn, outcome: Outcome) {
    assert_eq!(stored_execution(turn).0, WriteKind::Promise);
    tells_only(turn, outcome);
}

#[track_caller]
fn tells_only(turn: &Turn, outcome: Outcome) {
    let expected = Message::Outcome {
        execution: ExecutionId::from(ID),
        outcome: Box::new(outcome),
    };
    let told = said(turn);
    assert!(told.contains(&&expected), "{told:?}");
}

/// A board that lost its power was taken for an agent that crashed: the power cut's exit code was the job's.
#[test]
fn what_bears_the_signs_of_a_reboot_in_the_boot_that_it_was_started_in_is_collected_as_it_is() {
    for state in [accepted(), running()] {
        let (mut bench, _) = start(Some(state), early(60_000));
        let turn = bench.engine(shown(View::CutOff));
        let (_, what) = begun(&turn).expect("it is collected");
        assert!(matches!(what, Activity::Run { .. }), "{what:?}");
    }
}

#[test]
fn what_was_accepted_before_a_reboot_and_started_after_it_is_of_the_boot_that_it_ran_in() {
    let mut ran = record(ID, &plain(), running(), early(0));
    ran.ran_in = Some(at(2, 0, 0).boot);
    let stored = StoredState {
        live_executions: vec![ran],
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, at(2, 60_000, 120_000));
    bench.first_turn();
    let turn = bench.engine(shown(View::CutOff));
    let (_, what) = begun(&turn).expect("it is collected");
    assert!(matches!(what, Activity::Run { .. }), "{what:?}");
}

#[test]
fn the_boot_in_which_a_container_runs_is_noted_when_it_starts() {
    let mut bench = Bench::fresh();
    let run = bench.run_for_other(ID, &plain());
    bench.now.boot = at(2, 0, 0).boot;
    let progress = codling::agent::Progress::Started;
    let turn = bench.event(codling::agent::Event::Progress { id: run, progress });
    assert_eq!(stored_execution(&turn).1.ran_in, Some(at(2, 0, 0).boot));
}

#[test]
fn what_a_reboot_cut_off_is_run_anew_as_another_execution_of_the_same_job() {
    let turn = Bench::fresh().submit(&plain(), None);
    let mut execution = stored_execution(&turn).1.clone();
    execution.state = running();
    let stored = StoredState {
        live_jobs: vec![stored_job(&turn).1.clone()],
        live_executions: vec![execution.clone()],
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, at(2, 1_000, 60_000));
    bench.first_turn();
    let cut_off = container(execution.id.as_str(), FoundState::CutOff);
    let turn = bench.engine(vec![cut_off]);
    let (_, job) = stored_job(&turn);
    assert!(!job.job.state.is_terminal(), "{job:?}");
    let states: Vec<ExecutionState> = job.executions.iter().map(|one| one.state).collect();
    assert_eq!(
        states,
        [ExecutionState::Failed, ExecutionState::BidAccepted]
    );
}
