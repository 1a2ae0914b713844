//! `codling job list`.

use super::super::client::{Client, ClientError, Reply};
use super::super::commands::JobList;
use super::super::console::Console;
use super::super::table::Table;
use super::super::watch::{Switches, show_list};
use super::super::wire::{Job, Page};
use super::super::{CliError, Ended};
use super::{ROWS_MAX, limit, time};

/// How many jobs are shown when nothing is said: a screen.
const LIST_DEFAULT: u32 = 20;

/// Shows the newest jobs, once or for as long as somebody looks.
pub(super) fn list(
    args: &JobList,
    client: &Client,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let limit = limit(args.limit.as_deref(), LIST_DEFAULT)?;
    let ask = || client.get(&format!("/jobs?limit={limit}&reverse=true"));
    let switches = Switches {
        json: args.json,
        watch: args.watch,
    };
    let Some(reply) = show_list(&ask, &table, switches, console)? else {
        return Ok(Ended::WELL);
    };
    let page: Page<Job> = reply.decode()?;
    if page.items().is_empty() {
        console.tell("no jobs yet; run one with: codling run IMAGE -- CMD");
        return Ok(Ended::WELL);
    }
    console.table(&rows(&page))?;
    if page.next().is_some() {
        console.tell(&format!(
            "these are the newest {limit}; show more with: codling job list --limit {}",
            (limit * 2).min(ROWS_MAX)
        ));
    }
    Ok(Ended::WELL)
}

fn table(reply: &Reply) -> Result<Table, ClientError> {
    Ok(rows(&reply.decode()?))
}

fn rows(page: &Page<Job>) -> Table {
    let mut table = Table::new(&["JOB", "TYPE", "STATE", "CREATED", "NAME", "IMAGE"]);
    for job in page.items() {
        let name = if job.name == job.id { "-" } else { &job.name };
        table.row([
            &job.id,
            &job.kind,
            &job.state.state_type,
            &time(job.create_time),
            name,
            job.image(),
        ]);
    }
    table
}
