//! A real image: a manifest, a configuration, the layer of the tests' image and one layer more.

use super::Built;
use crate::support::engines::image_archive;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of the new layer: more than an engine takes at once, so that a reply can stop in the middle.
const NEW_BYTES: usize = 4 << 20;

/// Bytes and their digest.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) digest: String,
    pub(super) bytes: Vec<u8>,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let mut digest = "sha256:".to_owned();
        for byte in Sha256::digest(&bytes) {
            write!(digest, "{byte:02x}").unwrap();
        }
        Self { digest, bytes }
    }

    fn described(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "size": self.bytes.len(), "digest": self.digest })
    }
}

/// An image that no engine has yet.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) manifest: Blob,
    /// Configuration and layers, the new one last.
    pub(super) blobs: Vec<Blob>,
}

impl Image {
    pub(super) fn fresh(built: Built) -> Self {
        let (base_layer, base_config) = base();
        let mut config: Value = base_config.clone();
        let new = Blob::new(new_layer());
        config["rootfs"] = json!({ "type": "layers", "diff_ids": [base_layer.digest, new.digest] });
        config.as_object_mut().unwrap().remove("history");
        if built == Built::Elsewhere {
            config["architecture"] = "s390x".into();
        }
        if built == Built::WithVolume {
            config["config"]["Volumes"] = json!({ "/data": {} });
        }
        let config = Blob::new(config.to_string().into_bytes());
        let layer = "application/vnd.oci.image.layer.v1.tar";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.described("application/vnd.oci.image.config.v1+json"),
            "layers": [base_layer.described(layer), new.described(layer)],
        });
        Self {
            manifest: Blob::new(manifest.to_string().into_bytes()),
            blobs: vec![config, base_layer.clone(), new],
        }
    }
}

/// Layer and configuration of the tests' image, as its engine saves them.
fn base() -> &'static (Blob, Value) {
    static BASE: OnceLock<(Blob, Value)> = OnceLock::new();
    BASE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("image.tar");
        image_archive(&archive);
        let mut tar = Command::new("tar");
        let unpacked = tar
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(dir.path())
            .status();
        assert!(unpacked.unwrap().success());
        let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        let json = |name: &str| -> Value { serde_json::from_slice(&read(name)).unwrap() };
        let saved = &json("manifest.json")[0];
        let layer = saved["Layers"][0].as_str().unwrap();
        (
            Blob::new(read(layer)),
            json(saved["Config"].as_str().unwrap()),
        )
    })
}

/// A tar archive of one file that was never written before: /new, in blocks of 512 bytes (POSIX ustar).
fn new_layer() -> Vec<u8> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = (
        now.as_nanos(),
        std::process::id(),
        MADE.fetch_add(1, Ordering::Relaxed),
    );
    let mut header = [0_u8; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, "new");
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{NEW_BYTES:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut layer = header.to_vec();
    let mut block = Sha256::digest(format!("{seed:?}"));
    while layer.len() < header.len() + NEW_BYTES {
        layer.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    // Two empty blocks end it.
    layer.resize(layer.len() + 1024, 0);
    layer
}
