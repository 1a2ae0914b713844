//! The real binary: command lines, exit codes, and what it says to whom.
//!
//! `fake_api` plays the node where a test needs one that misbehaves on cue; `serve` tests start the real one.

mod first_minutes;
mod help;
mod jobfile;
mod jobs;
mod log;
mod real;
mod run;
mod run_flags;
mod script;
mod serve;
mod store;
mod store_flags;
mod token;
mod usage;
mod watch;
