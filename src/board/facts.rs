//! Cores, memory and disk, as the simple rule of capacity needs them.

use super::error::{BoardError, read};
use crate::model::BoardFacts;
use std::path::Path;

/// Reads the facts of this machine: the CPUs in this process's affinity mask, `MemTotal` of `<root>/proc/meminfo`, and
/// the filesystem that holds `data_dir` or, while that does not exist yet, its nearest existing parent.
///
/// # Errors
/// Names the file or call that failed.
pub fn read_facts(root: &Path, data_dir: &Path) -> Result<BoardFacts, BoardError> {
    let (disk_available_bytes, disk_size_bytes) = disk(data_dir)?;
    Ok(BoardFacts {
        cores: cores()?,
        memory_bytes: memory_bytes(root)?,
        disk_available_bytes,
        disk_size_bytes,
    })
}

fn cores() -> Result<u64, BoardError> {
    let set = rustix::thread::sched_getaffinity(None).map_err(|errno| BoardError::Call {
        what: "the CPUs of this process",
        source: errno.into(),
    })?;
    Ok(u64::from(set.count()).max(1))
}

fn memory_bytes(root: &Path) -> Result<u64, BoardError> {
    const PATH: &str = "proc/meminfo";
    read(root, PATH)?
        .lines()
        .find_map(mem_total)
        .ok_or_else(|| BoardError::Unexpected {
            path: root.join(PATH),
            what: "MemTotal in kB",
        })
}

/// `MemTotal:        3882756 kB`, where kB is 1024 bytes.
fn mem_total(line: &str) -> Option<u64> {
    line.strip_prefix("MemTotal:")?
        .trim()
        .strip_suffix(" kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1_024)
}

/// Available (not free: the rest is root's) and whole size.
fn disk(data_dir: &Path) -> Result<(u64, u64), BoardError> {
    let mut place = data_dir;
    loop {
        match rustix::fs::statvfs(place) {
            Ok(stat) => {
                return Ok((
                    stat.f_bavail.saturating_mul(stat.f_frsize),
                    stat.f_blocks.saturating_mul(stat.f_frsize),
                ));
            }
            Err(errno) => match place.parent() {
                Some(parent) if errno == rustix::io::Errno::NOENT => place = parent,
                _ => {
                    return Err(BoardError::Unreadable {
                        path: place.to_path_buf(),
                        source: errno.into(),
                    });
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mem_total_is_in_units_of_1024_bytes() {
        assert_eq!(
            mem_total("MemTotal:        3882756 kB"),
            Some(3_882_756 * 1_024)
        );
        assert_eq!(mem_total("MemAvailable:    3882756 kB"), None);
        assert_eq!(mem_total("MemTotal: many kB"), None);
    }

    #[test]
    fn a_data_dir_that_does_not_exist_yet_is_measured_at_its_parent() {
        let here = std::env::temp_dir();
        let size = |place: &Path| disk(place).ok().map(|(_, size)| size);
        assert!(size(&here).is_some());
        assert_eq!(size(&here), size(&here.join("not/there/yet")));
    }
}
