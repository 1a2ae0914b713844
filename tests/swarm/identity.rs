//! The key file and its second copy: one test per rule.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use codling::swarm::{CopyFault, Identity, IdentityError, IdentityOrigin, KeyFault, StoreBeside};
use data_encoding::{BASE64, HEXLOWER};
use tempfile::TempDir;

/// A 2048-bit RSA key as a real Bacalhau node writes it: protobuf of type 0 with PKCS#1 DER.
const RSA_KEY: &str = include_str!("../golden/identity/rsa.key");
/// Its peer id, computed with other tools: base58 of the sha2-256 multihash of the public key's protobuf.
const RSA_ID: &str = include_str!("../golden/identity/rsa.id");

/// The Ed25519 private key of the libp2p specification (peer-ids.md, "Test vectors"), in protobuf.
const SPEC_KEY: &str = "08011240\
    7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d\
    1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";
const SPEC_PUBLIC: &str = "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";

struct DataDir(TempDir);

impl DataDir {
    fn new() -> DataDir {
        DataDir(tempfile::tempdir().unwrap())
    }

    /// A directory that a node has started in once.
    fn used() -> (DataDir, String) {
        let dir = DataDir::new();
        let id = dir.open(StoreBeside::Absent).unwrap().node_id().to_string();
        (dir, id)
    }

    fn open(&self, store: StoreBeside) -> Result<Identity, IdentityError> {
        Identity::open(self.0.path(), store)
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("libp2p_private_key")
    }

    fn copy(&self) -> PathBuf {
        self.0.path().join("libp2p_private_key.bak")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const BOTH: [StoreBeside; 2] = [StoreBeside::Absent, StoreBeside::Present];

#[test]
fn the_first_start_makes_an_ed25519_key_and_its_copy_readable_by_the_owner_only() {
    let dir = DataDir::new();
    let made = dir.open(StoreBeside::Absent).unwrap();
    assert_eq!(made.origin(), IdentityOrigin::Created);
    assert_eq!(made.origin().notice(), None);
    assert!(
        made.node_id().as_str().starts_with("12D3KooW"),
        "{}",
        made.node_id()
    );
    assert_eq!(
        dir.names(),
        ["libp2p_private_key", "libp2p_private_key.bak"]
    );
    for path in [dir.key(), dir.copy()] {
        assert_eq!(mode(&path), 0o600);
        let text = fs::read_to_string(path).unwrap();
        let line = text.strip_suffix('\n').unwrap();
        let protobuf = BASE64.decode(line.as_bytes()).unwrap();
        assert_eq!(
            protobuf[..4],
            [0x08, 0x01, 0x12, 0x40],
            "type Ed25519, 64 bytes"
        );
        assert_eq!(protobuf.len(), 68);
    }
}

#[test]
fn a_node_keeps_its_id_over_starts() {
    let (dir, id) = DataDir::used();
    for store in BOTH {
        let again = dir.open(store).unwrap();
        assert_eq!(again.origin(), IdentityOrigin::Loaded);
        assert_eq!(again.node_id().as_str(), id);
    }
}

#[test]
fn two_nodes_are_never_the_same() {
    assert_ne!(DataDir::used().1, DataDir::used().1);
}

#[test]
fn the_key_of_the_libp2p_specification_gives_the_id_of_its_public_half() {
    let dir = DataDir::new();
    let protobuf = HEXLOWER.decode(SPEC_KEY.as_bytes()).unwrap();
    fs::write(dir.key(), BASE64.encode(&protobuf)).unwrap();
    let id = dir.open(StoreBeside::Present).unwrap().node_id();
    // An identity multihash of the public key's protobuf: base58 of 00 24 08 01 12 20 and the key.
    let expected = format!("002408011220{SPEC_PUBLIC}");
    assert_eq!(
        id.as_str(),
        base58(&HEXLOWER.decode(expected.as_bytes()).unwrap())
    );
}

#[test]
fn the_rsa_key_of_a_bacalhau_node_is_read_and_copied_as_it_is() {
    let dir = DataDir::new();
    fs::write(dir.key(), RSA_KEY).unwrap();
    let read = dir.open(StoreBeside::Present).unwrap();
    assert_eq!(read.origin(), IdentityOrigin::Loaded);
    assert_eq!(read.node_id().as_str(), RSA_ID.trim());
    assert_eq!(fs::read_to_string(dir.copy()).unwrap(), RSA_KEY);

    fs::write(dir.key(), "").unwrap();
    assert_eq!(
        dir.open(StoreBeside::Present).unwrap().node_id().as_str(),
        RSA_ID.trim()
    );
    assert_eq!(fs::read_to_string(dir.key()).unwrap(), RSA_KEY);
}

#[test]
fn a_damaged_or_missing_key_is_restored_from_its_copy_and_said_so() {
    for store in BOTH {
        for damage in [
            None,
            Some(""),
            Some("\n"),
            Some("!!"),
            Some("AAAA"),
            Some(&"A".repeat(20_000)),
        ] {
            let (dir, id) = DataDir::used();
            match damage {
                Some(text) => fs::write(dir.key(), text).unwrap(),
                None => fs::remove_file(dir.key()).unwrap(),
            }
            let restored = dir.open(store).unwrap();
            assert_eq!(
                restored.origin(),
                IdentityOrigin::RestoredFromCopy,
                "{damage:?}"
            );
            let notice = restored.origin().notice().unwrap();
            assert!(
                notice.contains("restored from libp2p_private_key.bak"),
                "{notice}"
            );
            assert_eq!(restored.node_id().as_str(), id);
            assert_eq!(fs::read(dir.key()).unwrap(), fs::read(dir.copy()).unwrap());
            assert_eq!(mode(&dir.key()), 0o600);
            assert_eq!(dir.open(store).unwrap().origin(), IdentityOrigin::Loaded);
        }
    }
}

#[test]
fn what_was_in_a_damaged_key_is_kept() {
    let (dir, _) = DataDir::used();
    fs::write(dir.key(), "half a ke").unwrap();
    dir.open(StoreBeside::Present).unwrap();
    let kept = dir.0.path().join("libp2p_private_key.damaged");
    assert_eq!(fs::read_to_string(kept).unwrap(), "half a ke");
}

#[test]
fn a_missing_damaged_or_older_copy_is_made_again() {
    for copy in [None, Some(""), Some("damaged"), Some(RSA_KEY)] {
        let (dir, id) = DataDir::used();
        match copy {
            Some(text) => fs::write(dir.copy(), text).unwrap(),
            None => fs::remove_file(dir.copy()).unwrap(),
        }
        let loaded = dir.open(StoreBeside::Present).unwrap();
        assert_eq!(loaded.origin(), IdentityOrigin::Loaded);
        assert_eq!(loaded.node_id().as_str(), id);
        assert_eq!(
            fs::read(dir.key()).unwrap(),
            fs::read(dir.copy()).unwrap(),
            "{copy:?}"
        );
    }
}

#[test]
fn a_copy_that_is_another_key_is_kept_under_another_name() {
    let (dir, _) = DataDir::used();
    fs::write(dir.copy(), RSA_KEY).unwrap();
    dir.open(StoreBeside::Absent).unwrap();
    let kept = dir.0.path().join("libp2p_private_key.bak.old");
    assert_eq!(fs::read_to_string(kept).unwrap(), RSA_KEY);
}

#[test]
fn an_empty_key_without_a_store_is_an_interrupted_first_start() {
    for (key, copy) in [
        (Some(""), None),
        (Some("\n"), None),
        (Some(""), Some("")),
        (None, Some("")),
    ] {
        let dir = DataDir::new();
        for (path, text) in [(dir.key(), key), (dir.copy(), copy)] {
            if let Some(text) = text {
                fs::write(path, text).unwrap();
            }
        }
        let made = dir.open(StoreBeside::Absent).unwrap();
        assert_eq!(
            made.origin(),
            IdentityOrigin::CreatedAfterInterruptedStart,
            "{key:?} {copy:?}"
        );
        let notice = made.origin().notice().unwrap();
        assert!(notice.contains("a new key was made"), "{notice}");
        assert_eq!(fs::read(dir.key()).unwrap(), fs::read(dir.copy()).unwrap());
        assert_eq!(
            dir.open(StoreBeside::Absent).unwrap().node_id(),
            made.node_id()
        );
    }
}

#[test]
fn a_store_without_any_key_is_an_error_and_nothing_is_made() {
    let dir = DataDir::new();
    let error = dir.open(StoreBeside::Present).unwrap_err();
    assert!(
        matches!(&error, IdentityError::Missing { path } if *path == dir.key()),
        "{error}"
    );
    assert!(error.to_string().contains("put the key back"), "{error}");
    assert!(dir.names().is_empty());
}

#[test]
fn an_empty_key_with_a_store_and_no_copy_is_an_error() {
    let dir = DataDir::new();
    fs::write(dir.key(), "").unwrap();
    match dir.open(StoreBeside::Present).unwrap_err() {
        IdentityError::Damaged {
            fault: KeyFault::Empty,
            copy: CopyFault::Missing,
            ..
        } => {}
        error => panic!("{error}"),
    }
    assert_eq!(fs::read_to_string(dir.key()).unwrap(), "");
}

#[test]
fn two_damaged_files_are_an_error_that_says_what_is_wrong_with_each() {
    for store in BOTH {
        let dir = DataDir::new();
        fs::write(dir.key(), "not base64").unwrap();
        fs::write(dir.copy(), "AAAA").unwrap();
        let error = dir.open(store).unwrap_err();
        let text = error.to_string();
        for part in [
            dir.key().to_str().unwrap(),
            "not base64",
            "libp2p_private_key.bak",
            "no usable key",
            "put the key back",
        ] {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
        assert_eq!(fs::read_to_string(dir.key()).unwrap(), "not base64");
        assert_eq!(fs::read_to_string(dir.copy()).unwrap(), "AAAA");
    }
}

#[test]
fn a_damaged_key_or_a_damaged_copy_alone_is_an_error_even_without_a_store() {
    let dir = DataDir::new();
    fs::write(dir.key(), "damaged").unwrap();
    let error = dir.open(StoreBeside::Absent).unwrap_err();
    assert!(
        matches!(
            error,
            IdentityError::Damaged {
                copy: CopyFault::Missing,
                ..
            }
        ),
        "{error}"
    );

    fs::rename(dir.key(), dir.copy()).unwrap();
    let error = dir.open(StoreBeside::Absent).unwrap_err();
    assert!(
        matches!(error, IdentityError::CopyDamaged { .. }),
        "{error}"
    );
}

#[test]
fn a_key_whose_halves_do_not_fit_is_damaged() {
    let dir = DataDir::new();
    let mut protobuf = HEXLOWER.decode(SPEC_KEY.as_bytes()).unwrap();
    *protobuf.last_mut().unwrap() ^= 1;
    fs::write(dir.key(), BASE64.encode(&protobuf)).unwrap();
    let error = dir.open(StoreBeside::Absent).unwrap_err();
    assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
}

#[test]
fn a_crash_between_temp_file_and_rename_leaves_the_next_start_a_whole_key() {
    // Cut in the first write: only a temp file, with any part of the key, is there.
    let whole = fs::read(DataDir::used().0.key()).unwrap();
    for cut in [0, 1, whole.len() / 2, whole.len()] {
        let dir = DataDir::new();
        let temp = dir.0.path().join("libp2p_private_key.tmp");
        fs::write(&temp, &whole[..cut]).unwrap();
        fs::set_permissions(&temp, fs::Permissions::from_mode(0o644)).unwrap();
        let made = dir.open(StoreBeside::Absent).unwrap();
        assert_eq!(made.origin(), IdentityOrigin::Created);
        assert_eq!(mode(&dir.key()), 0o600);
        assert_eq!(
            dir.names(),
            ["libp2p_private_key", "libp2p_private_key.bak"]
        );
    }
    // Cut between the key and its copy, the copy's temp file left over.
    let (dir, id) = DataDir::used();
    fs::rename(dir.copy(), dir.0.path().join("libp2p_private_key.bak.tmp")).unwrap();
    assert_eq!(
        dir.open(StoreBeside::Absent).unwrap().node_id().as_str(),
        id
    );
    assert_eq!(
        dir.names(),
        ["libp2p_private_key", "libp2p_private_key.bak"]
    );
}

#[test]
fn a_key_that_others_could_read_is_closed_to_them() {
    let (dir, _) = DataDir::used();
    for path in [dir.key(), dir.copy()] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    dir.open(StoreBeside::Present).unwrap();
    assert_eq!((mode(&dir.key()), mode(&dir.copy())), (0o600, 0o600));
}

#[test]
fn a_directory_in_the_place_of_the_key_is_an_error_of_the_system() {
    let dir = DataDir::new();
    fs::create_dir(dir.key()).unwrap();
    let error = dir.open(StoreBeside::Absent).unwrap_err();
    assert!(
        matches!(&error, IdentityError::Io { path, .. } if *path == dir.key()),
        "{error}"
    );
}

/// Base58 by the book, so that the ids are not checked with the library that made them.
fn base58(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u32> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).map(|_| '1');
    let rest = digits
        .iter()
        .rev()
        .map(|digit| char::from(LETTERS[usize::try_from(*digit).unwrap()]));
    zeros.chain(rest).collect()
}
