//! The one loop: events in, decisions stored, outputs out.

use super::NodeError;
use super::evidence::{LoopFacts, Witness};
use super::finder::{EngineNews, Finder};
use super::input::Input;
use super::perform::{News, Performer};
use super::requests::Requests;
use super::room::RoomWatch;
use crate::agent::{Agent, AgentConfig, Event, Fact, Gate, Output, TURN_EVENTS_MAX};
use crate::api::ApiCall;
use crate::board::BootClock;
use crate::model::{
    ApiReply, ApiRequest, Batch, Bundle, ConditionChange, DenyReason, EngineFacts, ImageRemoval,
    Now, RequestId, StoredState,
};
use crate::store::{Store, StoreError, StoreReport, WriterRefusal};
use crate::swarm::HostEvent;
use async_channel::Receiver;
use async_io::Timer;
use futures_lite::FutureExt;
use std::future::Future;
use std::time::Duration;

/// First and longest pause before a store that failed is opened again; it grows until something is stored again. A disk
/// that works again is found within 5 s, the opening included.
const REOPEN_AFTER_MS: (u64, u64) = (1_000, 4_000);

/// How long a stopping node waits for its last commits and for activities to be let go: exit within 2 s.
const STOP_WITHIN: Duration = Duration::from_millis(1_500);

/// What an operator may want to know while the node runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// The engine answers, for the first time or again.
    EngineFound(EngineFacts),
    /// No engine answers; it is looked for.
    EngineAway {
        /// What was tried.
        why: String,
        /// How to be let in, if it is there and this user may not use it.
        permission: Option<String>,
    },
    /// The store failed; existing containers go on.
    StoreFailed {
        /// Why.
        why: String,
    },
    /// The store is back.
    StoreBack,
    /// Something about the swarm.
    Swarm(HostEvent),
    /// Something is not as it should be, or is again.
    Condition(ConditionChange),
}

/// Who decides now.
#[derive(Debug)]
enum Deciders {
    /// An agent and its gate.
    Working { agent: Box<Agent>, gate: Gate },
    /// The store failed. Waits until the store is open again and every activity is let go.
    Rebuilding {
        stored: Option<Box<StoredState>>,
        reopen_at_ms: Option<u64>,
    },
}

/// Everything that the loop owns.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) config: AgentConfig,
    pub(super) clock: BootClock,
    pub(super) witness: Witness,
    pub(super) store: Store,
    pub(super) calls: Receiver<ApiCall>,
    pub(super) performer: Performer,
    pub(super) news: Receiver<News>,
    pub(super) finder: Finder,
    pub(super) engine_news: Receiver<EngineNews>,
    pub(super) swarm: Receiver<HostEvent>,
}

/// The loop's own state.
#[derive(Debug)]
struct Loop<T> {
    parts: Driver,
    requests: Requests,
    reports: Receiver<StoreReport>,
    deciders: Deciders,
    commit: u64,
    /// The next pause before the store is opened again.
    pause_ms: u64,
    room: RoomWatch,
    engine: Option<Result<EngineFacts, String>>,
    tell: T,
}

impl Driver {
    /// Drives until `stop` is ready, then commits what is left and closes the store.
    ///
    /// # Errors
    /// The store's writer has ended, or its files could not be closed.
    pub(super) async fn run(
        self,
        stored: StoredState,
        stop: impl Future<Output = ()>,
        tell: impl FnMut(NodeEvent),
    ) -> Result<(), NodeError> {
        let agent = Box::new(Agent::recover(
            self.config.clone(),
            stored,
            self.clock.now(),
        ));
        let mut this = Loop {
            reports: self.store.reports(),
            deciders: Deciders::Working {
                agent,
                gate: Gate::default(),
            },
            parts: self,
            requests: Requests::default(),
            commit: 0,
            pause_ms: REOPEN_AFTER_MS.0,
            room: RoomWatch::default(),
            engine: None,
            tell,
        };
        this.tell_standing();
        this.see_room(this.parts.clock.now());
        let mut stop = std::pin::pin!(stop);
        loop {
            this.turn()?;
            match this.next(stop.as_mut()).await {
                Input::Stop => break,
                first => this.take(first)?,
            }
        }
        this.finish().await
    }
}

impl<T: FnMut(NodeEvent)> Loop<T> {
    /// Waits for the next thing to happen. Completions come before new work.
    async fn next(&self, stop: impl Future<Output = ()>) -> Input {
        let (accepts_calls, deadline_ms, look_at_ms) = match &self.deciders {
            Deciders::Working { agent, gate } => (
                !gate.is_full(),
                agent.next_deadline().map(|deadline| deadline.0),
                self.room.look_at_ms(),
            ),
            Deciders::Rebuilding { reopen_at_ms, .. } => (true, *reopen_at_ms, None),
        };
        let parts = &self.parts;
        let stop = async {
            stop.await;
            Input::Stop
        };
        let calls = async {
            if accepts_calls {
                received(&parts.calls, Input::Call).await
            } else {
                std::future::pending().await
            }
        };
        let at = async |at_ms: Option<u64>, input| {
            let Some(at_ms) = at_ms else {
                std::future::pending().await
            };
            let wait = at_ms.saturating_sub(parts.clock.now().boot_ms);
            Timer::after(Duration::from_millis(wait)).await;
            input
        };
        stop.or(received(&self.reports, Input::Store))
            .or(received(&parts.news, Input::News))
            .or(received(&parts.engine_news, Input::Engine))
            .or(received(&parts.swarm, Input::Swarm))
            .or(at(deadline_ms, Input::Deadline))
            .or(at(look_at_ms, Input::LookForRoom))
            .or(calls)
            .await
    }

    /// Takes what happened, and up to a turn's worth of what else is ready.
    fn take(&mut self, first: Input) -> Result<(), NodeError> {
        self.input(first)?;
        for _ in 1..TURN_EVENTS_MAX {
            let accepts_calls = match &self.deciders {
                Deciders::Working { gate, .. } => !gate.is_full(),
                Deciders::Rebuilding { .. } => true,
            };
            let input = if let Ok(news) = self.parts.news.try_recv() {
                Input::News(news)
            } else if let Some(call) = accepts_calls
                .then(|| self.parts.calls.try_recv().ok())
                .flatten()
            {
                Input::Call(call)
            } else {
                return Ok(());
            };
            self.input(input)?;
        }
        Ok(())
    }

    fn input(&mut self, input: Input) -> Result<(), NodeError> {
        let now = self.parts.clock.now();
        self.parts.witness.saw(&input, now);
        match input {
            Input::Call(call) => self.call(call, now),
            Input::News(News::Progress { id, progress }) => {
                self.event(Event::Progress { id, progress }, now)
            }
            Input::News(News::Done { id, result }) => {
                self.parts.performer.ended(&id);
                self.event(Event::Done { id, result }, now);
            }
            Input::News(News::ImageRemoved { name, removal }) => {
                self.image_removed(name, removal, now);
            }
            Input::Engine(news) => self.engine(news, now),
            Input::Store(report) => return self.report(report, now),
            Input::Swarm(event) => self.swarm(event, now),
            Input::Deadline => self.deadline(now)?,
            Input::LookForRoom => {
                self.room.looks();
                self.accepted(self.parts.store.look_for_room())?;
            }
            Input::Stop => {}
        }
        Ok(())
    }

    fn event(&mut self, event: Event, now: Now) {
        let Deciders::Working { agent, .. } = &mut self.deciders else {
            return;
        };
        let reading = agent
            .wants_board(&event, now)
            .then(|| self.parts.witness.sensors.read());
        if let Some(reading) = &reading {
            agent.handle(Event::Board(reading.clone()), now);
        }
        agent.handle(event, now);
        if let Some(reading) = reading {
            self.note(Fact::Board(reading), now);
        }
    }

    /// Tells what does not hold any more and what does since now.
    fn note(&mut self, fact: Fact, now: Now) {
        for change in self.parts.witness.health.note(fact, now) {
            (self.tell)(NodeEvent::Condition(change));
        }
    }

    /// Tells what is not as it should be at the start.
    fn tell_standing(&mut self) {
        let now = self.parts.clock.now();
        for condition in self.parts.witness.health.conditions(now) {
            (self.tell)(NodeEvent::Condition(ConditionChange::Began(condition)));
        }
        let reading = self.parts.witness.sensors.read();
        self.note(Fact::Board(reading), now);
    }

    fn swarm(&mut self, event: HostEvent, now: Now) {
        match &event {
            HostEvent::PeerUnreachable { peer, reason } => {
                let (peer, why) = (peer.clone(), reason.clone());
                self.note(Fact::PeerLost { peer, why }, now);
            }
            HostEvent::PeerConnected { peer, .. } => {
                self.note(Fact::PeerBack { peer: peer.clone() }, now);
            }
            HostEvent::Listening { .. }
            | HostEvent::ListeningEnded { .. }
            | HostEvent::PeerIdentified { .. }
            | HostEvent::PeerDisconnected { .. } => {}
        }
        (self.tell)(NodeEvent::Swarm(event));
    }

    fn call(&mut self, call: ApiCall, now: Now) {
        if call.request == ApiRequest::Evidence {
            call.reply
                .send(ApiReply::Evidence(Box::new(self.evidence(now))));
            return;
        }
        match &self.deciders {
            Deciders::Working { .. } => {
                let id = self.requests.keep(call.reply);
                let request = call.request;
                self.event(Event::Request { id, request }, now);
            }
            Deciders::Rebuilding { .. } => {
                call.reply
                    .send(ApiReply::Denied(DenyReason::StoreUnavailable { job: None }));
            }
        }
    }

    /// Everything there is to see now, whether an agent works or not.
    fn evidence(&mut self, now: Now) -> Bundle {
        let reading = self.parts.witness.sensors.read();
        self.note(Fact::Board(reading.clone()), now);
        let facts = LoopFacts {
            node: &self.parts.config.me,
            census: match &self.deciders {
                Deciders::Working { agent, .. } => Some(agent.census()),
                Deciders::Rebuilding { .. } => None,
            },
            files: self.parts.store.costs(),
            engine: self.engine.as_ref(),
        };
        self.parts.witness.bundle(reading, facts, now)
    }

    fn engine(&mut self, news: EngineNews, now: Now) {
        let (seen, told, fact, event) = match news {
            EngineNews::Found {
                number,
                facts,
                containers,
            } => {
                let image_dir = facts.image_dir.as_deref();
                self.parts.witness.sensors.watch_images(image_dir);
                let fact = Fact::EngineFound(facts.clone());
                let event = Event::EngineFound {
                    number,
                    facts: facts.clone(),
                    containers,
                };
                let told = NodeEvent::EngineFound(facts.clone());
                (Ok(facts), told, fact, event)
            }
            EngineNews::Away { why, permission } => {
                let fact = Fact::EngineAway {
                    why: why.clone(),
                    permission: permission.clone(),
                };
                let told = NodeEvent::EngineAway {
                    why: why.clone(),
                    permission,
                };
                (Err(why.clone()), told, fact, Event::EngineAway { why })
            }
        };
        if self.engine.as_ref() != Some(&seen) {
            (self.tell)(told);
            self.engine = Some(seen);
        }
        self.note(fact, now);
        self.event(event, now);
    }

    fn image_removed(&mut self, name: String, removal: ImageRemoval, now: Now) {
        match &removal {
            ImageRemoval::Removed => log::info!(
                "image \"{name}\" is removed, for the disk of the images is low (--image-low-water)"
            ),
            ImageRemoval::NotOurs => log::debug!("image \"{name}\" is not ours any more"),
            ImageRemoval::Kept { why } => log::debug!("image \"{name}\" stays: {why}"),
        }
        self.event(Event::ImageRemoved { name, removal }, now);
    }

    fn deadline(&mut self, now: Now) -> Result<(), NodeError> {
        match &mut self.deciders {
            Deciders::Working { .. } => self.event(Event::Timeout, now),
            Deciders::Rebuilding { reopen_at_ms, .. } => {
                if reopen_at_ms.is_some_and(|at| at <= now.boot_ms) {
                    *reopen_at_ms = None;
                    self.accepted(self.parts.store.reopen(now))?;
                }
            }
        }
        Ok(())
    }

    fn report(&mut self, report: StoreReport, now: Now) -> Result<(), NodeError> {
        match (report, &mut self.deciders) {
            (StoreReport::CommitDone { .. }, Deciders::Working { gate, .. }) => {
                self.pause_ms = REOPEN_AFTER_MS.0;
                let outputs = gate.committed();
                self.perform(outputs);
            }
            (
                StoreReport::CommitFailed { error, .. } | StoreReport::ReadFailed { error },
                Deciders::Working { .. },
            ) => self.store_failed(&error, now),
            (StoreReport::Reopened(state), Deciders::Rebuilding { stored, .. }) => {
                *stored = Some(state)
            }
            (StoreReport::ReopenFailed { error }, Deciders::Rebuilding { reopen_at_ms, .. }) => {
                log::debug!("the store is not back yet: {error}");
                *reopen_at_ms = Some(now.boot_ms + grown(&mut self.pause_ms));
            }
            (StoreReport::Looked, _) => self.room.looked(),
            // One batch is in flight at a time, and none while rebuilding.
            (_, _) => {}
        }
        self.see_room(now);
        Ok(())
    }

    /// Tells what the store has room for, if that is news.
    fn see_room(&mut self, now: Now) {
        let seen = self.room.see(self.parts.store.room(), now);
        if let Some(room) = seen {
            self.note(Fact::StoreRoom(room), now);
            self.event(Event::Room(room), now);
        }
    }

    /// A crash of the deciders, not of the process.
    fn store_failed(&mut self, error: &StoreError, now: Now) {
        let why = error.to_string();
        (self.tell)(NodeEvent::StoreFailed { why: why.clone() });
        self.note(Fact::StoreFailed { why }, now);
        let rebuilding = Deciders::Rebuilding {
            stored: None,
            reopen_at_ms: Some(now.boot_ms + grown(&mut self.pause_ms)),
        };
        let dropped = match std::mem::replace(&mut self.deciders, rebuilding) {
            Deciders::Working { gate, .. } => gate.fail(),
            Deciders::Rebuilding { .. } => Vec::new(),
        };
        self.requests.fail(dropped);
        self.parts.finder.forget();
        self.parts.performer.let_go();
    }

    /// Closes the turn: stores its writes and performs what the gate lets out.
    fn turn(&mut self) -> Result<(), NodeError> {
        if let Deciders::Rebuilding { stored, .. } = &mut self.deciders
            && self.parts.performer.is_idle()
            && let Some(stored) = stored.take()
        {
            let agent = Agent::recover(self.parts.config.clone(), *stored, self.parts.clock.now());
            self.deciders = Deciders::Working {
                agent: Box::new(agent),
                gate: Gate::default(),
            };
            // What an earlier agent's search found is of that agent's time.
            while self.parts.engine_news.try_recv().is_ok() {}
            (self.tell)(NodeEvent::StoreBack);
            self.note(Fact::StoreBack, self.parts.clock.now());
        }
        let Deciders::Working { agent, gate } = &mut self.deciders else {
            return Ok(());
        };
        let outputs = gate.admit(agent.turn());
        let batch = gate.next_batch();
        if let Some(batch) = batch {
            self.commit(batch)?;
        }
        self.perform(outputs);
        Ok(())
    }

    fn commit(&mut self, batch: Batch) -> Result<(), NodeError> {
        self.commit += 1;
        let taken = self.parts.store.commit(self.commit, batch);
        self.accepted(taken)
    }

    /// The writer's queue has room for what this loop tells it, so only a dead writer refuses.
    fn accepted(&self, taken: Result<(), WriterRefusal>) -> Result<(), NodeError> {
        taken.map_err(|_| NodeError::WriterEnded(self.parts.config.me.clone()))
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply { request, reply } => self.reply(request, *reply),
                Output::Begin { id, activity } => self.parts.performer.begin(id, activity),
                Output::Stop { id } => self.parts.performer.stop(&id),
                Output::RemoveImage { name, id } => self.parts.performer.remove_image(name, id),
                Output::Find { number } => self.parts.finder.find(number),
                // No peer is a compute node of this requester until the swarm speaks the protocol.
                Output::Send { to, message } => log::debug!("not sent to {to}: {message:?}"),
            }
        }
    }

    /// Answers a request. What is not as it should be is known here, not by an agent, which it may outlive.
    fn reply(&mut self, request: RequestId, mut reply: ApiReply) {
        if let ApiReply::Node(node) = &mut reply {
            node.conditions = self.parts.witness.health.conditions(self.parts.clock.now());
        }
        self.requests.answer(request, reply);
    }

    /// Commits what is left, lets activities go with their containers running, and closes the store.
    async fn finish(mut self) -> Result<(), NodeError> {
        // Requests that were not read are answered with 503; nothing was decided for them.
        self.parts.calls.close();
        while self.parts.calls.try_recv().is_ok() {}
        self.parts.performer.let_go();
        let flushed = async {
            self.flush().await;
        };
        let given_up = async {
            Timer::after(STOP_WITHIN).await;
        };
        flushed.or(given_up).await;
        self.parts.store.close().await?;
        Ok(())
    }

    /// Waits for the commit in flight and for the activities, then commits the ride-alongs.
    async fn flush(&mut self) {
        while !self.parts.performer.is_idle() {
            let Ok(news) = self.parts.news.recv().await else {
                return;
            };
            if let News::Done { id, .. } = news {
                self.parts.performer.ended(&id);
            }
        }
        loop {
            let Deciders::Working { gate, .. } = &mut self.deciders else {
                return;
            };
            if !gate.is_committing() {
                let Some(batch) = gate.next_batch().or_else(|| gate.last_batch()) else {
                    return;
                };
                if self.commit(batch).is_err() {
                    return;
                }
            }
            match self.reports.recv().await {
                Ok(StoreReport::CommitDone { .. }) => {
                    if let Deciders::Working { gate, .. } = &mut self.deciders {
                        // Replies may leave; nothing else is begun any more.
                        let released = gate.committed();
                        let replies = released
                            .into_iter()
                            .filter(|output| matches!(output, Output::Reply { .. }));
                        let replies = replies.collect();
                        self.perform(replies);
                    }
                }
                Ok(StoreReport::Looked) => {}
                _ => return,
            }
        }
    }
}

/// A pause, and twice that next time.
fn grown(pause_ms: &mut u64) -> u64 {
    let pause = *pause_ms;
    *pause_ms = (pause * 2).min(REOPEN_AFTER_MS.1);
    pause
}

/// What a channel brings next; for ever nothing once it is closed.
async fn received<T>(channel: &Receiver<T>, input: impl FnOnce(T) -> Input) -> Input {
    match channel.recv().await {
        Ok(item) => input(item),
        Err(_) => std::future::pending().await,
    }
}
