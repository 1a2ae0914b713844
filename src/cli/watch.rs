//! `--watch`: a list that is shown again whenever it changes.
//!
//! On a terminal the screen is redrawn; elsewhere each new or changed row is one more line, and with `--json` each changed
//! reply. A node that goes away is waited for. Ctrl-C is the way to end it, so it ends with 0.

use super::client::{ClientError, Reply, Retry};
use super::console::{Console, terminal};
use super::interrupt::{Interrupts, Waited};
use super::table::Table;
use super::{CliError, Ended};
use std::time::Duration;

/// Between two requests: as fast as eyes follow, and next to nothing for a node.
const PAUSE: Duration = Duration::from_secs(1);

/// What is shown of a reply.
pub(super) enum View<'a> {
    Json,
    Table(&'a dyn Fn(&Reply) -> Result<Table, ClientError>),
}

/// Asks until interrupted.
///
/// # Errors
/// The node refuses, the first answer does not come, or stdout cannot be written.
pub(super) fn watch(
    ask: &dyn Fn() -> Result<Reply, ClientError>,
    view: &View<'_>,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let interrupts = Interrupts::watch().map_err(CliError::Signals)?;
    let mut last: Option<Reply> = None;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut is_away = false;
    loop {
        match ask() {
            Ok(reply) => {
                if std::mem::take(&mut is_away) {
                    console.tell("the node answers again");
                }
                if last.as_ref().is_none_or(|last| last.bytes != reply.bytes) {
                    show(&reply, view, &mut rows, console)?;
                }
                last = Some(reply);
            }
            Err(error) if last.is_some() && error.retry() == Retry::Later => {
                if !std::mem::replace(&mut is_away, true) {
                    console.tell("the node does not answer; waiting for it");
                }
            }
            Err(error) => return Err(error.into()),
        }
        if interrupts.wait(PAUSE) == Waited::Interrupted {
            return Ok(Ended::WELL);
        }
    }
}

/// `rows` is what was shown before.
fn show(
    reply: &Reply,
    view: &View<'_>,
    rows: &mut Vec<Vec<String>>,
    console: &mut Console,
) -> Result<(), CliError> {
    let View::Table(table) = view else {
        return Ok(console.out(&reply.line())?);
    };
    let table = table(reply)?;
    if let Some(size) = terminal() {
        return Ok(console.redraw(&table, size)?);
    }
    let new = table.without(rows);
    *rows = table.rows().to_vec();
    Ok(console.table(&new)?)
}
