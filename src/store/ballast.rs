//! Room that is kept for bad times: a file beside each store file that is emptied when its disk is full, so that what
//! runs can still be stored with its end.
//!
//! ```text
//!   whole --(the store file, or its repair, finds no space)--> given up --(a look finds room for two)--> whole
//! ```
//! It holds nothing that anybody reads, so that a power cut at any moment leaves it whole, empty or in between, and the
//! next start or look makes it whole again. It is never written but then.

use super::place;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a ballast holds: the pages of three commits, as many as redb keeps apart, of 60 kB each (an end in a large store
/// takes half of that), and what some ten ends add to the store by their outputs.
const BYTES: u64 = 256 * 1024;
/// What must be free to make one: the same again, for a disk that this fills is full once more.
const FREE_BYTES: u64 = 2 * BYTES;
/// What `stat` counts blocks in, whatever those of the file system are.
const STAT_BLOCK_BYTES: u64 = 512;

/// The ballast of one store file.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    is_whole: AtomicBool,
}

impl Ballast {
    /// That of the store file at `file`, not made yet.
    pub(super) fn beside(file: &Path) -> Self {
        let mut path = OsString::from(file);
        path.push(".ballast");
        Self {
            path: path.into(),
            is_whole: AtomicBool::new(false),
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }

    /// Makes what is missing of it, if there is room.
    pub(super) fn make(&self) {
        if self.is_whole() {
            return;
        }
        match self.try_make() {
            Ok(()) => self.is_whole.store(true, Ordering::Relaxed),
            Err(error) => log::debug!("no ballast \"{}\": {error}", self.path.display()),
        }
    }

    /// Frees its space. False if there was nothing to free.
    pub(super) fn give_up(&self) -> bool {
        self.is_whole.store(false, Ordering::Relaxed);
        let freed = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .and_then(|file| {
                let held = file.metadata()?.len() > 0;
                if held {
                    file.set_len(0)?;
                    // Some file systems hand out freed blocks only once that is on the medium.
                    file.sync_all()?;
                }
                Ok(held)
            });
        freed.unwrap_or_else(|error| {
            log::debug!("ballast \"{}\" stays: {error}", self.path.display());
            false
        })
    }

    fn try_make(&self) -> io::Result<()> {
        match std::fs::metadata(&self.path) {
            Ok(meta) if meta.len() == BYTES && meta.blocks() * STAT_BLOCK_BYTES >= BYTES => {
                return Ok(());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if free(place::parent(&self.path))? < FREE_BYTES {
            return Err(Errno::NOSPC.into());
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(place::FILE_MODE)
            .open(&self.path)?;
        // A quota is not seen before it refuses.
        let filled = take(&file).and_then(|()| file.set_len(BYTES));
        if filled.is_err() {
            file.set_len(0)?;
        }
        filled
    }
}

/// Takes room for two, of which one is given back.
fn take(file: &File) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, FREE_BYTES) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_noise(file),
        other => Ok(other?),
    }
}

/// For file systems that allocate by writing only, some of which would compress what is all the same.
fn write_noise(mut file: &File) -> io::Result<()> {
    let mut state = BYTES;
    let mut block = [0; 4_096];
    for _ in 0..FREE_BYTES / 4_096 {
        for word in block.chunks_exact_mut(8) {
            // Xorshift (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    Ok(())
}

/// Bytes that this user may still take there.
fn free(directory: &Path) -> io::Result<u64> {
    let stat = statvfs(directory)?;
    let blocks = if rustix::process::geteuid().is_root() {
        stat.f_bfree
    } else {
        stat.f_bavail
    };
    Ok(blocks.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballast(directory: &Path) -> Ballast {
        Ballast::beside(&directory.join("jobs.db"))
    }

    fn size(ballast: &Ballast) -> (u64, u64) {
        let meta = std::fs::metadata(&ballast.path).unwrap();
        (meta.len(), meta.blocks() * STAT_BLOCK_BYTES)
    }

    #[test]
    fn a_ballast_takes_its_space_gives_it_up_and_takes_it_again() {
        let directory = tempfile::tempdir().unwrap();
        let ballast = ballast(directory.path());
        assert!(!ballast.is_whole() && !ballast.give_up());
        for _ in 0..2 {
            ballast.make();
            assert!(ballast.is_whole());
            assert_eq!(size(&ballast), (BYTES, BYTES));
            assert!(ballast.give_up());
            assert!(!ballast.is_whole() && !ballast.give_up());
            assert_eq!(size(&ballast), (0, 0));
        }
    }

    #[test]
    fn what_a_power_cut_left_of_a_ballast_is_made_whole_and_a_whole_one_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let left = ballast(directory.path());
        for len in [0, 1, BYTES - 1, BYTES, FREE_BYTES] {
            // Nothing of it is allocated, whatever its length says.
            File::create(&left.path).unwrap().set_len(len).unwrap();
            let next = ballast(directory.path());
            next.make();
            assert!(next.is_whole());
            assert_eq!(size(&next), (BYTES, BYTES), "left with {len} bytes");
        }
        let changed = || std::fs::metadata(&left.path).unwrap().modified().unwrap();
        let before = changed();
        ballast(directory.path()).make();
        assert_eq!(changed(), before);
    }

    #[test]
    fn noise_takes_as_much_space_as_an_allocation() {
        let directory = tempfile::tempdir().unwrap();
        let ballast = ballast(directory.path());
        write_noise(&File::create(&ballast.path).unwrap()).unwrap();
        assert_eq!(size(&ballast).0, FREE_BYTES);
        let bytes = std::fs::read(&ballast.path).unwrap();
        let different: std::collections::BTreeSet<&[u8]> = bytes.chunks(8).collect();
        assert_eq!(different.len(), bytes.len() / 8);
    }

    #[test]
    fn a_place_where_no_ballast_can_be_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let none = ballast(&directory.path().join("not there"));
        none.make();
        assert!(!none.is_whole() && !none.give_up());
        let taken = ballast(directory.path());
        std::fs::create_dir(&taken.path).unwrap();
        taken.make();
        assert!(!taken.is_whole() && !taken.give_up());
    }
}
