//! `codling job list|describe|stop`.

use super::client::{Client, segment};
use super::commands::{Job, JobCommand, JobDescribe, JobList, JobStop};
use super::console::{Console, plain};
use super::surroundings::raw;
use super::table::Table;
use super::wire::{Described, Page};
use super::{CliError, Ended, wire};
use crate::config::{ConfigError, Surroundings, Wrong};
use crate::model::Origin;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

/// How many jobs a list shows when nothing is said: a screen.
const LIST_DEFAULT: u32 = 20;
/// The most it may be asked for; a reply of that many fits the client's bound.
const LIST_MAX: u32 = 1_000;
/// How long a node may take to note that a job is to stop.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Performs `codling job ...`.
pub(super) fn job(
    args: &Job,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let (host, port) = match &args.command {
        JobCommand::List(args) => (&args.api_host, &args.api_port),
        JobCommand::Describe(args) => (&args.api_host, &args.api_port),
        JobCommand::Stop(args) => (&args.api_host, &args.api_port),
    };
    let client = Client::new(&raw(around, [("api-host", host), ("api-port", port)]))?;
    match &args.command {
        JobCommand::List(args) => list(args, &client, console),
        JobCommand::Describe(args) => describe(args, &client, console),
        JobCommand::Stop(args) => stop(args, &client, console),
    }
}

fn list(args: &JobList, client: &Client, console: &mut Console) -> Result<Ended, CliError> {
    let limit = limit(args.limit.as_deref())?;
    let reply = client.get(&format!("/jobs?limit={limit}&reverse=true"))?;
    if args.json {
        console.out(&reply.line())?;
        return Ok(Ended::WELL);
    }
    let page: Page<wire::Job> = reply.decode()?;
    if page.items().is_empty() {
        console.tell("no jobs yet; run one with: codling run IMAGE -- CMD");
        return Ok(Ended::WELL);
    }
    let mut table = Table::new(&["JOB", "STATE", "CREATED", "NAME", "IMAGE"]);
    for job in page.items() {
        let name = if job.name == job.id { "-" } else { &job.name };
        table.row([
            &job.id,
            &job.state.state_type,
            &time(job.create_time),
            name,
            job.image(),
        ]);
    }
    console.out(table.render().as_bytes())?;
    if page.next().is_some() {
        console.tell(&format!(
            "these are the newest {limit}; show more with: codling job list --limit {}",
            (limit * 2).min(LIST_MAX)
        ));
    }
    Ok(Ended::WELL)
}

fn limit(text: Option<&str>) -> Result<u32, ConfigError> {
    let Some(text) = text else {
        return Ok(LIST_DEFAULT);
    };
    text.parse()
        .ok()
        .filter(|limit| (1..=LIST_MAX).contains(limit))
        .ok_or_else(|| ConfigError::BadValue {
            origin: Origin::Flag("limit".to_owned()),
            value: text.to_owned(),
            wrong: Wrong::new(
                format!("a whole number from 1 to {LIST_MAX}"),
                format!("leave it out for {LIST_DEFAULT}"),
            ),
        })
}

fn describe(args: &JobDescribe, client: &Client, console: &mut Console) -> Result<Ended, CliError> {
    let id = segment(&args.id);
    let reply = client.get(&format!("/jobs/{id}?include=executions,history"))?;
    if args.json {
        console.out(&reply.line())?;
        return Ok(Ended::WELL);
    }
    console.out(description(&reply.decode()?).as_bytes())?;
    Ok(Ended::WELL)
}

fn description(described: &Described) -> String {
    let job = &described.job;
    let mut text = String::new();
    field(&mut text, "Job", &job.id);
    field(
        &mut text,
        "Name",
        if job.name == job.id { "" } else { &job.name },
    );
    field(&mut text, "Type", &job.kind);
    field(&mut text, "Image", job.image());
    field(&mut text, "Created", &time(job.create_time));
    field(&mut text, "State", &job.state.state_type);
    field(
        &mut text,
        "Reason",
        job.state.message.as_deref().unwrap_or_default(),
    );
    for execution in described.executions.iter().flat_map(Page::items) {
        text.push('\n');
        describe_execution(&mut text, execution);
    }
    let history: Vec<&wire::HistoryItem> = described.history.iter().flat_map(Page::items).collect();
    if !history.is_empty() {
        let mut table = Table::new(&["TIME", "TOPIC", "EVENT"]);
        for item in history {
            table.row([&item.time, &item.event.topic, &item.event.message]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text
}

fn describe_execution(text: &mut String, execution: &wire::Execution) {
    let state = &execution.compute_state;
    field(text, "Execution", &execution.id);
    field(text, "Node", &execution.node_id);
    field(text, "State", state.word());
    field(text, "Reason", state.message.as_deref().unwrap_or_default());
    let Some(output) = &execution.run_output else {
        return;
    };
    // A container that never ran has no exit code, and the API says 0.
    if state.state_type == wire::COMPLETED || output.exit_code != 0 {
        field(text, "Exit code", &output.exit_code.to_string());
    }
    field(text, "Stdout", output.stdout.trim_end_matches('\n'));
    field(text, "Stderr", output.stderr.trim_end_matches('\n'));
}

/// A line, or nothing for an empty value; further lines of the value are indented.
fn field(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let value = plain(value).replace('\n', "\n           ");
        let _ = writeln!(text, "{name:<10} {value}");
    }
}

fn stop(args: &JobStop, client: &Client, console: &mut Console) -> Result<Ended, CliError> {
    let reply = ask_to_stop(client, &args.id, "stopped with codling job stop", STOP_MAX)?;
    if args.json {
        console.out(&reply.line())?;
    } else {
        console.line(&format!("{} is being stopped", plain(&args.id)))?;
    }
    Ok(Ended::WELL)
}

/// Asks the node to stop a job, with the reason that its history will show.
pub(super) fn ask_to_stop(
    client: &Client,
    id: &str,
    reason: &str,
    limit: Duration,
) -> Result<super::client::Reply, super::client::ClientError> {
    // The key is lower-case on this API.
    let body = serde_json::json!({ "reason": reason }).to_string();
    client.delete(&format!("/jobs/{}", segment(id)), body.as_bytes(), limit)
}

/// RFC 3339 in whole seconds; a dash for a time that nobody knew.
fn time(unix_nanos: i64) -> String {
    match u64::try_from(unix_nanos) {
        Ok(nanos) if nanos > 0 => {
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_nanos(nanos)).to_string()
        }
        _ => "-".to_owned(),
    }
}
