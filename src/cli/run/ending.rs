//! The end of a job that was followed: its output, its reason, its exit code.

use super::super::Ended;
use super::super::client::Reply;
use super::super::commands::Run;
use super::super::console::Console;
use super::super::error::{CliError, INTERRUPTED, NEVER_RAN, TIMED_OUT};
use super::super::wire::{COMPLETED, Described, Execution, HistoryItem, Page, RunOutput};
use super::follow::is_told;
use crate::model::{FailureKind, RUN_OUTPUT_MAX};

/// Prints what the job printed, or why it did not, and says how the command ends.
///
/// # Errors
/// The reply is not what the API says, or stdout cannot be written.
pub(super) fn ending(
    reply: &Reply,
    history: &[HistoryItem],
    args: &Run,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let described: Described = reply.decode().map_err(CliError::NotRun)?;
    let execution = telling(described.executions.as_ref());
    let output = execution.and_then(|execution| execution.run_output.as_ref());
    if args.json {
        console.out(&reply.line())?;
    } else if let Some(output) = output {
        print(output, console)?;
    }
    let job = &described.job;
    match job.state.state_type.as_str() {
        "Completed" => Ok(Ended(exit_code(output))),
        "Stopped" => {
            console.tell(&format!("job {} was stopped", job.id));
            Ok(Ended(INTERRUPTED))
        }
        _ => {
            let reason = job.state.message.as_deref().unwrap_or_default();
            // The last news of its executions is on the terminal already.
            let is_known = |item: &HistoryItem| is_told(item) && item.event.message == reason;
            if reason.is_empty() || history.iter().any(is_known) {
                console.tell(&format!("job {} failed", job.id));
            } else {
                console.tell(&format!("job {} failed: {reason}", job.id));
            }
            console.hint(match last_detail(history, "Hint") {
                _ if is_timeout(history) => "allow more time with --timeout",
                Some(hint) => hint,
                None => "",
            });
            Ok(Ended(failure_code(history, output)))
        }
    }
}

/// The execution that speaks for the job: the one that completed, else the last one that printed anything, else the last.
fn telling(executions: Option<&Page<Execution>>) -> Option<&Execution> {
    let executions = executions.map(Page::items).unwrap_or_default();
    executions
        .iter()
        .find(|execution| execution.compute_state.state_type == COMPLETED)
        .or_else(|| {
            executions
                .iter()
                .rev()
                .find(|execution| execution.run_output.is_some())
        })
        .or(executions.last())
}

fn print(output: &RunOutput, console: &mut Console) -> Result<(), CliError> {
    console.out(output.stdout.as_bytes())?;
    console.err(output.stderr.as_bytes());
    let cut = match (output.stdout_truncated, output.stderr_truncated) {
        (true, true) => "stdout and stderr are",
        (true, false) => "stdout is",
        (false, true) => "stderr is",
        (false, false) => return Ok(()),
    };
    console.tell(&format!(
        "{cut} cut: the API shows the first {RUN_OUTPUT_MAX} bytes of each"
    ));
    Ok(())
}

/// What a shell would make of the container's code.
fn exit_code(output: Option<&RunOutput>) -> u8 {
    output.map_or(NEVER_RAN, |output| {
        u8::try_from(output.exit_code).unwrap_or(NEVER_RAN)
    })
}

/// A job that failed never ends with 0.
fn failure_code(history: &[HistoryItem], output: Option<&RunOutput>) -> u8 {
    if is_timeout(history) {
        return TIMED_OUT;
    }
    match exit_code(output) {
        0 => NEVER_RAN,
        code => code,
    }
}

/// `ErrorCode` is a bare name or `Component:Name`.
fn is_timeout(history: &[HistoryItem]) -> bool {
    last_detail(history, "ErrorCode")
        .and_then(|code| code.rsplit(':').next())
        .is_some_and(|name| name == FailureKind::Timeout.name())
}

fn last_detail<'a>(history: &'a [HistoryItem], key: &str) -> Option<&'a str> {
    history.iter().rev().find_map(|item| item.event.detail(key))
}
