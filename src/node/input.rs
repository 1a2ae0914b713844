//! What the loop waits for.

use super::finder::EngineNews;
use super::perform::News;
use crate::api::ApiCall;
use crate::store::StoreReport;
use crate::swarm::HostEvent;

/// One thing that came in.
#[derive(Debug)]
pub(super) enum Input {
    Call(ApiCall),
    News(News),
    Engine(EngineNews),
    Store(StoreReport),
    Swarm(HostEvent),
    Deadline,
    LookForRoom,
    Stop,
}
