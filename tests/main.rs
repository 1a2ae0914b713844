//! The one integration binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "tests panic to fail, and measure real time"
)]

// The container engine's client: scripted engines, faults, real ones.
mod engine;
// The store: both kinds, every refusal, what a commit costs.
mod store;
// Rules about the source itself.
mod tidy;
// Settings: precedence, every rule, every bad value.
mod config;
// The libp2p host: connections, faults, identity.
mod swarm;
// Crash images of both files, and of recoveries.
mod crash;
// A month of a busy node in virtual time.
mod month;
// The real node when its store fails.
mod faults;
// The real node when a worn card has damaged its store.
mod rebuilt;
// How long a real node keeps what has ended.
mod retention;
// The real node against engines that misbehave.
mod hostile;
// The real binary among crowds of idle and half-open connections.
mod crowd;
// The job suite: whole jobs on a real Podman, a real Docker and a scripted engine.
mod lifecycle;
// A Podman that systemd starts when it is asked something, and that sleeps else.
mod activation;
// A job's output, followed: on every engine, by many, through everything that breaks.
mod logs;
// Images: every name, every registry that fails, on both real engines.
mod images;
// Real engines that come, go and come back.
mod comings;
// Real engines killed at every step of a job.
mod engine_killed;
// Real boards that lose their power.
mod reboot;
// Every way in which a container fails a job.
mod failures;
// What an operator's flags do to containers.
mod containers;
// Single promises of the agent, turn by turn.
mod agent;
// The real binary killed at random moments, and asked to stop.
mod kill;
// Releases on each other's stores.
mod rollback;
// What a node removes when the disk of the engine's images runs low.
mod disk_low;
// What a node shows to those who look for a cause: conditions, metrics, crash reports, the bundle.
mod evidence;
mod support;

// The real bacalhau CLI against the real node.
mod interop;
// The REST API over real sockets.
mod api;
// The real binary: command lines, exit codes, every ending of a job.
mod cli;
// The binaries of ARM boards, under QEMU.
mod cross;
// Every command in the README, run as a reader would.
mod readme;
// Services on real engines: started again, adopted, stopped.
mod services;
// A fleet in virtual time.
mod sim;
