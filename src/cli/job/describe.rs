//! `codling job describe`.

use super::super::client::{Client, segment};
use super::super::commands::JobDescribe;
use super::super::console::{Console, plain};
use super::super::wire::{self, Described, Page};
use super::super::{CliError, Ended};
use super::time;
use std::fmt::Write as _;

/// Shows a job with its executions and its history.
pub(super) fn describe(
    args: &JobDescribe,
    client: &Client,
    console: &mut Console,
) -> Result<Ended, CliError> {
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
        text.push('\n');
        text.push_str(&super::history::table(history.into_iter()).render());
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
