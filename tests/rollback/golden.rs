//! The stores of all releases, and one that this release makes, on this one.

use super::{RELEASES, judge, kept, make};
use std::path::{Path, PathBuf};

fn folder(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/store")
        .join(release)
        .join("node")
}

#[test]
fn a_store_of_each_release_is_opened_listed_and_brought_to_rest() {
    for release in RELEASES {
        println!("the store of release {release}");
        judge::comes_to_rest(&folder(release));
    }
}

#[test]
fn a_store_that_this_release_makes_is_brought_to_rest_too() {
    let scratch = tempfile::tempdir().unwrap();
    let made = scratch.path().join("made");
    make::store(&made);
    judge::comes_to_rest(&made);
    if let Some(release) = kept() {
        let folder = release.join("node");
        std::fs::create_dir_all(&folder).unwrap();
        for entry in std::fs::read_dir(&made).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
}
