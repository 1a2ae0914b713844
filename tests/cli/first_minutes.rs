//! The first five minutes on a machine where something is missing: each gives one line of cause and one of fix.

use crate::support::program::{Ended, Program, serve};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// An account that owns nothing and stands in no list.
const STRANGER: &str = "54321";

/// `codling` as a user without a home, a group or rights.
fn as_a_stranger(args: &[&str]) -> Program {
    let mut line = vec!["--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"];
    line.push(env!("CARGO_BIN_EXE_codling"));
    line.extend(args);
    Program::other("/usr/bin/setpriv", &line)
}

/// The last line of cause and the line of fix below it.
#[track_caller]
fn cause_and_fix(ended: &Ended) -> (String, String) {
    let lines: Vec<&str> = ended.err.lines().collect();
    let [.., cause, fix] = lines.as_slice() else {
        panic!("two lines are missing: {}", ended.err);
    };
    assert!(cause.starts_with("codling: "), "{}", ended.err);
    assert!(fix.starts_with("hint: "), "{}", ended.err);
    ((*cause).to_owned(), (*fix).to_owned())
}

/// A file system of its own below `dir`, gone when dropped.
struct Mounted<'a> {
    dir: &'a Path,
}

impl<'a> Mounted<'a> {
    fn tmpfs(dir: &'a Path, options: &str) -> Self {
        let dir_text = dir.display().to_string();
        let args = ["-t", "tmpfs", "-o", options, "tmpfs", &dir_text];
        let ended = Program::other("/bin/mount", &args).run();
        assert_eq!(ended.code, 0, "{}", ended.err);
        Self { dir }
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        Program::other("/bin/umount", &["-l", &self.dir.display().to_string()]).run();
    }
}

#[test]
fn a_data_directory_that_takes_no_files_is_told_with_what_to_do_about_it() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();

    let file = dir.join("file");
    std::fs::write(&file, "").unwrap();
    let (cause, fix) = cause_and_fix(&serve(&file, &[]).run());
    assert!(cause.contains("--data-dir"), "{cause}");
    assert!(fix.contains("a file is in the way"), "{fix}");

    let mount = dir.join("mount");
    std::fs::create_dir(&mount).unwrap();
    {
        let _mounted = Mounted::tmpfs(&mount, "ro,size=1m");
        let (cause, fix) = cause_and_fix(&serve(&mount, &[]).run());
        assert!(cause.contains("Read-only file system"), "{cause}");
        assert!(fix.contains("mount it writable"), "{fix}");
    }
    {
        let _mounted = Mounted::tmpfs(&mount, "size=64k");
        std::fs::write(mount.join("full"), [0; 60_000]).unwrap();
        let (cause, fix) = cause_and_fix(&serve(&mount, &[]).run());
        assert!(cause.contains("No space left"), "{cause}");
        assert!(fix.contains("free some space"), "{fix}");
    }

    let closed = dir.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o500)).unwrap();
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
    let place = closed.join("node").display().to_string();
    let ended = as_a_stranger(&["serve", "--data-dir", &place, "--api-port=0", "--port=0"]).run();
    let (cause, fix) = cause_and_fix(&ended);
    assert!(cause.contains("Permission denied"), "{cause}");
    assert!(fix.contains("that this user may write"), "{fix}");
    assert_eq!(ended.code, 1);
}

#[test]
fn without_a_home_the_place_for_the_data_is_asked_for() {
    let ended = as_a_stranger(&["serve", "--api-port=0", "--port=0"]).run();
    let (cause, fix) = cause_and_fix(&ended);
    assert_eq!(ended.code, 2);
    assert!(cause.contains("HOME is not set"), "{cause}");
    assert!(fix.contains("--data-dir /var/lib/codling"), "{fix}");
}

#[test]
fn an_engine_that_this_user_may_not_use_is_told_with_the_group_to_join() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let socket = scratch.path().join("engine.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o660)).unwrap();
    let group_file = std::fs::read_to_string("/etc/group").unwrap();
    let (group, gid) = group_file
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .map(|fields| (fields[0].to_owned(), fields[2].parse::<u32>().unwrap()))
        .find(|(_, gid)| *gid != 0)
        .expect("this system has a group");
    std::os::unix::fs::chown(&socket, Some(0), Some(gid)).unwrap();
    let socket = socket.display().to_string();
    let args = ["image", "load", "/etc/hostname", "--engine-socket", &socket];
    let ended = as_a_stranger(&args).run();
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .err
            .contains(&format!("sudo usermod -aG {group} $USER")),
        "{}",
        ended.err
    );
    assert!(
        !ended.err.contains("get an engine running"),
        "{}",
        ended.err
    );
}

#[test]
fn a_stopped_engine_is_told_with_the_command_that_starts_it() {
    let scratch = tempfile::tempdir().unwrap();
    let socket = scratch.path().join("engine.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let socket = socket.display().to_string();
    let args = ["image", "load", "/etc/hostname", "--engine-socket", &socket];
    let (cause, fix) = cause_and_fix(&Program::new(&args).run());
    assert!(
        cause.contains("engine.sock") && cause.contains("refused"),
        "{cause}"
    );
    assert!(fix.contains("get an engine running with: "), "{fix}");
}

#[test]
fn run_without_a_node_says_the_command_that_starts_one() {
    let ended = Program::new(&["run", "alpine", "--api-port", "1"]).run();
    assert_eq!(ended.code, 125);
    assert!(
        ended
            .err
            .contains("start one with: codling serve --api-port 1"),
        "{}",
        ended.err
    );
}

#[test]
fn an_id_is_found_under_either_name_of_the_data_directory() {
    for flag in ["--data-dir", "--repo"] {
        let ended = Program::new(&["id", flag, "/nonexistent/place"]).run();
        assert!(
            ended.err.contains("\"/nonexistent/place\""),
            "{flag}: {}",
            ended.err
        );
    }
}
