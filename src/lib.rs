//! codling: an embedded-first edge agent.
//!
//! ```text
//!  cli (argv)          other nodes (libp2p)                          floor 4: main, cli
//!     |  HTTP 1234         |  1235
//!    api               swarm   engine   store   board               floor 2: devices
//!      \                 |       |        |      /
//!       `----- node: the one loop, activities, assembly             floor 3: the shell
//!                        |  Event            ^  Output
//!                      agent: decides everything, touches nothing   floor 1
//!                        |
//!                   config, model: plain data                       floor 0
//! ```
//!
//! **Architecture invariants.** Imports go down only (`tests/tidy.rs` reads them). `agent` has no I/O, no async, no clock
//! and no randomness. A floor-2 module imports floor 0 and no other device. `node` holds no decision: moving one out of
//! it would change no result in the simulator. Nothing binding leaves the node before the turn that decided it is
//! durable (`agent::gate`).

pub mod agent;
pub mod api;
pub mod board;
pub mod cli;
pub mod config;
pub mod engine;
pub mod model;
pub mod node;
pub mod store;
pub mod swarm;
