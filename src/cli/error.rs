//! How a command fails, and the exit code of each way.

use super::client::ClientError;
use super::console::Console;
use super::usage::UsageError;
use crate::api::{self, TokenFileError};
use crate::board::engine_install_line;
use crate::config::ConfigError;
use crate::engine::EngineError;
use crate::node::{NodeError, Taken};
use crate::store::{ExportError, ImportError, StoreError};
use crate::swarm;
use std::error::Error as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use thiserror::Error;

/// Exit code of a command that failed at run time.
pub(super) const FAILED: u8 = 1;
/// Exit code of a bad flag or variable.
pub(super) const BAD_USAGE: u8 = 2;
/// Exit code of `serve` where another node already is.
pub(super) const PLACE_TAKEN: u8 = 3;
/// Exit code of `run` when the job ran out of time, as of `timeout`.
pub(super) const TIMED_OUT: u8 = 124;
/// Exit code of `run` when the job never ran, as of `podman run`.
pub(super) const NEVER_RAN: u8 = 125;
/// Exit code of `run` after SIGINT, as of a shell.
pub(super) const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug, Error)]
pub(super) enum CliError {
    /// The command line.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The node that was asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The same, while a job was to be run: its exit code must not be taken for the container's.
    #[error(transparent)]
    NotRun(ClientError),
    /// stdout.
    #[error("cannot write to stdout")]
    Output(#[from] io::Error),
    /// Signals cannot be watched.
    #[error("cannot watch for Ctrl-C")]
    Signals(#[source] io::Error),
    /// A file of the user's.
    #[error("cannot read \"{path}\"")]
    File {
        path: String,
        #[source]
        source: io::Error,
    },
    /// A file for the user.
    #[error("cannot write \"{path}\"")]
    FileNotWritten {
        path: String,
        #[source]
        source: io::Error,
    },
    /// A file that holds no job that could be sent: a line for each problem.
    #[error("{}", lines.join("\n"))]
    JobFile { lines: Vec<String> },
    /// A job file that the node refused: its problems, each with its line of the file.
    #[error("{}", lines.join("\n"))]
    JobRefused { lines: Vec<String>, hint: String },
    /// No node has lived in this data directory.
    #[error("no node has started in \"{dir}\" yet")]
    NoIdentity { dir: String },
    /// A node has lived in this data directory, but its records are not there.
    #[error("there is no store in \"{dir}\"")]
    NoStore { dir: String },
    /// A store file.
    #[error(transparent)]
    Store(StoreError),
    /// What was to be saved.
    #[error(transparent)]
    Export(ExportError),
    /// What was to be restored.
    #[error(transparent)]
    Import(ImportError),
    /// Something that only works without a node.
    #[error(transparent)]
    NodeRuns(NodeError),
    /// The key in the data directory.
    #[error("cannot read the node's key")]
    Identity(#[from] crate::swarm::IdentityError),
    /// The engine of this board.
    #[error("{source}")]
    Engine {
        source: crate::engine::EngineError,
        /// Who would install one.
        uid: u32,
    },
    /// The node that was to be started, or that ran.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A port that another process listens on.
    #[error("port {port} ({flag}) is in use by {holder}")]
    PortTaken {
        port: u16,
        flag: &'static str,
        holder: String,
    },
}

impl CliError {
    /// Prints the error and the hint below.
    pub(super) fn tell(&self, console: &mut Console) {
        if let Self::Usage(error) = self {
            console.err(error.page().as_bytes());
        }
        console.tell(&self.line());
        console.hint(&self.hint());
    }

    /// The error with its causes, on one line.
    pub(super) fn line(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let part = error.to_string();
            if !text.ends_with(&part) {
                text = format!("{text}: {part}");
            }
            cause = error.source();
        }
        text
    }

    /// What to do about it; empty where the message says it.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Usage(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Client(error) | Self::NotRun(error) => error.hint().to_owned(),
            Self::JobRefused { hint, .. } => hint.clone(),
            Self::JobFile { .. } => {
                "nothing was sent; codling job run --help shows a job".to_owned()
            }
            Self::NoIdentity { .. } => {
                "codling serve makes a node there when it first starts".to_owned()
            }
            Self::Engine {
                source: EngineError::LoadFailed { .. },
                ..
            } => "give an archive that podman save or docker save made, and room for it".to_owned(),
            Self::Engine { source, uid } if source.is_away() => source.permission().map_or_else(
                || {
                    let line = engine_install_line(Path::new("/"), *uid);
                    format!("get an engine running with: {line}")
                },
                str::to_owned,
            ),
            Self::Node(error) => node_hint(error).to_owned(),
            Self::NodeRuns(_) => STOP_FIRST.to_owned(),
            Self::NoStore { .. } => {
                "name the files, if they are elsewhere; in memory there is nothing to look at"
                    .to_owned()
            }
            Self::Store(error)
            | Self::Export(ExportError::Store(error))
            | Self::Import(ImportError::Store(error)) => store_hint(error).to_owned(),
            Self::Import(error) => import_hint(error).to_owned(),
            Self::Export(_) => String::new(),
            Self::PortTaken { flag, .. } => {
                format!("stop it, or give another {flag} to run beside it")
            }
            Self::FileNotWritten { .. } => {
                "give another place with --output, or - for stdout".to_owned()
            }
            Self::File { source, .. } => file_hint(source).to_owned(),
            Self::Output(_) | Self::Signals(_) | Self::Identity(_) | Self::Engine { .. } => {
                String::new()
            }
        }
    }
}

/// What to do about a place that is taken or cannot be written; the other errors say it all.
fn node_hint(error: &NodeError) -> &'static str {
    match (error.taken(), error) {
        (Taken::ByAnother, NodeError::Api(_)) => "give another --api-port",
        (Taken::ByAnother, NodeError::Swarm(_)) => "give another --port",
        (Taken::ByAnother, _) => "give another --data-dir to run beside it",
        (Taken::No, NodeError::DataDir { .. } | NodeError::Identity(_) | NodeError::Store(_)) => {
            system_error(error).map_or("", place_hint)
        }
        (
            Taken::No,
            NodeError::Api(api::BindError::NotAvailable { .. })
            | NodeError::Swarm(swarm::BindError::AddressNotHere { .. }),
        ) => "give an address of this machine, as \"ip address\" shows them, or leave it out",
        (
            Taken::No,
            NodeError::Api(api::BindError::PermissionDenied { .. })
            | NodeError::Swarm(swarm::BindError::PermissionDenied { .. }),
        ) => "ports below 1024 are for root: give a higher one, or run as root",
        // The others say it themselves.
        (
            Taken::No,
            NodeError::Token(TokenFileError::Unreadable { .. } | TokenFileError::NotAFile { .. }),
        ) => {
            "give a file that this user may read, or make one: openssl rand -hex 32 >FILE; chmod 600 FILE"
        }
        (Taken::No, _) => "",
    }
}

/// What to do about a store that is a running node's.
const STOP_FIRST: &str = "stop the node first: while it runs, its store is its own";

/// What to do about a store file; the other errors say it.
fn store_hint(error: &StoreError) -> &'static str {
    match error {
        StoreError::InUse { .. } => STOP_FIRST,
        StoreError::Missing { .. } => {
            "check the name; without one, the data directory is looked at"
        }
        StoreError::NotWritable { .. } => "run as its owner, and mount the disk writable",
        StoreError::Full { .. } => "free some space there",
        _ => "",
    }
}

/// What to do about an export that is not taken.
fn import_hint(error: &ImportError) -> &'static str {
    match error {
        ImportError::NotEmpty { .. } => {
            "--replace deletes them; codling store export saves them before"
        }
        ImportError::OtherNode { .. } => {
            "bring that node's key (libp2p_private_key) to this data directory first"
        }
        ImportError::Cut { .. } => "copy it again, or export it again",
        ImportError::NoFile { .. } => "leave out the store type inmemory",
        _ => "",
    }
}

/// What to do about a file that was named and cannot be read.
fn file_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "check the name; - reads stdin",
        io::ErrorKind::PermissionDenied => "chmod it for this user, or run as its owner",
        io::ErrorKind::IsADirectory => "give a file; - reads stdin",
        _ => "",
    }
}

/// What the system said, somewhere below `error`.
fn system_error(error: &NodeError) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(said) = error.downcast_ref() {
            return Some(said);
        }
        cause = error.source();
    }
    None
}

/// What to do about a directory that does not take files.
fn place_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            "give a directory that this user may write: --data-dir DIR, or chown this one"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space there (1 MB is enough to start), or give another --data-dir"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount it writable (mount -o remount,rw ...), or give another --data-dir"
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a file is in the way: give a directory with --data-dir"
        }
        io::ErrorKind::NotFound => {
            "directories cannot be made there: give another place with --data-dir"
        }
        _ => "",
    }
}

impl From<&CliError> for ExitCode {
    fn from(error: &CliError) -> Self {
        Self::from(error.code())
    }
}

impl CliError {
    /// What the process ends with.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::JobFile { .. } => BAD_USAGE,
            Self::NotRun(_) | Self::JobRefused { .. } => NEVER_RAN,
            Self::PortTaken { .. } => PLACE_TAKEN,
            Self::Node(error) => match (error, error.taken()) {
                (NodeError::Peer(_), _) => BAD_USAGE,
                (_, Taken::ByAnother) => PLACE_TAKEN,
                (_, Taken::No) => FAILED,
            },
            Self::NodeRuns(_)
            | Self::Store(StoreError::InUse { .. })
            | Self::Export(ExportError::Store(StoreError::InUse { .. }))
            | Self::Import(ImportError::Store(StoreError::InUse { .. })) => PLACE_TAKEN,
            Self::Client(_)
            | Self::NoStore { .. }
            | Self::Store(_)
            | Self::Export(_)
            | Self::Import(_)
            | Self::Output(_)
            | Self::Signals(_)
            | Self::File { .. }
            | Self::FileNotWritten { .. }
            | Self::NoIdentity { .. }
            | Self::Identity(_)
            | Self::Engine { .. } => FAILED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_that_the_engine_does_not_take_is_told_with_what_it_takes() {
        let error = CliError::Engine {
            source: EngineError::LoadFailed {
                message: "invalid tar header".to_owned(),
            },
            uid: 0,
        };
        assert!(error.line().ends_with("invalid tar header"));
        assert!(error.hint().contains("podman save"), "{}", error.hint());
        assert_eq!(error.code(), FAILED);
    }
}
