//! `codling prune` as typed.

use argh::{ArgsInfo, FromArgs};

/// remove what a node has no use for
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "prune",
    example = "codling prune --dry-run",
    example = "codling prune",
    note = "Ended jobs and executions beyond what the node's --retain flags keep, images",
    note = "that were pulled for jobs and that none needs, containers of no execution.",
    note = "The running node removes them, one by one; what others brought stays."
)]
pub(in crate::cli) struct Prune {
    /// show what would go, and remove nothing
    #[argh(switch)]
    pub(in crate::cli) dry_run: bool,
    /// print the API's JSON
    #[argh(switch)]
    pub(in crate::cli) json: bool,
    /// node to talk to (default 127.0.0.1)
    #[argh(option, arg_name = "HOST")]
    pub(in crate::cli) api_host: Option<String>,
    /// port of its REST API (default 1234)
    #[argh(option, arg_name = "PORT")]
    pub(in crate::cli) api_port: Option<String>,
}
