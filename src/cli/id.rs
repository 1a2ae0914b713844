//! `codling id`.

use super::commands::Id;
use super::console::Console;
use super::surroundings::raw;
use super::{CliError, Ended};
use crate::config::{Config, Surroundings};
use crate::model::NodeId;
use crate::swarm::{Identity, StoreBeside};
use std::path::Path;

/// Prints the id of the node in a data directory, whether it runs or not. Makes none where there is none.
pub(super) fn id(
    args: &Id,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let dir = Config::data_dir_of(&raw(
        around,
        [("data-dir", &args.data_dir), ("repo", &args.repo)],
    ))?
    .value;
    let node = node_in(&dir)?;
    if args.json {
        console.line(&serde_json::json!({ "NodeID": node.as_str() }).to_string())?;
    } else {
        console.line(node.as_str())?;
    }
    Ok(Ended::WELL)
}

/// The id of the node that lives in `dir`.
pub(super) fn node_in(dir: &Path) -> Result<NodeId, CliError> {
    if !Identity::exists(dir) {
        return Err(CliError::NoIdentity {
            dir: dir.display().to_string(),
        });
    }
    // `Present` keeps `open` from making a key.
    Ok(Identity::open(dir, StoreBeside::Present)?.node_id())
}
