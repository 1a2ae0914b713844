//! `--watch`: a list that is shown again whenever it changes.
//!
//! On a terminal the screen is redrawn; elsewhere each new or changed row is one more line, and with `--json` each changed
//! reply. A node that goes away is waited for. Ctrl-C is the way to end it, so it ends with 0.

use super::CliError;
use super::client::{ClientError, Reply, Retry};
use super::console::{Console, terminal};
use super::interrupt::{Interrupts, Waited};
use super::table::Table;
use std::time::Duration;

/// Between two requests: as fast as eyes follow, and next to nothing for a node.
const PAUSE: Duration = Duration::from_secs(1);

/// How a list is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switches {
    pub(super) json: bool,
    pub(super) watch: bool,
}

/// A reply as a table.
type AsTable<'a> = &'a dyn Fn(&Reply) -> Result<Table, ClientError>;

/// Shows a list as JSON, or for as long as somebody looks, where that is asked for; else returns its reply, which the
/// caller shows once.
///
/// # Errors
/// As [`watch`].
pub(super) fn show_list(
    ask: &dyn Fn() -> Result<Reply, ClientError>,
    table: AsTable<'_>,
    switches: Switches,
    console: &mut Console,
) -> Result<Option<Reply>, CliError> {
    let view = match switches.json {
        true => View::Json,
        false => View::Table(table),
    };
    match (switches.watch, view) {
        (true, view) => watch(ask, &view, console).map(|()| None),
        (false, View::Json) => {
            console.out(&ask()?.line())?;
            Ok(None)
        }
        (false, View::Table(_)) => Ok(Some(ask()?)),
    }
}

/// What is shown of a reply.
enum View<'a> {
    Json,
    Table(AsTable<'a>),
}

/// Asks until interrupted.
///
/// # Errors
/// The node refuses, the first answer does not come, or stdout cannot be written.
fn watch(
    ask: &dyn Fn() -> Result<Reply, ClientError>,
    view: &View<'_>,
    console: &mut Console,
) -> Result<(), CliError> {
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
            return Ok(());
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
