//! One follower's read of one log.

use super::followers::{EndedLog, Followers, LogCut, Seat, Stage};
use crate::engine::{ContainerState, Engine, EngineError, LogStream};
use crate::model::{
    ContainerId, LastLines, LogBreak, LogBytes, LogChunk, LogExtent, LogItem, LogRequest, LogStart,
    NodeId,
};
use async_io::Timer;
use futures_lite::{FutureExt, Stream, StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;

/// How long a stream may be silent before it is held to have given all that the log had. Podman looks for more four
/// times a second.
const QUIET: Duration = Duration::from_secs(1);

/// How soon a log that broke off is opened again; doubled until `REOPEN_MOST`.
const REOPEN: Duration = Duration::from_millis(100);
/// Most between two tries. The engine's return ends a wait early only by chance, and nobody is held up by it.
const REOPEN_MOST: Duration = Duration::from_secs(5);

/// How long the verdict on a log that has ended is waited for: who awaits the container's end asks an engine that is away
/// at least every 30 s. It does not come where the run ended in an earlier life of this node.
const VERDICT_MAX: Duration = Duration::from_secs(35);

/// Tries in a row of one who wants only what is there.
const PRESENT_TRIES: u32 = 4;

/// What is said of a log whose engine could not write its end.
const ENGINE_WAS_AWAY: &str = "the engine was away when the container ended, and writes logs itself: what was printed last may be missing here";

/// Where logs come from.
#[derive(Clone, Debug)]
pub(in crate::node) struct LogSource {
    pub(in crate::node) engine: Arc<dyn Engine>,
    pub(in crate::node) node: NodeId,
    pub(in crate::node) followers: Arc<Followers>,
    /// How much of a job's output the engine keeps, for the words of a notice.
    pub(in crate::node) output_max_bytes: u64,
}

impl LogSource {
    /// The items of one follower. Nothing is read before it is asked for; dropping it ends the read.
    pub(in crate::node) fn follow(
        &self,
        request: LogRequest,
    ) -> impl Stream<Item = LogItem> + Send + use<> {
        let given = match request.start {
            LogStart::At(place) => place,
            LogStart::Last(_) => LogBytes::default(),
        };
        let feed = Feed {
            seat: Seat::take(Arc::clone(&self.followers), request.execution.clone()),
            source: self.clone(),
            request,
            given,
            begun: Begun::NotYet,
            reading: Reading::Closed,
            pause: REOPEN,
            tries: 0,
        };
        stream::unfold(feed, |mut feed| async move {
            let item = feed.next().await?;
            Some((item, feed))
        })
    }
}

struct Feed {
    source: LogSource,
    request: LogRequest,
    seat: Seat,
    /// The place behind the last byte that was given out.
    given: LogBytes,
    begun: Begun,
    reading: Reading,
    pause: Duration,
    tries: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    NotYet,
    Yes,
}

enum Reading {
    Closed,
    Open {
        log: LogStream,
        extent: LogExtent,
        /// What was given out before and comes again.
        past: LogBytes,
    },
    Over,
}

/// What a read came to.
enum Step {
    Give(LogChunk),
    /// What came was given out before.
    PassedOver,
    /// The stream says that there is no more.
    StreamEnded,
    StreamFailed(EngineError),
    /// The run has ended, and the stream gives nothing any more.
    RunEnded(Stage),
    /// The stream is silent before the place where it should go on.
    NotReached,
}

impl Feed {
    async fn next(&mut self) -> Option<LogItem> {
        loop {
            match &self.reading {
                Reading::Over => return None,
                Reading::Closed => match self.open().await {
                    Ok(()) if self.begun == Begun::NotYet => {
                        self.begun = Begun::Yes;
                        return Some(LogItem::Begins(self.given));
                    }
                    Ok(()) => {}
                    Err(cause) => {
                        if self.gives_up(&cause) {
                            self.reading = Reading::Over;
                            return Some(LogItem::Broken(cause));
                        }
                        self.wait().await;
                    }
                },
                Reading::Open { .. } => {
                    if let Some(item) = self.read().await {
                        return Some(item);
                    }
                }
            }
        }
    }

    fn gives_up(&self, cause: &LogBreak) -> bool {
        match (cause, self.request.extent) {
            (LogBreak::NoContainer, _) => true,
            (LogBreak::Away { .. }, LogExtent::Present) => self.tries >= PRESENT_TRIES,
            (LogBreak::Away { .. }, LogExtent::ToTheEnd) => false,
        }
    }

    async fn wait(&mut self) {
        self.tries += 1;
        Timer::after(self.pause).await;
        self.pause = (self.pause * 2).min(REOPEN_MOST);
    }

    /// Opens the log where it is to go on.
    async fn open(&mut self) -> Result<(), LogBreak> {
        let engine = Arc::clone(&self.source.engine);
        let found = engine
            .found_of(&self.source.node, &self.request.execution)
            .await
            .map_err(broken)?;
        let container = found.first().ok_or(LogBreak::NoContainer)?;
        let extent = match engine.inspect(container).await.map_err(broken)? {
            ContainerState::Created | ContainerState::Torn | ContainerState::Interrupted => {
                return Err(LogBreak::NoContainer);
            }
            ContainerState::Running { .. } => self.request.extent,
            ContainerState::Exited(_) => LogExtent::Present,
        };
        if let (Begun::NotYet, LogStart::Last(lines)) = (self.begun, self.request.start) {
            self.given = place_of_last(engine.as_ref(), container, lines)
                .await
                .map_err(broken)?;
        }
        let log = engine.logs(container, extent).await.map_err(broken)?;
        self.reading = Reading::Open {
            log,
            extent,
            past: self.given,
        };
        Ok(())
    }

    async fn read(&mut self) -> Option<LogItem> {
        let Reading::Open { log, extent, past } = &mut self.reading else {
            return None;
        };
        let (extent, given, seat) = (*extent, self.given, &self.seat);
        let is_there = *past == LogBytes::default();
        let chunk = async {
            match log.next().await {
                Some(Ok(chunk)) => past.pass_over(chunk).map_or(Step::PassedOver, Step::Give),
                Some(Err(error)) => Step::StreamFailed(error),
                None => Step::StreamEnded,
            }
        };
        let run_ended = async {
            if extent == LogExtent::Present {
                return std::future::pending().await;
            }
            let stage = seat.ended().await;
            if !matches!(stage, Stage::Ended(log) if log.length == given) {
                Timer::after(QUIET).await;
            }
            Step::RunEnded(stage)
        };
        let not_reached = async {
            if is_there || extent == LogExtent::Present {
                return std::future::pending().await;
            }
            Timer::after(QUIET).await;
            Step::NotReached
        };
        let step = chunk.or(run_ended).or(not_reached).await;
        self.take(step, extent).await
    }

    async fn take(&mut self, step: Step, extent: LogExtent) -> Option<LogItem> {
        match step {
            Step::Give(chunk) => {
                *self.given.of_mut(chunk.stream) += chunk.bytes.len() as u64;
                self.pause = REOPEN;
                self.tries = 0;
                Some(LogItem::Chunk(chunk))
            }
            Step::PassedOver => None,
            Step::StreamEnded if extent == LogExtent::Present => {
                let stage = verdict(&self.seat, self.request.extent).await;
                self.over(stage)
            }
            // The engine was stopped, or the container has ended: the next look tells.
            Step::StreamEnded => {
                self.reading = Reading::Closed;
                self.wait().await;
                None
            }
            Step::StreamFailed(error) => {
                log::debug!(
                    "the log of execution {} is opened again, since {error}",
                    self.request.execution
                );
                self.reading = Reading::Closed;
                if extent == LogExtent::Present && self.tries >= PRESENT_TRIES {
                    self.reading = Reading::Over;
                    return Some(LogItem::Broken(broken(error)));
                }
                self.wait().await;
                None
            }
            Step::RunEnded(Stage::Ended(log))
                if log.length == self.given || log.cut == Some(LogCut::Oldest) =>
            {
                self.over(Stage::Ended(log))
            }
            Step::RunEnded(_) => {
                self.reading = Reading::Closed;
                None
            }
            // What the log has now is less than was given out: its oldest part was dropped, and it is read anew.
            Step::NotReached => {
                self.reading = Reading::Closed;
                self.begun = Begun::NotYet;
                self.request.start = LogStart::At(LogBytes::default());
                self.given = LogBytes::default();
                Some(LogItem::Notice(self.dropped()))
            }
        }
    }

    /// Whether nothing is to be passed over any more.
    fn is_there(&self) -> bool {
        matches!(&self.reading, Reading::Open { past, .. } if *past == LogBytes::default())
    }

    /// The end. Says so when more was printed than the log has.
    fn over(&mut self, stage: Stage) -> Option<LogItem> {
        let is_there = self.is_there();
        self.reading = Reading::Over;
        let cut = match stage {
            Stage::Ended(EndedLog { cut, .. }) => cut,
            Stage::Open | Stage::Gone => None,
        };
        match cut {
            Some(LogCut::Latest) => Some(LogItem::Notice(ENGINE_WAS_AWAY.to_owned())),
            Some(LogCut::Oldest) => Some(LogItem::Notice(self.dropped())),
            None => (!is_there).then(|| LogItem::Notice(self.dropped())),
        }
    }

    fn dropped(&self) -> String {
        format!(
            "more was printed than fits the log of a job (--job-output-max, {} MiB), or nearly so: part of the output may be missing here, or come twice",
            self.source.output_max_bytes >> 20
        )
    }
}

/// What is known of the end, once who awaits it has seen it too: they find an engine that was away again at moments of
/// their own. Whoever wants only what is there does not wait.
async fn verdict(seat: &Seat, wanted: LogExtent) -> Stage {
    if wanted == LogExtent::Present {
        return seat.stage();
    }
    let unknown = async {
        Timer::after(VERDICT_MAX).await;
        seat.stage()
    };
    seat.ended().or(unknown).await
}

/// Where the last `lines` lines begin that a log has now.
async fn place_of_last(
    engine: &dyn Engine,
    container: &ContainerId,
    lines: usize,
) -> Result<LogBytes, EngineError> {
    let mut last = LastLines::new(lines);
    let mut log = engine.logs(container, LogExtent::Present).await?;
    while let Some(chunk) = log.next().await {
        let chunk = chunk?;
        last.see(chunk.stream, &chunk.bytes);
    }
    Ok(last.place())
}

fn broken(error: EngineError) -> LogBreak {
    match error {
        EngineError::NoSuchContainer { .. } => LogBreak::NoContainer,
        other => LogBreak::Away {
            why: other.to_string(),
        },
    }
}
