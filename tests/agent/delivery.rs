//! Outcomes are delivered in the order of their ends, for as long as it takes, through restarts of both sides.

use super::bench::*;
use codling::agent::{ActivityResult, Turn};
use codling::model::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Which outcomes a turn tells, in order.
fn told(turn: &Turn) -> Vec<&str> {
    let outcomes = said(turn).into_iter().filter_map(|message| match message {
        Message::Outcome { execution, .. } => Some(execution.as_str()),
        _ => None,
    });
    outcomes.collect()
}

fn acknowledge(id: &str) -> Message {
    Message::Acknowledge {
        execution: ExecutionId::from(id),
    }
}

/// How the outcome of an execution that ended at this moment is stored until it is acknowledged.
fn undelivered(id: &str, ended: Now) -> ExecutionRecord {
    let state = ComputeState::Ended {
        outcome: completed(0),
        delivery: Delivery::Pending,
        ended: ended.wall,
    };
    record(id, &plain(), state, early(0))
}

/// A node whose requester was away when these ended, in the order of their numbers.
fn backlog(count: u64) -> Bench {
    let numbers = 0..count;
    // Not in the order of their names, by which the store keeps them.
    let live = numbers.map(|number| undelivered(&name(number), early(1_000 * number)));
    let stored = StoredState {
        live_executions: live.collect(),
        ..StoredState::default()
    };
    Bench::recover(stored, early(10_000_000))
}

fn name(number: u64) -> String {
    format!("e-{:03}", (number * 37) % 100)
}

fn run(bench: &mut Bench, id: &str) -> Turn {
    let run = bench.run_for_other(id, &plain());
    bench.done(&run, ActivityResult::Ran(Ok(output(0))))
}

#[test]
fn outcomes_are_told_in_the_order_in_which_they_ended_also_after_a_restart() {
    let mut bench = Bench::fresh();
    for id in ["e-z", "e-m", "e-a"] {
        bench.now.boot_ms += 10;
        bench.now.wall = bench.now.wall.map(|wall| UnixMs(wall.0 + 10));
        assert_eq!(
            told(&run(&mut bench, id)),
            [id],
            "a new one is told at once"
        );
    }
    let due = bench.next_deadline_ms().unwrap();
    assert_eq!(told(&bench.wait_until(due)), ["e-z", "e-m", "e-a"]);
    let mut second = backlog(5);
    let expected: Vec<String> = (0..5).map(name).collect();
    assert_eq!(told(&second.first_turn()), expected);
}

#[test]
fn an_outcome_is_told_for_days_and_ever_more_rarely_until_it_is_acknowledged() {
    let mut bench = Bench::fresh();
    run(&mut bench, "e-1");
    let (mut turns, mut last) = (0_u64, 0);
    let end = bench.now.boot_ms + 10 * DAY_MS;
    while bench.now.boot_ms < end {
        let due = bench.next_deadline_ms().expect("it is told again");
        let turn = bench.wait_until(due);
        assert!(turn.writes.executions.is_empty(), "telling writes nothing");
        if finds(&turn) {
            bench.engine(vec![]);
            continue;
        }
        assert_eq!(told(&turn), ["e-1"]);
        (turns, last) = (turns + 1, due);
    }
    // Every five minutes, and some times more at the beginning.
    assert!((2_870..2_900).contains(&turns), "{turns} times in ten days");
    let turn = bench.hear(OTHER, acknowledge("e-1"));
    assert!(begun(&turn).is_some(), "its container may go");
    assert!(
        bench
            .next_deadline_ms()
            .is_none_or(|due| due > last + DAY_MS)
    );
}

#[test]
fn a_requester_that_comes_back_after_days_gets_a_backlog_as_fast_as_it_acknowledges_and_no_faster()
{
    let mut bench = backlog(100);
    let mut waiting: Vec<String> = told(&bench.first_turn())
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        waiting.len(),
        16,
        "a few messages find out whether it is there"
    );
    for day in 0..3 {
        let due = bench.next_deadline_ms().unwrap();
        let turn = bench.wait_until(due.max(10_000_000 + day * DAY_MS));
        assert!(told(&turn).len() <= 16, "{turn:?}");
    }
    let mut all = Vec::new();
    while let Some(id) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
        let turn = bench.hear(OTHER, acknowledge(&id));
        all.push(id);
        waiting.extend(told(&turn).into_iter().map(str::to_owned));
        assert!(waiting.len() <= 16, "{waiting:?}");
    }
    let expected: Vec<String> = (0..100).map(name).collect();
    assert_eq!(all, expected);
}

#[test]
fn a_requester_that_is_away_holds_back_no_other_ones_outcomes() {
    let mut bench = backlog(30);
    bench.first_turn();
    bench.engine(vec![]);
    let other = "12D3KooWThird";
    bench.hear(other, ask("e-third", &plain()));
    let turn = bench.hear(other, accept_bid("e-third"));
    let (prepare, _) = begun(&turn).unwrap();
    let prepared = ActivityResult::Prepared(Ok("c".into()));
    let (run, _) = begun(&bench.done(&prepare, prepared)).unwrap();
    let turn = bench.done(&run, ActivityResult::Ran(Ok(output(0))));
    assert_eq!(told(&turn), ["e-third"]);
}

#[test]
fn an_outcome_that_was_not_acknowledged_and_its_container_survive_any_number_of_restarts_and_reboots()
 {
    let mut record = undelivered("e-1", early(0));
    for restart in 1..50 {
        let boot = u8::try_from(1 + restart / 2).unwrap();
        let stored = StoredState {
            live_executions: vec![record.clone()],
            ..StoredState::default()
        };
        let mut bench = Bench::recover(stored, at(boot, 1_000, restart * DAY_MS));
        assert_eq!(told(&bench.first_turn()), ["e-1"]);
        let kept = container("e-1", codling::agent::FoundState::Exited);
        let turn = bench.engine(vec![kept]);
        assert_eq!(begun(&turn), None, "it is kept: {turn:?}");
        if let Some((_, Write::Put(written))) = turn.writes.executions.values().next() {
            record = written.as_ref().clone();
        }
    }
}

#[test]
fn a_requester_that_lost_its_memory_of_a_job_acknowledges_what_it_is_told_of_it() {
    let mut bench = Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000));
    let outcome = Message::Outcome {
        execution: ExecutionId::from("e-1"),
        outcome: Box::new(completed(0)),
    };
    let turn = bench.hear(OTHER, outcome);
    assert_eq!(said(&turn), [&acknowledge("e-1")]);
}
