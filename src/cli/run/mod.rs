//! `codling run` and `codling job run`: submit a job, follow it to its end, end as it ended.
//!
//! ```text
//!  spec.rs      flags to the job's JSON
//!  jobfile/     or a file to the same
//!  wanted.rs    what is shown of it, and until when
//!  submit       PUT, with an idempotency token; asked again under the same token while the outcome is unknown
//!  follow.rs    GET history, page by page, until its token is empty (rest-api.md 7.2)
//!  output.rs    GET the job's log, on a thread of its own, and print it as it comes (rest-api.md 6)
//!  ending.rs    GET the log of each of several executions when it has ended; at the end GET the job with its executions:
//!               reason, exit code, and the output that is not printed yet
//! ```
//!
//! A service has no end of its own: it is followed until it runs. Once the job is submitted a node that restarts is waited
//! for: the job outlives it. An interrupt asks once to stop the job and ends with 130.

mod ending;
mod follow;
mod output;
mod spec;
mod submission;
mod wanted;

use super::client::{Client, ClientError, Reply, Retry};
use super::commands::{JobRun, Run};
use super::console::{Console, plain};
use super::error::INTERRUPTED;
use super::interrupt::{Interrupts, Waited};
use super::job::ask_to_stop;
use super::jobfile;
use super::surroundings::raw;
use super::wire::Submitted;
use super::{CliError, Ended};
use crate::config::Surroundings;
use follow::Followed;
use output::{Finished, Output};
use std::time::Duration;
use submission::Submission;
use wanted::{Goal, Shown, Switches, Until, Wanted};

/// Between two tries while a node starts, is busy or cannot write.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Tries of one submission: a minute, longer than any node needs to open its store again.
const SUBMIT_TRIES: u32 = 60;
/// How long the request to stop may take after an interrupt: whoever pressed Ctrl-C is waiting.
const STOP_MAX: Duration = Duration::from_secs(5);

/// Performs `codling run`.
pub(super) fn run(
    args: &Run,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let wanted = Wanted::read(Switches {
        json: args.json,
        id_only: args.id_only,
        detach: args.detach,
    })?;
    let submission = Submission::of(spec::job(args)?);
    let client = Client::new(&raw(
        around,
        [("api-host", &args.api_host), ("api-port", &args.api_port)],
    ))?;
    perform(&client, &submission, wanted, console)
}

/// Performs `codling job run FILE`.
pub(super) fn run_file(
    args: &JobRun,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let wanted = Wanted::read(Switches {
        json: args.json,
        id_only: args.id_only,
        detach: args.detach,
    })?;
    let mut document = jobfile::read(&args.file)?;
    let job = std::mem::take(&mut document.job);
    if args.dry_run {
        console.line(&format!("{job:#}"))?;
        return Ok(Ended::WELL);
    }
    let submission = match document.token.take() {
        Some(token) => Submission { job, token },
        None => Submission::of(job),
    };
    let client = Client::new(&raw(
        around,
        [("api-host", &args.api_host), ("api-port", &args.api_port)],
    ))?;
    perform(&client, &submission, wanted, console).map_err(|error| match error {
        CliError::NotRun(ClientError::Refused {
            status: 400,
            message,
            hint,
            ..
        }) => CliError::JobRefused {
            lines: document.locate(&message),
            hint,
        },
        other => other,
    })
}

/// From a submission to the end that is wanted.
fn perform(
    client: &Client,
    submission: &Submission,
    wanted: Wanted,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let wanted = match submission.goal() {
        Goal::Nothing => wanted.until_taken(),
        Goal::Runs | Goal::End => wanted,
    };
    let interrupts = Interrupts::watch().map_err(CliError::Signals)?;
    let body = submission.body();
    let Some(reply) = submit(client, &body, &interrupts).map_err(CliError::NotRun)? else {
        console.tell("interrupted; whether the job was taken is not known");
        return Ok(Ended(INTERRUPTED));
    };
    let submitted: Submitted = reply.decode().map_err(CliError::NotRun)?;
    let job = submitted.job_id;
    if wanted.shown != Shown::Id {
        for warning in submitted.warnings.iter().flatten() {
            console.tell(warning);
        }
    }
    match (wanted.until, wanted.shown) {
        (Until::Taken, Shown::Json) => console.out(&reply.line())?,
        (Until::Taken, Shown::Output) => {
            console.line(&plain(&job))?;
            console.hint(&format!("codling job describe {job} shows how it goes"));
        }
        (_, Shown::Id) => console.line(&plain(&job))?,
        (Until::End, Shown::Output | Shown::Json) => {
            console.tell(&format!("job {job} submitted"));
        }
    }
    if wanted.until == Until::Taken {
        return Ok(Ended::WELL);
    }
    // The outputs of several executions are printed one after the other, each when its execution has ended.
    let (output, prints_ended) = match (wanted.shown, submission.runs_once()) {
        (Shown::Output, true) => (Output::start(client, &job), false),
        (Shown::Output, false) => (None, true),
        (Shown::Id | Shown::Json, _) => (None, false),
    };
    let goal = (submission.goal(), wanted.shown);
    let mut outputs = ending::Outputs::new(client, &job);
    let completed = |execution: &str, console: &mut Console| {
        if prints_ended {
            outputs.print_ended(execution, console);
        }
    };
    match follow::follow(client, &job, &interrupts, goal, console, completed)
        .map_err(CliError::NotRun)?
    {
        Followed::Interrupted => Ok(interrupted(client, &job, console)),
        Followed::Runs => {
            if wanted.shown == Shown::Json {
                let path = format!("/jobs/{job}?include=executions");
                console.out(&client.get(&path).map_err(CliError::NotRun)?.line())?;
            }
            if wanted.shown != Shown::Id {
                console.tell("it is kept running");
                console.hint(&format!(
                    "codling job logs --follow {job} shows what it prints, codling job stop {job} ends it"
                ));
            }
            Ok(Ended::WELL)
        }
        Followed::Ended(mut told) => {
            match output.map(|output| output.finish(&interrupts)) {
                Some(Finished::Interrupted) => return Ok(Ended(INTERRUPTED)),
                Some(Finished::Printed(printed)) => outputs.took(printed),
                Some(Finished::Silent) | None => {}
            }
            let reply = follow::patiently(&job, &interrupts, console, || {
                client.get(&format!("/jobs/{job}?include=executions"))
            })
            .map_err(CliError::NotRun)?;
            match reply {
                Some(reply) => ending::ending(&reply, outputs, &mut told, wanted.shown, console),
                None => Ok(Ended(INTERRUPTED)),
            }
        }
    }
}

/// `None` when interrupted. The first call must find a node; after a call whose outcome is unknown the same token is sent
/// again, so the job is taken once.
fn submit(
    client: &Client,
    body: &[u8],
    interrupts: &Interrupts,
) -> Result<Option<Reply>, ClientError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match client.put("/jobs", body) {
            Ok(reply) => return Ok(Some(reply)),
            Err(error @ (ClientError::NoNode { .. } | ClientError::Unreachable { .. }))
                if tries == 1 =>
            {
                return Err(error);
            }
            Err(error) if error.retry() == Retry::Later && tries < SUBMIT_TRIES => {}
            Err(error) => return Err(error),
        }
        if interrupts.wait(RETRY_PAUSE) == Waited::Interrupted {
            return Ok(None);
        }
    }
}

fn interrupted(client: &Client, job: &str, console: &mut Console) -> Ended {
    match ask_to_stop(client, job, "interrupted in codling run", STOP_MAX) {
        Ok(_) => console.tell(&format!("interrupted; job {job} is being stopped")),
        Err(error) => {
            console.tell(&format!("interrupted; job {job} may go on: {error}"));
            console.hint(&format!("stop it with: codling job stop {job}"));
        }
    }
    Ended(INTERRUPTED)
}
