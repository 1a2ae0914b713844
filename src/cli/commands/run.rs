//! `codling run` as typed.

use argh::{ArgsInfo, FromArgs};

/// run a job in a container and wait for its end
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "run",
    example = "codling run docker.io/library/alpine -- echo hello",
    example = "codling run --timeout 10m --env STEP=1 my-image",
    example = "codling run --detach --name nightly my-image -- /bin/backup",
    note = "The job's output goes to stdout and stderr, progress to stderr.",
    note = "Exit code: the container's, 124 timed out, 125 never ran, 130 interrupted."
)]
pub(in crate::cli) struct Run {
    /// image to run
    #[argh(positional, arg_name = "IMAGE")]
    pub(in crate::cli) image: String,
    /// command and arguments, in place of the image's own
    #[argh(positional, greedy, arg_name = "CMD")]
    pub(in crate::cli) command: Vec<String>,
    /// what the job is called
    #[argh(option, arg_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// how long it may run, such as 90s or 10m
    #[argh(option, arg_name = "DURATION")]
    pub(in crate::cli) timeout: Option<String>,
    /// directory to work in, in place of the image's own
    #[argh(option, arg_name = "DIR")]
    pub(in crate::cli) workdir: Option<String>,
    /// program in place of the image's own; repeat for its words
    #[argh(option, arg_name = "WORD")]
    pub(in crate::cli) entrypoint: Vec<String>,
    /// how many times to run it (default 1)
    #[argh(option, arg_name = "COUNT")]
    pub(in crate::cli) count: Option<String>,
    /// environment variable; repeatable
    #[argh(option, arg_name = "KEY=VALUE")]
    pub(in crate::cli) env: Vec<String>,
    /// label of the job; repeatable
    #[argh(option, arg_name = "KEY=VALUE")]
    pub(in crate::cli) label: Vec<String>,
    /// cores to reserve, such as 0.5 or 500m
    #[argh(option, arg_name = "CORES")]
    pub(in crate::cli) cpu: Option<String>,
    /// memory to reserve, such as 256mb
    #[argh(option, arg_name = "BYTES")]
    pub(in crate::cli) memory: Option<String>,
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
