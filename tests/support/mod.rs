//! What the test modules share. Doubles are real implementations with a script.

pub(crate) mod activator;
pub(crate) mod bacalhau;
pub(crate) mod board;
pub(crate) mod comer;
pub(crate) mod engine;
pub(crate) mod engines;
pub(crate) mod fake_api;
pub(crate) mod http;
pub(crate) mod jobs;
pub(crate) mod mount;
pub(crate) mod node;
pub(crate) mod program;
pub(crate) mod recorder;
pub(crate) mod registry;
pub(crate) mod seed;
pub(crate) mod small_disk;
pub(crate) mod stand;
pub(crate) mod tap;
pub(crate) mod wait;
pub(crate) mod websocket;
