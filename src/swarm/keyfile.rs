//! The key file as bytes: one line, base64 of libp2p's `PrivateKey` protobuf, and how it gets to disk.
//!
//! The format is Bacalhau's (`libp2p_private_key`), so a real node can load our file and we can load its: field 1 is the
//! key type, field 2 the key, for RSA as PKCS#1 DER. Ed25519 keys are written; RSA keys are read, and copied as the
//! text they are.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use data_encoding::BASE64;
use libp2p::identity::{Keypair, PublicKey};

/// Longest key file: RSA 8192 in base64 takes 6.3 KiB.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Only the node itself may read its key.
const MODE: u32 = 0o600;

/// What is wrong with the content of a key file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Nothing, or white space only.
    #[error("it is empty")]
    Empty,
    /// More than any key.
    #[error("it is longer than {FILE_BYTES_MAX} bytes")]
    TooLong,
    /// The line is not base64.
    #[error("it is not base64")]
    NotBase64,
    /// The bytes are not a private key this node can use.
    #[error("it holds no usable key: {0}")]
    NotAKey(String),
    /// The key cannot sign what its own public key accepts.
    #[error("its two halves do not fit each other")]
    Inconsistent,
}

/// A file as it was found.
#[derive(Debug)]
pub(super) enum KeyFile {
    Missing,
    Good(Box<StoredKey>),
    Bad(KeyFault),
}

/// A key and the line it is stored as.
pub(super) struct StoredKey {
    pub(super) keypair: Keypair,
    line: String,
}

impl fmt::Debug for StoredKey {
    // The line is the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("public", &self.keypair.public())
            .finish_non_exhaustive()
    }
}

impl PartialEq for StoredKey {
    fn eq(&self, other: &StoredKey) -> bool {
        self.keypair.public() == other.keypair.public()
    }
}

impl StoredKey {
    /// A new Ed25519 key from the system's randomness.
    ///
    /// # Errors
    /// When the system has none to give.
    pub(super) fn generate() -> io::Result<StoredKey> {
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
        // `ed25519_from_bytes` clears the secret it was given.
        let keypair = Keypair::ed25519_from_bytes(&mut secret).map_err(io::Error::other)?;
        let line = BASE64.encode(&keypair.to_protobuf_encoding().map_err(io::Error::other)?);
        Ok(StoredKey { keypair, line })
    }

    /// # Errors
    /// What is wrong with the text.
    pub(super) fn parse(text: &[u8]) -> Result<StoredKey, KeyFault> {
        let line = text.trim_ascii();
        if line.is_empty() {
            return Err(KeyFault::Empty);
        }
        let bytes = BASE64.decode(line).map_err(|_| KeyFault::NotBase64)?;
        let keypair = Keypair::from_protobuf_encoding(&bytes)
            .map_err(|error| KeyFault::NotAKey(error.to_string()))?;
        if !signs_for(&keypair, &keypair.public()) {
            return Err(KeyFault::Inconsistent);
        }
        // Base64 is ASCII.
        let line = String::from_utf8_lossy(line).into_owned();
        Ok(StoredKey { keypair, line })
    }
}

fn signs_for(keypair: &Keypair, public: &PublicKey) -> bool {
    const PROBE: &[u8] = b"codling identity";
    keypair
        .sign(PROBE)
        .is_ok_and(|signature| public.verify(PROBE, &signature))
}

/// Reads a key file.
///
/// # Errors
/// Only what the system says; a missing or damaged file is an answer.
pub(super) fn read(path: &Path) -> io::Result<KeyFile> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KeyFile::Missing),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read > FILE_BYTES_MAX) {
        return Ok(KeyFile::Bad(KeyFault::TooLong));
    }
    Ok(match StoredKey::parse(&text) {
        Ok(key) => KeyFile::Good(Box::new(key)),
        Err(fault) => KeyFile::Bad(fault),
    })
}

/// Makes `path` hold `key`: all of it or what was there before, whatever happens in between. Mode 0600 from the first
/// byte. When this returns, a power cut does not undo it.
///
/// # Errors
/// What the system says; a left-over `<path>.tmp` is replaced by the next try.
pub(super) fn write(path: &Path, key: &StoredKey) -> io::Result<()> {
    let temp = temp_path(path);
    // A left-over of an interrupted write may have been made with another mode.
    match fs::remove_file(&temp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&temp)?;
    file.write_all(key.line.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    rename(&temp, path)
}

/// Renames within a directory, durably.
///
/// # Errors
/// What the system says.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let directory = to
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Takes the key away from everybody else, if they could read it. Says so; a file system without modes is left alone.
pub(super) fn tighten(path: &Path) {
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & !MODE == 0 {
        return;
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(MODE)) {
        Ok(()) => log::warn!(
            "{} could be read by others (mode {mode:o}); it is 600 now",
            path.display()
        ),
        Err(error) => log::warn!(
            "{} can be read by others (mode {mode:o}): {error}",
            path.display()
        ),
    }
}

fn temp_path(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}
