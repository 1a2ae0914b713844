//! The real binary under kill -9 and under the signals that ask it to stop, over a real Podman and a real Docker.
//!
//! ```text
//!  rounds ---- PUT, GET ----> codling serve ----> tap ----> engine
//!     |                            ^               |
//!     `--------- SIGKILL ----------'<--- moments --'
//! ```
//! `seen` puts what clients and the tap see into one order. `plan` draws a round from its seed: which jobs, at which moment the node is killed. `support::tap` stands between node and
//! engine, tells the moments and counts how often the engine really started a container. `life` is one process of the node,
//! `books` what the test knows of every job and what must be true of it. `stalled` has a disk that
//! stands still, so that what leaves before it is durable is seen to leave.

mod books;
mod life;
mod plan;
mod rounds;
mod seen;
mod signals;
mod stalled;
