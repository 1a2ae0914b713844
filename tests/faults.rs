//! The real node when its store fails: nothing acknowledged that is not durable, and it comes back by itself.

use crate::support::engines::Real;
use crate::support::jobs::shell;
use crate::support::node::TestNode;
use crate::support::tap::{Call, Tap};
use crate::support::wait;
use codling::node::NodeEvent;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A small filesystem of its own, unmounted when dropped. Needs root, as `scripts/test` says.
struct SmallDisk {
    _dir: tempfile::TempDir,
    at: PathBuf,
}

impl SmallDisk {
    fn mount(kib: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("disk");
        fs::create_dir(&at).unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&at)
            .status()
            .unwrap();
        assert!(mounted.success(), "mounting a tmpfs needs root");
        Self { _dir: dir, at }
    }

    /// Takes all the space that is left.
    fn fill(&self) -> PathBuf {
        let path = self.at.join("filler");
        let mut block = vec![0; 64 * 1024];
        let mut file = fs::File::create(&path).unwrap();
        while !block.is_empty() {
            if std::io::Write::write_all(&mut file, &block).is_err() {
                block.truncate(block.len() / 2);
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

fn node(dir: &Path) -> TestNode {
    let engine = Real::Podman.socket();
    TestNode::start(dir, &[("engine-socket", engine.to_str().unwrap())])
}

#[test]
fn on_a_full_disk_a_submission_gets_507_a_running_job_goes_on_and_all_comes_back_with_the_space() {
    let disk = SmallDisk::mount(2_048);
    let node = node(&disk.at);
    let running = node.submit(&shell("sleep 4; echo survived"));
    node.running(&running);
    let filler = disk.fill();

    // A file may have a page or two of its own left, so the first submissions may still fit.
    let mut tries = 0;
    let mut accepted = Vec::new();
    let (submission, refused) = wait::until("the store notices", || {
        tries += 1;
        let mut submission = shell("echo later");
        submission["IdempotencyToken"] = json!(format!("try {tries}"));
        let answer = node.call("PUT", "orchestrator/jobs", Some(&submission));
        if answer.status == 200 {
            accepted.push(answer.body["JobID"].as_str().unwrap().to_owned());
            Err(answer)
        } else {
            Ok((submission, answer))
        }
    });
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert!(
        refused.body["Hint"]
            .as_str()
            .unwrap()
            .contains("idempotency"),
        "{}",
        refused.body
    );
    node.event("the store fails", |event| {
        matches!(event, NodeEvent::StoreFailed { .. }).then_some(())
    });

    fs::remove_file(filler).unwrap();
    node.event("the store is back", |event| {
        matches!(event, NodeEvent::StoreBack).then_some(())
    });
    // What was answered with 200 was stored, and what was not is one job under its token.
    for job in &accepted {
        let ended = node.ended(job);
        let told = ended["Job"]["State"]["Message"].as_str();
        if told.is_some_and(|told| told.contains("does not have the disk now")) {
            continue; // stored, and declined for the disk that was full
        }
        assert_eq!(
            ended["Executions"]["Items"][0]["RunOutput"]["Stdout"], "later\n",
            "{ended:#}"
        );
    }
    let first = node.submit(&submission);
    assert_eq!(node.submit(&submission), first, "the token names one job");
    let ended = node.ended(&first);
    assert_eq!(
        ended["Executions"]["Items"][0]["RunOutput"]["Stdout"], "later\n",
        "{ended:#}"
    );
    let ended = node.ended(&running);
    assert_eq!(
        ended["Executions"]["Items"].as_array().unwrap().len(),
        1,
        "{ended:#}"
    );
    assert_eq!(
        ended["Executions"]["Items"][0]["RunOutput"]["Stdout"], "survived\n",
        "{ended:#}"
    );
}

/// Twice the pause after which the store is opened again.
const REBUILT_IN: Duration = Duration::from_millis(2_500);

#[test]
fn after_a_failed_commit_nothing_new_is_decided_while_a_call_of_the_old_agent_is_under_way() {
    let disk = SmallDisk::mount(2_048);
    let scratch = tempfile::tempdir().unwrap();
    let tap = Tap::start(scratch.path(), Real::Podman.socket());
    let node = TestNode::start(
        &disk.at.join("node"),
        &[("engine-socket", tap.socket.to_str().unwrap())],
    );
    tap.hold(Call::Start);
    let job = node.submit(&shell("echo once"));
    wait::until("the start is under way", || {
        match tap.counts().starts_in_all() {
            1 => Ok(()),
            other => Err(other),
        }
    });
    let filler = disk.fill();
    wait::until("the store notices", || {
        let answer = node.call("PUT", "orchestrator/jobs", Some(&shell("true")));
        if answer.status == 507 {
            Ok(())
        } else {
            Err(answer)
        }
    });
    fs::remove_file(filler).unwrap();

    // There is room again, but who would decide does not know yet what that start has come to.
    let path = format!("orchestrator/jobs/{job}");
    let until = Instant::now() + REBUILT_IN;
    while Instant::now() < until {
        let answer = node.call("GET", &path, None);
        assert_eq!(answer.status, 503, "{}", answer.body);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    tap.let_go();
    node.event("the store is back", |event| {
        matches!(event, NodeEvent::StoreBack).then_some(())
    });
    let ended = node.ended(&job);
    let executions = ended["Executions"]["Items"].as_array().unwrap();
    assert_eq!(executions.len(), 1, "{ended:#}");
    let id = executions[0]["ID"].as_str().unwrap();
    assert_eq!(tap.counts().starts_of(id), 1, "{ended:#}");
    assert_eq!(executions[0]["RunOutput"]["Stdout"], "once\n", "{ended:#}");
}
