//! `codling job ...` as typed.

use argh::{ArgsInfo, FromArgs};

/// list, describe and stop jobs
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "job",
    example = "codling job list",
    example = "codling job describe j-0f8fad5b"
)]
pub(in crate::cli) struct Job {
    #[argh(subcommand)]
    pub(in crate::cli) command: JobCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(in crate::cli) enum JobCommand {
    List(JobList),
    Describe(JobDescribe),
    Stop(JobStop),
}

/// show the newest jobs
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "list", example = "codling job list --limit 50")]
pub(in crate::cli) struct JobList {
    /// how many to show (default 20)
    #[argh(option, arg_name = "COUNT")]
    pub(in crate::cli) limit: Option<String>,
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

/// show a job, its executions and what happened to it
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "describe",
    example = "codling job describe j-0f8fad5b"
)]
pub(in crate::cli) struct JobDescribe {
    /// id of the job, or the beginning of it
    #[argh(positional, arg_name = "JOB")]
    pub(in crate::cli) id: String,
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

/// stop a job
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "stop", example = "codling job stop j-0f8fad5b")]
pub(in crate::cli) struct JobStop {
    /// id of the job, or the beginning of it
    #[argh(positional, arg_name = "JOB")]
    pub(in crate::cli) id: String,
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
