//! What an operator is told when a node starts: every setting with its origin, then what to type next.

use crate::board::engine_install_line;
use crate::config::Config;
use crate::model::NodeId;
use std::net::SocketAddr;
use std::path::Path;

/// One line for every setting, then what is odd about them.
pub(super) fn settings(config: &Config) {
    log::info!("codling {} starts", env!("CARGO_PKG_VERSION"));
    for line in config.lines() {
        log::info!("--{} {} ({})", line.name, line.value, line.origin);
    }
    for note in &config.notes {
        log::warn!("{note}");
    }
}

/// The ready line: who this is, where it listens, what to type next.
pub(super) fn ready(config: &Config, node: &NodeId, api: SocketAddr, swarm: &[SocketAddr]) {
    let swarm: Vec<String> = swarm.iter().map(ToString::to_string).collect();
    log::info!(
        "node {node}: REST on {api}, swarm on {}",
        swarm.join(" and ")
    );
    log::info!("ready; run a job with: {}", run_command(config, api));
}

/// The exact command that runs a job on this node from this machine.
fn run_command(config: &Config, api: SocketAddr) -> String {
    let mut command = "codling run".to_owned();
    if !api.ip().is_loopback() && !api.ip().is_unspecified() {
        command.push_str(&format!(" --api-host {}", api.ip()));
    }
    if api.port() != 1234 || config.api_port.value != 1234 {
        command.push_str(&format!(" --api-port {}", api.port()));
    }
    format!("{command} docker.io/library/alpine -- echo hello")
}

/// No engine answers yet: how to get one on this system.
pub(super) fn no_engine(why: &str, uid: u32) {
    log::warn!("no container engine: {why}; the node looks again by itself");
    log::warn!(
        "install one with: {}",
        engine_install_line(Path::new("/"), uid)
    );
}
