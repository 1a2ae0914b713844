//! `codling node ...` as typed.

use argh::{ArgsInfo, FromArgs};

/// list and describe nodes
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "node",
    example = "codling node list",
    example = "codling node describe"
)]
pub(in crate::cli) struct Node {
    #[argh(subcommand)]
    pub(in crate::cli) command: NodeCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(in crate::cli) enum NodeCommand {
    List(NodeList),
    Describe(NodeDescribe),
}

/// show this node and those that it is connected to
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    example = "codling node list",
    example = "codling node list --watch"
)]
pub(in crate::cli) struct NodeList {
    /// show it again whenever it changes, until Ctrl-C
    #[argh(switch)]
    pub(in crate::cli) watch: bool,
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

/// show what a node offers and what is not as it should be
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "describe",
    example = "codling node describe",
    example = "codling node describe 12D3KooWJs"
)]
pub(in crate::cli) struct NodeDescribe {
    /// id of the node, or the beginning of it (default the node that is asked)
    #[argh(positional, arg_name = "NODE")]
    pub(in crate::cli) id: Option<String>,
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
