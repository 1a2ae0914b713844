//! Who this node is: `libp2p_private_key` in the data directory, and its second copy.
//!
//! The node id is derived from the key and names the stores, so a key is never made where a store already is: the node
//! would come back as somebody else and its jobs would belong to nobody. The table below decides; "store" is a store of
//! any node beside the key, which the caller looks for.
//!
//! | Key file | Second copy | No store | Store |
//! |---|---|---|---|
//! | good | any | use it; the copy is made again if it is missing, damaged or another key (kept as `.bak.old`) | same |
//! | missing, empty or damaged | good | restore, say so; a damaged file is kept as `.damaged` | same |
//! | missing | missing | make one | error |
//! | empty | missing or empty | interrupted first start: make one, say so | error |
//! | missing | empty | the same | error |
//! | otherwise | | error | error |
//!
//! Writing is temp file, fsync, rename, fsync of the directory; first the key, then the copy. So a crash leaves either
//! no key or a whole one, and a left-over `.tmp` means nothing.

use std::io;
use std::path::{Path, PathBuf};

use libp2p::PeerId;
use libp2p::identity::Keypair;

use super::keyfile::{self, KeyFault, KeyFile, StoredKey};
use super::peers::node_id;
use crate::model::NodeId;

/// The file's documented name.
const KEY_FILE: &str = "libp2p_private_key";

/// The second copy: an SD card that loses one block should not lose the node.
const COPY_FILE: &str = "libp2p_private_key.bak";

/// Whether the data directory already holds a store of some node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreBeside {
    /// None: this may be the first start.
    Absent,
    /// At least one: the node had an identity.
    Present,
}

/// Where the identity came from. All but `Loaded` and `Created` are worth telling the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityOrigin {
    /// The key file.
    Loaded,
    /// The first start: a new key.
    Created,
    /// A first start was interrupted and had left an empty file: a new key.
    CreatedAfterInterruptedStart,
    /// The key file was missing or damaged: its second copy, now written back.
    RestoredFromCopy,
}

impl IdentityOrigin {
    /// What the operator should know; `None` when all went as usual.
    #[must_use]
    pub fn notice(self) -> Option<&'static str> {
        match self {
            IdentityOrigin::Loaded | IdentityOrigin::Created => None,
            IdentityOrigin::CreatedAfterInterruptedStart => Some(
                "libp2p_private_key was empty, left by an interrupted first start: a new key was made",
            ),
            IdentityOrigin::RestoredFromCopy => Some(
                "libp2p_private_key was missing or damaged and was restored from libp2p_private_key.bak",
            ),
        }
    }
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key is gone and a store is there.
    #[error(
        "{} is missing, and so is its copy, but the directory holds the store of a node: \
         put the key back, or start with another --data-dir",
        path.display()
    )]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// The key cannot be read, nor can its copy.
    #[error(
        "{} is damaged ({fault}), and its copy {COPY_FILE} {copy}: put the key back, \
         or move both files away to start as a new node with another --data-dir",
        path.display()
    )]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
        /// What is wrong with the copy, as the rest of a sentence.
        copy: CopyFault,
    },
    /// The key is missing and its copy is damaged.
    #[error(
        "{} is missing, and its copy {COPY_FILE} {copy}: put the key back, \
         or move the copy away to start as a new node",
        path.display()
    )]
    CopyDamaged {
        /// The key file.
        path: PathBuf,
        /// What is wrong with the copy, as the rest of a sentence.
        copy: CopyFault,
    },
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file it refused.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Why the second copy does not help. Completes the sentence "the copy ...".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyFault {
    /// There is none.
    #[error("is missing")]
    Missing,
    /// It is no key.
    #[error("is damaged, too ({0})")]
    Damaged(KeyFault),
}

/// The key of this node and where it came from.
#[derive(Debug)]
pub struct Identity {
    keypair: Keypair,
    origin: IdentityOrigin,
}

impl Identity {
    /// Reads, restores or makes the identity in `dir`, which exists. Call it before the stores are opened, under
    /// whatever lock keeps a second node out of `dir`.
    ///
    /// # Errors
    /// See [`IdentityError`]. No key was lost: a damaged file may have been renamed, and a key that was made may be there
    /// without its copy.
    pub fn open(dir: &Path, store: StoreBeside) -> Result<Identity, IdentityError> {
        let files = Files {
            key: dir.join(KEY_FILE),
            copy: dir.join(COPY_FILE),
        };
        let key = read(&files.key)?;
        let copy = read(&files.copy)?;
        match (key, copy, store) {
            (KeyFile::Good(key), copy, _) => {
                keyfile::tighten(&files.key);
                files.renew_copy(&key, copy);
                Ok(Identity {
                    keypair: key.keypair,
                    origin: IdentityOrigin::Loaded,
                })
            }
            (found, KeyFile::Good(copy), _) => files.restore(&found, *copy),
            (KeyFile::Missing, KeyFile::Missing, StoreBeside::Absent) => {
                files.create(IdentityOrigin::Created)
            }
            (
                KeyFile::Missing | KeyFile::Bad(KeyFault::Empty),
                KeyFile::Missing | KeyFile::Bad(KeyFault::Empty),
                StoreBeside::Absent,
            ) => files.create(IdentityOrigin::CreatedAfterInterruptedStart),
            (KeyFile::Missing, KeyFile::Missing, StoreBeside::Present) => {
                Err(IdentityError::Missing { path: files.key })
            }
            (KeyFile::Missing, KeyFile::Bad(fault), _) => Err(IdentityError::CopyDamaged {
                path: files.key,
                copy: CopyFault::Damaged(fault),
            }),
            (KeyFile::Bad(fault), KeyFile::Missing, _) => Err(IdentityError::Damaged {
                path: files.key,
                fault,
                copy: CopyFault::Missing,
            }),
            (KeyFile::Bad(fault), KeyFile::Bad(copy), _) => Err(IdentityError::Damaged {
                path: files.key,
                fault,
                copy: CopyFault::Damaged(copy),
            }),
        }
    }

    /// Whether a node has left a key, or a copy of one, in `dir`. Reads nothing and makes nothing.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        dir.join(KEY_FILE).exists() || dir.join(COPY_FILE).exists()
    }

    /// This node's id: the peer id in base58 text.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        node_id(&PeerId::from_public_key(&self.keypair.public()))
    }

    /// Where the key came from.
    #[must_use]
    pub fn origin(&self) -> IdentityOrigin {
        self.origin
    }

    pub(super) fn keypair(&self) -> &Keypair {
        &self.keypair
    }
}

struct Files {
    key: PathBuf,
    copy: PathBuf,
}

impl Files {
    fn create(&self, origin: IdentityOrigin) -> Result<Identity, IdentityError> {
        let key = StoredKey::generate().map_err(at(&self.key))?;
        keyfile::write(&self.key, &key).map_err(at(&self.key))?;
        keyfile::write(&self.copy, &key).map_err(at(&self.copy))?;
        Ok(Identity {
            keypair: key.keypair,
            origin,
        })
    }

    fn restore(&self, found: &KeyFile, copy: StoredKey) -> Result<Identity, IdentityError> {
        match found {
            KeyFile::Bad(KeyFault::Empty) | KeyFile::Missing | KeyFile::Good(_) => {}
            KeyFile::Bad(_) => {
                keyfile::rename(&self.key, &with_suffix(&self.key, ".damaged"))
                    .map_err(at(&self.key))?;
            }
        }
        keyfile::write(&self.key, &copy).map_err(at(&self.key))?;
        keyfile::tighten(&self.copy);
        Ok(Identity {
            keypair: copy.keypair,
            origin: IdentityOrigin::RestoredFromCopy,
        })
    }

    /// The node runs without its second copy, too: a failure here is a line, not an error.
    fn renew_copy(&self, key: &StoredKey, copy: KeyFile) {
        let kept = match copy {
            KeyFile::Good(copy) if *copy == *key => return keyfile::tighten(&self.copy),
            KeyFile::Good(_) => keyfile::rename(&self.copy, &with_suffix(&self.copy, ".old")),
            KeyFile::Missing | KeyFile::Bad(_) => Ok(()),
        };
        if let Err(error) = kept.and_then(|()| keyfile::write(&self.copy, key)) {
            log::warn!(
                "{} could not be written, the key has no second copy: {error}",
                self.copy.display()
            );
        }
    }
}

fn read(path: &Path) -> Result<KeyFile, IdentityError> {
    keyfile::read(path).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> IdentityError + '_ {
    move |source| IdentityError::Io {
        path: path.to_owned(),
        source,
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
