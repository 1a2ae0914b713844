//! `codling node list|describe`.

use super::client::{Client, ClientError, Reply, segment};
use super::commands::{Node, NodeCommand, NodeDescribe, NodeList};
use super::console::{Console, plain};
use super::surroundings::raw;
use super::table::Table;
use super::watch::{Switches, show_list};
use super::{CliError, Ended};
use crate::config::Surroundings;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Performs `codling node ...`.
pub(super) fn node(
    args: &Node,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let (host, port) = match &args.command {
        NodeCommand::List(args) => (&args.api_host, &args.api_port),
        NodeCommand::Describe(args) => (&args.api_host, &args.api_port),
    };
    let client = Client::new(&raw(around, [("api-host", host), ("api-port", port)]))?;
    match &args.command {
        NodeCommand::List(args) => list(args, &client, console),
        NodeCommand::Describe(args) => describe(args, &client, console),
    }
}

fn list(args: &NodeList, client: &Client, console: &mut Console) -> Result<Ended, CliError> {
    let ask = || client.get("/nodes");
    let switches = Switches {
        json: args.json,
        watch: args.watch,
    };
    let Some(reply) = show_list(&ask, &table, switches, console)? else {
        return Ok(Ended::WELL);
    };
    console.table(&table(&reply)?)?;
    Ok(Ended::WELL)
}

fn table(reply: &Reply) -> Result<Table, ClientError> {
    let nodes: Nodes = reply.decode()?;
    let mut table = Table::new(&["NODE", "NAME", "STATUS", "JOBS", "FREE", "CONDITIONS"]);
    for node in nodes.nodes.iter().flatten() {
        let info = &node.info;
        let compute = &info.compute_node_info;
        let codes: Vec<&str> = info
            .codling
            .conditions
            .iter()
            .map(|condition| condition.code.as_str())
            .collect();
        // A node without a name is called by its id, which stands beside it.
        let name = info.labels.get("name").map(String::as_str);
        let name = name.filter(|name| *name != info.node_id).unwrap_or("-");
        table.row([
            &info.node_id,
            name,
            &node.membership,
            &compute.running_executions.to_string(),
            &compute.available_capacity.words(),
            &or_dash(&codes.join(" ")),
        ]);
    }
    Ok(table)
}

fn describe(
    args: &NodeDescribe,
    client: &Client,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let reply = match &args.id {
        None => client.agent("/node")?,
        Some(id) => client.get(&format!("/nodes/{}", segment(id)))?,
    };
    if args.json {
        console.out(&reply.line())?;
        return Ok(Ended::WELL);
    }
    let info = match &args.id {
        None => reply.decode::<Info>()?,
        Some(_) => reply.decode::<One>()?.node.info,
    };
    console.out(plain(&words(&info)).as_bytes())?;
    Ok(Ended::WELL)
}

fn words(info: &Info) -> String {
    let own = &info.codling;
    let compute = &info.compute_node_info;
    let engine = match (&own.engine.name, &own.engine.error) {
        (Some(name), _) => {
            let limits = if own.engine.enforces_memory {
                ""
            } else {
                ", without memory limits"
            };
            let socket = own.engine.socket.as_deref().unwrap_or_default();
            format!("{name} on {socket}{limits}")
        }
        (None, Some(why)) => format!("none: {why}"),
        (None, None) => "-".to_owned(),
    };
    let labels: Vec<String> = info
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mut text = String::new();
    for (name, value) in [
        ("Node", info.node_id.clone()),
        ("Roles", or_dash(&own.roles.join(", "))),
        ("Version", or_dash(&own.version)),
        ("Engine", engine),
        (
            "Offers",
            format!(
                "{} ({})",
                compute.max_capacity.words(),
                or_dash(&own.capacity_origin)
            ),
        ),
        ("Free", compute.available_capacity.words()),
        (
            "Jobs",
            format!(
                "{} running, {} waiting",
                compute.running_executions, compute.enqueued_executions
            ),
        ),
        ("Labels", or_dash(&labels.join(" "))),
    ] {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:<11} {value}");
    }
    if own.conditions.is_empty() {
        text.push_str("Conditions  none: all is well\n");
        return text;
    }
    text.push_str("Conditions\n");
    for condition in &own.conditions {
        let since = condition.since.as_deref().unwrap_or("clock not set");
        let _ = writeln!(
            text,
            "  {} since {since}, for {}\n    {}\n    hint: {}",
            condition.code,
            lasted(condition.for_seconds),
            condition.message,
            condition.hint
        );
    }
    text
}

/// A time that a person compares with their own memory of the day.
fn lasted(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Nodes {
    nodes: Option<Vec<NodeState>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct One {
    node: NodeState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NodeState {
    info: Info,
    membership: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Info {
    #[serde(rename = "NodeID")]
    node_id: String,
    labels: BTreeMap<String, String>,
    compute_node_info: Compute,
    codling: Own,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Compute {
    max_capacity: Capacity,
    available_capacity: Capacity,
    running_executions: u64,
    enqueued_executions: u64,
}

/// Cores, bytes, bytes, GPUs; a zero may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Capacity {
    #[serde(rename = "CPU")]
    cpu: f64,
    #[serde(rename = "Memory")]
    memory: u64,
    #[serde(rename = "Disk")]
    disk: u64,
    #[serde(rename = "GPU")]
    gpus: u64,
}

impl Capacity {
    fn words(&self) -> String {
        let gpus = match self.gpus {
            0 => String::new(),
            gpus => format!(", {gpus} GPU"),
        };
        format!(
            "{} cores, {} MB of memory, {} MB of disk{gpus}",
            self.cpu,
            self.memory / 1_000_000,
            self.disk / 1_000_000
        )
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Own {
    version: String,
    roles: Vec<String>,
    capacity_origin: String,
    engine: Engine,
    conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Engine {
    name: Option<String>,
    socket: Option<String>,
    enforces_memory: bool,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Condition {
    code: String,
    since: Option<String>,
    for_seconds: u64,
    message: String,
    hint: String,
}
