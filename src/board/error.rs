//! What can fail when a machine is asked about itself.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// A fact that could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BoardError {
    /// A file of /proc or /sys cannot be read.
    #[error("cannot read \"{}\"", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of /proc holds something else than the kernel writes.
    #[error("\"{}\" holds no {what}", path.display())]
    Unexpected {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// A system call failed.
    #[error("cannot ask the kernel for {what}")]
    Call {
        /// What was asked for.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The text of a small file below `root`.
pub(super) fn read(root: &std::path::Path, path: &str) -> Result<String, BoardError> {
    let path = root.join(path);
    std::fs::read_to_string(&path).map_err(|source| BoardError::Unreadable { path, source })
}
