//! The commands and their flags. Doc comments are the help.

use crate::config::{FLAGS, FlagShape, FlagSpec};
use argh::{
    ArgsInfo, CommandInfo, CommandInfoWithArgs, EarlyExit, FlagInfo, FlagInfoKind, FromArgs,
    Optionality, SubCommand,
};
use std::sync::LazyLock;

/// runs jobs in containers on this board, alone or with others
#[derive(FromArgs, ArgsInfo)]
#[argh(
    name = "codling",
    example = "codling serve",
    example = "codling run docker.io/library/alpine -- echo hello",
    note = "codling COMMAND --help shows the flags of a command."
)]
pub(super) struct Codling {
    #[argh(subcommand)]
    pub(super) command: Command,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(super) enum Command {
    Serve(Serve),
    Run(Run),
    Job(Job),
    Image(Image),
    Id(Id),
    Version(Version),
}

/// run a job in a container and wait for its end
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "run",
    example = "codling run docker.io/library/alpine -- echo hello",
    example = "codling run --timeout 10m --env STEP=1 my-image",
    note = "The job's output goes to stdout and stderr, progress to stderr.",
    note = "Exit code: the container's, 124 timed out, 125 never ran, 130 interrupted."
)]
pub(super) struct Run {
    /// image to run
    #[argh(positional, arg_name = "IMAGE")]
    pub(super) image: String,
    /// command and arguments, in place of the image's own
    #[argh(positional, greedy, arg_name = "CMD")]
    pub(super) command: Vec<String>,
    /// what the job is called
    #[argh(option, arg_name = "NAME")]
    pub(super) name: Option<String>,
    /// how long it may run, such as 10m
    #[argh(option, arg_name = "DURATION")]
    pub(super) timeout: Option<String>,
    /// environment variable; repeatable
    #[argh(option, arg_name = "KEY=VALUE")]
    pub(super) env: Vec<String>,
    /// label of the job; repeatable
    #[argh(option, arg_name = "KEY=VALUE")]
    pub(super) label: Vec<String>,
    /// cores to reserve, such as 0.5 or 500m
    #[argh(option, arg_name = "CORES")]
    pub(super) cpu: Option<String>,
    /// memory to reserve, such as 256mb
    #[argh(option, arg_name = "BYTES")]
    pub(super) memory: Option<String>,
    /// print the job and its executions as JSON, not its output
    #[argh(switch)]
    pub(super) json: bool,
    /// node to talk to (default 127.0.0.1)
    #[argh(option, arg_name = "HOST")]
    pub(super) api_host: Option<String>,
    /// port of its REST API (default 1234)
    #[argh(option, arg_name = "PORT")]
    pub(super) api_port: Option<String>,
}

/// list, describe and stop jobs
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "job",
    example = "codling job list",
    example = "codling job describe j-0f8fad5b"
)]
pub(super) struct Job {
    #[argh(subcommand)]
    pub(super) command: JobCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(super) enum JobCommand {
    List(JobList),
    Describe(JobDescribe),
    Stop(JobStop),
}

/// show the newest jobs
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "list", example = "codling job list --limit 50")]
pub(super) struct JobList {
    /// how many to show (default 20)
    #[argh(option, arg_name = "COUNT")]
    pub(super) limit: Option<String>,
    /// print the API's JSON
    #[argh(switch)]
    pub(super) json: bool,
    /// node to talk to (default 127.0.0.1)
    #[argh(option, arg_name = "HOST")]
    pub(super) api_host: Option<String>,
    /// port of its REST API (default 1234)
    #[argh(option, arg_name = "PORT")]
    pub(super) api_port: Option<String>,
}

/// show a job, its executions and what happened to it
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "describe",
    example = "codling job describe j-0f8fad5b"
)]
pub(super) struct JobDescribe {
    /// id of the job, or the beginning of it
    #[argh(positional, arg_name = "JOB")]
    pub(super) id: String,
    /// print the API's JSON
    #[argh(switch)]
    pub(super) json: bool,
    /// node to talk to (default 127.0.0.1)
    #[argh(option, arg_name = "HOST")]
    pub(super) api_host: Option<String>,
    /// port of its REST API (default 1234)
    #[argh(option, arg_name = "PORT")]
    pub(super) api_port: Option<String>,
}

/// stop a job
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "stop", example = "codling job stop j-0f8fad5b")]
pub(super) struct JobStop {
    /// id of the job, or the beginning of it
    #[argh(positional, arg_name = "JOB")]
    pub(super) id: String,
    /// print the API's JSON
    #[argh(switch)]
    pub(super) json: bool,
    /// node to talk to (default 127.0.0.1)
    #[argh(option, arg_name = "HOST")]
    pub(super) api_host: Option<String>,
    /// port of its REST API (default 1234)
    #[argh(option, arg_name = "PORT")]
    pub(super) api_port: Option<String>,
}

/// bring images to this board without a registry
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "image",
    example = "codling image load my-image.tar"
)]
pub(super) struct Image {
    #[argh(subcommand)]
    pub(super) command: ImageCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(super) enum ImageCommand {
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
pub(super) struct ImageLoad {
    /// archive made by podman save or docker save; - for stdin
    #[argh(positional, arg_name = "FILE")]
    pub(super) file: String,
    /// print the loaded names as JSON
    #[argh(switch)]
    pub(super) json: bool,
    /// socket of Podman or Docker (default search)
    #[argh(option, arg_name = "PATH")]
    pub(super) engine_socket: Option<String>,
}

/// print the id of the node that lives in a data directory
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "id",
    example = "codling id --data-dir /var/lib/codling"
)]
pub(super) struct Id {
    /// keys and stores (default ~/.bacalhau)
    #[argh(option, arg_name = "DIR")]
    pub(super) data_dir: Option<String>,
    /// print it as JSON
    #[argh(switch)]
    pub(super) json: bool,
}

/// print what this program is
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "version")]
pub(super) struct Version {
    /// print it as JSON
    #[argh(switch)]
    pub(super) json: bool,
}

/// Start a node. Its flags are the table in `config`, so argh's derive has nothing to derive from.
pub(super) struct Serve {
    /// As typed: name without dashes, value.
    pub(super) flags: Vec<(String, String)>,
}

impl FromArgs for Serve {
    /// The words come straightened (`argv.rs`): every flag is known, every value is there.
    fn from_args(_: &[&str], args: &[&str]) -> Result<Self, EarlyExit> {
        let mut flags = Vec::new();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let name = word
                .strip_prefix("--")
                .ok_or_else(|| EarlyExit::from(format!("unexpected word \"{word}\"")))?;
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value),
                None if is_switch(name) => (name, "true"),
                None => (name, words.next().copied().unwrap_or_default()),
            };
            flags.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self { flags })
    }
}

fn is_switch(name: &str) -> bool {
    FLAGS
        .iter()
        .any(|spec| spec.answers_to(name) && spec.shape == FlagShape::Switch)
}

impl SubCommand for Serve {
    const COMMAND: &'static CommandInfo = &CommandInfo {
        name: "serve",
        short: &'\0',
        description: "start a node on this board",
    };
}

/// argh wants `'static` texts, the table makes them from its rows: built once, never changed.
static SERVE_FLAGS: LazyLock<Vec<(String, String, FlagSpec)>> = LazyLock::new(|| {
    FLAGS
        .iter()
        .flat_map(|spec| {
            std::iter::once(&spec.name)
                .chain(spec.synonyms)
                .map(|name| (format!("--{name}"), described(spec), *spec))
        })
        .collect()
});

static SERVE_FLAG_INFO: LazyLock<Vec<FlagInfo<'static>>> = LazyLock::new(|| {
    SERVE_FLAGS
        .iter()
        .map(|(long, description, spec)| FlagInfo {
            kind: match spec.shape {
                FlagShape::Switch => FlagInfoKind::Switch,
                FlagShape::Value | FlagShape::List => FlagInfoKind::Option {
                    arg_name: spec.meta,
                },
            },
            // Whether a flag or its synonym is given twice is `config`'s to say.
            optionality: Optionality::Repeating,
            long,
            short: None,
            description,
            hidden: long.get(2..) != Some(spec.name),
        })
        .collect()
});

fn described(spec: &FlagSpec) -> String {
    match spec.shape {
        FlagShape::Value if !spec.default_shown.starts_with('<') => {
            format!("{} (default {})", spec.help, spec.default_shown)
        }
        _ => spec.help.to_owned(),
    }
}

impl ArgsInfo for Serve {
    fn get_args_info() -> CommandInfoWithArgs {
        CommandInfoWithArgs {
            name: Self::COMMAND.name,
            short: Self::COMMAND.short,
            description: Self::COMMAND.description,
            examples: &[
                "codling serve",
                "codling serve --name pi-kitchen --labels room=kitchen --data-dir /srv/codling",
                "codling serve --peer /ip4/192.0.2.10/tcp/1235/p2p/12D3KooW...",
            ],
            flags: &SERVE_FLAG_INFO,
            notes: &[
                "Each flag has a variable: --api-port is CODLING_API_PORT. A flag beats a variable.",
                "Upstream's variables work too, among them BACALHAU_DIR, DOCKER_HOST and LOG_LEVEL.",
            ],
            ..CommandInfoWithArgs::default()
        }
    }
}
