//! `codling version`.

use super::commands::Version;
use super::console::Console;
use super::{CliError, Ended};

/// Prints what this program is. Asks nobody: it works without a node and in a broken environment.
pub(super) fn version(args: &Version, console: &mut Console) -> Result<Ended, CliError> {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        console.line(&serde_json::json!({ "Version": version }).to_string())?;
    } else {
        console.line(&format!("codling {version}"))?;
    }
    Ok(Ended::WELL)
}
