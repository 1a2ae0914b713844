//! An engine or a node that is away is looked for when a job needs it, and no more often than that helps.

use super::bench::*;
use codling::agent::{Event, Output, Turn};
use codling::model::*;

fn looks(turn: &Turn) -> usize {
    let is_look = |output: &&Output| matches!(output, Output::Find { .. });
    turn.outputs.iter().filter(is_look).count()
}

fn away() -> Bench {
    let mut bench = Bench::of(NodeRoles::Compute, StoredState::default(), early(1_000));
    bench.engine_away();
    bench
}

/// Who started the engine after a job had failed for it, and sent the job again within five seconds, was told once more
/// that there is none.
#[test]
fn an_engine_that_has_come_is_found_by_the_job_that_comes_a_second_after_the_last_look() {
    let mut bench = away();
    bench.wait_until(2_000);
    let turn = bench.hear(OTHER, ask("e-1", &plain()));
    assert_eq!(looks(&turn), 1, "{turn:?}");
    assert!(said(&turn).is_empty(), "the look comes first: {turn:?}");
    let turn = bench.engine(vec![]);
    assert!(
        matches!(
            said(&turn)[..],
            [Message::Bid {
                verdict: BidVerdict::Accepted,
                ..
            }]
        ),
        "{turn:?}"
    );
}

#[test]
fn a_burst_of_jobs_has_an_absent_engine_looked_for_once_and_all_of_them_are_told() {
    let mut bench = away();
    bench.wait_until(2_000);
    let ids: Vec<String> = (0..100).map(|number| format!("e-{number}")).collect();
    let asked = ids.iter().map(|id| bench.hear(OTHER, ask(id, &plain())));
    assert_eq!(asked.map(|turn| looks(&turn)).sum::<usize>(), 1);
    let turn = bench.engine_away();
    assert_eq!((said(&turn).len(), looks(&turn)), (100, 0), "{turn:?}");
    let turn = bench.hear(OTHER, ask("e-late", &plain()));
    assert_eq!((said(&turn).len(), looks(&turn)), (1, 0), "{turn:?}");
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// A repetition every five minutes, and the first ones that come sooner.
const ASKS_OF_A_DAY_MAX: usize = 24 * 12 + 16;

fn is_asked(turn: &Turn) -> bool {
    said(turn)
        .iter()
        .any(|message| matches!(message, Message::Ask { .. }))
}

/// After three minutes of silence it was asked every two seconds, for as long as its node was away.
#[test]
fn what_a_node_has_accepted_is_asked_about_ever_more_rarely_while_that_node_is_away_for_days() {
    let mut first = Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000));
    first.see(OTHER);
    let turn = first.submit(&plain(), None);
    let execution = stored_job(&turn).1.executions[0].id.clone();
    let accepted = Message::Bid {
        execution,
        verdict: BidVerdict::Accepted,
    };
    let turn = first.hear(OTHER, accepted);
    let stored = StoredState {
        live_jobs: vec![stored_job(&turn).1.clone()],
        ..StoredState::default()
    };
    let mut second = Bench::of(NodeRoles::Requester, stored, early(60_000));
    assert!(is_asked(&second.first_turn()));
    let end_ms = second.now.boot_ms + DAY_MS;
    let mut asks = 0;
    while second.now.boot_ms < end_ms {
        let due = second.next_deadline_ms().expect("it is asked without end");
        asks += usize::from(is_asked(&second.wait_until(due)));
        assert!(
            asks <= ASKS_OF_A_DAY_MAX,
            "{asks} by {} ms",
            second.now.boot_ms
        );
    }
    assert!(is_asked(&second.see(OTHER)), "and at once when it is back");
}

#[test]
fn a_service_whose_only_node_has_gone_wakes_nobody_until_one_comes() {
    let mut bench = Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000));
    bench.see(OTHER);
    let mut service = plain();
    service.job_type = JobType::Service;
    let turn = bench.submit(&service, None);
    let execution = stored_job(&turn).1.executions[0].id.clone();
    bench.hear(
        OTHER,
        Message::Bid {
            execution: execution.clone(),
            verdict: BidVerdict::Accepted,
        },
    );
    bench.event(Event::PeerGone {
        node: NodeId::from(OTHER),
    });
    bench.hear(
        OTHER,
        Message::Outcome {
            execution,
            outcome: Box::new(completed(1)),
        },
    );
    let over = bench.next_deadline_ms().expect("it pauses");
    let turn = bench.wait_until(over);
    assert!(!is_asked(&turn), "{turn:?}");
    assert_eq!(bench.next_deadline_ms(), None);
    assert!(is_asked(&bench.see(OTHER)));
}
