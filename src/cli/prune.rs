//! `codling prune`.
//!
//! DECISION: the running node is asked. Its store is its own while it runs, and it alone knows which images and containers its
//! executions need; a node that does not run prunes when it starts.

use super::client::Client;
use super::commands::Prune;
use super::console::Console;
use super::surroundings::raw;
use super::table::Table;
use super::{CliError, Ended};
use crate::config::Surroundings;
use serde::Deserialize;

/// Shows what a node has no use for, and has it go unless this is a dry run.
pub(super) fn prune(
    args: &Prune,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let target = [("api-host", &args.api_host), ("api-port", &args.api_port)];
    let client = Client::new(&raw(around, target))?;
    let reply = match args.dry_run {
        true => client.agent("/prune")?,
        false => client.agent_post("/prune")?,
    };
    if args.json {
        console.out(&reply.bytes)?;
        return Ok(Ended::WELL);
    }
    let prunable: Prunable = reply.decode()?;
    let Some(table) = table(&prunable) else {
        console.line("nothing to remove")?;
        return Ok(Ended::WELL);
    };
    console.table(&table)?;
    console.tell(match args.dry_run {
        true => "nothing was removed; without --dry-run all of it goes",
        false => "all of it is being removed",
    });
    Ok(Ended::WELL)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Prunable {
    jobs: Overdue,
    executions: Overdue,
    images: Vec<Image>,
    containers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Overdue {
    count: u64,
    bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Image {
    name: String,
    bytes: u64,
    last_used: String,
}

fn table(prunable: &Prunable) -> Option<Table> {
    let mut table = Table::new(&["WHAT", "BYTES", "WHICH"]);
    for (what, overdue) in [
        ("ended jobs", &prunable.jobs),
        ("ended executions", &prunable.executions),
    ] {
        if overdue.count > 0 {
            let oldest = format!("the {} that ended first", overdue.count);
            table.row([what, &overdue.bytes.to_string(), &oldest]);
        }
    }
    for image in &prunable.images {
        let which = format!("{}, last used {}", image.name, image.last_used);
        table.row(["image", &image.bytes.to_string(), &which]);
    }
    for execution in &prunable.containers {
        table.row(["container", "-", &format!("of execution {execution}")]);
    }
    (table.rows().len() > 1).then_some(table)
}
