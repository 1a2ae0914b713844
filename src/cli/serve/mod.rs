//! `codling serve`: settings, logger, start report, node.

mod report;

use super::commands::Serve;
use super::console::Console;
use super::{CliError, Ended, logger};
use crate::board::BootClock;
use crate::config::{Config, Raw, Surroundings};
use std::path::Path;

/// Starts a node and returns when it has stopped. Everything is validated before anything is bound or written.
pub(super) fn serve(
    args: Serve,
    around: Surroundings,
    _console: &mut Console,
) -> Result<Ended, CliError> {
    let uid = around.uid;
    let config = Config::resolve(&Raw {
        flags: args.flags,
        around,
    })?;
    logger::install(config.log_level.value, BootClock::read(Path::new("/")));
    report::settings(&config);
    // SEAM: the node starts here and tells `report` of its ready line and of a missing engine.
    let _ = (report::ready, report::no_engine, uid);
    Err(CliError::NotBuilt { what: "the node" })
}
