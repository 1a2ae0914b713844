//! The compute role: executions that this node bid for, accepted, runs, and reports.
//!
//! ```text
//!  Ask -> Bidding -> AcceptBid -> Queued -> Preparing -> Running -> Publishing -> Ended -> Acknowledge -> Discarding -> gone
//!                                   ^  \________ engine away ________/   |
//!                                   |            Reconciling <-----------'  (also after every start)
//! ```
//! At most one activity per execution is in flight; `phase` says which. What the requester or the clock wants instead is
//! the *wish*, a second field: a running activity is asked to stop and its completion awaited. The engine's absence is
//! never an execution's failure: it waits in Reconciling until the engine is found, and the recovery table decides;
//! `away` shows it meanwhile.

mod away;
mod delivery;
mod hear;
mod images;
mod progress;
mod rebuild;
mod reconcile;
mod timers;
mod wanted;

use super::bidding::EngineView;
use super::mail::Desk;
use super::pressure::{self, READING_FRESH_MS};
use super::retention::Retention;
use super::retry::Retry;
use super::{
    Activity, ActivityId, AgentConfig, Capacity, FoundState, LIVE_MAX, Output, Plan, Writes,
};
use crate::model::{
    BoardReading, Census, ComputeState, ContainerId, Deadline, Delivery, ExecutionId,
    ExecutionRecord, Failure, ImageRemoval, MemoryLimits, Message, NodeId, NodeInfo, Now, Outcome,
    Prunable, PruneMode, PulledImage, PulledImages, RunOutput, StoreRoom, Timer, Write, WriteKind,
};
use delivery::Outbox;
use images::Images;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many ended executions are remembered so that a late repetition of their ask is refused: a requester repeats
/// itself for minutes, not for thousands of executions.
const ENDED_MAX: usize = 4_096;

/// How long a bid holds: longer than a requester waits for it.
const BID_MS: u64 = 10 * 60 * 1_000;

/// How soon the engine is asked again what it has, when it keeps failing in between.
const FIND_PACE_MS: u64 = 5_000;

/// How soon a job has an engine that is away looked for again: who has just started it need not wait, and a burst of jobs
/// makes one look.
const ASK_PACE_MS: u64 = 1_000;

/// How long after a start the engine is asked once more: what the process before sent it takes effect by then (a call
/// that changes the engine is awaited for 30 s).
const LATE_CALL_MS: u64 = 45_000;

/// How soon the board is looked at again when the next execution waits for it: what is hot or short changes in such times.
const SPARE_PACE_MS: u64 = 10_000;

/// Executions and their capacity. See the module's text.
#[derive(Debug)]
pub(crate) struct Compute {
    capacity: Capacity,
    labels: BTreeMap<String, String>,
    engine: EngineView,
    memory_limits: MemoryLimits,
    room: StoreRoom,
    /// The board as it was last read, and when on the boot clock.
    board: Option<(u64, BoardReading)>,
    held: BTreeMap<ExecutionId, Held>,
    /// Accepted executions that wait for capacity, in the order of their acceptance. Never overtaken.
    queue: VecDeque<ExecutionId>,
    /// Asks that came before the engine first answered, and this node's own ones that the store has no room for, the
    /// latest per execution.
    early_asks: BTreeMap<ExecutionId, (NodeId, Message)>,
    /// Executions that are not held and whose containers are being removed.
    sweeping: BTreeMap<ExecutionId, Sweep>,
    /// How often the engine was asked what it has.
    finds: u64,
    /// When it was last asked, or was last found away, on the boot clock.
    found_at_ms: Option<u64>,
    /// When to ask it next.
    find_at: Option<Deadline>,
    /// When to ask it once more for what came late.
    late_at: Option<Deadline>,
    /// When to look whether the board can spare what the next execution needs, while it cannot.
    spare_at: Option<Deadline>,
    images: Images,
    retention: Retention<String>,
    /// Outcomes that are not acknowledged, by requester.
    outboxes: BTreeMap<NodeId, Outbox>,
    ended: BTreeSet<ExecutionId>,
    ended_order: VecDeque<ExecutionId>,
    /// Executions of this node's own jobs that jobs.db does not hold.
    orphans: BTreeSet<ExecutionId>,
    /// Executions that ended here, by outcome.
    ended_by: BTreeMap<&'static str, u64>,
    next_step: u64,
    dirty: BTreeMap<ExecutionId, WriteKind>,
    deleted: BTreeSet<ExecutionId>,
}

/// An execution in memory.
#[derive(Debug)]
struct Held {
    record: ExecutionRecord,
    phase: Phase,
    wish: Wish,
    /// How long it may wait for room, if its job says so.
    patience: Option<Timer>,
    /// When its requester is asked whether it still wants it; `None` once it has said so, and if it is this node.
    doubt: Option<Retry>,
}

/// What this node is doing for an execution.
#[derive(Debug)]
enum Phase {
    /// A bid is out. Not stored: a crash forgets it and the requester asks again.
    Bidding { until: Deadline },
    /// Accepted; waits for capacity and the engine.
    Queued,
    /// Accepted; what the engine has of it is not known, and only what it is asked later than the find of this number
    /// tells: an earlier list may not show what was done meanwhile.
    Reconciling { after: u64 },
    /// `Prepare` is in flight.
    Preparing { step: u64 },
    /// `Run` is in flight.
    Running { step: u64, container: ContainerId },
    /// `Publish` is in flight.
    Publishing { step: u64, output: RunOutput },
    /// Ended; the outcome is in its requester's outbox until it is acknowledged.
    Ended,
    /// Acknowledged; `Discard` is in flight.
    Discarding { step: u64 },
}

impl Phase {
    /// Every word of `word`.
    const WORDS: [&'static str; 8] = [
        "bidding",
        "queued",
        "reconciling",
        "preparing",
        "running",
        "publishing",
        "ended",
        "discarding",
    ];

    /// What is done for it, for those who watch.
    fn word(&self) -> &'static str {
        match self {
            Self::Bidding { .. } => "bidding",
            Self::Queued => "queued",
            Self::Reconciling { .. } => "reconciling",
            Self::Preparing { .. } => "preparing",
            Self::Running { .. } => "running",
            Self::Publishing { .. } => "publishing",
            Self::Ended => "ended",
            Self::Discarding { .. } => "discarding",
        }
    }

    /// Whether it was accepted and is not over.
    fn is_open(&self) -> bool {
        match self {
            Self::Queued
            | Self::Reconciling { .. }
            | Self::Preparing { .. }
            | Self::Running { .. }
            | Self::Publishing { .. } => true,
            Self::Bidding { .. } | Self::Ended | Self::Discarding { .. } => false,
        }
    }

    fn step(&self) -> Option<u64> {
        match self {
            Self::Preparing { step }
            | Self::Running { step, .. }
            | Self::Publishing { step, .. }
            | Self::Discarding { step } => Some(*step),
            Self::Bidding { .. } | Self::Queued | Self::Reconciling { .. } | Self::Ended => None,
        }
    }
}

/// What is wanted of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// That it runs to its end.
    Run,
    /// That it stops, for its requester.
    Cancel,
    /// That it stops, for its time is over.
    TimeOut,
}

/// The removal of a container that belongs to nothing.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    /// How it stood: what runs has its part of the board until it is gone.
    state: FoundState,
    /// The `Discard` in flight; `None` after one that failed.
    step: Option<u64>,
}

impl Held {
    fn new(record: ExecutionRecord, phase: Phase, desk: &Desk<'_>) -> Self {
        let seconds = record.job.timeouts().queue_s;
        let patience = (seconds > 0)
            .then(|| Timer::start(record.accepted, seconds.saturating_mul(1_000)).rebase(desk.now));
        let doubt = (record.requester != *desk.me).then(|| Retry::rare(desk.now));
        Self {
            record,
            phase,
            wish: Wish::Run,
            patience,
            doubt,
        }
    }

    /// The image that its job names.
    fn image(&self) -> Option<&str> {
        self.record.job.task.engine.params.get("Image")?.as_str()
    }
}

impl Compute {
    pub(crate) fn new(config: &AgentConfig, room: StoreRoom) -> Self {
        Self {
            capacity: Capacity::new(config.total),
            labels: config.labels.clone(),
            engine: EngineView::Unknown,
            memory_limits: config.memory_limits,
            room,
            board: None,
            held: BTreeMap::new(),
            queue: VecDeque::new(),
            early_asks: BTreeMap::new(),
            sweeping: BTreeMap::new(),
            finds: 0,
            found_at_ms: None,
            find_at: None,
            late_at: None,
            spare_at: None,
            images: Images::new(config.image_low_water),
            retention: Retention::new(config.retention),
            outboxes: BTreeMap::new(),
            ended: BTreeSet::new(),
            ended_order: VecDeque::new(),
            orphans: BTreeSet::new(),
            ended_by: ["completed", "failed", "cancelled"]
                .map(|outcome| (outcome, 0))
                .into(),
            next_step: 0,
            dirty: BTreeMap::new(),
            deleted: BTreeSet::new(),
        }
    }

    /// Fills in this role's part of what the node says of itself.
    pub(crate) fn describe(&self, info: &mut NodeInfo) {
        info.available = self.capacity.free();
        info.running = self
            .held
            .values()
            .filter(|held| matches!(held.phase, Phase::Running { .. }))
            .count();
        info.enqueued = self.queue.len();
        info.engine = match &self.engine {
            EngineView::Here(facts) => Ok(facts.clone()),
            EngineView::Away { why } => Err(why.clone()),
            EngineView::Unknown => Err("it has not answered yet".to_owned()),
        };
        if info.engine.is_ok() {
            info.engines = vec!["docker".to_owned()];
            info.publishers = vec!["noop".to_owned()];
        }
    }

    /// Counts what is held, by what is done for it.
    pub(crate) fn count(&self, census: &mut Census) {
        for phase in Phase::WORDS {
            census.executions.insert(phase, 0);
        }
        for held in self.held.values() {
            *census.executions.entry(held.phase.word()).or_default() += 1;
            census.outbox += u64::from(matches!(held.phase, Phase::Ended));
        }
        census.ended.clone_from(&self.ended_by);
    }

    /// Whether executions wait for room.
    pub(crate) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether the last reading of the board is too old to judge by.
    pub(crate) fn wants_board(&self, now: Now) -> bool {
        self.board
            .as_ref()
            .is_none_or(|(at_ms, _)| now.boot_ms.saturating_sub(*at_ms) >= READING_FRESH_MS)
    }

    /// What the store has room for now. Asks of this node's own jobs have waited for it: those jobs are stored.
    pub(crate) fn room_seen(&mut self, room: StoreRoom, desk: &mut Desk<'_>) {
        self.room = room;
        self.hear_early_asks(desk);
    }

    /// What the board is like now.
    pub(crate) fn board_read(&mut self, reading: BoardReading, now: Now) {
        self.board = Some((now.boot_ms, reading));
    }

    /// Whether images were pulled for jobs.
    pub(crate) fn has_images(&self) -> bool {
        !self.images.is_empty()
    }

    /// Takes over what the store knows of them.
    pub(crate) fn recover_images(&mut self, stored: PulledImages) {
        self.images.recover(stored);
    }

    /// An image was removed, or was not.
    pub(crate) fn image_removed(&mut self, name: &str, removal: &ImageRemoval, now: Now) {
        self.images.removed(name, removal, now);
    }

    /// Has an image removed if the board was just seen to need the room. The image of an execution that is not over, to
    /// the removal of its container, stays.
    pub(crate) fn make_room(&mut self, desk: &mut Desk<'_>) {
        let Some((at_ms, board)) = &self.board else {
            return;
        };
        let is_fresh = desk.now.boot_ms.saturating_sub(*at_ms) < READING_FRESH_MS;
        let was_for_pull = self.images.drains_for_pull();
        let has_images = !self.images.is_empty() || was_for_pull;
        if !is_fresh || !has_images || !matches!(self.engine, EngineView::Here(_)) {
            return;
        }
        let held = &self.held;
        let due = self
            .images
            .due(board, desk.now, |name| need_image(held, name));
        if let Some(PulledImage { name, id, .. }) = due {
            desk.outputs.push(Output::RemoveImage { name, id });
        } else if was_for_pull && !self.images.drains_for_pull() {
            self.start_ready(desk);
        }
    }

    /// Tells what this role has no use for, and has it go if that is asked.
    pub(crate) fn prune(&mut self, mode: PruneMode, prunable: &mut Prunable, desk: &mut Desk<'_>) {
        let held = &self.held;
        prunable.images = self.images.idle(|name| need_image(held, name));
        prunable.executions = self.retention.overdue(desk.now);
        prunable.containers = self.sweeping.keys().cloned().collect();
        if mode == PruneMode::Remove {
            self.images.drain();
            self.retention.hurry();
            // What belongs to nothing is removed by what this shows.
            self.find(desk);
        }
    }

    /// Moves the records that changed since the last turn into `writes`.
    pub(crate) fn take_writes(&mut self, writes: &mut Writes, now: Now) {
        for (id, kind) in std::mem::take(&mut self.dirty) {
            if let Some(held) = self.held.get(&id) {
                writes
                    .executions
                    .insert(id, (kind, Write::Put(Box::new(held.record.clone()))));
            }
        }
        for id in std::mem::take(&mut self.deleted) {
            writes
                .executions
                .insert(id, (WriteKind::RideAlong, Write::Delete));
        }
        writes.images = self.images.take_write();
        let turn = writes.executions.values().map(|(kind, _)| *kind).max();
        let (gone, kind) = self
            .retention
            .due(turn.unwrap_or(WriteKind::RideAlong), now);
        for id in gone {
            writes
                .executions
                .insert(ExecutionId(id), (kind, Write::Delete));
        }
    }

    /// Stores an execution's record with this turn; the heavier kind wins.
    fn save(&mut self, id: &ExecutionId, kind: WriteKind) {
        let entry = self.dirty.entry(id.clone()).or_insert(kind);
        *entry = (*entry).max(kind);
    }

    fn step(&mut self) -> u64 {
        self.next_step += 1;
        self.next_step
    }

    /// Asks the engine what it has: now, or soon if it was asked just now.
    fn find(&mut self, desk: &mut Desk<'_>) {
        let due = self.find_due(FIND_PACE_MS);
        if due <= Deadline(desk.now.boot_ms) {
            self.find_now(desk);
        } else {
            self.find_at = Some(due);
        }
    }

    fn find_now(&mut self, desk: &mut Desk<'_>) {
        self.found_at_ms = Some(desk.now.boot_ms);
        self.find_at = None;
        self.finds += 1;
        desk.outputs.push(Output::Find { number: self.finds });
    }

    /// When the engine may be asked again at this pace.
    fn find_due(&self, pace_ms: u64) -> Deadline {
        Deadline(self.found_at_ms.map_or(0, |at| at.saturating_add(pace_ms)))
    }

    /// Prepares queued executions, first come first served, as far as capacity goes and as long as the board is well:
    /// the bid may be of another hour. What was accepted waits for the board as it waits for the engine.
    fn start_ready(&mut self, desk: &mut Desk<'_>) {
        self.spare_at = None;
        let EngineView::Here(facts) = &self.engine else {
            return;
        };
        // The pull that found no room is the first in the queue.
        if self.images.drains_for_pull() {
            return;
        }
        // What a container that belongs to nothing has is not known, only that it still has it, or will if a start that
        // was on its way at a crash takes effect.
        if self
            .sweeping
            .values()
            .any(|sweep| !matches!(sweep.state, FoundState::Exited | FoundState::CutOff))
        {
            return;
        }
        // Where the kernel does not hold a job to its memory limit, one job at a time is what the board can spare.
        let holders_max = if facts.enforces_memory { LIVE_MAX } else { 1 };
        while let Some(id) = self.queue.front().cloned() {
            let Some(held) = self
                .held
                .get(&id)
                .filter(|held| matches!(held.phase, Phase::Queued))
            else {
                self.queue.pop_front();
                continue;
            };
            let resources = held.record.resources;
            if let Some((_, board)) = &self.board
                && pressure::check(board, &resources).is_err()
            {
                self.spare_at = Some(Deadline(desk.now.boot_ms + SPARE_PACE_MS));
                return;
            }
            if self.capacity.holders() >= holders_max
                || self.capacity.reserve(&id, resources).is_err()
            {
                return;
            }
            self.queue.pop_front();
            let step = self.step();
            if let Some(held) = self.held.get_mut(&id) {
                held.phase = Phase::Preparing { step };
                if let Some(image) = held.image() {
                    self.images.used(image, desk.now);
                }
                let plan = Plan {
                    execution: id.clone(),
                    job: held.record.job.clone(),
                    partition: held.record.partition,
                    resources,
                };
                desk.begin(
                    ActivityId {
                        execution: id,
                        step,
                    },
                    Activity::Prepare(Box::new(plan)),
                );
            }
        }
    }

    /// The one terminal state. Called once per execution: the phase is `Ended` from here on.
    fn end(&mut self, id: &ExecutionId, outcome: Outcome, desk: &mut Desk<'_>) {
        let Some(held) = self.held.get_mut(id) else {
            return;
        };
        let word = match &outcome {
            Outcome::Completed { .. } => "completed",
            Outcome::Failed { .. } => "failed",
            Outcome::Cancelled { .. } => "cancelled",
        };
        *self.ended_by.entry(word).or_default() += 1;
        held.record.state = ComputeState::Ended {
            outcome,
            delivery: Delivery::Pending,
            ended: desk.now.wall,
        };
        held.phase = Phase::Ended;
        let requester = held.record.requester.clone();
        self.queue.retain(|queued| queued != id);
        self.capacity.release(id);
        self.save(id, WriteKind::Promise);
        self.deliver(id, &requester, desk);
        self.start_ready(desk);
    }

    fn fail(
        &mut self,
        id: &ExecutionId,
        failure: Failure,
        output: Option<RunOutput>,
        desk: &mut Desk<'_>,
    ) {
        self.end(id, Outcome::Failed { failure, output }, desk);
    }

    /// Remembers an ended execution; the oldest is forgotten when there are too many.
    fn remember_ended(&mut self, id: ExecutionId) {
        if self.ended.insert(id.clone()) {
            self.ended_order.push_back(id);
        }
        if self.ended_order.len() > ENDED_MAX
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }
}

/// Whether any of these executions needs the image.
fn need_image(held: &BTreeMap<ExecutionId, Held>, name: &str) -> bool {
    held.values().any(|held| held.image() == Some(name))
}
