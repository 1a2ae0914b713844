//! The first five minutes on a machine where something is missing: each gives one line of cause and one of fix.

use crate::support::engine::ScriptedEngine;
use crate::support::program::{Ended, Program, serve};
use crate::support::wait;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
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

/// A socket that only root and a group may use, in a place that everybody can look into, and the group's name.
fn socket_of_a_group(dir: &Path) -> (UnixListener, String, String) {
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
    let socket = dir.join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o660)).unwrap();
    let group_file = std::fs::read_to_string("/etc/group").unwrap();
    let (group, gid) = group_file
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .map(|fields| (fields[0].to_owned(), fields[2].parse::<u32>().unwrap()))
        .find(|(_, gid)| *gid != 0)
        .expect("this system has a group");
    std::os::unix::fs::chown(&socket, Some(0), Some(gid)).unwrap();
    (listener, socket.display().to_string(), group)
}

#[test]
fn an_engine_that_this_user_may_not_use_is_told_with_the_group_to_join() {
    let scratch = tempfile::tempdir().unwrap();
    let (_listener, socket, group) = socket_of_a_group(scratch.path());
    let join = format!("join its group with \"sudo usermod -aG {group} $USER\"");
    let args = ["image", "load", "/etc/hostname", "--engine-socket", &socket];
    let ended = as_a_stranger(&args).run();
    let (cause, fix) = cause_and_fix(&ended);
    assert_eq!(ended.code, 1);
    assert!(cause.contains("no permission to use"), "{cause}");
    assert!(fix.contains(&join), "{fix}");

    let data = scratch.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(STRANGER.parse().unwrap()), None).unwrap();
    let dir = data.display().to_string();
    let args = [
        "serve",
        "--data-dir",
        &dir,
        "--engine-socket",
        &socket,
        "--api-port=0",
        "--port=0",
    ];
    let node = as_a_stranger(&args).start();
    let told = node.says(&join);
    assert!(!told.contains("get one running"), "one fix: {told}");
}

#[test]
fn a_stopped_engine_is_told_with_the_command_that_starts_it() {
    let scratch = tempfile::tempdir().unwrap();
    let socket = scratch.path().join("engine.sock");
    drop(UnixListener::bind(&socket).unwrap());
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

#[test]
fn a_file_that_cannot_be_read_and_an_address_that_is_not_here_are_told_with_a_fix() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().display().to_string();
    for (args, said, advised) in [
        (&["image", "load", "no.tar"][..], "No such file", "stdin"),
        (&["image", "load", &dir], "is a directory", "give a file"),
        (&["job", "run", "no.yaml"], "No such file", "stdin"),
    ] {
        let (cause, fix) = cause_and_fix(&Program::new(args).run());
        assert!(cause.contains(said), "{cause}");
        assert!(fix.contains(advised), "{fix}");
    }
    // 192.0.2.0/24 is for documentation: nobody has it.
    for flags in [
        &["--api-host", "192.0.2.1", "--api-open"][..],
        &["--swarm-host", "192.0.2.1"],
    ] {
        let args = [
            &["serve", "--data-dir", &dir, "--api-port=0", "--port=0"],
            flags,
        ]
        .concat();
        let (cause, fix) = cause_and_fix(&Program::new(&args).run());
        assert!(cause.contains("does not have that address"), "{cause}");
        assert!(fix.contains("an address of this machine"), "{fix}");
    }
    let flags = ["--api-token-file", "/nonexistent/token"];
    let (cause, fix) = cause_and_fix(&serve(scratch.path(), &flags).run());
    assert!(cause.contains("/nonexistent/token"), "{cause}");
    assert!(fix.contains("openssl rand"), "{fix}");
}

#[test]
fn an_image_on_its_way_tells_how_far_it_is_on_a_terminal_in_one_line() {
    let (scratch, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
    let pipe = scratch.path().join("image.tar");
    let pipe = pipe.display().to_string();
    assert_eq!(Program::other("/usr/bin/mkfifo", &[&pipe]).run().code, 0);
    let socket = engine.socket().display().to_string();
    let command = format!(
        "{} image load {pipe} --engine-socket {socket}",
        env!("CARGO_BIN_EXE_codling")
    );
    let loading = Program::other("/usr/bin/script", &["-qec", &command, "/dev/null"])
        .env("PATH", "/usr/bin:/bin")
        .start();
    let mut archive = std::fs::File::options().write(true).open(&pipe).unwrap();
    wait::until("it tells how far it is", || {
        archive.write_all(&[0; 4_096]).unwrap();
        let out = loading.out();
        if out.contains("MB to the engine") {
            Ok(())
        } else {
            Err(out)
        }
    });
    drop(archive);
    let ended = loading.ended();
    assert_eq!(ended.code, 0, "{}", ended.out);
    let lines: Vec<&str> = ended.out.lines().collect();
    let [progress, ..] = lines.as_slice() else {
        panic!("nothing was told");
    };
    assert!(progress.contains("the engine unpacks them"), "{lines:?}");
    assert!(lines.contains(&"loaded localhost/a:1"), "{lines:?}");
}
