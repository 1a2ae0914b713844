//! Whether the kernel can hold containers to their memory limits.

use super::error::read;
use crate::model::MemoryController;
use std::path::Path;

/// Where the firmware of a Raspberry Pi reads the kernel's command line: newer images, older ones.
const CMDLINES: [&str; 2] = ["boot/firmware/cmdline.txt", "boot/cmdline.txt"];

/// Reads below `root` whether memory can be limited: by the controllers of cgroup v2, else by what is mounted of v1. Not by
/// /proc/cgroups alone, which new kernels leave the row out of although v2 can limit memory.
#[must_use]
pub fn read_memory_controller(root: &Path) -> MemoryController {
    let v2 = [
        "sys/fs/cgroup/cgroup.controllers",
        "sys/fs/cgroup/unified/cgroup.controllers",
    ]
    .into_iter()
    .find_map(|path| read(root, path).ok());
    let on_v2 = v2
        .as_ref()
        .is_some_and(|names| names.split_whitespace().any(|name| name == "memory"));
    let v1 = root.join("sys/fs/cgroup/memory").is_dir();
    if on_v2 || v1 {
        MemoryController::On
    } else if v2.is_some() || root.join("sys/fs/cgroup").is_dir() {
        MemoryController::Off {
            cmdline: CMDLINES
                .into_iter()
                .find(|path| root.join(path).is_file())
                .map(|path| format!("/{path}")),
        }
    } else {
        MemoryController::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn controller(files: &[(&str, &str)]) -> MemoryController {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        read_memory_controller(root.path())
    }

    #[test]
    fn a_raspberry_pi_as_shipped_names_the_file_to_edit() {
        const NAMES: (&str, &str) = ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n");
        for (path, shown) in [
            ("boot/firmware/cmdline.txt", "/boot/firmware/cmdline.txt"),
            ("boot/cmdline.txt", "/boot/cmdline.txt"),
        ] {
            let cmdline = Some(shown.to_owned());
            assert_eq!(
                controller(&[NAMES, (path, "root=/dev/mmcblk0p2\n")]),
                MemoryController::Off { cmdline }
            );
        }
        assert_eq!(
            controller(&[NAMES]),
            MemoryController::Off { cmdline: None }
        );
    }

    #[test]
    fn both_versions_of_cgroups_are_understood() {
        let on = [
            ("sys/fs/cgroup/cgroup.controllers", "cpu memory pids"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1"),
        ];
        for file in on {
            assert_eq!(controller(&[file]), MemoryController::On, "{}", file.0);
        }
        assert_eq!(controller(&[]), MemoryController::Unknown);
    }
}
