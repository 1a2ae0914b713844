//! A file that is only read. redb's own backend takes a lock that asks for a file which may be written.

use redb::StorageBackend;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The file; its whole-file lock is held as long as this is.
#[derive(Debug)]
pub(super) struct ReadOnly(pub(super) File);

fn refused() -> io::Error {
    io::ErrorKind::ReadOnlyFilesystem.into()
}

impl StorageBackend for ReadOnly {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(refused())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(refused())
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(refused())
    }
}
