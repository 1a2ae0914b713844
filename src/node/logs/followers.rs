//! Who follows the log of which execution, and what is known of its end.

use crate::model::{ExecutionId, LogBytes};
use async_io::Timer;
use event_listener::{Event, EventListener};
use futures_lite::FutureExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a container is kept after its end for followers that are still on their way, when its log holds more than
/// the stored output: the `bacalhau` CLI looks ten times, a second apart, before it follows.
const LATE_FOLLOWERS: Duration = Duration::from_secs(10);

/// How long a container is kept after its end for followers that still read. The longest default log passes over a link
/// of 3 Mbit/s in that time.
const READERS_MAX: Duration = Duration::from_secs(60);

/// What a log may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum LogCut {
    /// The oldest part, which the engine dropped.
    Oldest,
    /// The latest part: the engine was away when the container ended.
    Latest,
}

/// How a run's log stands once it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) struct EndedLog {
    /// All that the log has.
    pub(in crate::node) length: LogBytes,
    /// Which part of what was printed it may lack.
    pub(in crate::node) cut: Option<LogCut>,
    /// Whether the stored output is all of it, so that nobody needs the log any more.
    pub(in crate::node) stored_whole: bool,
}

/// What followers know of an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing, or that it runs.
    #[default]
    Open,
    /// Its container has ended and is still there.
    Ended(EndedLog),
    /// Its container is gone.
    Gone,
}

#[derive(Debug, Default)]
struct Seats {
    taken: usize,
    stage: Stage,
}

/// Executions that are followed, or have ended and were not discarded yet. Bounded by the API's followers and by the
/// agent's live executions.
#[derive(Debug, Default)]
pub(in crate::node) struct Followers {
    seats: Mutex<BTreeMap<ExecutionId, Seats>>,
    changed: Event,
    courtesy: Courtesy,
}

/// How long an ended container is kept for followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Courtesy {
    late: Duration,
    readers: Duration,
}

impl Default for Courtesy {
    fn default() -> Self {
        Self {
            late: LATE_FOLLOWERS,
            readers: READERS_MAX,
        }
    }
}

impl Followers {
    fn seats(&self) -> MutexGuard<'_, BTreeMap<ExecutionId, Seats>> {
        // Nothing that is done under the lock can leave it half done.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when something that followers wait for happens after this call.
    pub(in crate::node) fn news(&self) -> EventListener {
        self.changed.listen()
    }

    /// An activity began or ended: containers may have come or started.
    pub(in crate::node) fn tell(&self) {
        self.changed.notify(usize::MAX);
    }

    /// The container has ended and its output was read.
    pub(in crate::node) fn ended(&self, execution: &ExecutionId, log: EndedLog) {
        self.seats().entry(execution.clone()).or_default().stage = Stage::Ended(log);
        self.tell();
    }

    /// The container is gone; whoever still follows it is told.
    pub(in crate::node) fn gone(&self, execution: &ExecutionId) {
        let mut seats = self.seats();
        if let Some(entry) = seats.get_mut(execution) {
            entry.stage = Stage::Gone;
            if entry.taken == 0 {
                seats.remove(execution);
            }
        }
        drop(seats);
        self.tell();
    }

    /// Waits until the container of an execution that ended here is needed by no follower any more, at most
    /// [`READERS_MAX`]. An execution whose end was not seen in this life is needed by nobody.
    pub(in crate::node) async fn done_with(&self, execution: &ExecutionId) {
        let Stage::Ended(log) = self.stage(execution) else {
            return;
        };
        let all_read = async {
            if !log.stored_whole {
                Timer::after(self.courtesy.late).await;
            }
            self.until(execution, |seats| (seats.taken == 0).then_some(()))
                .await
        };
        let too_late = async {
            Timer::after(self.courtesy.readers).await;
        };
        all_read.or(too_late).await;
    }

    fn stage(&self, execution: &ExecutionId) -> Stage {
        self.seats()
            .get(execution)
            .map(|seats| seats.stage)
            .unwrap_or_default()
    }

    async fn until<T>(&self, execution: &ExecutionId, look: impl Fn(&Seats) -> Option<T>) -> T {
        loop {
            let news = self.news();
            let found = self
                .seats()
                .get(execution)
                .map_or_else(|| look(&Seats::default()), &look);
            match found {
                Some(found) => return found,
                None => news.await,
            }
        }
    }
}

/// A follower's place: while it is held, the container stays (see [`Followers::done_with`]).
#[derive(Debug)]
pub(super) struct Seat {
    followers: Arc<Followers>,
    execution: ExecutionId,
}

impl Seat {
    /// Takes a place.
    pub(super) fn take(followers: Arc<Followers>, execution: ExecutionId) -> Self {
        followers
            .seats()
            .entry(execution.clone())
            .or_default()
            .taken += 1;
        Self {
            followers,
            execution,
        }
    }

    /// What is known now.
    pub(super) fn stage(&self) -> Stage {
        self.followers.stage(&self.execution)
    }

    /// Waits for the end of the run, or of the container.
    pub(super) async fn ended(&self) -> Stage {
        self.followers
            .until(&self.execution, |seats| {
                (seats.stage != Stage::Open).then_some(seats.stage)
            })
            .await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.followers.seats();
        if let Some(entry) = seats.get_mut(&self.execution) {
            entry.taken -= 1;
            if entry.taken == 0 && !matches!(entry.stage, Stage::Ended(_)) {
                seats.remove(&self.execution);
            }
        }
        drop(seats);
        self.followers.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::pin::pin;

    const FOR_EVER: Duration = Duration::MAX;

    /// A log that is all in the stored output.
    const WHOLE: EndedLog = EndedLog {
        length: LogBytes {
            stdout: 1,
            stderr: 0,
        },
        cut: None,
        stored_whole: true,
    };
    /// And one that is not.
    const LONG: EndedLog = EndedLog {
        stored_whole: false,
        ..WHOLE
    };

    /// An execution that has ended with this log.
    fn ended(late: Duration, readers: Duration, log: EndedLog) -> Arc<Followers> {
        let followers = Followers {
            courtesy: Courtesy { late, readers },
            ..Followers::default()
        };
        followers.ended(&execution(), log);
        Arc::new(followers)
    }

    fn execution() -> ExecutionId {
        ExecutionId::from("e-1")
    }

    #[test]
    fn a_container_is_kept_ten_seconds_for_late_followers_and_a_minute_for_those_who_read() {
        let courtesy = Followers::default().courtesy;
        assert_eq!(courtesy.late, Duration::from_secs(10));
        assert_eq!(courtesy.readers, Duration::from_secs(60));
    }

    #[test]
    fn late_followers_are_waited_for_only_where_the_stored_output_is_not_all() {
        block_on(async {
            let whole = ended(FOR_EVER, FOR_EVER, WHOLE);
            whole.done_with(&execution()).await;
            let cut = ended(FOR_EVER, FOR_EVER, LONG);
            assert_eq!(poll_once(pin!(cut.done_with(&execution()))).await, None);
            let cut = ended(Duration::ZERO, FOR_EVER, LONG);
            cut.done_with(&execution()).await;
        });
    }

    #[test]
    fn who_reads_is_waited_for_until_the_place_is_left_or_the_time_is_over() {
        block_on(async {
            let followers = ended(Duration::ZERO, FOR_EVER, WHOLE);
            let seat = Seat::take(Arc::clone(&followers), execution());
            let name = execution();
            let mut done = pin!(followers.done_with(&name));
            assert_eq!(poll_once(&mut done).await, None);
            drop(seat);
            done.await;

            let followers = ended(Duration::ZERO, Duration::ZERO, WHOLE);
            let _stuck = Seat::take(Arc::clone(&followers), execution());
            followers.done_with(&execution()).await;
        });
    }

    #[test]
    fn an_execution_whose_end_was_not_seen_is_waited_for_by_nobody() {
        let followers = Arc::new(Followers::default());
        let _seat = Seat::take(Arc::clone(&followers), execution());
        block_on(followers.done_with(&execution()));
    }
}
