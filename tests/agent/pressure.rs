//! A board under strain declines for now, and takes the job when it has recovered.

use super::bench::*;
use codling::agent::{ActivityResult, Event};
use codling::model::*;

fn hot() -> BoardReading {
    BoardReading {
        heat: Some(Heat {
            zone: "cpu-thermal".to_owned(),
            millidegrees: 85_000,
            limit_millidegrees: 80_000,
        }),
        ..BoardReading::default()
    }
}

/// The verdict of the only bid that a turn says.
fn verdict(bench: &mut Bench, execution: &str) -> BidVerdict {
    let turn = bench.hear(OTHER, ask(execution, &plain()));
    let said = said(&turn);
    let [Message::Bid { verdict, .. }] = said[..] else {
        panic!("not one bid: {said:?}");
    };
    verdict.clone()
}

#[test]
fn a_hot_board_declines_for_now_and_takes_the_job_when_it_is_cooler() {
    let mut bench = Bench::fresh();
    bench.event(Event::Board(hot()));
    let BidVerdict::Rejected(reason) = verdict(&mut bench, "e-1") else {
        panic!("a job was taken by a board that is too hot");
    };
    assert!(matches!(reason, RejectReason::TooHot { .. }), "{reason}");
    assert!(reason.is_transient(), "it is asked again");
    bench.event(Event::Board(BoardReading::default()));
    assert_eq!(verdict(&mut bench, "e-2"), BidVerdict::Accepted);
}

#[test]
fn a_submission_to_a_board_under_strain_says_why_and_what_to_do() {
    let mut bench = Bench::fresh();
    bench.event(Event::Board(hot()));
    let turn = bench.submit(&plain(), None);
    let (_, record) = stored_job(&turn);
    assert_eq!(record.job.state, JobState::Failed);
    assert!(
        record.job.state_message.contains("85 of 80 degrees"),
        "{}",
        record.job.state_message
    );
}

#[test]
fn the_board_is_read_before_what_may_admit_a_job_and_once_a_second_at_most() {
    let mut bench = Bench::fresh();
    let asked = Event::Message {
        from: NodeId::from(OTHER),
        message: ask("e-1", &plain()),
    };
    let gone = Event::PeerGone {
        node: NodeId::from(OTHER),
    };
    assert!(bench.wants_board(&asked), "it was never read");
    assert!(!bench.wants_board(&gone), "nothing is admitted by that");
    bench.event(Event::Board(BoardReading::default()));
    assert!(!bench.wants_board(&asked), "it was read just now");
    bench.now.boot_ms += 999;
    assert!(!bench.wants_board(&asked));
    bench.now.boot_ms += 1;
    assert!(bench.wants_board(&asked), "that was a second ago");
}

#[test]
fn an_operator_who_insists_on_memory_limits_gets_no_job_without_them() {
    let node = |memory_limits| {
        let stored = StoredState::default();
        let mut bench = Bench::with(NodeRoles::Both, memory_limits, stored, early(1_000));
        bench.engine_without_limits();
        bench
    };
    let mut insisting = node(MemoryLimits::Required);
    assert_eq!(
        verdict(&mut insisting, "e-1"),
        BidVerdict::Rejected(RejectReason::MemoryLimitsOff)
    );
    assert!(!RejectReason::MemoryLimitsOff.is_transient());
    assert_eq!(
        verdict(&mut node(MemoryLimits::Preferred), "e-1"),
        BidVerdict::Accepted
    );
    insisting.engine(vec![]);
    assert_eq!(verdict(&mut insisting, "e-2"), BidVerdict::Accepted);
}

#[test]
fn without_memory_limits_a_second_job_waits_for_the_end_of_the_first() {
    let mut bench = Bench::fresh();
    bench.engine_without_limits();
    bench.run_for_other("e-1", &plain());
    bench.hear(OTHER, ask("e-2", &plain()));
    let turn = bench.hear(OTHER, accept_bid("e-2"));
    assert_eq!(begun(&turn), None, "one job at a time");
}

#[test]
fn an_accepted_job_that_waited_starts_only_when_the_board_is_well_again() {
    let mut bench = Bench::fresh();
    let whole = job("1", Timeouts::default());
    bench.event(Event::Board(BoardReading::default()));
    let run = bench.run_for_other("e-1", &whole);
    bench.hear(OTHER, ask("e-2", &whole));
    bench.hear(OTHER, accept_bid("e-2"));
    bench.now.boot_ms += 2_000;
    let ended = Event::Done {
        id: run,
        result: ActivityResult::Ran(Ok(output(0))),
    };
    assert!(bench.wants_board(&ended), "the next may start with it");
    bench.event(Event::Board(hot()));
    let turn = bench.event(ended);
    assert_eq!(begun(&turn), None, "the bid is of a cooler minute");
    let execution = ExecutionId::from("e-1");
    bench.hear(OTHER, Message::Acknowledge { execution });
    for _ in 0..3 {
        let look_at = bench.next_deadline_ms().expect("it is looked at again");
        assert!(look_at <= bench.now.boot_ms + 10_000, "and soon");
        let turn = bench.wait_until(look_at);
        assert_eq!(begun(&turn), None, "it is still hot");
    }
    assert!(bench.wants_board(&Event::Timeout));
    bench.event(Event::Board(BoardReading::default()));
    let look_at = bench.next_deadline_ms().expect("and again");
    let (id, _) = begun(&bench.wait_until(look_at)).expect("now it starts");
    assert_eq!(id.execution, ExecutionId::from("e-2"));
}
