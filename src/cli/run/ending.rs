//! The end of a job that was followed: what of its output is not printed yet, its reason, its exit code.

use super::super::Ended;
use super::super::client::{Client, Reply};
use super::super::console::Console;
use super::super::error::{CliError, INTERRUPTED, NEVER_RAN, TIMED_OUT};
use super::super::logs::LogRead;
use super::super::wire::{COMPLETED, Described, Execution, HistoryItem, Page, RunOutput};
use super::follow::Told;
use super::output::{Printed, PrintedEnd, print_whole};
use super::wanted::Shown;
use crate::model::{FailureKind, RUN_OUTPUT_MAX};

/// Prints what the job printed, or why it did not, and says how the command ends.
///
/// # Errors
/// The reply is not what the API says, or stdout cannot be written.
pub(super) fn ending(
    reply: &Reply,
    output: Outputs<'_>,
    told: &mut Told,
    shown: Shown,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let described: Described = reply.decode().map_err(CliError::NotRun)?;
    let outputs = telling(described.executions.as_ref());
    match shown {
        Shown::Json => console.out(&reply.line())?,
        Shown::Id => {}
        Shown::Output => output.print_all(&outputs, console)?,
    }
    told.tell_held(console);
    let job = &described.job;
    match job.state.state_type.as_str() {
        "Completed" => Ok(Ended(exit_code(&outputs))),
        "Stopped" => {
            console.tell(&format!("job {} was stopped", job.id));
            Ok(Ended(INTERRUPTED))
        }
        _ => {
            let reason = job.state.message.as_deref().unwrap_or_default();
            match told.news_in(reason) {
                "" => console.tell(&format!("job {} failed", job.id)),
                news => console.tell(&format!("job {} failed: {news}", job.id)),
            }
            let history = &told.history;
            console.hint(match last_detail(history, "Hint") {
                _ if is_timeout(history) => "allow more time with --timeout",
                Some(hint) => hint,
                None => "",
            });
            Ok(Ended(failure_code(history, &outputs)))
        }
    }
}

/// The executions that speak for the job: those that completed, one for each time it was to run; else the last one that
/// printed anything, else the last.
fn telling(executions: Option<&Page<Execution>>) -> Vec<&Execution> {
    let executions = executions.map(Page::items).unwrap_or_default();
    let completed: Vec<&Execution> = executions
        .iter()
        .filter(|execution| execution.compute_state.state_type == COMPLETED)
        .collect();
    if !completed.is_empty() {
        return completed;
    }
    executions
        .iter()
        .rfind(|execution| execution.run_output.is_some())
        .or(executions.last())
        .into_iter()
        .collect()
}

/// The outputs of a job, and how much of them is printed.
#[derive(Debug)]
pub(super) struct Outputs<'a> {
    client: &'a Client,
    job: &'a str,
    printed: Vec<Printed>,
}

impl<'a> Outputs<'a> {
    /// Nothing is printed so far.
    pub(super) fn new(client: &'a Client, job: &'a str) -> Self {
        Self {
            client,
            job,
            printed: Vec::new(),
        }
    }

    /// Takes in what a log has given while the job ran.
    pub(super) fn took(&mut self, printed: Printed) {
        self.printed.push(printed);
    }

    /// Prints the log of an execution whose container has ended while others go on: its node keeps it for some seconds.
    pub(super) fn print_ended(&mut self, execution: &str, console: &mut Console) {
        let mut read = LogRead::follow(self.job);
        read.execution = Some(execution.to_owned());
        console.tell(&format!("execution {execution} has ended"));
        let result = read.read(self.client, &mut |piece| print_whole(piece, console));
        let end = match result {
            Ok(()) => PrintedEnd::Whole,
            // Whoever ends the command finds it again, and says so.
            Err(_) => PrintedEnd::Broken,
        };
        self.took(Printed { read, end });
    }

    /// What is printed of an execution. The original's frames do not say whose they are.
    fn take(&mut self, execution: &str) -> Option<Printed> {
        let is_its = |printed: &Printed| {
            let of = printed.read.execution.as_deref();
            of.is_none_or(|of| of == execution)
        };
        let at = self.printed.iter().position(is_its)?;
        Some(self.printed.swap_remove(at))
    }

    /// Several outputs are told apart on stderr; stdout holds what the job printed and nothing else.
    fn print_all(
        mut self,
        executions: &[&Execution],
        console: &mut Console,
    ) -> Result<(), CliError> {
        for execution in executions {
            let Some(output) = &execution.run_output else {
                continue;
            };
            let before = self.take(&execution.id);
            if matches!(&before, Some(printed) if printed.end == PrintedEnd::Whole) {
                continue;
            }
            if executions.len() > 1 {
                let (id, code) = (&execution.id, output.exit_code);
                console.tell(&format!("execution {id} ended with {code}"));
            }
            self.print_rest(execution, output, before, console)?;
        }
        Ok(())
    }

    /// What the log did not give while the job ran: nothing, unless it was cut off, was of an earlier execution, or cannot
    /// be read. A node keeps the log for some seconds, and the first bytes for days.
    fn print_rest(
        &self,
        execution: &Execution,
        output: &RunOutput,
        before: Option<Printed>,
        console: &mut Console,
    ) -> Result<(), CliError> {
        let before = before.map(|printed| printed.read);
        let mut read = before.unwrap_or_else(|| LogRead::follow(self.job));
        read.execution = Some(execution.id.clone());
        match read.read(self.client, &mut |piece| print_whole(piece, console)) {
            Ok(()) => Ok(()),
            Err(CliError::Output(error)) => Err(CliError::Output(error)),
            Err(_) => print_stored(output, read.place.unwrap_or_default(), console),
        }
    }
}

/// Prints the first bytes from where the output has come.
fn print_stored(
    output: &RunOutput,
    (stdout, stderr): (u64, u64),
    console: &mut Console,
) -> Result<(), CliError> {
    let rest = |text: &str, from: u64| {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        text.as_bytes().get(from..).unwrap_or_default().to_vec()
    };
    console.out(&rest(&output.stdout, stdout))?;
    console.err(&rest(&output.stderr, stderr));
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

/// What a shell would make of the container's code; of several the first that is not 0.
fn exit_code(executions: &[&Execution]) -> u8 {
    let codes: Vec<u8> = executions
        .iter()
        .filter_map(|execution| execution.run_output.as_ref())
        .map(|output| u8::try_from(output.exit_code).unwrap_or(NEVER_RAN))
        .collect();
    let failed = codes.iter().copied().find(|code| *code != 0);
    failed.or(codes.first().copied()).unwrap_or(NEVER_RAN)
}

/// A job that failed never ends with 0.
fn failure_code(history: &[HistoryItem], executions: &[&Execution]) -> u8 {
    if is_timeout(history) {
        return TIMED_OUT;
    }
    match exit_code(executions) {
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
