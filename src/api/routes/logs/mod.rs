//! `/jobs/{id}/logs`: a job's output over a websocket (rest-api.md 6).
//!
//! ```text
//!  GET + Upgrade --101--> socket --> visit: which execution? --frames--> client
//!                                      |  its container is there: the engine's log, by `LogReads`
//!                                      '  it is gone: the first bytes that were stored
//! ```
//! The upgrade comes first and problems are told in a frame after it, since clients show only those. A follower of a job
//! that has not started waits; the agent is asked again when an activity begins or ends, and now and then. Once output
//! flows nothing but the engine is asked. One message at a time is in memory, and the next piece of the log is read when
//! the client has taken it: a slow client holds up itself.
//!
//! **Beyond the original:** `lines=N` begins with the last N lines, `from=OUT,ERR` after so many bytes of each stream, and
//! `frames=binary` sends bytes as they are (see `frames`).

mod ask;
mod frames;
mod socket;
mod visit;

pub(super) use socket::expect_upgrade;

pub(in crate::api) use socket::{Seats, Upgrade, attend};
