//! What runs for another node is asked about until that node has said that it still wants it, and then no more.

use super::bench::*;
use codling::agent::{Event, FoundState, Output, Progress, Turn};
use codling::model::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// One every hour, and the first ones that come sooner.
const OFFERS_OF_A_DAY_MAX: usize = 24 + 8;

/// Whether a turn says no more than that this node would run, or runs, an execution.
fn is_offered(turn: &Turn, id: &str) -> bool {
    let is_offer = |message: &&Message| match message {
        Message::Bid { execution, verdict } => {
            execution.as_str() == id && *verdict == BidVerdict::Accepted
        }
        _ => false,
    };
    said(turn).iter().all(is_offer) && said(turn).len() == 1
}

fn is_stopped(turn: &Turn) -> bool {
    let is_stop = |output: &Output| matches!(output, Output::Stop { .. });
    turn.outputs.iter().any(is_stop)
}

/// An execution whose container ran when its node was killed, adopted by the next life.
fn adopted() -> Bench {
    let container_of = container("e-1", FoundState::Running);
    let state = ComputeState::Running {
        container: container_of.container.clone(),
    };
    let stored = StoredState {
        live_executions: vec![record("e-1", &plain(), state, early(0))],
        ..StoredState::default()
    };
    let mut bench = Bench::recover(stored, early(60_000));
    bench.first_turn();
    let turn = bench.engine(vec![container_of]);
    let (id, _) = begun(&turn).expect("it is adopted");
    let progress = Progress::Started;
    bench.event(Event::Progress { id, progress });
    bench
}

/// What is due, as often as it is, until an execution is offered.
fn offered(bench: &mut Bench) -> Turn {
    loop {
        let due = bench.next_deadline_ms().expect("it is offered again");
        let turn = bench.wait_until(due);
        if finds(&turn) {
            bench.engine(vec![container("e-1", FoundState::Running)]);
        } else {
            assert!(is_offered(&turn, "e-1"), "{turn:?}");
            return turn;
        }
    }
}

fn cancel() -> Message {
    Message::Cancel {
        execution: ExecutionId::from("e-1"),
    }
}

fn reject() -> Message {
    Message::RejectBid {
        execution: ExecutionId::from("e-1"),
    }
}

/// Its requester had cancelled it and knew it no more; the cancel that came was forgotten by a crash, and what the node
/// said of it was lost: its container ran for ever.
#[test]
fn what_runs_for_a_requester_that_knows_it_no_more_is_stopped_however_much_is_lost() {
    for answer in [cancel(), reject()] {
        let mut bench = adopted();
        offered(&mut bench);
        offered(&mut bench);
        assert!(is_stopped(&bench.hear(OTHER, answer)));
        assert_eq!(bench.next_deadline_ms(), None);
    }
}

#[test]
fn a_requester_has_what_it_does_not_know_stopped_and_says_of_what_it_wants_that_it_is_wanted() {
    let mut requester = Bench::of(NodeRoles::Requester, StoredState::default(), early(1_000));
    let offer = |id: &ExecutionId| Message::Bid {
        execution: id.clone(),
        verdict: BidVerdict::Accepted,
    };
    let turn = requester.hear(OTHER, offer(&ExecutionId::from("e-1")));
    assert_eq!(said(&turn), [&reject()]);
    requester.see(OTHER);
    let turn = requester.submit(&plain(), None);
    let id = stored_job(&turn).1.executions[0].id.clone();
    let accepted = Message::Accepted {
        execution: id.clone(),
        resources: None,
    };
    let running = Message::Progress {
        execution: id.clone(),
        state: ExecutionState::Running,
    };
    for message in [offer(&id), accepted.clone(), running] {
        requester.hear(OTHER, message);
    }
    let turn = requester.hear(OTHER, offer(&id));
    assert_eq!(said(&turn), [&accept_bid(id.as_str())]);
    assert!(!turn.writes.has_promise(), "{turn:?}");
    assert!(requester.hear(OTHER, accepted).outputs.is_empty());
    assert_eq!(requester.next_deadline_ms(), None);
}

#[test]
fn what_runs_is_offered_ever_more_rarely_to_a_requester_that_is_away_for_days() {
    let mut bench = adopted();
    let mut offers = 0;
    while bench.now.boot_ms < DAY_MS {
        offered(&mut bench);
        offers += 1;
    }
    assert!((24..OFFERS_OF_A_DAY_MAX).contains(&offers), "{offers}");
}

#[test]
fn a_node_whose_requester_wants_what_it_runs_wakes_for_it_no_more() {
    let mut bench = Bench::fresh();
    bench.wait_until(60_000);
    bench.engine(vec![]);
    let id = bench.run_for_other("e-1", &plain());
    let progress = Progress::Started;
    bench.event(Event::Progress { id, progress });
    // It may have left before its requester cancelled the execution.
    bench.hear(OTHER, accept_bid("e-1"));
    offered(&mut bench);
    let stranger = bench.hear("12D3KooWThird", accept_bid("e-1"));
    assert!(bench.next_deadline_ms().is_some(), "{stranger:?}");
    let turn = bench.hear(OTHER, accept_bid("e-1"));
    assert!(matches!(said(&turn)[..], [Message::Accepted { .. }]));
    assert_eq!(bench.next_deadline_ms(), None);
}

#[test]
fn a_node_does_not_ask_itself_whether_it_wants_what_it_runs() {
    let mut bench = Bench::fresh();
    bench.wait_until(60_000);
    bench.engine(vec![]);
    bench.submit(&plain(), None);
    assert_eq!(bench.next_deadline_ms(), None);
}
