//! Whether this node bids, check by check; the first refusal is the answer.
//!
//! Order: what no node could run, what this node lacks, what is too large, what is too much now.

mod fit;
mod labels;
mod support;

use crate::agent::Capacity;
use crate::agent::pressure;
use crate::model::{
    BoardReading, EngineFacts, Job, MemoryLimits, RejectReason, Resources, StoreRoom,
};
use std::collections::BTreeMap;

/// What is known of the container engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EngineView {
    /// It was asked and has not answered yet: asks wait.
    Unknown,
    /// It does not answer.
    Away { why: String },
    /// It answered last.
    Here(EngineFacts),
}

/// What this node can offer now.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) capacity: &'a Capacity,
    pub(crate) engine: &'a EngineView,
    pub(crate) labels: &'a BTreeMap<String, String>,
    /// Executions held now.
    pub(crate) held: usize,
    /// What becomes of jobs where the kernel does not limit memory.
    pub(crate) memory_limits: MemoryLimits,
    /// What the store has room for.
    pub(crate) room: StoreRoom,
    /// The board now; `None` while nobody has read it.
    pub(crate) board: Option<&'a BoardReading>,
}

/// What would be set aside for the job, if this node bids.
///
/// # Errors
/// The reason why it does not.
pub(crate) fn consider(job: &Job, offer: &Offer<'_>) -> Result<Resources, RejectReason> {
    support::check(job, offer.engine)?;
    labels::check(job, offer.labels)?;
    memory_limits(offer)?;
    let resources = fit::check(job, offer)?;
    if offer.room == StoreRoom::EndsOnly {
        return Err(RejectReason::StoreFull);
    }
    if let Some(board) = offer.board {
        pressure::check(board, &resources)?;
    }
    Ok(resources)
}

/// The operator may insist on limits that the kernel enforces.
fn memory_limits(offer: &Offer<'_>) -> Result<(), RejectReason> {
    match (offer.memory_limits, offer.engine) {
        (MemoryLimits::Required, EngineView::Here(facts)) if !facts.enforces_memory => {
            Err(RejectReason::MemoryLimitsOff)
        }
        _ => Ok(()),
    }
}
