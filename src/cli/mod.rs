//! The front door: argv in, exit code out; a client of the REST API.
//!
//! ```text
//!  argv --> argv.rs (judge, straighten) --> commands.rs (argh) --> one file per command --> exit code
//!             |  help.rs, usage.rs                                     |
//!             `- help and version end here,                            |- serve/   builds a Config, starts the node
//!                whatever the environment holds                        |- run/     submits a job and follows it
//!                                                                      |- job/, id, image, store, version
//!                                                                      `- client.rs: HTTP to a running node
//! ```
//!
//! Only this module writes to stdout and stderr (`console.rs`) and owns the process-wide logger (`logger.rs`).
//!
//! | Exit code | Means |
//! |---|---|
//! | 0 | done; `serve`: stopped |
//! | 1 | failed at run time |
//! | 2 | bad flag or variable |
//! | 3 | place taken: port, data directory, store; `store`: in use |
//! | `run`: the container's | or 124 timed out, 125 never ran, 130 interrupted |

mod argv;
mod client;
mod commands;
mod console;
mod debug;
mod error;
mod help;
mod id;
mod image;
mod interrupt;
mod job;
mod jobfile;
mod log_socket;
mod logger;
mod logs;
mod node;
mod progress;
mod prune;
mod run;
mod serve;
mod store;
mod surroundings;
mod table;
mod usage;
mod version;
mod watch;
mod wire;

use argv::Request;
use commands::Command;
use console::Console;
use error::CliError;
use std::ffi::OsString;
use std::process::ExitCode;

pub use argv::help_pages;

/// How a command ended when nothing went wrong with the command itself: its exit code, which for `run` is the job's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended(u8);

impl Ended {
    const WELL: Self = Self(0);
}

/// Runs one command to its end. `words` is argv without the program's name, `variables` the environment. Installs the
/// process's logger when the command is `serve`, so it is called once in a process.
#[must_use]
pub fn run(
    words: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let mut console = Console;
    match perform(words, variables, &mut console) {
        Ok(Ended(code)) => ExitCode::from(code),
        Err(error) => {
            error.tell(&mut console);
            ExitCode::from(&error)
        }
    }
}

fn perform(
    words: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let command = match argv::read(words)? {
        Request::Help(page) => {
            console.out(page.as_bytes())?;
            return Ok(Ended::WELL);
        }
        Request::Command(command) => command,
    };
    let around = || surroundings::read(variables);
    match *command {
        Command::Version(args) => version::version(&args, console),
        Command::Serve(args) => serve::serve(args, around(), console),
        Command::Run(args) => run::run(&args, around(), console),
        Command::Job(args) => job::job(&args, around(), console),
        Command::Node(args) => node::node(&args, around(), console),
        Command::Image(args) => image::image(&args, around(), console),
        Command::Id(args) => id::id(&args, around(), console),
        Command::Prune(args) => prune::prune(&args, around(), console),
        Command::Store(args) => store::store(&args, around(), console),
        Command::Debug(args) => debug::debug(&args, around(), console),
    }
}
