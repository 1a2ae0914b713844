//! File systems of a test's own: small ones, that fill up, and ones that turn read-only. Unmounted when dropped, and when
//! the tests are killed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A file system, mounted.
#[derive(Debug)]
pub(crate) struct Mount {
    /// Where it is.
    pub(crate) at: PathBuf,
    /// What it is made of; removed after it.
    scratch: TempDir,
    /// Mounted above each other.
    layers: usize,
    /// Unmounts all of them once its stdin is closed, which the end of this process does in whatever way.
    keeper: Child,
}

/// Lazily, for a test that failed may leave something open.
const KEEPER: &str = r#"cat >/dev/null; while umount --lazy "$1" 2>/dev/null; do :; done"#;

impl Mount {
    /// In memory, of so many KiB.
    #[track_caller]
    pub(crate) fn tmpfs(kib: u32) -> Self {
        let mut mount = Self::nowhere();
        let size = format!("size={kib}k");
        mount.layer(&["-t", "tmpfs", "-o", &size, "tmpfs"]);
        mount
    }

    /// ext4 on a loop device, of so many MiB.
    #[track_caller]
    pub(crate) fn ext4(mib: u64) -> Self {
        let mut mount = Self::nowhere();
        let image = mount.image(0);
        File::create(&image).unwrap().set_len(mib << 20).unwrap();
        let path = image.display().to_string();
        run("mkfs.ext4", &["-q", "-F", &path]);
        mount.layer(&["-t", "ext4", "-o", "loop,errors=remount-ro", &path]);
        mount
    }

    fn nowhere() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let at = scratch.path().join("disk");
        fs::create_dir(&at).unwrap();
        // In a session of its own, so that what kills the tests spares it.
        let keeper = Command::new("setsid")
            .args(["sh", "-c", KEEPER, "keeper"])
            .arg(&at)
            .stdin(Stdio::piped())
            .spawn()
            .expect("setsid is there");
        Self {
            at,
            scratch,
            layers: 0,
            keeper,
        }
    }

    fn image(&self, layer: usize) -> PathBuf {
        self.scratch.path().join(format!("image-{layer}"))
    }

    #[track_caller]
    fn layer(&mut self, what: &[&str]) {
        let at = self.at.display().to_string();
        run("mount", &[what, &[&at]].concat());
        self.layers += 1;
    }

    /// Takes all the space that is left.
    pub(crate) fn fill(&self, name: &str) -> PathBuf {
        let path = self.at.join(name);
        let mut file = File::create(&path).unwrap();
        let mut block = vec![0; 64 * 1024];
        while !block.is_empty() {
            if file.write_all(&block).is_err() {
                block.truncate(block.len() / 2);
            }
        }
        // What is only promised to be allocated may still fail.
        let _ = file.sync_all();
        path
    }

    /// Does to the ext4 what the kernel does after an error of its medium: whatever is open, nothing is written any more.
    #[track_caller]
    pub(crate) fn turn_read_only(&self) {
        let at = self.at.display().to_string();
        run("mount", &["-o", "remount,abort", &at]);
        let refused = fs::write(self.at.join("probe"), "x").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    }

    /// Somebody repairs what is on the medium and mounts it again.
    #[track_caller]
    pub(crate) fn repair(&mut self) {
        let repaired = self.image(self.layers).display().to_string();
        fs::copy(self.image(self.layers - 1), &repaired).unwrap();
        // 1 says that errors were corrected.
        let checked = Command::new("e2fsck").args(["-fy", &repaired]).output();
        let code = checked.expect("e2fsck is there").status.code();
        assert!(matches!(code, Some(0 | 1)), "e2fsck ended with {code:?}");
        self.layer(&["-t", "ext4", "-o", "loop", &repaired]);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Whether something is mounted there.
pub(crate) fn is_mounted(at: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let at = at.display().to_string();
    mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(&at))
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?} failed: {}\nthe tests mount file systems of their own: run them as root, where mounting \
         and loop devices are allowed",
        String::from_utf8_lossy(&output.stderr)
    );
}
