//! Node and CLI share a home, as on a board whose owner types `codling serve` and then `bacalhau job list`: both keep their
//! files in `~/.bacalhau`, and neither harms the other's.

use crate::support::bacalhau::Bacalhau;
use crate::support::engines::Real;
use crate::support::jobs::IMAGE;
use crate::support::program::{Program, Running};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// A node without a data directory named: it is in its home.
fn serve(home: &Path) -> (Running, SocketAddr) {
    let socket = Real::Podman.socket().display().to_string();
    let running = Program::new(&[
        "serve",
        "--api-port",
        "0",
        "--port",
        "0",
        "--swarm-host",
        "127.0.0.1",
    ])
    .env("HOME", &home.display().to_string())
    .env("CODLING_ENGINE_SOCKET", &socket)
    .start();
    let api = running.api();
    (running, api)
}

fn stop(running: Running) {
    running.signal(rustix::process::Signal::TERM);
    let ended = running.ended();
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// Every file below `dir` with its content and mode; the node's stores by name only, since they go on.
fn files(dir: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let path = entry.path();
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            let text = if name.ends_with(".db") || name.contains("ballast") {
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(name, (entry.metadata().unwrap().permissions().mode(), text));
        }
    }
    found
}

#[test]
fn the_cli_in_the_nodes_home_and_data_dir_harms_neither() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join(".bacalhau");
    let (node, api) = serve(home.path());
    let before = files(&data);
    assert!(!before.is_empty(), "the node keeps its files there");
    let cli = Bacalhau::at(home.path(), api);
    let job = cli.submit(&[IMAGE, "--", "echo", "hi"]);
    for command in [
        &["agent", "version"][..],
        &["node", "list"],
        &["job", "list"],
        &["config", "list"],
        &["job", "describe", &job],
    ] {
        let ended = cli.run(command);
        assert_eq!(ended.code, 0, "{command:?}: {ended:?}");
    }
    let after = files(&data);
    for (name, file) in &before {
        assert_eq!(after.get(name), Some(file), "the CLI changed {name}");
    }
    assert!(after.contains_key("user_id.pem"), "{:?}", after.keys());
    let id = |running: &Running| {
        let said = running.err();
        let line = said
            .lines()
            .find(|line| line.contains(": REST on "))
            .unwrap()
            .to_owned();
        let id = line
            .split("node ")
            .nth(1)
            .unwrap()
            .split(':')
            .next()
            .unwrap();
        id.to_owned()
    };
    let first = id(&node);
    stop(node);

    // The next start finds its identity and its jobs, and the CLI its key and token.
    let (node, api) = serve(home.path());
    assert_eq!(id(&node), first);
    for (name, file) in files(&data) {
        // Who holds the place, and notes of the CLI.
        let known =
            ["codling.lock", "tokens.json"].contains(&name.as_str()) || name.ends_with(".yaml");
        assert!(
            known || after.get(&name) == Some(&file),
            "the node changed {name}"
        );
    }
    let cli = Bacalhau::at(home.path(), api);
    let described = cli.run(&["job", "describe", &job]);
    assert!(
        described.code == 0 && described.out.contains("Completed"),
        "{described:?}"
    );
    stop(node);
}

#[test]
fn a_node_starts_in_a_home_that_the_cli_has_used_before() {
    let home = tempfile::tempdir().unwrap();
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let cli = Bacalhau::at(home.path(), nowhere);
    // Makes its files, and fails to reach a node.
    assert_eq!(cli.run(&["node", "list"]).code, 1);
    let data = home.path().join(".bacalhau");
    let before = files(&data);
    assert!(!before.is_empty());
    let (node, api) = serve(home.path());
    let cli = Bacalhau::at(home.path(), api);
    cli.submit(&[IMAGE, "--", "true"]);
    stop(node);
    let after = files(&data);
    for (name, file) in before {
        // Its own notes: a token for this node, a look for releases.
        let of_the_cli = name == "tokens.json" || name.ends_with(".yaml");
        assert!(
            of_the_cli || after.get(&name) == Some(&file),
            "the node changed {name}"
        );
    }
}
