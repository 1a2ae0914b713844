//! One node per data directory.

use super::NodeError;
use crate::store::make_directories;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The lock file; it holds the process id of who locked it last.
const LOCK_FILE: &str = "codling.lock";

/// Holds the data directory until dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

/// Makes the directory (0700) if it is not there, durably, and locks it.
///
/// # Errors
/// `DataDir` if it cannot be made or written, `DataDirTaken` with the holder if another process has it.
pub fn lock_data_dir(dir: &Path) -> Result<DataDirLock, NodeError> {
    let failed = |source: io::Error| NodeError::DataDir {
        path: dir.to_owned(),
        source,
    };
    make_directories(dir).map_err(failed)?;
    let path = dir.join(LOCK_FILE);
    let options = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let mut file = options.map_err(failed)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        // Process ids are short; whatever else is in the file is nobody's name.
        let mut text = String::new();
        let _ = (&mut file).take(16).read_to_string(&mut text);
        let holder = text
            .trim()
            .parse::<u32>()
            .map_or("another process".to_owned(), |pid| format!("process {pid}"));
        return Err(NodeError::DataDirTaken {
            path: dir.to_owned(),
            holder,
        });
    }
    let pid = std::process::id().to_string();
    // Written only when it differs, so that a restart loop under one pid does not wear the card.
    let mut held = String::new();
    let _ = (&mut file).take(16).read_to_string(&mut held);
    if held != pid {
        // In place, which a full disk lets through.
        file.rewind()
            .and_then(|()| file.write_all(pid.as_bytes()))
            .and_then(|()| file.set_len(pid.len() as u64))
            .map_err(failed)?;
    }
    Ok(DataDirLock { _file: file })
}
