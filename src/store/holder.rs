//! Who holds the lock of a file, as `/proc/locks` tells. Best effort: a process in another pid namespace is not shown.

use super::error::Holder;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The holder of a whole-file lock on `path`, if it can be found.
pub(super) fn of(path: &Path) -> Option<Holder> {
    let meta = std::fs::metadata(path).ok()?;
    let device = format!(
        "{:02x}:{:02x}:{}",
        rustix::fs::major(meta.dev()),
        rustix::fs::minor(meta.dev()),
        meta.ino()
    );
    let pid = holder_pid(&std::fs::read_to_string("/proc/locks").ok()?, &device)?;
    if pid == std::process::id() {
        return Some(Holder::Itself);
    }
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|name| name.trim_end().to_owned())
        .unwrap_or_default();
    Some(Holder::Process { pid, name })
}

/// The process behind the lock on `device` (`major:minor:inode`, as the kernel writes it) in the text of `/proc/locks`:
/// `1: FLOCK  ADVISORY  WRITE 3124 fe:01:131077 0 EOF`. Locks of open file descriptions are listed with pid -1 and
/// waiting ones with an arrow before the kind; both are passed over.
fn holder_pid(locks: &str, device: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(4);
        let pid = words.next()?.parse().ok()?;
        (words.next()? == device && pid > 0).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_read_from_the_lines_of_proc_locks() {
        let locks = "1: POSIX  ADVISORY  WRITE 911 fe:01:7 0 EOF\n\
                     2: OFDLCK ADVISORY  WRITE -1 fe:01:8 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 3124 fe:01:8 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 3125 fe:01:8 0 EOF\n";
        assert_eq!(holder_pid(locks, "fe:01:8"), Some(3_124));
        assert_eq!(holder_pid(locks, "fe:01:9"), None);
    }
}
