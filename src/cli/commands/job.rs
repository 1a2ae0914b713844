//! `codling job ...` as typed.

use argh::{ArgsInfo, FromArgs};

/// run jobs from files; list, describe, follow and stop them
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "job",
    example = "codling job run hello.yaml",
    example = "codling job list --watch",
    example = "codling job describe j-0f8fad5b"
)]
pub(in crate::cli) struct Job {
    #[argh(subcommand)]
    pub(in crate::cli) command: JobCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(in crate::cli) enum JobCommand {
    Run(JobRun),
    List(JobList),
    Describe(JobDescribe),
    History(JobHistory),
    Executions(JobExecutions),
    Logs(JobLogs),
    Stop(JobStop),
}

/// run the job in a file
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "run",
    example = "codling job run hello.yaml",
    note = "A job in YAML; the same in JSON is taken too:",
    note = "  Name: hello",
    note = "  Type: batch",
    note = "  Tasks:",
    note = "    - Name: main",
    note = "      Engine:",
    note = "        Type: docker",
    note = "        Params: {{Image: docker.io/library/alpine, Parameters: [echo, hello]}}",
    note = "      Resources: {{CPU: 0.5, Memory: 128mb}}",
    note = "      Timeouts: {{ExecutionTimeout: 600}}"
)]
pub(in crate::cli) struct JobRun {
    /// file with the job, YAML or JSON; - for stdin
    #[argh(positional, arg_name = "FILE")]
    pub(in crate::cli) file: String,
    /// check the file and print the job; send nothing
    #[argh(switch)]
    pub(in crate::cli) dry_run: bool,
    /// print the job's id and return at once
    #[argh(switch)]
    pub(in crate::cli) detach: bool,
    /// print the job's id alone and wait in silence
    #[argh(switch)]
    pub(in crate::cli) id_only: bool,
    /// print the job and its executions as JSON, not its output
    #[argh(switch)]
    pub(in crate::cli) json: bool,
    /// node to talk to (default 127.0.0.1)
    #[argh(option, arg_name = "HOST")]
    pub(in crate::cli) api_host: Option<String>,
    /// port of its REST API (default 1234)
    #[argh(option, arg_name = "PORT")]
    pub(in crate::cli) api_port: Option<String>,
}

/// show the newest jobs
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    example = "codling job list --limit 50",
    example = "codling job list --watch"
)]
pub(in crate::cli) struct JobList {
    /// how many to show (default 20)
    #[argh(option, arg_name = "COUNT")]
    pub(in crate::cli) limit: Option<String>,
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

/// show what happened to a job
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "history",
    example = "codling job history j-0f8fad5b"
)]
pub(in crate::cli) struct JobHistory {
    /// id of the job, or the beginning of it
    #[argh(positional, arg_name = "JOB")]
    pub(in crate::cli) id: String,
    /// how many events to show, from the first (default 100)
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

/// show where a job was tried and how each try stands
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "executions",
    example = "codling job executions j-0f8fad5b --watch"
)]
pub(in crate::cli) struct JobExecutions {
    /// id of the job, or the beginning of it
    #[argh(positional, arg_name = "JOB")]
    pub(in crate::cli) id: String,
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

/// show what a job printed
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "logs",
    example = "codling job logs j-0f8fad5b",
    example = "codling job logs --follow --tail 20 j-0f8fad5b",
    note = "The job's stdout goes to stdout, its stderr to stderr, byte for byte."
)]
pub(in crate::cli) struct JobLogs {
    /// id of the job, or the beginning of it
    #[argh(positional, arg_name = "JOB")]
    pub(in crate::cli) id: String,
    /// wait for what comes, until the job ends
    #[argh(switch, short = 'f')]
    pub(in crate::cli) follow: bool,
    /// begin with the last so many lines
    #[argh(option, arg_name = "LINES")]
    pub(in crate::cli) tail: Option<String>,
    /// which of the job's executions, when it has several
    #[argh(option, arg_name = "ID")]
    pub(in crate::cli) execution: Option<String>,
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
