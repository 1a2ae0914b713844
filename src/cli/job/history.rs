//! `codling job history`.

use super::super::client::{Client, segment};
use super::super::commands::JobHistory;
use super::super::console::Console;
use super::super::table::Table;
use super::super::wire::{HistoryItem, Page};
use super::super::{CliError, Ended};
use super::limit;

/// How many events are shown when nothing is said: all that a usual job has.
const EVENTS_DEFAULT: u32 = 100;

/// Shows what happened to a job, oldest first.
pub(super) fn history(
    args: &JobHistory,
    client: &Client,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let limit = limit(args.limit.as_deref(), EVENTS_DEFAULT)?;
    let id = segment(&args.id);
    let reply = client.get(&format!("/jobs/{id}/history?event_type=all&limit={limit}"))?;
    if args.json {
        console.out(&reply.line())?;
        return Ok(Ended::WELL);
    }
    let page: Page<HistoryItem> = reply.decode()?;
    console.table(&table(page.items().iter()))?;
    Ok(Ended::WELL)
}

/// A row for each event.
pub(super) fn table<'a>(items: impl Iterator<Item = &'a HistoryItem>) -> Table {
    let mut table = Table::new(&["TIME", "TOPIC", "EVENT"]);
    for item in items {
        table.row([&item.time, &item.event.topic, &item.event.message]);
    }
    table
}
