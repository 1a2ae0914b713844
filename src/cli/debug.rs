//! `codling debug`: one file with what helps to find a cause.
//!
//! JSON, not an archive: it can be read, searched and mailed as it is, and a person can see that nothing secret is in it.
//! What a running node says comes from its API; the rest is looked at from here, so that it works when no node does.

use super::client::Client;
use super::commands::Debug;
use super::console::Console;
use super::surroundings::raw;
use super::{CliError, Ended};
use crate::board::{BootClock, read_build_id, read_papers};
use crate::config::{Config, Raw, Surroundings, redacted};
use crate::engine::{ContainerEngine, Engine as _, EngineProfile, SocketSearch};
use crate::node::read_crash;
use async_io::Timer;
use futures_lite::future;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Most bytes of the file: what a mail takes.
const BUNDLE_MAX: usize = 1 << 20;
/// Most bytes of a node's own part: settings of 64 peers and labels, and some pages.
const NODE_MAX: usize = 512 * 1024;
/// Files of the data directory that are listed; a node has about ten.
const FILES_MAX: usize = 256;
/// How long the engine may take to say what it is.
const ENGINE_TIME: Duration = Duration::from_secs(10);
/// The file name that means stdout.
const STDOUT: &str = "-";
const ROOT: &str = "/";

/// Gathers, writes, and tells what is missing.
pub(super) fn debug(
    args: &Debug,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let mut missing = Vec::new();
    let target = raw(
        around.clone(),
        [("api-host", &args.api_host), ("api-port", &args.api_port)],
    );
    let node = node(&Client::new(&target)?, &mut missing);
    let here = raw(
        around,
        [
            ("data-dir", &args.data_dir),
            ("engine-socket", &args.engine_socket),
        ],
    );
    let data_dir = Config::data_dir_of(&here)?.value;
    let crash = read_crash(&data_dir);
    let bundle = json!({
        "Codling": env!("CARGO_PKG_VERSION"),
        "BuildID": read_build_id(Path::new(ROOT)),
        "Made": made().unwrap_or_else(|| "clock not set".to_owned()),
        "Node": node,
        "Here": {
            "DataDir": data_dir.display().to_string(),
            "Files": files(&data_dir, &mut missing),
            "Crash": crash.map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()),
            "Settings": settings(&here, &mut missing),
            "Engine": engine(&here, &mut missing)?,
            "Papers": papers(),
        },
        "Missing": missing,
    });
    let mut text = serde_json::to_vec_pretty(&bundle).unwrap_or_default();
    text.truncate(BUNDLE_MAX - 1);
    text.push(b'\n');
    for line in &missing {
        console.tell(&format!("missing: {line}"));
    }
    match args.output.as_deref() {
        Some(STDOUT) => console.out(&text)?,
        Some(path) => write(path, &text, console)?,
        None => {
            let time = made().unwrap_or_else(|| "undated".to_owned());
            let name = format!("codling-debug-{}.json", time.replace([':', '-'], ""));
            write(&name, &text, console)?;
        }
    }
    Ok(Ended::WELL)
}

/// For the user's own eyes first; a file that is there is not overwritten.
fn write(path: &str, text: &[u8], console: &mut Console) -> Result<(), CliError> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text));
    written.map_err(|source| CliError::FileNotWritten {
        path: path.to_owned(),
        source,
    })?;
    console.tell(&format!(
        "{} bytes for those who look for the cause; no keys, no tokens, nothing of any job",
        text.len()
    ));
    console.line(path)?;
    Ok(())
}

fn made() -> Option<String> {
    let wall = BootClock::read(Path::new(ROOT)).now().wall?;
    let time = UNIX_EPOCH + Duration::from_millis(wall.0);
    Some(humantime::format_rfc3339_seconds(time).to_string())
}

/// What the node says, if one runs.
fn node(client: &Client, missing: &mut Vec<String>) -> Value {
    match client.agent("/debug") {
        Ok(reply) if reply.bytes.len() <= NODE_MAX => match serde_json::from_slice(&reply.bytes) {
            Ok(value) => return value,
            Err(error) => missing.push(format!("what the node says is no JSON: {error}")),
        },
        Ok(reply) => missing.push(format!(
            "what the node says is too long: {} > {NODE_MAX} bytes",
            reply.bytes.len()
        )),
        Err(error) => missing.push(format!(
            "conditions, recent events and metrics of the node: {error}"
        )),
    }
    Value::Null
}

/// Names and sizes, two levels deep. Contents are nobody's business.
fn files(data_dir: &Path, missing: &mut Vec<String>) -> Vec<Value> {
    let mut found = Vec::new();
    let mut open = vec![(data_dir.to_path_buf(), 0)];
    while let Some((dir, depth)) = open.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) => {
                missing.push(format!("the files of \"{}\": {error}", dir.display()));
                continue;
            }
        };
        for entry in entries.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() && depth < 1 {
                open.push((entry.path(), depth + 1));
            }
            if found.len() < FILES_MAX {
                let path = entry.path();
                let name = path.strip_prefix(data_dir).unwrap_or(&path);
                found.push(json!({
                    "Name": name.display().to_string(),
                    "Bytes": meta.len(),
                    "IsDir": meta.is_dir(),
                }));
            }
        }
    }
    found
}

/// As a node that is started here and now would have them; a running one says its own.
fn settings(here: &Raw, missing: &mut Vec<String>) -> Vec<Value> {
    match Config::resolve(here) {
        Ok(config) => config
            .lines()
            .into_iter()
            .map(|line| {
                json!({
                    "Name": line.name,
                    "Value": redacted(&line.value),
                    "Origin": line.origin.to_string(),
                })
            })
            .collect(),
        Err(error) => {
            missing.push(format!("settings: {error}"));
            Vec::new()
        }
    }
}

fn engine(here: &Raw, missing: &mut Vec<String>) -> Result<Value, CliError> {
    let socket = Config::engine_socket_of(here)?.value;
    let engine = ContainerEngine::new(&SocketSearch {
        explicit: socket.map(|path| path.display().to_string()),
        docker_host: None,
        container_host: None,
        runtime_dir: Some(Config::runtime_dir_of(&here.around)),
        uid: here.around.uid,
    });
    let asked = async { Some(engine.connect().await) };
    let too_late = async {
        Timer::after(ENGINE_TIME).await;
        None
    };
    match async_io::block_on(future::or(asked, too_late)) {
        Some(Ok(profile)) => return Ok(shown(&profile)),
        Some(Err(error)) => missing.push(format!("the engine: {error}")),
        None => missing.push(format!(
            "the engine: no answer within {} s",
            ENGINE_TIME.as_secs()
        )),
    }
    Ok(Value::Null)
}

fn shown(profile: &EngineProfile) -> Value {
    let skipped = profile.skipped.iter().map(
        |skipped| json!({ "Socket": skipped.path.display().to_string(), "Reason": skipped.reason }),
    );
    json!({
        "Kind": format!("{:?}", profile.kind),
        "Version": profile.version,
        "ApiVersion": profile.api_version.to_string(),
        "Socket": profile.socket.display().to_string(),
        "SocketOrigin": profile.socket_origin,
        "Skipped": skipped.collect::<Vec<_>>(),
        "Rootless": profile.rootless,
        "CgroupVersion": profile.cgroup_version,
        "Platform": format!("{:?}", profile.platform),
        "EnforcesMemory": profile.enforces_memory,
        "EnforcesCpu": profile.enforces_cpu,
        "EnforcesPids": profile.enforces_pids,
    })
}

fn papers() -> Value {
    let papers = read_papers(Path::new(ROOT)).into_iter();
    papers
        .map(|(path, text)| {
            let lines: Vec<&str> = text.lines().collect();
            (path, json!(lines))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
