//! The shell: where a decision meets a device.
//!
//! ```text
//!   api calls ---.                                     .--> reply slots (requests)
//!   news --------+--> driver: Event -> agent -> Turn ->+--> activities (perform) on the engine
//!   store -------|       \                 gate        +--> finder: what the engine has
//!   swarm -------|        `-- Batch -> store writer    `--> (other nodes)
//!   deadline ----'                  \-- durable --> what the gate releases
//! ```
//!
//! One thread runs everything that decides and all async I/O on one executor; the store's writer and readers are
//! threads of their own that sleep unless asked. **Happy path:** `Node::open` takes the ports, the data directory, the
//! identity and the store, in this order, so that a second node fails before it writes; `Node::run` drives until told to
//! stop, then commits the ride-alongs and leaves containers running.
//!
//! **Failures.** A commit that fails is a crash of the deciders, not of the process: unreleased outputs are dropped,
//! activities are let go (their containers untouched), the store is opened again, and a new agent is recovered from it.
//! An engine that is away is looked for every 30 s, and at once when something needs it.
//!
//! **Architecture invariant.** Nothing here decides: moving a line of this folder would change no result in the simulator,
//! which drives the same `agent` and the same gate.

mod assembly;
mod driver;
mod error;
mod evidence;
mod finder;
mod input;
mod lock;
mod logs;
mod notices;
mod perform;
mod recent;
mod requests;
mod rest;
mod room;

pub use assembly::{Node, Started};
pub use driver::NodeEvent;
pub use error::{NodeError, Taken};
pub use evidence::{CRASH_BYTES_MAX, CRASH_FILE, Evidence, LogCounts, read_crash};
pub use lock::{DataDirLock, lock_data_dir};
pub use notices::engine_hint;
pub use recent::Recent;
