//! Commands as typed that need no node: `codling image ...`, `codling id`, `codling version`.

use argh::{ArgsInfo, FromArgs};

/// bring images to this board without a registry
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "image",
    example = "codling image load my-image.tar"
)]
pub(in crate::cli) struct Image {
    #[argh(subcommand)]
    pub(in crate::cli) command: ImageCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(in crate::cli) enum ImageCommand {
    Load(ImageLoad),
}

/// load an image archive into the engine of this board
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "load",
    example = "podman save -o my-image.tar my-image",
    example = "codling image load my-image.tar",
    note = "Talks to the engine's socket: no node needs to run."
)]
pub(in crate::cli) struct ImageLoad {
    /// archive made by podman save or docker save; - for stdin
    #[argh(positional, arg_name = "FILE")]
    pub(in crate::cli) file: String,
    /// print the loaded names as JSON
    #[argh(switch)]
    pub(in crate::cli) json: bool,
    /// socket of Podman or Docker (default search)
    #[argh(option, arg_name = "PATH")]
    pub(in crate::cli) engine_socket: Option<String>,
}

/// print the id of the node that lives in a data directory
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "id",
    example = "codling id --data-dir /var/lib/codling"
)]
pub(in crate::cli) struct Id {
    /// keys and stores (default ~/.bacalhau)
    #[argh(option, arg_name = "DIR")]
    pub(in crate::cli) data_dir: Option<String>,
    /// another name of --data-dir
    #[argh(option, arg_name = "DIR")]
    pub(in crate::cli) repo: Option<String>,
    /// print it as JSON
    #[argh(switch)]
    pub(in crate::cli) json: bool,
}

/// print what this program is
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "version")]
pub(in crate::cli) struct Version {
    /// print it as JSON
    #[argh(switch)]
    pub(in crate::cli) json: bool,
}
