//! The token of `--api-token-file`: read once at start, kept as a hash, compared in constant time.

use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The shortest token: what `openssl rand -hex 8` prints. Shorter ones can be guessed over a network.
pub const TOKEN_MIN: usize = 16;

/// The longest token: it travels in a header with every request.
pub const TOKEN_MAX: usize = 512;

/// Bits of a file's mode that let others read or write it.
const OTHERS: u32 = 0o077;

/// Why a token file cannot be used. Never quotes what is in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("the token file {} cannot be read (--api-token-file)", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is a directory, a device or a pipe.
    #[error("the token file {} is not a file (--api-token-file)", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// Others than its owner may read or write it.
    #[error("the token file {} is open to others: mode {mode:o} (--api-token-file); run: chmod 600 {}", path.display(), path.display())]
    OpenToOthers {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is nothing in it.
    #[error("the token file {} is empty (--api-token-file); fill it with: openssl rand -hex 32", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// It could be guessed.
    #[error("the token in {} is too short: {length} < {TOKEN_MIN} bytes (--api-token-file); make one with: openssl rand -hex 32", path.display())]
    TooShort {
        /// Which.
        path: PathBuf,
        /// How long the token is.
        length: usize,
    },
    /// It does not fit a header.
    #[error("the token in {} is too long: more than {TOKEN_MAX} bytes (--api-token-file); make one with: openssl rand -hex 32", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// It holds blanks, line breaks or bytes that no header carries.
    #[error("the token in {} has a byte that no header carries, at {at} (--api-token-file): one line of letters, digits and punctuation", path.display())]
    NotAToken {
        /// Which.
        path: PathBuf,
        /// Where, counted from 0.
        at: usize,
    },
}

/// What every caller must show. The text itself is not kept, so it cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken([u8; 32]);

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken")
    }
}

impl ApiToken {
    /// Reads a token file: one line, blanks around it do not count.
    ///
    /// # Errors
    /// See [`TokenFileError`].
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let path_buf = || path.to_path_buf();
        let unreadable = |source| TokenFileError::Unreadable {
            path: path_buf(),
            source,
        };
        // A pipe would block the open; it is judged before.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(TokenFileError::NotAFile { path: path_buf() });
        }
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(TokenFileError::OpenToOthers {
                path: path_buf(),
                mode,
            });
        }
        // Room for the token and a few blanks; more is a mistake, however large the file.
        let mut text = Vec::new();
        let limit = u64::try_from(TOKEN_MAX * 2).unwrap_or(u64::MAX);
        file.take(limit)
            .read_to_end(&mut text)
            .map_err(unreadable)?;
        let token = text.trim_ascii();
        match token.len() {
            0 => Err(TokenFileError::Empty { path: path_buf() }),
            length if length < TOKEN_MIN => Err(TokenFileError::TooShort {
                path: path_buf(),
                length,
            }),
            length if length > TOKEN_MAX => Err(TokenFileError::TooLong { path: path_buf() }),
            _ => match token.iter().position(|byte| !byte.is_ascii_graphic()) {
                Some(at) => Err(TokenFileError::NotAToken {
                    path: path_buf(),
                    at,
                }),
                None => Ok(Self::of(token)),
            },
        }
    }

    fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether this is it. The hashes are compared to the last byte, so the time tells nothing of the token.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        let shown = Self::of(shown);
        let difference = self
            .0
            .iter()
            .zip(shown.0)
            .fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs));
        std::hint::black_box(difference) == 0
    }
}
