//! Following the log of a container: bytes go from the engine to the follower's task, and never through the loop.
//!
//! ```text
//!  api: follower's task <---- feed: one read of the engine's log at its own place ----> engine
//!                              |  who reads, and how a run ended
//!                              v
//!                           followers <---- perform: started, ended, discarded
//! ```
//! A feed reads from the engine while its follower takes, so a slow follower holds up itself and nobody else. It counts
//! what it gave out, so that a stream which broke off is opened again and goes on behind the last byte. The end is not
//! told by the engine's stream (see `Engine::logs`) but by the activity that awaited it; what the stream did not give is
//! read from the log then. `Discard` leaves the container until its followers have all of it, for a bounded time.

mod feed;
mod followers;

pub(super) use feed::LogSource;
pub(super) use followers::{EndedLog, Followers, LogCut};
