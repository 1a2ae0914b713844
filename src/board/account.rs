//! Whose process this is, and where it may keep things.

use super::error::read;
use std::path::{Path, PathBuf};

/// The account that this process runs under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Effective user id.
    pub uid: u32,
    /// Its home in /etc/passwd. Other name services are not asked: they need a network.
    pub home: Option<PathBuf>,
}

/// Reads the account below `root`.
#[must_use]
pub fn read_account(root: &Path) -> Account {
    let uid = rustix::process::geteuid().as_raw();
    let home = read(root, "etc/passwd")
        .ok()
        .and_then(|passwd| passwd.lines().find_map(|line| home_of(line, uid)));
    Account { uid, home }
}

impl Account {
    /// Whether this process can keep a data directory called `name` in `home`: it can write there, or in the directory
    /// that is already there (as on an image whose only writable part is that one).
    #[must_use]
    pub fn can_keep(&self, home: &Path, name: &str) -> bool {
        use rustix::fs::{Access, access};
        let writable = |path: &Path| access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        writable(&home.join(name)) || writable(home)
    }
}

/// `name:password:uid:gid:comment:home:shell`.
fn home_of(line: &str, uid: u32) -> Option<PathBuf> {
    let mut fields = line.split(':');
    let owner = fields.nth(2)?.parse::<u32>().ok()?;
    let home = fields.nth(2)?;
    (owner == uid && !home.is_empty()).then(|| PathBuf::from(home))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_found_by_user_id() {
        let line = "pi:x:1000:1000:,,,:/home/pi:/bin/bash";
        assert_eq!(home_of(line, 1_000), Some(PathBuf::from("/home/pi")));
        assert_eq!(home_of(line, 0), None);
        assert_eq!(home_of("broken", 0), None);
        assert_eq!(home_of("x:x:0:0:::/bin/sh", 0), None);
    }
}
