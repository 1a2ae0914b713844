//! `codling debug`: with a node and without one, and what must never be in it.

use crate::support::engine::{Play, Runs, ScriptedEngine};
use crate::support::http;
use crate::support::program::{Program, Running, serve_on};
use crate::support::wait;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;

/// Once in the place of each secret.
const SECRET: &str = "s3cr3t-f00d";

fn api(node: &Running) -> SocketAddr {
    let err = node.says("ready; run a job with: ");
    let rest = err.split("REST on 127.0.0.1:").nth(1).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    ([127, 0, 0, 1], digits.parse().unwrap()).into()
}

fn bundle(args: &[&str], api: SocketAddr) -> (Value, String) {
    let ended = Program::new(&[&["debug", "--output", "-"], args].concat())
        .api(api)
        .env("BACALHAU_API_KEY", SECRET)
        .env("CODLING_LABELS", &format!("API_TOKEN={SECRET}"))
        .run();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.len() <= 1 << 20, "{}", ended.out.len());
    assert!(!ended.out.contains(SECRET), "{}", ended.out);
    (serde_json::from_str(&ended.out).unwrap(), ended.err)
}

#[test]
fn a_running_node_gives_everything_but_secrets() {
    let (scratch, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
    let long = Play {
        runs: Runs::UntilReleased,
        ..Play::default()
    };
    engine.image("a", long);
    let labels = format!("room=kitchen,db_password={SECRET}");
    let node = serve_on(scratch.path(), engine.socket(), &["--labels", &labels]).start();
    let api = api(&node);
    let log = node.says("engine Podman");
    assert!(!log.contains(SECRET), "{log}");
    let submission = json!({"Job": {
        "Type": "batch", "Count": 1, "Name": format!("job-{SECRET}"),
        "Meta": {"note": SECRET}, "Labels": {"l": SECRET},
        "Tasks": [{"Name": "main", "Env": {"PASSWORD": SECRET}, "Engine": {"Type": "docker", "Params": {
            "Image": "a", "Parameters": ["--token", SECRET],
            "EnvironmentVariables": [format!("KEY={SECRET}")],
        }}}],
    }});
    let answer = http::request(api, "PUT", "/api/v1/orchestrator/jobs", Some(&submission)).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    engine.until("the job runs", |engine| engine.running() == 1);
    let pulled = json!({"Job": {
        "Type": "batch", "Count": 1, "Name": "pulled", "Tasks": [{
            "Name": "main", "Engine": {"Type": "docker", "Params": {"Image": format!("b/{SECRET}")}},
        }],
    }});
    let answer = http::request(api, "PUT", "/api/v1/orchestrator/jobs", Some(&pulled)).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    wait::until("the pull is among the events", || {
        let debug = http::request(api, "GET", "/api/v1/agent/debug", None).unwrap();
        let events = debug.body["Events"].to_string();
        if events.contains("pulls its image") {
            Ok(())
        } else {
            Err(events)
        }
    });

    let dir = scratch.path().display().to_string();
    let socket = engine.socket().display().to_string();
    let (bundle, err) = bundle(&["--data-dir", &dir, "--engine-socket", &socket], api);
    assert_eq!(bundle["Missing"], json!([]), "{err}");
    let of_node = &bundle["Node"];
    for part in ["Settings", "Conditions", "Events", "Metrics"] {
        assert!(of_node[part].is_array(), "{part}: {of_node:#}");
    }
    let settings = of_node["Settings"].to_string();
    assert!(
        settings.contains("db_password=***,room=kitchen"),
        "{settings}"
    );
    let events = of_node["Events"].to_string();
    assert!(events.contains("request: submit"), "{events}");
    let metrics = of_node["Metrics"].to_string();
    assert!(metrics.contains("codling_executions{state="), "{metrics}");
    assert!(of_node["Engine"]["Name"].is_string(), "{of_node:#}");
    assert!(
        of_node["Board"]["Memory"]["TotalBytes"].is_u64(),
        "{of_node:#}"
    );
    let files = bundle["Here"]["Files"].to_string();
    assert!(files.contains("jobs.db"), "{files}");
    assert_eq!(bundle["Here"]["Engine"]["Kind"], "Podman");
}

#[test]
fn without_a_node_it_says_what_is_missing_and_gives_the_rest() {
    let scratch = tempfile::tempdir().unwrap();
    let report = "codling 0.1.0 crashed at src/x.rs:1:1: why\nbuild: 00\n";
    fs::write(scratch.path().join("crash.txt"), report).unwrap();
    let dir = scratch.path().display().to_string();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let api = nobody.local_addr().unwrap();
    drop(nobody);
    let engine = ["--data-dir", &dir, "--engine-socket", "/none.sock"];
    let (bundle, err) = bundle(&engine, api);
    assert_eq!(bundle["Node"], Value::Null);
    let missing = bundle["Missing"].to_string();
    assert!(missing.contains("no node is running"), "{missing}");
    assert!(missing.contains("the engine: "), "{missing}");
    assert!(err.contains("missing: conditions, recent events"), "{err}");
    let here = &bundle["Here"];
    assert_eq!(here["Crash"][0], report.lines().next().unwrap());
    assert!(here["Settings"].to_string().contains("API_TOKEN=***"));
    assert!(here["Papers"]["/proc/version"].is_array(), "{here:#}");
}

#[test]
fn the_file_is_its_users_own_and_none_is_overwritten() {
    use std::os::unix::fs::MetadataExt;
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().display().to_string();
    let file = scratch.path().join("out.json").display().to_string();
    let run = || {
        Program::new(&[
            "debug",
            "--data-dir",
            &dir,
            "--engine-socket",
            "/none.sock",
            "--api-port",
            "1",
            "--output",
            &file,
        ])
        .run()
    };
    let first = run();
    assert_eq!(
        (first.code, first.out.trim()),
        (0, file.as_str()),
        "{}",
        first.err
    );
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    let second = run();
    assert_eq!(second.code, 1, "{}", second.err);
    assert!(second.err.contains("out.json"), "{}", second.err);
}
