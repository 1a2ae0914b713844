//! Where a store file lives, and how its file is found, checked, locked and made.
//!
//! A new file is made beside its place under the name `<file>.new`, gets its first commit there and is then renamed, so
//! that a power cut at the first start leaves either no file or a whole one. What lies at the place already is looked
//! at before redb may touch it: a bolt file, a directory or a file in use stays as it is, byte for byte.

use super::error::{Holder, StoreError};
use super::holder;
use redb::StorageBackend;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Magic number of bbolt (`go.etcd.io/bbolt`, `common.Magic`), in each of its two meta pages after the page header.
const BOLT_MAGIC: u32 = 0xED0C_DAED;
/// Bytes of a bbolt page header: id (8), flags (2), count (2), overflow (4).
const BOLT_PAGE_HEADER: u64 = 16;
/// Where bbolt's second meta page may begin: its page size is that of the machine that made the file.
const BOLT_PAGE_SIZES: [u64; 4] = [0, 4_096, 16_384, 65_536];
/// Only the owner reads what jobs carry, such as environment variables.
pub(super) const FILE_MODE: u32 = 0o600;
/// As above, for the directories that are made on the way.
const DIRECTORY_MODE: u32 = 0o700;

/// Where one of the two files lives.
#[derive(Clone, Debug)]
pub enum Place {
    /// A redb file (store type `boltdb`, the documented name of the embedded database). The path includes the file
    /// name; parents are made.
    File(PathBuf),
    /// redb in memory (store type `inmemory`), gone when the store is dropped.
    Memory,
    /// redb on this backend, for tests that record or fail writes. It is opened again after a failure; an empty one is
    /// initialised.
    Backend(Arc<dyn StorageBackend>),
}

/// Whether a file that is not there is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Make it: the first opening in this process.
    Make,
    /// Refuse: it was there before.
    Refuse,
}

/// A file, locked by us, that redb may have.
#[derive(Debug)]
pub(super) enum Found {
    /// A file with content at its place.
    Existing(File),
    /// An empty file under its temporary name; `settle` moves it to its place.
    New(File),
}

/// Finds the file at `path`, or makes one for it.
pub(super) fn find(path: &Path, missing: Missing) -> Result<Found, StoreError> {
    let fail = |source| StoreError::io(path, source);
    match std::fs::metadata(path) {
        // At the first opening an empty file holds nothing that could be lost; the rename replaces it.
        Ok(meta) if meta.is_file() && meta.len() == 0 && missing == Missing::Make => {
            make(path).map(Found::New)
        }
        Ok(_) => {
            let file = existing(path, Access::Write)?;
            match missing {
                // Who gave it its name may have been killed before that was durable.
                Missing::Make => sync_parent(path).map_err(fail)?,
                Missing::Refuse => forget_cached(&file),
            }
            Ok(Found::Existing(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && missing == Missing::Make => {
            make(path).map(Found::New)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::Gone {
            path: path.to_owned(),
        }),
        Err(error) => Err(fail(error)),
    }
}

/// What is to be done to a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing is written, so a card that is mounted read-only will do.
    Read,
    /// Everything.
    Write,
}

/// The file at `path`, locked, if it may be a store.
pub(super) fn existing(path: &Path, access: Access) -> Result<File, StoreError> {
    let fail = |source| StoreError::io(path, source);
    let path_of = || path.to_owned();
    let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::Missing { path: path_of() },
        _ => fail(error),
    })?;
    if meta.is_dir() {
        return Err(StoreError::IsDirectory { path: path_of() });
    }
    if !meta.is_file() {
        return Err(StoreError::NotOurs {
            path: path_of(),
            found: "a device, a pipe or a socket",
            wanted: "a file",
        });
    }
    if meta.len() == 0 {
        return Err(StoreError::Damaged {
            path: path_of(),
            what: "it was emptied".to_owned(),
        });
    }
    let file = OpenOptions::new()
        .read(true)
        .write(access == Access::Write)
        .open(path)
        .map_err(fail)?;
    if is_bolt(&file).map_err(fail)? {
        return Err(StoreError::Bolt { path: path_of() });
    }
    lock(&file, path)?;
    // An import may have put another file in its place before the lock was ours.
    let (ours, there) = (file.metadata().map_err(fail)?, std::fs::metadata(path));
    match there {
        Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => Ok(file),
        _ => Err(in_use(path)),
    }
}

/// Moves a file that `find` made to its place, durably. Its open handles and locks stay as they are.
pub(super) fn settle(path: &Path) -> Result<(), StoreError> {
    rename(&temporary(path), path)
}

/// Has `from` take the place of `to` beside it, durably.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    let fail = |source| StoreError::io(to, source);
    std::fs::rename(from, to).map_err(fail)?;
    sync_parent(to).map_err(fail)
}

/// Damaged files that may lie beside one: a card that damages more of them is at its end, and somebody should look.
const DAMAGED_MAX: u32 = 4;

/// The names that a damaged file gets.
fn aside_names(path: &Path) -> impl Iterator<Item = PathBuf> {
    (1..=DAMAGED_MAX).map(move |number| {
        let mut name = path.as_os_str().to_owned();
        name.push(match number {
            1 => ".damaged".to_owned(),
            other => format!(".damaged-{other}"),
        });
        PathBuf::from(name)
    })
}

/// Gives a damaged file another name beside its place, durably.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let fail = |source| StoreError::io(path, source);
    let Some(aside) = aside_names(path).find(|aside| !aside.exists()) else {
        return Err(StoreError::TooManyDamaged {
            path: path.to_owned(),
            limit: DAMAGED_MAX,
        });
    };
    std::fs::rename(path, &aside).map_err(fail)?;
    sync_parent(path).map_err(fail)?;
    Ok(aside)
}

/// The damaged files that lie beside a store file.
#[must_use]
pub fn damaged_beside(path: &Path) -> Vec<PathBuf> {
    aside_names(path).filter(|aside| aside.exists()).collect()
}

/// Who holds `path`, for the message that it is in use.
pub(super) fn in_use(path: &Path) -> StoreError {
    StoreError::InUse {
        path: path.to_owned(),
        holder: holder::of(path).unwrap_or(Holder::Unknown),
    }
}

/// Refuses two files at one path, however it is written.
pub(super) fn refuse_same(one: &Place, other: &Place) -> Result<(), StoreError> {
    let (Place::File(one), Place::File(other)) = (one, other) else {
        return Ok(());
    };
    let same = one == other
        || std::path::absolute(one).ok() == std::path::absolute(other).ok()
        || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other);
    if same {
        return Err(StoreError::SamePath { path: one.clone() });
    }
    Ok(())
}

fn make(path: &Path) -> Result<File, StoreError> {
    let fail = |source| StoreError::io(path, source);
    make_directories(parent(path)).map_err(fail)?;
    let temporary = temporary(path);
    // Not truncated yet: another node may be making it this moment.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(&temporary)
        .map_err(fail)?;
    lock(&file, &temporary)?;
    file.set_len(0).map_err(fail)?;
    Ok(file)
}

/// Takes the whole-file lock that redb also takes, on the same open file, so that nobody gets in between.
fn lock(file: &File, path: &Path) -> Result<(), StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(in_use(path)),
        // A file system without locks; redb says what it thinks of that.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(StoreError::io(path, error)),
    }
}

/// After a failed flush the kernel may hold pages that it calls clean and that never reached the medium. Reading those
/// would show a commit that a power cut takes back, so they are dropped and read from the medium again. Best effort.
fn forget_cached(file: &File) {
    if let Err(error) = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed) {
        log::debug!("cached pages of a store file stay: {error}");
    }
}

fn is_bolt(file: &File) -> io::Result<bool> {
    for page in BOLT_PAGE_SIZES {
        let mut magic = [0; 4];
        match file.read_exact_at(&mut magic, page + BOLT_PAGE_HEADER) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
        // bbolt writes in the byte order of the machine that made the file.
        if [u32::from_le_bytes(magic), u32::from_be_bytes(magic)].contains(&BOLT_MAGIC) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes what is missing of `directory`, each level durable in the one above.
///
/// # Errors
/// What the system says.
pub fn make_directories(directory: &Path) -> io::Result<()> {
    if !directory.is_dir() {
        make_directories(parent(directory))?;
        match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !directory.is_dir() => {
                return Err(error);
            }
            Ok(()) | Err(_) => {}
        }
    }
    sync_parent(directory)
}

/// Has the name of a file or directory survive a power cut.
///
/// DECISION: also of one that was there before, once a start. A process that was killed between a name and its sync left
/// one that only the kernel knows, and what the next process promises is lost with it; a sync of a directory that has not
/// changed writes nothing.
///
/// # Errors
/// What the system says.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match File::open(parent(path)) {
        // None of ours: what this user cannot read, it did not make.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        opened => opened?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_bare_file_name_is_the_working_directory() {
        assert_eq!(parent(Path::new("jobs.db")), Path::new("."));
        assert_eq!(parent(Path::new("a/jobs.db")), Path::new("a"));
    }

    #[test]
    fn one_path_written_in_two_ways_is_refused_for_both_files() {
        let place = |text: &str| Place::File(PathBuf::from(text));
        assert!(matches!(
            refuse_same(&place("a/jobs.db"), &place("./a/jobs.db")),
            Err(StoreError::SamePath { .. })
        ));
        assert!(refuse_same(&place("a/jobs.db"), &place("a/executions.db")).is_ok());
        assert!(refuse_same(&Place::Memory, &Place::Memory).is_ok());
    }
}
