//! `codling job executions`.

use super::super::client::{Client, ClientError, Reply, segment};
use super::super::commands::JobExecutions;
use super::super::console::Console;
use super::super::table::Table;
use super::super::watch::{Switches, show_list};
use super::super::wire::{COMPLETED, Execution, Page};
use super::super::{CliError, Ended};
use super::time;

/// Shows a job's executions: where each try went and how it stands.
pub(super) fn executions(
    args: &JobExecutions,
    client: &Client,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let path = format!("/jobs/{}/executions", segment(&args.id));
    let ask = || client.get(&path);
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
    let page: Page<Execution> = reply.decode()?;
    let mut table = Table::new(&["EXECUTION", "STATE", "CODE", "CREATED", "NODE", "REASON"]);
    for execution in page.items() {
        let state = &execution.compute_state;
        let code = match &execution.run_output {
            Some(output) if state.state_type == COMPLETED || output.exit_code != 0 => {
                output.exit_code.to_string()
            }
            _ => "-".to_owned(),
        };
        table.row([
            &execution.id,
            state.word(),
            &code,
            &time(execution.create_time),
            &execution.node_id,
            state.message.as_deref().unwrap_or_default(),
        ]);
    }
    Ok(table)
}
