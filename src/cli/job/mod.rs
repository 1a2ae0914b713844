//! `codling job ...`: what there is of jobs, and their end.
//!
//! `job run` is `run/`'s: it ends as the job does; `job logs` is `logs`.

mod describe;
mod executions;
mod history;
mod list;

use super::client::{Client, segment};
use super::commands::{Job, JobCommand, JobStop};
use super::console::{Console, plain};
use super::logs::logs;
use super::run::run_file;
use super::surroundings::raw;
use super::{CliError, Ended};
use crate::config::{ConfigError, Surroundings, Wrong};
use crate::model::Origin;
use std::time::{Duration, UNIX_EPOCH};

/// The most rows that may be asked for; a reply of that many fits the client's bound.
const ROWS_MAX: u32 = 1_000;
/// How long a node may take to note that a job is to stop.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Performs `codling job ...`.
pub(super) fn job(
    args: &Job,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let client = |host: &Option<String>, port: &Option<String>| {
        Client::new(&raw(
            around.clone(),
            [("api-host", host), ("api-port", port)],
        ))
    };
    match &args.command {
        JobCommand::Run(args) => run_file(args, around, console),
        JobCommand::List(args) => {
            list::list(args, &client(&args.api_host, &args.api_port)?, console)
        }
        JobCommand::Describe(args) => {
            describe::describe(args, &client(&args.api_host, &args.api_port)?, console)
        }
        JobCommand::History(args) => {
            history::history(args, &client(&args.api_host, &args.api_port)?, console)
        }
        JobCommand::Executions(args) => {
            executions::executions(args, &client(&args.api_host, &args.api_port)?, console)
        }
        JobCommand::Logs(args) => logs(args, &client(&args.api_host, &args.api_port)?, console),
        JobCommand::Stop(args) => stop(args, &client(&args.api_host, &args.api_port)?, console),
    }
}

/// The value of a `--limit`.
fn limit(text: Option<&str>, default: u32) -> Result<u32, ConfigError> {
    let Some(text) = text else {
        return Ok(default);
    };
    text.parse()
        .ok()
        .filter(|limit| (1..=ROWS_MAX).contains(limit))
        .ok_or_else(|| ConfigError::BadValue {
            origin: Origin::Flag("limit".to_owned()),
            value: text.to_owned(),
            wrong: Wrong::new(
                format!("a whole number from 1 to {ROWS_MAX}"),
                format!("leave it out for {default}"),
            ),
        })
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
