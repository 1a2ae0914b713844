//! `codling debug` as typed.

use argh::{ArgsInfo, FromArgs};

/// gather what helps to find a cause, without secrets
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "debug",
    example = "codling debug",
    example = "codling debug --output - | less",
    note = "Works with a running node and without one; the file says what is missing.",
    note = "Left out: keys, tokens, and everything that jobs hold."
)]
pub(in crate::cli) struct Debug {
    /// file to write; - for stdout (default codling-debug-TIME.json)
    #[argh(option, arg_name = "FILE")]
    pub(in crate::cli) output: Option<String>,
    /// keys and stores (default ~/.bacalhau)
    #[argh(option, arg_name = "DIR")]
    pub(in crate::cli) data_dir: Option<String>,
    /// socket of Podman or Docker (default search)
    #[argh(option, arg_name = "PATH")]
    pub(in crate::cli) engine_socket: Option<String>,
    /// node to talk to (default 127.0.0.1)
    #[argh(option, arg_name = "HOST")]
    pub(in crate::cli) api_host: Option<String>,
    /// port of its REST API (default 1234)
    #[argh(option, arg_name = "PORT")]
    pub(in crate::cli) api_port: Option<String>,
}
