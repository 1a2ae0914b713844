//! Gathers what settings depend on: the environment, the account, the working directory.

use crate::board::{Account, read_account};
use crate::config::{DATA_DIR_NAME, Raw, Surroundings};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Reads everything once. Nothing here fails: what cannot be read is absent, and the setting that needs it says so.
pub(super) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Surroundings {
    let lossy = |text: OsString| text.to_string_lossy().into_owned();
    let variables: BTreeMap<String, String> = variables
        .into_iter()
        .map(|(name, value)| (lossy(name), lossy(value)))
        .collect();
    let account = read_account(Path::new("/"));
    Surroundings {
        writable_homes: writable_homes(&account, variables.get("HOME")),
        variables,
        // Only relative paths need it.
        working_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        uid: account.uid,
        passwd_home: account.home,
    }
}

fn writable_homes(account: &Account, home: Option<&String>) -> BTreeSet<PathBuf> {
    home.map(PathBuf::from)
        .into_iter()
        .chain(account.home.clone())
        .filter(|home| account.can_keep(home, DATA_DIR_NAME))
        .collect()
}

/// Settings as typed by a command that has few of them: those that were given.
pub(super) fn raw<'a>(
    around: Surroundings,
    flags: impl IntoIterator<Item = (&'a str, &'a Option<String>)>,
) -> Raw {
    Raw {
        flags: flags
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect(),
        around,
    }
}
