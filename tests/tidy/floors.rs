//! The floors of the design: imports go down only, devices do not know each other, and what decides
//! touches nothing.
//!
//! ```text
//! 4  cli (and main)                                             the front door
//! 3  node                                                       the shell
//! 2  api swarm engine store board                               devices
//! 1  agent                                                      decides
//! 0  config model                                               plain data
//! ```

use std::fs;

use super::source::{NamedPath, SourceFile, files_under, paths, root};

/// A module of the crate root: its floor, and the modules of its own floor that it may name.
struct Floor {
    module: &'static str,
    floor: u8,
    beside: &'static [&'static str],
}

/// Every module of the crate root. A new one is placed here first.
const FLOORS: &[Floor] = &[
    Floor {
        module: "model",
        floor: 0,
        beside: &[],
    },
    Floor {
        module: "config",
        floor: 0,
        beside: &["model"],
    },
    Floor {
        module: "agent",
        floor: 1,
        beside: &[],
    },
    Floor {
        module: "api",
        floor: 2,
        beside: &[],
    },
    Floor {
        module: "swarm",
        floor: 2,
        beside: &[],
    },
    Floor {
        module: "engine",
        floor: 2,
        beside: &[],
    },
    Floor {
        module: "store",
        floor: 2,
        beside: &[],
    },
    Floor {
        module: "board",
        floor: 2,
        beside: &[],
    },
    Floor {
        module: "node",
        floor: 3,
        beside: &[],
    },
    Floor {
        module: "cli",
        floor: 4,
        beside: &[],
    },
];

/// The floor of devices. They do not know what decides: `node` carries events and outputs between them.
const DEVICES: u8 = 2;
/// The floor that decides.
const AGENT: u8 = 1;

/// What floors 0 and 1 must not name, and why.
const IMPURE: &[(&str, &str)] = &[
    ("std::fs", "the store and the devices touch files"),
    ("std::net", "the swarm and the API touch the network"),
    ("std::os", "no file descriptors here"),
    ("std::process", "nothing is started here"),
    ("std::thread", "one thread decides"),
    ("std::env", "the configuration is complete when it arrives"),
    ("std::time::Instant", "time comes in as `Now`"),
    ("std::time::SystemTime", "time comes in as `Now`"),
    (
        "std::collections::hash_map::RandomState",
        "iteration order must repeat from the seed",
    ),
    (
        "std::collections::HashMap",
        "iteration order must repeat from the seed: use a BTreeMap",
    ),
    (
        "std::collections::HashSet",
        "iteration order must repeat from the seed: use a BTreeSet",
    ),
    ("async_channel", "no I/O"),
    ("async_executor", "no I/O"),
    ("async_io", "no I/O"),
    ("async_signal", "no I/O"),
    ("futures_lite", "nothing waits here"),
    ("futures_util", "nothing waits here"),
    ("getrandom", "randomness comes in as a seed"),
    ("hyper", "no I/O"),
    ("libp2p", "wire types live where their wire is"),
    ("redb", "the store owns its tables"),
    ("rustix", "no I/O"),
    ("smol", "no I/O"),
    ("socket2", "no I/O"),
    ("ureq", "no I/O"),
];

fn floor_of(module: &str) -> Option<&'static Floor> {
    FLOORS.iter().find(|floor| floor.module == module)
}

/// The root module that a file under `src/` belongs to, if it belongs to one.
fn module_of(file: &SourceFile) -> Option<&str> {
    let inner = file.path.strip_prefix("src/")?;
    let name = inner.split('/').next()?.trim_end_matches(".rs");
    (!matches!(name, "lib" | "main")).then_some(name)
}

/// The root module that a path names, if it names one.
fn named_module(file: &SourceFile, path: &NamedPath) -> Option<String> {
    let segments = &path.segments;
    if segments[0] == "crate" || segments[0] == "codling" {
        return segments.get(1).cloned();
    }
    // `super` that climbs to the crate root. A unit test module inside a file is one level deeper.
    let supers = segments
        .iter()
        .take_while(|segment| *segment == "super")
        .count();
    let depth = file.path.matches('/').count() - usize::from(file.path.ends_with("/mod.rs"));
    let name = segments.get(supers)?;
    (supers > 0 && supers >= depth && floor_of(name).is_some()).then(|| name.clone())
}

fn allowed(from: &Floor, to: &Floor) -> bool {
    if from.module == to.module || from.beside.contains(&to.module) {
        return true;
    }
    let knows_agent = to.floor != AGENT || from.floor != DEVICES;
    to.floor < from.floor && knows_agent
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for file in files_under("src", ".rs") {
        let Some(from) = module_of(&file).and_then(floor_of) else {
            continue;
        };
        for path in paths(&file.text) {
            let Some(name) = named_module(&file, &path) else {
                continue;
            };
            // Items of the crate root (a macro, a re-export) are not modules.
            let Some(to) = floor_of(&name) else {
                continue;
            };
            if !allowed(from, to) {
                wrong.push(format!(
                    "{}:{}: {} (floor {}) must not name {} (floor {})",
                    file.path, path.line, from.module, from.floor, to.module, to.floor
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that go up or sideways:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_front_door_opens_into_the_command_line_only() {
    for file in files_under("src", ".rs")
        .iter()
        .filter(|file| file.path == "src/main.rs")
    {
        for path in paths(&file.text)
            .iter()
            .filter(|path| path.starts_with("codling"))
        {
            assert_eq!(
                path.segments[1], "cli",
                "src/main.rs:{}: it calls cli and nothing else",
                path.line
            );
        }
    }
}

#[test]
fn what_decides_touches_no_world() {
    let mut wrong = Vec::new();
    for file in files_under("src", ".rs") {
        let Some(floor) = module_of(&file).and_then(floor_of) else {
            continue;
        };
        if floor.floor > AGENT {
            continue;
        }
        for path in paths(&file.text) {
            for (name, why) in IMPURE {
                if path.starts_with(name) {
                    wrong.push(format!("{}:{}: {name}: {why}", file.path, path.line));
                }
            }
        }
        for (index, line) in file.text.lines().enumerate() {
            if line.contains("async fn ") || line.contains(".await") {
                wrong.push(format!("{}:{}: nothing waits here", file.path, index + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "floors 0 and 1 touch the world:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_module_has_a_floor_and_every_rule_names_a_module_that_exists() {
    let mut found: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_string_lossy()
                .trim_end_matches(".rs")
                .to_owned()
        })
        .filter(|name| name != "lib" && name != "main")
        .collect();
    found.sort();
    let mut ruled: Vec<&str> = FLOORS.iter().map(|floor| floor.module).collect();
    ruled.sort_unstable();
    assert_eq!(
        found, ruled,
        "left: modules under src/, right: modules with a floor in tests/tidy/floors.rs"
    );
    for floor in FLOORS {
        for beside in floor.beside {
            assert!(
                floor_of(beside).is_some(),
                "the rule of {} names {beside}, which does not exist",
                floor.module
            );
        }
    }
}

#[test]
fn climbing_to_the_root_by_super_is_seen_as_an_import() {
    let file = |path: &str| SourceFile {
        path: path.to_owned(),
        text: String::new(),
    };
    let path = &paths("use super::super::agent::Turn;")[0];
    assert_eq!(
        named_module(&file("src/engine/http.rs"), path),
        Some("agent".to_owned())
    );
    assert_eq!(named_module(&file("src/engine/http/body.rs"), path), None);
    assert_eq!(
        named_module(&file("src/engine/mod.rs"), &paths("crate::store::x")[0]),
        Some("store".to_owned())
    );
}

#[test]
fn devices_know_neither_each_other_nor_what_decides() {
    let allowed = |from, to| allowed(floor_of(from).unwrap(), floor_of(to).unwrap());
    assert!(allowed("engine", "model") && allowed("node", "agent") && allowed("cli", "engine"));
    assert!(!allowed("engine", "store") && !allowed("store", "agent") && !allowed("agent", "node"));
    assert!(!allowed("model", "config") && !allowed("agent", "engine") && !allowed("api", "node"));
}
