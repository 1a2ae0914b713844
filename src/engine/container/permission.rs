//! What to do when the engine's socket exists and may not be used: permission denied is not the same as absent.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Most of the group file that is looked at; it is a few kB everywhere but on directory servers.
const GROUP_FILE_MAX: u64 = 1 << 20;

/// Advice for the user of `socket`.
pub(super) fn hint(socket: &Path) -> String {
    let group = fs::metadata(socket)
        .ok()
        .filter(|m| m.gid() != 0)
        .and_then(|m| group_name(m.gid()));
    match group {
        Some(group) => {
            format!("join its group with \"sudo usermod -aG {group} $USER\" and log in again, or run as root")
        }
        None => "run as root, or use Podman without root: \"systemctl --user enable --now podman.socket\"".to_owned(),
    }
}

fn group_name(gid: u32) -> Option<String> {
    let mut text = String::new();
    fs::File::open("/etc/group")
        .ok()?
        .take(GROUP_FILE_MAX)
        .read_to_string(&mut text)
        .ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}
