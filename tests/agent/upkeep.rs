//! Services: started again however they end, ever more patiently, until somebody stops them.

use super::bench::*;
use codling::agent::{
    Activity, ActivityId, ActivityResult, Event, FoundState, Output, Progress, RunFailure, Turn,
    Writes,
};
use codling::model::*;

/// More than what the agent does after a start takes.
const SETTLED_MS: u64 = 60_000;

fn service() -> Job {
    Job {
        job_type: JobType::Service,
        ..plain()
    }
}

/// A settled agent with a service that has been submitted.
fn submitted() -> (Bench, Turn) {
    let mut bench = Bench::fresh();
    bench.wait_until(SETTLED_MS);
    bench.engine(vec![]);
    let turn = bench.submit(&service(), None);
    (bench, turn)
}

/// Brings what a turn began to the point where its container runs.
fn start(bench: &mut Bench, turn: &Turn) -> ActivityId {
    let (prepare, _) = begun(turn).expect("it is prepared");
    let turn = bench.done(&prepare, ActivityResult::Prepared(Ok("c".into())));
    let (run, activity) = begun(&turn).expect("it is run");
    assert!(matches!(activity, Activity::Run { .. }), "{activity:?}");
    bench.event(Event::Progress {
        id: run.clone(),
        progress: Progress::Started,
    });
    run
}

/// A settled agent with a service that runs.
fn running() -> (Bench, ActivityId) {
    let (mut bench, turn) = submitted();
    let run = start(&mut bench, &turn);
    (bench, run)
}

/// The container ends, and is removed.
fn ends(bench: &mut Bench, run: &ActivityId, result: Result<RunOutput, RunFailure>) -> JobRecord {
    let turn = bench.done(run, ActivityResult::Ran(result));
    let record = stored_job(&turn).1.clone();
    let (discard, activity) = begun(&turn).expect("its container is removed");
    assert_eq!(activity, Activity::Discard);
    bench.done(&discard, ActivityResult::Discarded(Ok(())));
    record
}

/// How long the service pauses now.
fn pause_ms(bench: &Bench) -> u64 {
    let due = bench.next_deadline_ms().expect("it is to be started again");
    due - bench.now.boot_ms
}

/// The pause is over.
fn goes_on(bench: &mut Bench) -> Turn {
    let due = bench.next_deadline_ms().expect("it is to be started again");
    bench.wait_until(due)
}

fn messages(record: &JobRecord) -> Vec<&str> {
    let items = record.history.iter();
    items.map(|item| item.message.as_str()).collect()
}

fn lost(kind: FailureKind) -> Result<RunOutput, RunFailure> {
    Err(RunFailure {
        failure: Failure::new(kind, "something happened"),
        output: None,
    })
}

#[test]
fn a_service_is_started_again_however_it_ends_after_pauses_that_double_and_its_history_tells_each()
{
    let (mut bench, mut run) = running();
    let ends_of_it = [
        (Ok(output(0)), "it ended with exit code 0"),
        (Ok(output(42)), "it ended with exit code 42"),
        (lost(FailureKind::ContainerLost), "something happened"),
        (lost(FailureKind::OutOfMemory), "something happened"),
    ];
    let mut seen = vec![run.execution.clone()];
    for (number, (result, why)) in ends_of_it.into_iter().enumerate() {
        let record = ends(&mut bench, &run, result);
        assert_eq!(record.job.state, JobState::Running);
        let seconds = 1 << number;
        let told = format!("starts again in {seconds} s: {why}");
        assert_eq!(record.job.state_message, told);
        assert!(messages(&record).contains(&told.as_str()), "{record:?}");
        assert_eq!(pause_ms(&bench), seconds * 1_000);
        let turn = goes_on(&mut bench);
        let (kind, record) = stored_job(&turn);
        assert_eq!(
            kind,
            WriteKind::Promise,
            "the plan is stored before it is asked for"
        );
        let next = record.executions.last().expect("a further one").id.clone();
        assert!(
            !seen.contains(&next),
            "each start is an execution of its own"
        );
        seen.push(next);
        run = start(&mut bench, &turn);
    }
}

#[test]
fn a_running_service_wakes_nobody_and_no_timeout_ends_it() {
    let mut bench = Bench::fresh();
    bench.wait_until(SETTLED_MS);
    bench.engine(vec![]);
    let timeouts = Timeouts {
        execution_s: 1,
        queue_s: 1,
        total_s: 1,
    };
    let job = Job {
        job_type: JobType::Service,
        ..job("100m", timeouts)
    };
    let turn = bench.submit(&job, None);
    start(&mut bench, &turn);
    assert_eq!(bench.next_deadline_ms(), None);
    let turn = bench.wait_until(SETTLED_MS + 86_400_000);
    assert_eq!(turn, Turn::default());
}

#[test]
fn what_lasted_ten_minutes_is_started_again_after_the_first_pause() {
    let (mut bench, mut run) = running();
    for _ in 0..5 {
        ends(&mut bench, &run, Ok(output(1)));
        let turn = goes_on(&mut bench);
        run = start(&mut bench, &turn);
    }
    bench.wait_until(bench.now.boot_ms + 599_999);
    ends(&mut bench, &run, Ok(output(1)));
    assert_eq!(pause_ms(&bench), 32_000);
    let turn = goes_on(&mut bench);
    run = start(&mut bench, &turn);
    bench.wait_until(bench.now.boot_ms + 600_000);
    ends(&mut bench, &run, Ok(output(1)));
    assert_eq!(pause_ms(&bench), 1_000);
}

#[test]
fn a_service_that_never_stays_up_keeps_a_small_record_and_repeats_no_execution() {
    let (mut bench, mut run) = running();
    let mut seen = std::collections::BTreeSet::from([run.execution.clone()]);
    let mut record = None;
    for _ in 0..100 {
        let ended = ends(&mut bench, &run, Ok(output(1)));
        let turn = goes_on(&mut bench);
        run = start(&mut bench, &turn);
        assert!(seen.insert(run.execution.clone()), "{}", run.execution);
        record = Some(ended);
    }
    let record = record.expect("it ended");
    assert_eq!(
        record.executions.len(),
        9,
        "the last one and eight before it"
    );
    assert!(record.history.len() <= 64, "{}", record.history.len());
    let attempts: Vec<u32> = record.executions.iter().map(|one| one.attempt).collect();
    assert_eq!(attempts, (91..100).collect::<Vec<u32>>());
    ends(&mut bench, &run, Ok(output(1)));
    assert_eq!(pause_ms(&bench), 300_000);
}

/// A service of which this is stored, on an agent that has just started.
fn restarted(record: &JobRecord, now: Now) -> (Bench, Turn) {
    let stored = StoredState {
        live_jobs: vec![record.clone()],
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, now);
    bench.first_turn();
    let turn = bench.engine(vec![]);
    (bench, turn)
}

/// A service that ended five times, and the moment of the fifth: it pauses for 16 s.
fn pausing() -> (JobRecord, Now) {
    let (mut bench, mut run) = running();
    for _ in 0..4 {
        ends(&mut bench, &run, Ok(output(1)));
        let turn = goes_on(&mut bench);
        run = start(&mut bench, &turn);
    }
    let record = ends(&mut bench, &run, Ok(output(1)));
    assert_eq!(pause_ms(&bench), 16_000);
    (record, bench.now)
}

#[test]
fn a_pause_goes_on_through_a_restart_of_the_agent() {
    let (record, mut now) = pausing();
    now.boot_ms += 10_000;
    let (mut bench, turn) = restarted(&record, now);
    assert_eq!(begun(&turn), None);
    assert_eq!(pause_ms(&bench), 6_000);
    let turn = goes_on(&mut bench);
    let run = start(&mut bench, &turn);
    ends(&mut bench, &run, Ok(output(1)));
    assert_eq!(pause_ms(&bench), 32_000);
}

#[test]
fn a_service_is_started_at_once_on_a_board_that_was_rebooted() {
    let (record, ended) = pausing();
    let soon = at(2, 1_000, ended.boot_ms + 2_000);
    let (mut bench, turn) = restarted(&record, soon);
    let run = start(&mut bench, &turn);
    ends(&mut bench, &run, Ok(output(1)));
    assert_eq!(pause_ms(&bench), 1_000, "what went before is forgiven");
}

#[test]
fn a_service_that_a_reboot_has_ended_is_not_held_to_have_failed() {
    let (mut bench, mut run) = running();
    for _ in 0..4 {
        ends(&mut bench, &run, Ok(output(1)));
        let turn = goes_on(&mut bench);
        run = start(&mut bench, &turn);
    }
    bench.now = at(2, 1_000, bench.now.boot_ms + 20_000);
    ends(&mut bench, &run, Ok(output(137)));
    assert_eq!(pause_ms(&bench), 1_000);
}

#[test]
fn a_service_is_adopted_when_the_agent_starts_and_nothing_is_started_beside_it() {
    let (mut bench, turn) = submitted();
    let execution = stored_execution(&turn).1.clone();
    let job = stored_job(&turn).1.clone();
    start(&mut bench, &turn);
    let stored = StoredState {
        live_jobs: vec![job],
        live_executions: vec![execution.clone()],
        ..StoredState::default()
    };
    let mut again = Bench::recover(stored, bench.now);
    again.first_turn();
    let found = container(execution.id.as_str(), FoundState::Running);
    let turn = again.engine(vec![found]);
    let runs: Vec<&Output> = turn
        .outputs
        .iter()
        .filter(|output| matches!(output, Output::Begin { .. }))
        .collect();
    let [Output::Begin { id, activity }] = runs[..] else {
        panic!("{turn:?}");
    };
    assert_eq!(id.execution, execution.id);
    assert!(matches!(activity, Activity::Run { .. }), "{activity:?}");
}

fn stop(bench: &mut Bench, job: &JobId) -> Turn {
    bench.request(ApiRequest::Stop {
        job: job.clone(),
        reason: String::new(),
    })
}

#[test]
fn a_stopped_service_stays_stopped_whether_it_ran_or_paused() {
    let (mut bench, run) = running();
    let id = ends(&mut bench, &run, Ok(output(1))).job.id;
    let turn = stop(&mut bench, &id);
    assert_eq!(stored_job(&turn).1.job.state, JobState::Stopped);
    assert_eq!(bench.next_deadline_ms(), None);

    let (mut bench, turn) = submitted();
    let id = stored_job(&turn).1.job.id.clone();
    let run = start(&mut bench, &turn);
    let turn = stop(&mut bench, &id);
    assert!(turn.outputs.contains(&Output::Stop { id: run.clone() }));
    let record = ends(&mut bench, &run, Ok(output(143)));
    assert_eq!(record.executions[0].state, ExecutionState::Cancelled);
    assert_eq!(bench.next_deadline_ms(), None);
}

#[test]
fn a_service_waits_for_an_engine_that_is_away_and_is_started_when_it_is_back() {
    let (mut bench, run) = running();
    ends(&mut bench, &run, Ok(output(1)));
    bench.engine_away();
    let mut turn = goes_on(&mut bench);
    if finds(&turn) {
        turn = bench.engine_away();
    }
    let record = stored_job(&turn).1;
    assert_eq!(record.job.state, JobState::Running);
    assert!(
        record
            .job
            .state_message
            .starts_with("no node can take the job now"),
        "{}",
        record.job.state_message
    );
    let turn = bench.engine(vec![]);
    start(&mut bench, &turn);
}

#[test]
fn a_service_that_no_node_has_taken_yet_fails_as_any_job_does() {
    let mut bench = Bench::fresh();
    bench.engine_away();
    let turn = bench.submit(&service(), None);
    let turn = match finds(&turn) {
        true => bench.engine_away(),
        false => turn,
    };
    assert_eq!(stored_job(&turn).1.job.state, JobState::Failed);
}

#[test]
fn an_image_that_is_missing_is_looked_for_again_and_a_spec_that_cannot_be_run_is_given_up() {
    let (mut bench, turn) = submitted();
    let (prepare, _) = begun(&turn).expect("it is prepared");
    let failed = |kind| ActivityResult::Prepared(Err(Failure::new(kind, "no such image")));
    let turn = bench.done(&prepare, failed(FailureKind::ImageNotFound));
    let record = stored_job(&turn).1;
    assert_eq!(record.job.state, JobState::Running);
    assert_eq!(
        record.job.state_message,
        "starts again in 1 s: no such image"
    );
    let turn = goes_on(&mut bench);
    let (prepare, _) = begun(&turn).expect("it is prepared again");
    let turn = bench.done(&prepare, failed(FailureKind::BadSpec));
    assert_eq!(stored_job(&turn).1.job.state, JobState::Failed);
}

#[test]
fn a_new_version_takes_the_place_of_a_service_that_pauses_at_once() {
    let (mut bench, run) = running();
    ends(&mut bench, &run, Ok(output(1)));
    let changed = Job {
        job_type: JobType::Service,
        ..job("200m", Timeouts::default())
    };
    let turn = bench.submit(&changed, None);
    let record = stored_job(&turn).1;
    assert_eq!(record.job.version, 2);
    let run = start(&mut bench, &turn);
    ends(&mut bench, &run, Ok(output(1)));
    assert_eq!(pause_ms(&bench), 1_000, "it begins afresh");
}

#[test]
fn a_service_does_not_become_a_batch_job_by_its_name() {
    let (mut bench, _) = running();
    let turn = bench.submit(&plain(), None);
    let ApiReply::Denied(reason) = reply(&turn) else {
        panic!("{turn:?}");
    };
    let text = reason.to_string();
    assert!(
        text.contains("is a service job and does not become a batch job"),
        "{text}"
    );
    assert_eq!(turn.writes, Writes::default());
}

#[test]
fn a_service_of_no_replicas_is_there_and_nothing_runs() {
    let mut bench = Bench::fresh();
    let none = Job {
        count: 0,
        ..service()
    };
    let turn = bench.submit(&none, None);
    let record = stored_job(&turn).1;
    assert_eq!(record.job.state, JobState::Running);
    assert_eq!(record.executions, []);
}
