//! Conditions of the real node, on boards that files describe.

use crate::support::engine::{Play, ScriptedEngine};
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::program::Program;
use crate::support::wait;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A board of files below a directory.
struct Board(tempfile::TempDir);

impl Board {
    /// A Raspberry Pi as shipped: 1 GB, no memory controller.
    fn raspberry_pi() -> Self {
        let board = Self(tempfile::tempdir().unwrap());
        for (path, text) in [
            ("proc/device-tree/model", "Raspberry Pi 3 Model B Rev 1.2\0"),
            (
                "proc/meminfo",
                "MemTotal:         948304 kB\nMemAvailable:     700000 kB\n",
            ),
            ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n"),
            ("boot/firmware/cmdline.txt", "root=/dev/mmcblk0p2 quiet\n"),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "55000\n"),
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "0\n"),
        ] {
            board.write(path, text);
        }
        board
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn root(&self) -> &Path {
        self.0.path()
    }
}

/// Waits until exactly these conditions are shown; all of them.
#[track_caller]
fn shows(node: &TestNode, codes: &[&str]) -> Vec<Value> {
    wait::until("the conditions are shown", || {
        let body = node.call("GET", "agent/node", None).body;
        let conditions = body["Codling"]["Conditions"].as_array().unwrap().clone();
        let shown: Vec<&str> = conditions
            .iter()
            .map(|condition| condition["Code"].as_str().unwrap())
            .collect();
        if shown == codes {
            Ok(conditions)
        } else {
            Err(conditions)
        }
    })
}

#[test]
fn a_raspberry_pi_as_shipped_says_how_to_switch_memory_limits_on_and_insisting_takes_no_job() {
    let (dir, board) = (tempfile::tempdir().unwrap(), Board::raspberry_pi());
    let engine = ScriptedEngine::start();
    engine.say("MemoryLimit", json!(false));
    engine.image("a", Play::default());
    let node = TestNode::start_in(dir.path(), &engine, board.root(), &[]);
    let conditions = shows(&node, &["memory_limits_off"]);
    let hint = conditions[0]["Hint"].as_str().unwrap();
    assert!(
        hint.contains("/boot/firmware/cmdline.txt") && hint.contains("cgroup_enable=memory"),
        "{hint}"
    );
    assert!(conditions[0]["Since"].is_string(), "{conditions:?}");
    let job = node.submit(&command("a", &["go"]));
    let ended = node.ended(&job);
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    let insisting = tempfile::tempdir().unwrap();
    let flags = [("require-memory-limits", "true")];
    let node = TestNode::start_in(insisting.path(), &engine, board.root(), &flags);
    shows(&node, &["memory_limits_off"]);
    let ended = node.ended(&node.submit(&command("a", &["go"])));
    let why = ended["Job"]["State"]["Message"].as_str().unwrap();
    assert!(why.contains("without memory limits"), "{ended:#}");
}

#[test]
fn a_board_that_gets_hot_declines_says_so_and_takes_jobs_again_when_it_is_cooler() {
    const TEMPERATURE: &str = "sys/class/thermal/thermal_zone0/temp";
    let (dir, board) = (tempfile::tempdir().unwrap(), Board::raspberry_pi());
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let node = TestNode::start_in(dir.path(), &engine, board.root(), &[]);
    shows(&node, &[]);
    board.write(TEMPERATURE, "81500\n");
    let conditions = shows(&node, &["too_hot"]);
    let text = conditions[0]["Message"].as_str().unwrap();
    assert!(text.contains("cpu-thermal shows 81 degrees"), "{text}");
    let ended = node.ended(&node.submit(&command("a", &["go"])));
    let why = ended["Job"]["State"]["Message"].as_str().unwrap();
    assert!(why.contains("too hot"), "{ended:#}");
    board.write(TEMPERATURE, "60000\n");
    shows(&node, &[]);
    let ended = node.ended(&node.submit(&command("a", &["go"])));
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
}

#[test]
fn a_weak_supply_and_an_absent_engine_are_shown_together_with_what_to_do() {
    let (dir, board) = (tempfile::tempdir().unwrap(), Board::raspberry_pi());
    board.write("etc/os-release", "ID=raspbian\n");
    board.write(
        "sys/devices/platform/soc/soc:firmware/get_throttled",
        "50005\n",
    );
    let engine = ScriptedEngine::start();
    engine.go_away();
    let flags = [("requester-job-store-type", "inmemory")];
    let node = TestNode::start_in(dir.path(), &engine, board.root(), &flags);
    let conditions = shows(
        &node,
        &[
            "store_in_memory",
            "engine_away",
            "under_voltage",
            "throttled",
        ],
    );
    let hint = conditions[1]["Hint"].as_str().unwrap();
    assert!(hint.contains("apt-get install -y podman"), "{hint}");
    engine.come_back();
    node.ended(&node.submit(&command("a", &["go"])));
    shows(&node, &["store_in_memory", "under_voltage", "throttled"]);
}

#[test]
fn a_board_without_a_clock_runs_jobs_says_so_and_dates_nothing_until_it_has_one() {
    let (dir, board) = (tempfile::tempdir().unwrap(), Board::raspberry_pi());
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    // The board's image is of a later year than its clock shows.
    let epoch = "usr/lib/clock-epoch";
    board.write(epoch, "");
    let later = SystemTime::now() + Duration::from_secs(366 * 86_400);
    let file = fs::File::options()
        .write(true)
        .open(board.root().join(epoch));
    file.unwrap().set_modified(later).unwrap();
    let node = TestNode::start_in(dir.path(), &engine, board.root(), &[]);
    let conditions = shows(&node, &["clock_unset"]);
    let hint = conditions[0]["Hint"].as_str().unwrap();
    assert!(hint.contains("timedatectl set-ntp true"), "{hint}");
    let job = node.submit(&command("a", &["go"]));
    let ended = node.ended(&job);
    assert_eq!(ended["Job"]["State"]["StateType"], "Completed", "{ended:#}");
    for args in [
        &["job", "list"][..],
        &["job", "describe", &job],
        &["job", "history", &job],
        &["job", "executions", &job],
        &["node", "list"],
        &["node", "describe"],
    ] {
        let told = Program::new(args).api(node.api).run();
        assert_eq!(told.code, 0, "{args:?}: {}", told.err);
        assert!(!told.out.contains("1970"), "{args:?}: {}", told.out);
    }
    drop(node);
    fs::remove_file(board.root().join(epoch)).unwrap();
    let node = TestNode::start_in(dir.path(), &engine, board.root(), &[]);
    shows(&node, &[]);
    let kept = node.ended(&job);
    assert_eq!(kept["Job"]["State"]["StateType"], "Completed", "{kept:#}");
    node.ended(&node.submit(&command("a", &["go"])));
}

#[test]
fn the_command_line_shows_what_is_wrong_since_when_and_what_to_do() {
    let (dir, board) = (tempfile::tempdir().unwrap(), Board::raspberry_pi());
    let engine = ScriptedEngine::start();
    engine.say("MemoryLimit", json!(false));
    let node = TestNode::start_in(dir.path(), &engine, board.root(), &[]);
    shows(&node, &["memory_limits_off"]);
    let ended = Program::new(&["node", "describe"]).api(node.api).run();
    assert_eq!(ended.code, 0, "{}", ended.err);
    for part in [
        &format!("Node        {}", node.id),
        ", without memory limits",
        "(rule: a share of the cores",
        "  memory_limits_off since 20",
        "    hint: append to the one line in /boot/firmware/cmdline.txt",
    ] {
        assert!(ended.out.contains(part), "{part}\n{}", ended.out);
    }
}
