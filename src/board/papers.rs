//! What this system says of itself in small files, word for word, for those who look for a cause elsewhere.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Files that say what this board, its kernel and its limits are. None of them holds a secret.
const PAPERS: [&str; 14] = [
    "proc/device-tree/model",
    "etc/os-release",
    "etc/nv_tegra_release",
    "proc/version",
    "proc/uptime",
    "proc/loadavg",
    "proc/meminfo",
    "proc/pressure/memory",
    "proc/pressure/io",
    "proc/self/cgroup",
    "proc/self/limits",
    "sys/fs/cgroup/cgroup.controllers",
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/class/thermal/thermal_zone0/temp",
];
/// Most of each that is read.
const PAPER_MAX: u64 = 4_096;

/// Those that are there below `root`: path and text.
#[must_use]
pub fn read_papers(root: &Path) -> Vec<(String, String)> {
    let paper = |path: &&str| {
        let mut bytes = Vec::new();
        let file = File::open(root.join(path)).ok()?;
        file.take(PAPER_MAX).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some((
            format!("/{path}"),
            text.trim_end_matches(['\n', '\0']).to_owned(),
        ))
    };
    PAPERS.iter().filter_map(paper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_up_to_its_bound_and_what_is_not_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        std::fs::write(root.path().join("proc/version"), "x".repeat(9_000)).unwrap();
        std::fs::write(root.path().join("proc/loadavg"), "0.1 0.2\n").unwrap();
        let papers = read_papers(root.path());
        assert_eq!(papers.len(), 2);
        assert_eq!(papers[0].1.len(), 4_096);
        assert_eq!(papers[1], ("/proc/loadavg".into(), "0.1 0.2".into()));
    }
}
