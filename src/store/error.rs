//! Why a store cannot be opened, read or written: one variant per situation that a caller or an operator handles
//! differently, and the one place where redb's errors become ours.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Linux `ENOSPC`: no space left on the device.
const ENOSPC: i32 = 28;
/// Linux `EDQUOT`: the quota of this user is used up.
const EDQUOT: i32 = 122;

/// Why a store file cannot be used. Every message names the file; none repeats its source.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The path is a directory.
    #[error("store path \"{}\" is a directory: give the path with a file name, such as \"{}/jobs.db\"", path.display(), path.display())]
    IsDirectory {
        /// As given.
        path: PathBuf,
    },
    /// Both files have the same path.
    #[error("jobs and executions cannot share the store file \"{}\": give two paths", path.display())]
    SamePath {
        /// As given.
        path: PathBuf,
    },
    /// The file was written by bbolt, so by Bacalhau. It was not changed.
    #[error("store file \"{}\" is a bolt database, as Bacalhau writes them, and was left as it is: give another path or data directory", path.display())]
    Bolt {
        /// Which.
        path: PathBuf,
    },
    /// Another process, or another node in this one, has the file open.
    #[error("store file \"{}\" is in use by {holder}", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
        /// By whom.
        holder: Holder,
    },
    /// A later release wrote the file. Its records were not changed.
    #[error("store file \"{}\" has schema {found}, and this release knows up to {known}: run the release that wrote it, or give another path", path.display())]
    NewerSchema {
        /// Which.
        path: PathBuf,
        /// The schema in the file.
        found: u64,
        /// The newest schema that this release knows.
        known: u64,
    },
    /// A redb file of another program, or the other one of the two files.
    #[error("store file \"{}\" holds {found}, not {wanted}: give another path", path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// What it holds.
        found: &'static str,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The file cannot be understood.
    #[error("store file \"{}\" is damaged ({what}): put a copy in its place, or start with --store-damaged set-aside, which moves it away", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A damaged file, beside others that were moved aside earlier.
    #[error("store file \"{}\" is damaged, like the {limit} beside it that were moved aside earlier: check the disk, and remove them", path.display())]
    TooManyDamaged {
        /// Which.
        path: PathBuf,
        /// How many there are.
        limit: u32,
    },
    /// Permissions, or a read-only file system.
    #[error("store file \"{}\" cannot be written", path.display())]
    NotWritable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No space, or no quota, left.
    #[error("there is no space left for store file \"{}\"", path.display())]
    Full {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No file was found where one was named.
    #[error("there is no store file \"{}\"", path.display())]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// The file was there when the node started and is not any more.
    #[error("store file \"{}\" has vanished", path.display())]
    Gone {
        /// Which.
        path: PathBuf,
    },
    /// The file was closed after a failure; it must be reopened first.
    #[error("store file \"{}\" is closed since an earlier failure", path.display())]
    Closed {
        /// Which.
        path: PathBuf,
    },
    /// Any other failure of the medium.
    #[error("store file \"{}\" cannot be read or written", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No thread for what the store does beside its node.
    #[error("a thread of the store cannot be started")]
    Thread {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Who holds a file, as far as `/proc` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This process.
    Itself,
    /// Another one.
    Process {
        /// Its id.
        pid: u32,
        /// The name of its program, may be empty.
        name: String,
    },
    /// Nobody that can be seen from here.
    Unknown,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Itself => write!(f, "this process (pid {})", std::process::id()),
            Self::Process { pid, name } => write!(f, "process {pid} (\"{name}\")"),
            Self::Unknown => f.write_str("another process"),
        }
    }
}

impl StoreError {
    /// Sorts an I/O error on `path` into its situation.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match (source.raw_os_error(), source.kind()) {
            (Some(ENOSPC | EDQUOT), _) => Self::Full { path, source },
            (_, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
                Self::NotWritable { path, source }
            }
            (_, io::ErrorKind::IsADirectory) => Self::IsDirectory { path },
            (None, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => Self::Damaged {
                path,
                what: source.to_string(),
            },
            _ => Self::Io { path, source },
        }
    }
}

/// What went wrong inside one file, before its path is known.
#[derive(Debug)]
pub(super) enum Trouble {
    /// redb said so.
    Redb(redb::Error),
    /// A record cannot be encoded or decoded.
    Record(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redb(error) => error.fmt(f),
            Self::Record(what) => f.write_str(what),
        }
    }
}

impl Trouble {
    /// A record of `table` under `key` that cannot be encoded or decoded.
    pub(super) fn record(table: &str, key: &str, what: impl std::fmt::Display) -> Self {
        Self::Record(format!("record \"{key}\" of table \"{table}\": {what}"))
    }

    /// Whether every later call fails, too, until the file is opened again: redb latches after an I/O error.
    pub(super) fn is_latched(&self) -> bool {
        matches!(
            self,
            Self::Redb(redb::Error::Io(_) | redb::Error::PreviousIo)
        )
    }

    /// The same, now that the path is known.
    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Record(what) => StoreError::Damaged { path, what },
            Self::Redb(redb::Error::Io(source)) => StoreError::io(&path, source),
            Self::Redb(redb::Error::DatabaseAlreadyOpen) => StoreError::InUse {
                path,
                holder: Holder::Unknown,
            },
            Self::Redb(redb::Error::PreviousIo | redb::Error::DatabaseClosed) => {
                StoreError::Closed { path }
            }
            Self::Redb(other) => StoreError::Damaged {
                path,
                what: other.to_string(),
            },
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {
        $(impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                Self::Redb(error.into())
            }
        })*
    };
}

from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::CompactionError
);
