//! A disk that stands still: what a node does meanwhile is what it does before its promises are durable.
//!
//! kill -9 alone loses nothing that was written, so it cannot tell a promise that is on disk from one that soon will be. A
//! frozen filesystem can: its writers wait until it is thawed.

use super::books::{Books, submission};
use super::life::Life;
use super::plan::Order;
use super::seen::{Seen, find, id_of, listen, pass_time, submit, watch};
use crate::support::engines::Real;
use crate::support::http;
use crate::support::jobs::IMAGE;
use crate::support::program::serve;
use crate::support::tap::{Call, Side, Tap};
use crate::support::wait;
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a node is given to do what it must not: hundreds of times what it needs to.
const TEMPTED_FOR: Duration = Duration::from_millis(700);

/// Room for both stores and ext4's own journal.
const DISK_BYTES: u64 = 32 << 20;

/// A filesystem of its own that can be made to stand still. Needs root, as `scripts/test` says.
struct Disk {
    _dir: TempDir,
    at: PathBuf,
    /// Thaws when its stdin ends, which it does with the test's process at the latest: no writer is left waiting.
    frozen: Option<Child>,
}

impl Disk {
    fn mount() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (image, at) = (dir.path().join("image"), dir.path().join("disk"));
        fs::File::create(&image)
            .unwrap()
            .set_len(DISK_BYTES)
            .unwrap();
        fs::create_dir(&at).unwrap();
        run("mkfs.ext4", &["-q", "-F"], &[&image]);
        run("mount", &["-o", "loop"], &[&image, &at]);
        Self {
            _dir: dir,
            at,
            frozen: None,
        }
    }

    /// From here on whoever writes waits.
    fn freeze(&mut self) {
        let thaw = Command::new("sh")
            .args(["-c", "read _; exec fsfreeze --unfreeze \"$0\""])
            .arg(&self.at)
            .stdin(Stdio::piped())
            .spawn();
        self.frozen = Some(thaw.expect("sh runs"));
        run("fsfreeze", &["--freeze"], &[&self.at]);
    }

    fn thaw(&mut self) {
        if let Some(mut thaw) = self.frozen.take() {
            drop(thaw.stdin.take());
            let _ = thaw.wait();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.thaw();
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

#[track_caller]
fn run(command: &str, words: &[&str], paths: &[&Path]) {
    let status = Command::new(command).args(words).args(paths).status();
    let status = status.unwrap_or_else(|error| panic!("{command}: {error}"));
    assert!(status.success(), "{command} needs root");
}

fn order(name: &str, pause: &str) -> Order {
    Order {
        image: IMAGE.to_owned(),
        name: name.to_owned(),
        line: format!("echo begins; {pause}echo warns >&2; echo ends; exit 7"),
        stdout: "begins\nends\n".to_owned(),
        stderr: "warns\n".to_owned(),
        exit_code: 7,
        persistent: true,
    }
}

/// Waits until half a call has passed; what was seen until then.
#[track_caller]
fn until_passed(seen: &Receiver<Seen>, call: Call, side: Side) -> Vec<Seen> {
    let deadline = Instant::now() + wait::LONG;
    let mut happened = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match seen.recv_timeout(left) {
            Ok(event @ Seen::Engine(..)) if is(&event, call, side) => return happened,
            Ok(event) => happened.push(event),
            Err(_) => panic!("{call:?} was not {side:?}; seen: {happened:?}"),
        }
    }
}

fn is(event: &Seen, call: Call, side: Side) -> bool {
    matches!(event, Seen::Engine(other, half) if (*other, *half) == (call, side))
}

/// Kills a node whose writer waits for the disk: it ends when the disk goes on.
fn kill_on(disk: &mut Disk, life: Life) {
    life.signal(Signal::KILL);
    disk.thaw();
    life.kill();
}

#[test]
fn while_the_disk_stands_still_a_container_is_made_but_not_started_and_no_submission_is_answered() {
    let mut disk = Disk::mount();
    let dir = disk.at.join("node");
    let scratch = tempfile::tempdir().unwrap();
    let tap = Tap::start(scratch.path(), Real::Podman.socket());
    let mut books = Books::default();
    let life = Life::start(&dir, &tap.socket);
    let before = order("before the disk stands still", "");
    let answer = life.call("PUT", "jobs", Some(&submission(&before)));
    books.enter(&id_of(&answer), &before);
    books.settle(&life, || tap.counts());

    let (tell, seen) = channel();
    listen(&tap, tell.clone());
    disk.freeze();
    let order = order("while the disk stands still", "");
    let submitting = submit(life.api, order.clone(), tell);
    until_passed(&seen, Call::Create, Side::Answered);
    let tempted = pass_time(&seen, TEMPTED_FOR);
    kill_on(&mut disk, life);
    assert!(
        !tempted
            .iter()
            .any(|event| is(event, Call::Start, Side::Sent)),
        "started before it was stored: {tempted:?}"
    );
    let answer = submitting.join().unwrap();
    assert!(answer.is_err(), "answered before it was stored: {answer:?}");

    // It may have been on its way to the disk or not: the token makes it one job in both cases.
    let life = Life::start(&dir, &tap.socket);
    let found = find(&life, &order);
    let again = life.call("PUT", "jobs", Some(&submission(&order)));
    let id = id_of(&again);
    assert!(found.is_none_or(|found| found == id), "{}", again.body);
    books.enter(&id, &order);
    books.settle(&life, || tap.counts());
    Real::Podman.until_no_container_of(&life.id);
    books.close(&life, &tap.counts());
}

#[test]
fn while_the_disk_stands_still_no_outcome_is_shown_and_no_container_is_removed() {
    let mut disk = Disk::mount();
    let dir = disk.at.join("node");
    let scratch = tempfile::tempdir().unwrap();
    let tap = Tap::start(scratch.path(), Real::Podman.socket());
    let mut books = Books::default();
    let life = Life::start(&dir, &tap.socket);
    let (tell, seen) = channel();
    listen(&tap, tell.clone());
    let order = order("ends while the disk stands still", "sleep 1; ");
    let answer = life.call("PUT", "jobs", Some(&submission(&order)));
    let id = id_of(&answer);
    books.enter(&id, &order);
    until_passed(&seen, Call::Start, Side::Answered);

    disk.freeze();
    let watcher = Arc::new(());
    watch(life.api, id, tell, &watcher);
    let mut tempted = until_passed(&seen, Call::Output, Side::Answered);
    tempted.extend(pass_time(&seen, TEMPTED_FOR));
    drop(watcher);
    kill_on(&mut disk, life);
    assert!(
        !tempted.iter().any(|event| matches!(event, Seen::Ended(..))),
        "shown before it was stored: {tempted:?}"
    );
    assert!(
        !tempted
            .iter()
            .any(|event| is(event, Call::Remove, Side::Sent)),
        "removed before its outcome was stored: {tempted:?}"
    );

    let life = Life::start(&dir, &tap.socket);
    books.settle(&life, || tap.counts());
    Real::Podman.until_no_container_of(&life.id);
    books.close(&life, &tap.counts());
}

#[test]
fn alive_is_answered_before_the_store_is_open() {
    let scratch = tempfile::tempdir().unwrap();
    let mut disk = Disk::mount();
    let jobs = disk.at.join("jobs.db").display().to_string();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let api = port.local_addr().unwrap();
    drop(port);
    disk.freeze();
    let number = api.port().to_string();
    let flags = ["--api-port", &number, "--requester-job-store-path", &jobs];
    let node = serve(scratch.path(), &flags).start();
    wait::until("it is alive", || {
        match http::request(api, "GET", "/api/v1/agent/alive", None) {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(other.map(|answer| answer.body)),
        }
    });
    assert!(!node.err().contains("ready; "), "{}", node.err());
    let asked =
        std::thread::spawn(move || http::request(api, "GET", "/api/v1/orchestrator/jobs", None));
    disk.thaw();
    node.says("ready; ");
    let answer = asked.join().unwrap().expect("who asked early is answered");
    assert_eq!(answer.status, 200, "{}", answer.body);
}
