//! The last things that happened to a node: what a crash report and a bundle begin with.

use super::finder::EngineNews;
use super::input::Input;
use super::perform::News;
use crate::agent::{ActivityResult, Progress};
use crate::model::{ApiRequest, ImageRemoval, Now};
use crate::store::StoreReport;
use crate::swarm::HostEvent;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};

/// How many are kept: some jobs' worth, in 4 KiB.
const EVENTS_MAX: usize = 32;
/// Bytes of one event's text: a word, an id and a reason's beginning.
const TEXT_MAX: usize = 104;

/// Events of one node, the oldest forgotten first. No text of a job gets here, only ids.
#[derive(Debug, Default)]
pub struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    events: heapless::Deque<Happened, EVENTS_MAX>,
    /// The latest request that only looks: of those that follow a job there are more than of anything else.
    look: Option<Happened>,
}

#[derive(Clone, Debug)]
struct Happened {
    /// The last time.
    boot_ms: u64,
    text: heapless::String<TEXT_MAX>,
    /// How often in a row.
    times: u64,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "boot+{}.{:03}s {}",
            self.boot_ms / 1_000,
            self.boot_ms % 1_000,
            self.text
        )?;
        match self.times {
            1 => Ok(()),
            times => write!(f, " ({times} times)"),
        }
    }
}

impl Happened {
    fn new(text: fmt::Arguments<'_>, now: Now) -> Self {
        let mut happened = Self {
            boot_ms: now.boot_ms,
            text: heapless::String::new(),
            times: 1,
        };
        // Cutting is not failing.
        let _ = Cut(&mut happened.text).write_fmt(text);
        happened
    }

    /// Counts another one that is the same; tells whether it was.
    fn is_again(&mut self, other: &Self) -> bool {
        let is_same = self.text == other.text;
        if is_same {
            self.times += 1;
            self.boot_ms = other.boot_ms;
        }
        is_same
    }
}

impl Kept {
    /// All lines in the order of their times.
    fn lines(&self) -> Vec<String> {
        let mut all: Vec<&Happened> = self.events.iter().chain(&self.look).collect();
        all.sort_by_key(|happened| happened.boot_ms);
        all.into_iter().map(Happened::to_string).collect()
    }
}

/// Text that is cut where there is no more room, and holds nothing that steers a terminal.
struct Cut<'a>(&'a mut heapless::String<TEXT_MAX>);

impl fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            let safe = if letter.is_ascii_graphic() || letter == ' ' {
                letter
            } else {
                '?'
            };
            if self.0.push(safe).is_err() {
                break;
            }
        }
        Ok(())
    }
}

impl Recent {
    /// Remembers an event.
    pub(super) fn note(&self, text: fmt::Arguments<'_>, now: Now) {
        let happened = Happened::new(text, now);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = kept.events.back_mut();
        if latest.is_some_and(|latest| latest.is_again(&happened)) {
            return;
        }
        if kept.events.is_full() {
            kept.events.pop_front();
        }
        // There is room now.
        let _ = kept.events.push_back(happened);
    }

    /// Remembers a request that only looks, in the place of the one before.
    fn note_look(&self, text: fmt::Arguments<'_>, now: Now) {
        let happened = Happened::new(text, now);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = kept.look.as_mut();
        if !latest.is_some_and(|latest| latest.is_again(&happened)) {
            kept.look = Some(happened);
        }
    }

    /// Remembers what a loop takes in.
    pub(super) fn note_input(&self, input: &Input, now: Now) {
        let note = |text: fmt::Arguments<'_>| self.note(text, now);
        let look = |text: fmt::Arguments<'_>| self.note_look(text, now);
        match input {
            Input::Call(call) => match &call.request {
                ApiRequest::Submit(_) => note(format_args!("request: submit")),
                ApiRequest::Stop { job, .. } => note(format_args!("request: stop {job}")),
                ApiRequest::Read { job } => look(format_args!("request: read {job}")),
                ApiRequest::Rerun { job, .. } => note(format_args!("request: rerun {job}")),
                // The name is a user's word, which this is not the place for.
                ApiRequest::Find { .. } => look(format_args!("request: find")),
                ApiRequest::List(_) => look(format_args!("request: list")),
                ApiRequest::NodeInfo => look(format_args!("request: node")),
                ApiRequest::Prune(mode) => note(format_args!("request: prune, {mode:?}")),
                ApiRequest::Evidence => look(format_args!("request: evidence")),
            },
            // Not which image: that is the job's.
            Input::News(News::Progress { id, progress }) => match progress {
                Progress::Pulled { bytes, .. } => note(format_args!(
                    "{} step {}: has pulled {bytes} bytes",
                    id.execution, id.step
                )),
                Progress::Started => {
                    note(format_args!("{} step {}: started", id.execution, id.step))
                }
                Progress::Pulling(news) => note(format_args!(
                    "{} step {}: pulls its image, {:?}",
                    id.execution, id.step, news.stage
                )),
            },
            Input::News(News::Done { id, result }) => note(format_args!(
                "{} step {}: {}",
                id.execution,
                id.step,
                ended(result)
            )),
            Input::News(News::ImageRemoved { removal, .. }) => {
                let word = match removal {
                    ImageRemoval::Removed => "removed",
                    ImageRemoval::NotOurs => "not ours any more",
                    ImageRemoval::Kept { .. } => "kept",
                };
                note(format_args!("an image is {word}"));
            }
            Input::Engine(EngineNews::Found {
                number, containers, ..
            }) => note(format_args!(
                "engine found, look {number}: {} containers",
                containers.len()
            )),
            Input::Engine(EngineNews::Away { why, .. }) => note(format_args!("engine away: {why}")),
            Input::Store(StoreReport::CommitDone { seq }) => {
                note(format_args!("commit {seq} done"))
            }
            Input::Store(StoreReport::CommitFailed { seq, error }) => {
                note(format_args!("commit {seq} failed: {error}"));
            }
            Input::Store(StoreReport::ReadFailed { error }) => {
                note(format_args!("read failed: {error}"));
            }
            Input::Store(StoreReport::Reopened(_)) => note(format_args!("store open again")),
            Input::Store(StoreReport::ReopenFailed { error }) => {
                note(format_args!("store not open: {error}"));
            }
            Input::Swarm(HostEvent::PeerConnected { peer, .. }) => {
                note(format_args!("peer {peer} connected"));
            }
            Input::Swarm(HostEvent::PeerDisconnected { peer }) => {
                note(format_args!("peer {peer} gone"));
            }
            Input::Swarm(HostEvent::PeerUnreachable { peer, .. }) => {
                note(format_args!("peer {peer} out of reach"));
            }
            Input::Swarm(
                HostEvent::Listening { .. }
                | HostEvent::ListeningEnded { .. }
                | HostEvent::PeerIdentified { .. },
            ) => {}
            Input::Store(StoreReport::Looked) | Input::LookForRoom => {}
            Input::Deadline => note(format_args!("deadline")),
            Input::Stop => note(format_args!("stop")),
        }
    }

    /// All of them, oldest first, one line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines()
    }

    /// The same without waiting, for a thread that panicked and may hold the lock itself.
    #[must_use]
    pub fn lines_if_free(&self) -> Option<Vec<String>> {
        Some(self.kept.try_lock().ok()?.lines())
    }
}

fn ended(result: &ActivityResult) -> String {
    match result {
        ActivityResult::Prepared(Ok(container)) => format!("prepared {container}"),
        ActivityResult::Ran(Ok(output)) => format!("ran, exit code {}", output.exit_code),
        ActivityResult::Published(Ok(_)) => "published".to_owned(),
        ActivityResult::Discarded(Ok(())) => "discarded".to_owned(),
        ActivityResult::Ran(Err(failed)) => format!("not run: {:?}", failed.failure.kind),
        ActivityResult::Prepared(Err(failure)) => format!("not prepared: {:?}", failure.kind),
        ActivityResult::Published(Err(failure)) => format!("not published: {:?}", failure.kind),
        ActivityResult::Discarded(Err(failure)) => format!("not discarded: {:?}", failure.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BootId;

    fn at(boot_ms: u64) -> Now {
        Now {
            boot: BootId([0; 16]),
            boot_ms,
            wall: None,
        }
    }

    #[test]
    fn the_last_events_are_kept_in_their_order_and_cut_to_their_room() {
        let recent = Recent::default();
        for number in 0..100 {
            recent.note(
                format_args!("event {number} {}", "x".repeat(500)),
                at(number),
            );
        }
        let lines = recent.lines();
        assert_eq!(lines.len(), EVENTS_MAX);
        assert!(
            lines[0].starts_with("boot+0.068s event 68 "),
            "{}",
            lines[0]
        );
        assert!(lines.iter().all(|line| line.len() < TEXT_MAX + 20));
        assert_eq!(recent.lines_if_free(), Some(lines));
    }

    #[test]
    fn those_who_only_look_and_what_repeats_itself_push_nothing_out() {
        let recent = Recent::default();
        recent.note(format_args!("request: submit"), at(0));
        for number in 1..=100 {
            recent.note(format_args!("deadline"), at(2 * number));
            recent.note_look(format_args!("request: read j-1"), at(2 * number + 1));
        }
        assert_eq!(
            recent.lines(),
            [
                "boot+0.000s request: submit",
                "boot+0.200s deadline (100 times)",
                "boot+0.201s request: read j-1 (100 times)"
            ]
        );
    }

    #[test]
    fn an_event_steers_no_terminal() {
        let recent = Recent::default();
        recent.note(format_args!("a\u{1b}[2J\n\u{202e}b"), at(0));
        assert_eq!(recent.lines(), ["boot+0.000s a?[2J??b"]);
    }
}
