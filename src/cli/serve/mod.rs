//! `codling serve`: settings, logger, start report, node.
//!
//! Everything is validated before anything is bound or written. SIGTERM, SIGINT and SIGHUP stop the node: it takes no
//! more work, flushes, and leaves its containers running for the next start.
//!
//! An error that ends the node is told in the format of its log, so that a collector can read it. What is wrong with the
//! settings is told to whoever typed them.

mod crash;
mod report;

use super::commands::Serve;
use super::console::Console;
use super::logger::{self, Style};
use super::{CliError, Ended};
use crate::board::{BootClock, port_holder, read_build_id, stderr_is_journal};
use crate::config::{Config, ConfigError, LogFormat, Raw, Surroundings, Wrong};
use crate::model::Origin;
use crate::node::{Evidence, Node, NodeError, NodeEvent, Taken};
use crate::swarm::{PeerAddressError, parse_peer};
use async_signal::{Signal, Signals};
use crash::{CrashReport, Planted};
use futures_lite::StreamExt as _;
use report::Report;
use std::path::Path;

/// The machine itself; tests of the parts below give a tree of files.
const ROOT: &str = "/";

/// Starts a node and returns when it has stopped.
pub(super) fn serve(
    args: Serve,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let uid = around.uid;
    let is_journal = stderr_is_journal(around.variable("JOURNAL_STREAM"));
    let planted = Planted::read(&around);
    let config = Config::resolve(&Raw {
        flags: args.flags,
        around,
    })?;
    check_peers(&config)?;
    let evidence = Evidence {
        build_id: read_build_id(Path::new(ROOT)),
        ..Evidence::default()
    };
    let style = match config.log_format.value {
        LogFormat::Json => Style::Json,
        LogFormat::Text if is_journal => Style::Journal,
        LogFormat::Text => Style::Text,
    };
    let clock = BootClock::read(Path::new(ROOT));
    logger::install(config.log_level.value, style, clock, evidence.log.clone());
    CrashReport {
        data_dir: config.data_dir.value.clone(),
        recent: evidence.recent.clone(),
        build_id: evidence.build_id.clone(),
        clock,
    }
    .install();
    let ended = live(&config, uid, evidence, planted);
    log::logger().flush();
    match (ended, style) {
        (Err(error), Style::Json | Style::Journal) => {
            for text in [error.line(), error.hint()] {
                if !text.is_empty() {
                    console.err(logger::last_line(style, clock, &text).as_bytes());
                }
            }
            Ok(Ended(error.code()))
        }
        (ended, _) => ended,
    }
}

/// The node's life, from its start report to its end.
fn live(
    config: &Config,
    uid: u32,
    evidence: Evidence,
    planted: Planted,
) -> Result<Ended, CliError> {
    report::settings(config);
    // Before the node takes its place, so that a signal in between stops it cleanly.
    let mut signals =
        Signals::new([Signal::Term, Signal::Int, Signal::Hup]).map_err(CliError::Signals)?;
    let node =
        Node::open(config, Path::new(ROOT), evidence).map_err(|error| named(error, config))?;
    let mut report = Report::new(uid, config.engine_socket.origin.clone());
    report.ready(node.started());
    let stop = async move {
        if let Some(Ok(signal)) = signals.next().await {
            log::info!("stopping ({signal:?}); containers go on");
        }
    };
    node.run(stop, |event| {
        report.event(&event);
        let is_to_crash = planted == Planted::WhenTheEngineGoes;
        let is_away = matches!(event, NodeEvent::EngineAway { .. });
        assert!(!(is_to_crash && is_away), "CODLING_TEST_PANIC asks for it");
    })?;
    log::info!("stopped");
    Ok(Ended::WELL)
}

/// A port that is taken is told with its holder, where the kernel tells who that is.
fn named(error: NodeError, config: &Config) -> CliError {
    let (port, flag) = match (error.taken(), &error) {
        (Taken::ByAnother, NodeError::Api(_)) => (config.api_port.value, "--api-port"),
        (Taken::ByAnother, NodeError::Swarm(_)) => (config.port.value, "--port"),
        _ => return CliError::Node(error),
    };
    match port_holder(Path::new(ROOT), port) {
        Some(holder) => CliError::PortTaken { port, flag, holder },
        None => CliError::Node(error),
    }
}

/// Multiaddrs are the swarm's to read; a bad one is a bad value like any other.
fn check_peers(config: &Config) -> Result<(), ConfigError> {
    for peer in &config.peer.value {
        parse_peer(peer).map_err(|error| bad_peer(&config.peer.origin, peer, &error))?;
    }
    Ok(())
}

fn bad_peer(origin: &Origin, peer: &str, error: &PeerAddressError) -> ConfigError {
    ConfigError::BadValue {
        origin: origin.clone(),
        value: peer.to_owned(),
        wrong: Wrong::new(
            "multiaddrs such as /ip4/192.0.2.10/tcp/1235/p2p/12D3KooW...",
            error.to_string(),
        ),
    }
}
