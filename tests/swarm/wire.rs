//! The integers of Bacalhau v1.3's swarm messages, number by number.

use codling::model::ExecutionState::{self, *};
use codling::swarm::{execution_state_from_wire, execution_state_to_wire};

/// As seen on the wire between real nodes. The swarm has one word, 5, for an accepted bid and all that follows from it.
const TABLE: [(ExecutionState, u8, ExecutionState); 11] = [
    (New, 1, New),
    (AskForBid, 2, AskForBid),
    (AskForBidAccepted, 3, AskForBidAccepted),
    (AskForBidRejected, 4, AskForBidRejected),
    (BidAccepted, 5, BidAccepted),
    (Running, 5, BidAccepted),
    (Publishing, 5, BidAccepted),
    (BidRejected, 6, BidRejected),
    (Completed, 7, Completed),
    (Failed, 8, Failed),
    (Cancelled, 9, Cancelled),
];

#[test]
fn every_execution_state_has_its_swarm_integer_and_comes_back_from_it() {
    for state in ExecutionState::ALL {
        let row = TABLE.iter().find(|(stated, _, _)| *stated == state);
        let (_, number, back) = row.unwrap_or_else(|| panic!("{state:?} is not in the table"));
        assert_eq!(execution_state_to_wire(state), *number, "{state:?}");
        assert_eq!(
            execution_state_from_wire(u64::from(*number)),
            Some(*back),
            "{number}"
        );
    }
}

#[test]
fn numbers_outside_the_protocol_are_no_state() {
    for number in (0..=1000).chain([u64::MAX]) {
        let known = TABLE.iter().any(|(_, wire, _)| u64::from(*wire) == number);
        assert_eq!(
            execution_state_from_wire(number).is_some(),
            known,
            "{number}"
        );
    }
}
