//! `codling image load`.

use super::commands::{Image, ImageCommand, ImageLoad};
use super::console::Console;
use super::surroundings::raw;
use super::{CliError, Ended};
use crate::config::{Config, Surroundings};

/// Performs `codling image ...`.
pub(super) fn image(
    args: &Image,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    match &args.command {
        ImageCommand::Load(args) => load(args, around, console),
    }
}

fn load(args: &ImageLoad, around: Surroundings, _console: &mut Console) -> Result<Ended, CliError> {
    let _socket = Config::engine_socket_of(&raw(around, [("engine-socket", &args.engine_socket)]))?;
    std::fs::File::open(&args.file).map_err(|source| CliError::File {
        path: args.file.clone(),
        source,
    })?;
    // SEAM: crate::engine's load_image goes here.
    Err(CliError::NotBuilt {
        what: "the engine client",
    })
}
