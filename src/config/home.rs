//! Where the data directory is when nobody says: never in `/`.

use super::Surroundings;
use std::path::{Path, PathBuf};

/// For root without a home that can be written, as on read-only images and under many init systems.
pub const FALLBACK_DATA_DIR: &str = "/var/lib/codling";

/// The documented name of the data directory inside a home.
pub const DATA_DIR_NAME: &str = ".bacalhau";

/// A default data directory and the rule that chose it.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) rule: &'static str,
}

/// `$HOME`, else the home in /etc/passwd; for root without a writable one, [`FALLBACK_DATA_DIR`]. `None` when a user has
/// no home at all.
pub(super) fn default_data_dir(around: &Surroundings) -> Option<Place> {
    let variable = around
        .variable("HOME")
        .map(Path::new)
        .filter(|home| is_home(home));
    let passwd = around.passwd_home.as_deref().filter(|home| is_home(home));
    let (home, rule) = match (variable, passwd) {
        (Some(home), _) => (Some(home), "in $HOME"),
        (None, Some(home)) => (
            Some(home),
            "in the home that /etc/passwd names, as HOME is not set",
        ),
        (None, None) => (None, ""),
    };
    let is_root = around.uid == 0;
    match home {
        Some(home) if !is_root || around.writable_homes.contains(home) => Some(Place {
            path: home.join(DATA_DIR_NAME),
            rule,
        }),
        _ if is_root => Some(Place {
            path: PathBuf::from(FALLBACK_DATA_DIR),
            rule: "root has no writable home",
        }),
        _ => None,
    }
}

fn is_home(path: &Path) -> bool {
    path.is_absolute() && path.parent().is_some()
}
