//! Numbers of the swarm protocol.
//!
//! Execution states are integers there (Bacalhau v1.3 `ExecutionStateType`), and other integers than in the REST API:
//! the swarm has no word for an execution that runs or publishes, both are an accepted bid to it.

use crate::model::ExecutionState;

/// The integer of `state` in swarm messages, 1 to 9. `Running` and `Publishing` are 5, as `BidAccepted` is.
#[must_use]
pub fn execution_state_to_wire(state: ExecutionState) -> u8 {
    match state {
        ExecutionState::New => 1,
        ExecutionState::AskForBid => 2,
        ExecutionState::AskForBidAccepted => 3,
        ExecutionState::AskForBidRejected => 4,
        ExecutionState::BidAccepted | ExecutionState::Running | ExecutionState::Publishing => 5,
        ExecutionState::BidRejected => 6,
        ExecutionState::Completed => 7,
        ExecutionState::Failed => 8,
        ExecutionState::Cancelled => 9,
    }
}

/// The state an integer stands for; `None` for 0 (undefined) and for numbers that do not exist.
#[must_use]
pub fn execution_state_from_wire(number: u64) -> Option<ExecutionState> {
    match number {
        1 => Some(ExecutionState::New),
        2 => Some(ExecutionState::AskForBid),
        3 => Some(ExecutionState::AskForBidAccepted),
        4 => Some(ExecutionState::AskForBidRejected),
        5 => Some(ExecutionState::BidAccepted),
        6 => Some(ExecutionState::BidRejected),
        7 => Some(ExecutionState::Completed),
        8 => Some(ExecutionState::Failed),
        9 => Some(ExecutionState::Cancelled),
        _ => None,
    }
}
