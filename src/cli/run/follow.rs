//! Follows a job's history to its end, across restarts of its node.

use super::super::client::{Client, ClientError, Reply, Retry};
use super::super::console::Console;
use super::super::interrupt::{Interrupts, Waited};
use super::super::wire::{HistoryItem, Page};
use super::wanted::{Goal, Shown};
use std::time::Duration;

/// Pauses between polls at the start, so that a short job feels instant; then [`POLL`].
const FIRST_POLLS_MS: [u64; 4] = [20, 30, 50, 100];
/// Between polls once a job takes a while.
const POLL: Duration = Duration::from_millis(250);
/// Polls after which a job is a long one (about half a minute), and the pause from then on.
const LONG_AFTER: usize = 120;
const POLL_LONG: Duration = Duration::from_secs(1);
/// Items of one page, as upstream's client asks for.
const PAGE: usize = 100;
/// How long a node that does not answer is waited for: longer than a board takes to boot.
const SILENCE_MAX_S: u64 = 300;
/// Between tries while it does not answer.
const SILENCE_PAUSE: Duration = Duration::from_millis(500);
/// Tries within [`SILENCE_MAX_S`].
const SILENCE_TRIES: u64 = SILENCE_MAX_S * 2;

/// How following ended.
#[derive(Debug)]
pub(super) enum Followed {
    /// The job is terminal.
    Ended(Told),
    /// It runs, and is to go on.
    Runs,
    /// A signal came first.
    Interrupted,
}

/// What happened to a job, and what of it is on the terminal.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) history: Vec<HistoryItem>,
    /// The last line that was told.
    last: String,
    /// That line while it is held back: a job's last one comes after its output.
    held: Option<String>,
}

impl Told {
    /// Takes in a line, unless it says nothing new, and tells the one before.
    fn take(&mut self, message: &str, console: &mut Console) {
        if self.repeats(message) {
            return;
        }
        self.tell_held(console);
        message.clone_into(&mut self.last);
        self.held = Some(message.to_owned());
    }

    /// Tells the line that was taken in last, if it still has to be told.
    pub(super) fn tell_held(&mut self, console: &mut Console) {
        if let Some(message) = self.held.take() {
            console.tell(&message);
        }
    }

    /// Job and execution often say the same, one of them in more words.
    fn repeats(&self, message: &str) -> bool {
        !self.last.is_empty() && (message.ends_with(&self.last) || self.last.ends_with(message))
    }

    /// What is new in a reason: all of it, its beginning where the rest was told, or nothing.
    pub(super) fn news_in<'a>(&self, reason: &'a str) -> &'a str {
        if self.last.is_empty() {
            return reason;
        }
        match reason.strip_suffix(self.last.as_str()) {
            Some(beginning) => beginning.trim_end_matches([' ', ':', ';', ',']),
            None if self.last.ends_with(reason) => "",
            None => reason,
        }
    }
}

/// Polls until the history says that the job has come to its goal, or has ended; prints what is new, but for the last line: see [`Told::tell_held`].
/// Tells `completed` of each execution whose container ended by itself, once what was told of it is on the terminal.
///
/// # Errors
/// The node refuses, or is silent for too long.
pub(super) fn follow(
    client: &Client,
    job: &str,
    interrupts: &Interrupts,
    (goal, shown): (Goal, Shown),
    console: &mut Console,
    mut completed: impl FnMut(&str, &mut Console),
) -> Result<Followed, ClientError> {
    let mut token: Option<String> = None;
    let mut told = Told::default();
    let mut polls = 0;
    loop {
        let path = page_path(job, token.as_deref());
        let Some(reply) = patiently(job, interrupts, console, || client.get(&path))? else {
            return Ok(Followed::Interrupted);
        };
        let page: Page<HistoryItem> = reply.decode()?;
        let next = page.next().map(str::to_owned);
        let items = page.items.unwrap_or_default();
        let is_full = items.len() >= PAGE;
        let runs = goal == Goal::Runs && items.iter().any(says_that_it_runs);
        for item in items {
            if shown != Shown::Id && is_told(&item) {
                told.take(&item.event.message, console);
            }
            if let Some(execution) = &item.execution_id
                && says_that_it_completed(&item)
            {
                completed(execution, console);
            }
            told.history.push(item);
        }
        if next.is_none() {
            return Ok(Followed::Ended(told));
        }
        told.tell_held(console);
        if runs {
            return Ok(Followed::Runs);
        }
        token = next;
        if is_full {
            continue;
        }
        if interrupts.wait(pause(polls)) == Waited::Interrupted {
            return Ok(Followed::Interrupted);
        }
        polls += 1;
    }
}

/// Whether an item is told while it happens: not the submission, which was told already, nor that a node took it, which
/// its executions tell better, nor the end, which is told with its output and reason.
fn is_told(item: &HistoryItem) -> bool {
    let is_submission = item.event.topic == "Submission";
    let is_end = matches!(
        item.event.detail("NewState"),
        Some("Running" | "Completed" | "Failed" | "Stopped")
    );
    !is_submission && !is_end && !item.event.message.is_empty()
}

/// Whether an item tells that a container was started.
fn says_that_it_runs(item: &HistoryItem) -> bool {
    item.event.topic == "Execution" && item.event.message == "Running"
}

/// Whether an item tells that a container ended by itself.
fn says_that_it_completed(item: &HistoryItem) -> bool {
    item.event.topic == "Execution" && item.event.message.starts_with("Completed ")
}

fn page_path(job: &str, token: Option<&str>) -> String {
    let mut path = format!("/jobs/{job}/history?event_type=all&limit={PAGE}");
    if let Some(token) = token {
        path.push_str("&next_token=");
        path.push_str(&super::super::client::segment(token));
    }
    path
}

fn pause(polls: usize) -> Duration {
    match FIRST_POLLS_MS.get(polls) {
        Some(ms) => Duration::from_millis(*ms),
        None if polls < LONG_AFTER => POLL,
        None => POLL_LONG,
    }
}

/// Asks until there is an answer, as long as asking again may help. `None` when interrupted.
///
/// # Errors
/// A refusal, or silence for longer than a board takes to boot.
pub(super) fn patiently(
    job: &str,
    interrupts: &Interrupts,
    console: &mut Console,
    ask: impl Fn() -> Result<Reply, ClientError>,
) -> Result<Option<Reply>, ClientError> {
    for tries in 0..SILENCE_TRIES {
        match ask() {
            Ok(reply) => {
                if tries > 0 {
                    console.tell("the node answers again");
                }
                return Ok(Some(reply));
            }
            Err(error) if error.retry() == Retry::Later => {
                if tries == 0 {
                    console.tell(&format!(
                        "the node does not answer; waiting for it, job {job} is not lost"
                    ));
                }
            }
            Err(error) => return Err(error),
        }
        if interrupts.wait(SILENCE_PAUSE) == Waited::Interrupted {
            return Ok(None);
        }
    }
    Err(ClientError::Lost {
        job: job.to_owned(),
        seconds: SILENCE_MAX_S,
    })
}
