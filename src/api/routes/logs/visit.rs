//! One follower's visit, from the job's id to the last piece of output.

use super::super::find::{self, Place};
use super::super::query::Query;
use super::ask::Ask;
use super::frames::{Frames, Wire};
use crate::api::backend::ApiBackend;
use crate::api::error::ApiError;
use crate::model::{
    Execution, ExecutionId, LastLines, LogBreak, LogBytes, LogExtent, LogItem, LogRequest,
    LogStart, OutputStream, RUN_OUTPUT_MAX,
};
use async_io::{Async, Timer};
use async_tungstenite::WebSocketSender;
use async_tungstenite::tungstenite::Message;
use futures_lite::stream::Stream;
use futures_lite::{StreamExt, future};
use std::net::TcpStream;
use std::pin::Pin;
use std::time::Duration;

/// Output in one message: pieces that are there already are put together up to this, so that many short lines cost no
/// more than a few long ones. With its JSON and its frame a follower holds some 200 kB at worst.
const MESSAGE_BYTES: usize = 16 * 1024;

/// How soon a job that has not started is looked at again when nobody says anything; doubled until `LOOK_MOST`.
const LOOK: Duration = Duration::from_millis(50);
/// Most between two looks: a job may also end without ever starting.
const LOOK_MOST: Duration = Duration::from_secs(5);

/// Looks at a job that should have a container and has none, for one who does not wait: its record may be older than its
/// removal.
const PRESENT_LOOKS: u32 = 4;

/// How a visit ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum VisitEnd {
    /// All was sent.
    Complete,
    /// What the client is to be told.
    Refused(String),
    /// There is nobody to be told.
    SocketFailed,
}

impl From<ApiError> for VisitEnd {
    fn from(error: ApiError) -> Self {
        Self::Refused(error.to_string())
    }
}

enum Looked {
    Shown,
    NotYet,
}

/// What became of the read of a container's log.
enum Pumped {
    Whole,
    /// The container was removed when this much was sent.
    Gone(LogBytes),
}

type Items = Pin<Box<dyn Stream<Item = LogItem> + Send>>;

/// A follower, its question and its socket.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    backend: &'a ApiBackend,
    job: &'a str,
    query: &'a Query,
    sender: &'a mut WebSocketSender<Async<TcpStream>>,
    frames: Frames,
}

impl<'a> Visit<'a> {
    pub(super) fn new(
        backend: &'a ApiBackend,
        job: &'a str,
        query: &'a Query,
        sender: &'a mut WebSocketSender<Async<TcpStream>>,
    ) -> Self {
        Self {
            backend,
            job,
            query,
            sender,
            frames: Frames::new(Wire::Json),
        }
    }

    /// Sends the log.
    pub(super) async fn run(&mut self) -> VisitEnd {
        match self.wait_and_show().await {
            Ok(()) => VisitEnd::Complete,
            Err(end) => end,
        }
    }

    async fn wait_and_show(&mut self) -> Result<(), VisitEnd> {
        let ask = Ask::read(self.query)?;
        self.frames = Frames::new(ask.wire);
        let mut pause = LOOK;
        let mut looks = 0;
        loop {
            // Listened for before the look, so that nothing happens unseen in between.
            let news = self.backend.logs().news();
            looks += 1;
            if let Looked::Shown = self.look(&ask, looks).await? {
                return Ok(());
            }
            let waited = async {
                Timer::after(pause).await;
            };
            future::or(news, waited).await;
            pause = (pause * 2).min(LOOK_MOST);
        }
    }

    async fn look(&mut self, ask: &Ask, looks: u32) -> Result<Looked, VisitEnd> {
        let follows = ask.extent == LogExtent::ToTheEnd;
        let record = match find::record(self.backend, Place::new(self.job, self.query)).await {
            Ok(record) => record,
            Err(error) if follows && error.row().retry_after_s.is_some() => {
                return Ok(Looked::NotYet);
            }
            Err(error) => return Err(error.into()),
        };
        let Some(execution) = ask.choose(self.query, &record)? else {
            if follows && !record.job.state.is_terminal() {
                return Ok(Looked::NotYet);
            }
            let none = "no executions found for this job";
            return Err(VisitEnd::Refused(match record.job.state_message.as_str() {
                "" => none.to_owned(),
                why => format!("{none}: {why}"),
            }));
        };
        if execution.node_id != *self.backend.logs().node() {
            return Err(VisitEnd::Refused(format!(
                "execution {} is on node {}: logs of other nodes cannot be read yet",
                execution.id, execution.node_id
            )));
        }
        let mut items = self.backend.logs().follow(LogRequest {
            execution: execution.id.clone(),
            start: ask.start,
            extent: ask.extent,
        });
        match items.next().await {
            Some(LogItem::Begins(place)) => {
                self.begin(execution, place).await?;
                if let Pumped::Gone(place) = self.pump(execution, place, items).await? {
                    self.show_rest(&execution.id, place).await?;
                }
                Ok(Looked::Shown)
            }
            Some(LogItem::Broken(LogBreak::Away { why })) => Err(away(&why)),
            _ if execution.state.is_terminal() => {
                self.show_stored(execution, ask.start).await?;
                Ok(Looked::Shown)
            }
            _ if follows || looks < PRESENT_LOOKS => Ok(Looked::NotYet),
            _ => Err(VisitEnd::Refused(format!(
                "execution {} has not started yet; follow the log to wait for it",
                execution.id
            ))),
        }
    }

    async fn pump(
        &mut self,
        execution: &Execution,
        mut place: LogBytes,
        mut items: Items,
    ) -> Result<Pumped, VisitEnd> {
        // What was there already and is not part of the message before; its end is seen once.
        let mut ahead = None;
        loop {
            let item = match ahead.take() {
                Some(item) => item,
                None => items.next().await,
            };
            match item {
                None => break,
                Some(LogItem::Chunk(chunk)) => {
                    let mut bytes = chunk.bytes.to_vec();
                    while bytes.len() < MESSAGE_BYTES && ahead.is_none() {
                        match future::poll_once(items.next()).await {
                            Some(Some(LogItem::Chunk(next))) if next.stream == chunk.stream => {
                                bytes.extend_from_slice(&next.bytes);
                            }
                            Some(other) => ahead = Some(other),
                            None => break,
                        }
                    }
                    self.output(chunk.stream, &bytes).await?;
                    *place.of_mut(chunk.stream) += bytes.len() as u64;
                    // A log that is all there must not hold up the node's only thread.
                    future::yield_now().await;
                }
                Some(LogItem::Notice(text)) => self.notice(&text).await?,
                Some(LogItem::Broken(LogBreak::NoContainer)) => return Ok(Pumped::Gone(place)),
                Some(LogItem::Broken(LogBreak::Away { why })) => return Err(away(&why)),
                Some(LogItem::Begins(anew)) => {
                    place = anew;
                    self.begin(execution, place).await?;
                }
            }
        }
        self.finish().await?;
        Ok(Pumped::Whole)
    }

    /// What is left of a log whose container was removed while it was read: that of one that has ended is stored by then.
    async fn show_rest(&mut self, id: &ExecutionId, place: LogBytes) -> Result<(), VisitEnd> {
        let record = find::record(self.backend, Place::new(self.job, self.query)).await?;
        let mut executions = record.executions.iter();
        let ended = executions.find(|one| one.id == *id && one.run_output.is_some());
        if let Some(execution) = ended {
            return self.show_stored(execution, LogStart::At(place)).await;
        }
        let gone = "the container was removed before all of its output was read";
        self.notice(gone).await?;
        self.finish().await
    }

    /// The first bytes, which are all that is left once the container is removed.
    async fn show_stored(
        &mut self,
        execution: &Execution,
        start: LogStart,
    ) -> Result<(), VisitEnd> {
        let Some(output) = &execution.run_output else {
            let why = match execution.state_message.as_str() {
                "" => "it never ran",
                message => message,
            };
            return Err(VisitEnd::Refused(format!(
                "execution {} has no output: {why}",
                execution.id
            )));
        };
        let streams = [
            (OutputStream::Stdout, &output.stdout),
            (OutputStream::Stderr, &output.stderr),
        ];
        let place = match start {
            LogStart::At(place) => place,
            LogStart::Last(lines) => {
                let mut last = LastLines::new(lines);
                for (stream, bytes) in streams {
                    last.see(stream, bytes);
                }
                last.place()
            }
        };
        self.begin(execution, place).await?;
        for (stream, bytes) in streams {
            let from = usize::try_from(place.of(stream)).unwrap_or(usize::MAX);
            if let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) {
                self.output(stream, rest).await?;
            }
        }
        self.finish().await?;
        let cut = match (output.stdout_truncated, output.stderr_truncated) {
            (true, true) => "stdout and stderr are",
            (true, false) => "stdout is",
            (false, true) => "stderr is",
            (false, false) => return Ok(()),
        };
        let text = format!(
            "{cut} cut: the container is removed, and the first {RUN_OUTPUT_MAX} bytes of each stream are kept"
        );
        self.notice(&text).await
    }

    async fn begin(&mut self, execution: &Execution, place: LogBytes) -> Result<(), VisitEnd> {
        let message = self.frames.begins(&execution.id, place);
        self.send(message).await
    }

    async fn output(&mut self, stream: OutputStream, bytes: &[u8]) -> Result<(), VisitEnd> {
        let message = self.frames.output(stream, bytes);
        self.send(message).await
    }

    async fn notice(&mut self, text: &str) -> Result<(), VisitEnd> {
        let message = self.frames.notice(text);
        self.send(Some(message)).await
    }

    async fn finish(&mut self) -> Result<(), VisitEnd> {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let message = self.frames.rest(stream);
            self.send(message).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: Option<Message>) -> Result<(), VisitEnd> {
        let Some(message) = message else {
            return Ok(());
        };
        self.sender
            .send(message)
            .await
            .map_err(|_| VisitEnd::SocketFailed)
    }
}

fn away(why: &str) -> VisitEnd {
    VisitEnd::Refused(format!("the log cannot be read now: {why}"))
}
