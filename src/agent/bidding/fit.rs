//! Could this node ever, and does it now, have room?

use super::Offer;
use crate::agent::LIVE_MAX;
use crate::model::{Job, RejectReason, Resources};

pub(super) fn check(job: &Job, offer: &Offer<'_>) -> Result<Resources, RejectReason> {
    let requested = job
        .task
        .resources
        .parse()
        .map_err(|error| RejectReason::BadSpec {
            problem: error.to_string(),
        })?;
    let resources = offer.capacity.resolve(&requested);
    let limit = offer.capacity.total();
    if let Some(dimension) = resources.exceeds(&limit) {
        let (asked, limit) = (resources.get(dimension), limit.get(dimension));
        return Err(RejectReason::TooLarge {
            dimension,
            asked,
            limit,
        });
    }
    if offer.held >= LIVE_MAX {
        return Err(RejectReason::QueueFull {
            limit: LIVE_MAX as u64,
        });
    }
    Ok(resources)
}
