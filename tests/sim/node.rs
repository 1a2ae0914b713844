//! A node's process: the same loop as `node::driver`, over a simulated disk, engine and network.
//!
//! At most 64 ready inputs, then the turn, then what may leave, then the next commit. A kill may fall between any two
//! inputs, any two outputs, and anywhere in a commit: see [`World::burns`].

use super::clock::Clock;
use super::disk::{SimDisk, StoreFile};
use super::perform::{Doing, Search};
use super::plant::Plant;
use super::scenario::NodePlan;
use super::world::{Happening, World};
use codling::agent::{
    Activity, ActivityId, Agent, AgentConfig, Event, Gate, Output, TURN_EVENTS_MAX,
};
use codling::model::{
    ApiRequest, ImageLowWater, MemoryLimits, Message, NodeId, NodeRoles, Origin, RequestId,
    Resources, RetentionLimits, StoredState, WriteKind,
};
use std::collections::{BTreeMap, VecDeque};

/// First and longest pause before a store that failed is opened again.
const REOPEN_MS: (u64, u64) = (1_000, 5_000);

/// What the loop reads.
#[derive(Debug)]
enum Input {
    Event(Box<Event>),
    Asked(RequestId, Box<ApiRequest>),
    Committed,
    CommitFailed,
}

/// Who decides now.
#[derive(Debug)]
enum Deciders {
    /// No process.
    Down,
    Working {
        agent: Box<Agent>,
        gate: Gate,
    },
    /// A commit failed; waits for the store and for every activity to be let go.
    Rebuilding {
        stored: Option<Box<StoredState>>,
    },
}

/// A node and what outlives its processes.
#[derive(Debug)]
pub(super) struct SimNode {
    pub(super) id: NodeId,
    pub(super) roles: NodeRoles,
    pub(super) total: Resources,
    pub(super) host: usize,
    pub(super) clock: Clock,
    pub(super) disk: SimDisk,
    pub(super) disk_is_bad: bool,
    /// Grows with every start and every end of a process.
    pub(super) process: u64,
    pub(super) turns: u64,
    pub(super) rebuilds: u64,
    /// Steps until a kill, and how long the node is down then.
    pub(super) fuse: Option<(u64, u64)>,
    pub(super) doing: BTreeMap<ActivityId, Doing>,
    pub(super) search: Option<Search>,
    pub(super) searches: u64,
    /// Compute nodes that it is connected to, each with the process at the other end.
    pub(super) sees: BTreeMap<usize, u64>,
    deciders: Deciders,
    inbox: VecDeque<Input>,
    is_awake: bool,
    deadline_ms: Option<u64>,
    reopen_pause_ms: u64,
    /// What [`Plant::PublishWaitsForRideAlong`] keeps.
    kept: Vec<Output>,
    /// Drawn once per process.
    seed: [u8; 32],
}

impl SimNode {
    pub(super) fn new(number: usize, plan: &NodePlan) -> Self {
        Self {
            id: NodeId(format!("node-{number}")),
            roles: plan.roles,
            total: plan.total,
            host: plan.host,
            clock: Clock::new(plan.wall_off_ms),
            disk: SimDisk::new(),
            disk_is_bad: false,
            process: 0,
            turns: 0,
            rebuilds: 0,
            fuse: None,
            doing: BTreeMap::new(),
            search: None,
            searches: 0,
            sees: BTreeMap::new(),
            deciders: Deciders::Down,
            inbox: VecDeque::new(),
            is_awake: false,
            deadline_ms: None,
            reopen_pause_ms: REOPEN_MS.0,
            kept: Vec::new(),
            seed: [0; 32],
        }
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.deciders, Deciders::Down)
    }

    /// Whether a client's request is heard.
    pub(super) fn is_working(&self) -> bool {
        matches!(self.deciders, Deciders::Working { .. })
    }
}

impl World {
    /// Something is ready for a node's loop.
    pub(super) fn post(&mut self, node: usize, event: Event) {
        self.put(node, Input::Event(Box::new(event)));
    }

    /// A client's request is.
    pub(super) fn post_request(&mut self, node: usize, id: RequestId, request: ApiRequest) {
        self.put(node, Input::Asked(id, Box::new(request)));
    }

    fn put(&mut self, node: usize, input: Input) {
        if self.nodes[node].is_down() {
            return;
        }
        self.nodes[node].inbox.push_back(input);
        self.wake(node);
    }

    fn wake(&mut self, node: usize) {
        if !self.nodes[node].is_awake {
            self.nodes[node].is_awake = true;
            let process = self.nodes[node].process;
            let late = self.seed.below(3);
            self.after(late, Happening::Loop { node, process });
        }
    }

    /// A process starts.
    pub(super) fn start(&mut self, node: usize, process: u64) {
        if self.nodes[node].process != process || !self.nodes[node].is_down() {
            return;
        }
        let drawn = self.seed.next();
        self.nodes[node].process += 1;
        self.nodes[node].seed[..8].copy_from_slice(&drawn.to_be_bytes());
        self.nodes[node].disk.open();
        self.tell(|| format!("node-{node} starts"));
        let stored = self.stored(node);
        self.recover(node, *stored);
        self.notice_all(node);
        self.wake(node);
    }

    fn stored(&self, node: usize) -> Box<StoredState> {
        let node = &self.nodes[node];
        Box::new(node.disk.stored(&node.id))
    }

    fn recover(&mut self, number: usize, stored: StoredState) {
        let node = &mut self.nodes[number];
        let config = AgentConfig {
            me: node.id.clone(),
            roles: node.roles,
            labels: BTreeMap::new(),
            total: node.total,
            total_origin: Origin::Default,
            memory_limits: MemoryLimits::Preferred,
            retention: RetentionLimits::default(),
            image_low_water: ImageLowWater::default(),
            seed: node.seed,
        };
        let agent = Agent::recover(config, stored, node.clock.now(self.at_ms));
        node.deciders = Deciders::Working {
            agent: Box::new(agent),
            gate: Gate::default(),
        };
        node.kept.clear();
    }

    /// One step of a node; true if the kill falls here.
    fn burns(&mut self, node: usize) -> bool {
        match self.nodes[node].fuse {
            Some((0, down_ms)) => {
                self.kill(node, down_ms);
                true
            }
            Some((steps, down_ms)) => {
                self.nodes[node].fuse = Some((steps - 1, down_ms));
                false
            }
            None => false,
        }
    }

    /// kill -9. Of the file that is being written, the batch in flight has landed or not.
    pub(super) fn kill(&mut self, number: usize, down_ms: u64) {
        if self.nodes[number].is_down() {
            return;
        }
        self.tell(|| format!("node-{number} is killed"));
        if self.seed.once_in(2) {
            let first = self.first_file(number);
            self.nodes[number].disk.land(first);
        }
        self.nodes[number].disk.cut();
        self.end(number, down_ms);
    }

    fn end(&mut self, number: usize, down_ms: u64) {
        let node = &mut self.nodes[number];
        node.process += 1;
        node.deciders = Deciders::Down;
        node.inbox.clear();
        node.is_awake = false;
        node.deadline_ms = None;
        node.doing.clear();
        node.search = None;
        node.sees.clear();
        node.fuse = None;
        node.kept.clear();
        let process = node.process;
        self.after(
            down_ms,
            Happening::Start {
                node: number,
                process,
            },
        );
        self.notice_all(number);
        self.forget_requests(number);
    }

    /// SIGTERM: the commit in flight lands, then the ride-alongs; containers are left running.
    pub(super) fn stop_cleanly(&mut self, number: usize, down_ms: u64) {
        let node = &mut self.nodes[number];
        let disk = &mut node.disk;
        for file in [StoreFile::Jobs, StoreFile::Executions] {
            disk.land(file);
        }
        let Deciders::Working { gate, .. } = &mut node.deciders else {
            return;
        };
        let mut leaving = Vec::new();
        if gate.is_committing() {
            leaving.extend(gate.committed());
        }
        while let Some(batch) = gate.next_batch().or_else(|| gate.last_batch()) {
            disk.begin(batch);
            disk.land(StoreFile::Jobs);
            disk.land(StoreFile::Executions);
            leaving.extend(gate.committed());
        }
        for output in leaving {
            if let Output::Reply { request, reply } = output {
                self.reply(number, request, *reply);
            }
        }
        self.tell(|| format!("node-{number} stops"));
        self.end(number, down_ms);
    }

    /// One round of the loop.
    pub(super) fn run_loop(&mut self, number: usize, process: u64) {
        if self.nodes[number].process != process {
            return;
        }
        self.nodes[number].is_awake = false;
        for _ in 0..TURN_EVENTS_MAX {
            let Some(input) = self.nodes[number].inbox.pop_front() else {
                break;
            };
            if self.burns(number) {
                return;
            }
            self.input(number, input);
            if self.nodes[number].process != process {
                return;
            }
        }
        self.rebuild(number);
        self.turn(number);
        if self.nodes[number].process != process {
            return;
        }
        self.set_deadline(number);
        if !self.nodes[number].inbox.is_empty() {
            self.wake(number);
        }
    }

    fn input(&mut self, number: usize, input: Input) {
        let now = self.nodes[number].clock.now(self.at_ms);
        if let Input::Event(event) = &input {
            self.tell(|| format!("node-{number} <- {event:?}"));
            if let Event::Done { id, .. } = &**event {
                self.nodes[number].doing.remove(id);
            }
        }
        let Deciders::Working { agent, gate } = &mut self.nodes[number].deciders else {
            if let Input::Asked(request, _) = input {
                self.unanswered(request);
            }
            return;
        };
        match input {
            Input::Event(event) => agent.handle(*event, now),
            Input::Asked(id, request) => agent.handle(
                Event::Request {
                    id,
                    request: *request,
                },
                now,
            ),
            Input::Committed => {
                let mut outputs = gate.committed();
                outputs.append(&mut self.nodes[number].kept);
                self.perform(number, outputs);
            }
            Input::CommitFailed => self.commit_failed(number),
        }
    }

    fn turn(&mut self, number: usize) {
        let plant = self.plant;
        let node = &mut self.nodes[number];
        let Deciders::Working { agent, gate } = &mut node.deciders else {
            return;
        };
        let mut turn = agent.turn();
        node.turns += 1;
        let mut early = Vec::new();
        let leaves_early = |output: &Output| match plant {
            Plant::ReplyBeforeDurable => matches!(output, Output::Reply { .. }),
            Plant::AskBeforeDurable => {
                matches!(
                    output,
                    Output::Send {
                        message: Message::Ask { .. },
                        ..
                    }
                )
            }
            _ => false,
        };
        if plant == Plant::PublishWaitsForRideAlong && !turn.writes.has_promise() {
            let rides = turn.writes.executions.values();
            if rides.clone().any(|(kind, _)| *kind == WriteKind::RideAlong) {
                let waits = |output: &Output| {
                    matches!(
                        output,
                        Output::Begin {
                            activity: Activity::Publish { .. },
                            ..
                        }
                    )
                };
                let (kept, rest) = turn.outputs.into_iter().partition(waits);
                node.kept.extend::<Vec<Output>>(kept);
                turn.outputs = rest;
            }
        }
        if matches!(plant, Plant::ReplyBeforeDurable | Plant::AskBeforeDurable) {
            (early, turn.outputs) = turn.outputs.into_iter().partition(leaves_early);
        }
        early.extend(gate.admit(turn));
        let batch = gate.next_batch();
        if let Some(batch) = batch {
            node.disk.begin(batch);
            self.commit_takes_time(number);
        }
        self.perform(number, early);
    }

    fn set_deadline(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let Deciders::Working { agent, .. } = &node.deciders else {
            node.deadline_ms = None;
            return;
        };
        let deadline = agent.next_deadline();
        let at_ms = deadline.map(|at| node.clock.true_ms(at.0).max(self.at_ms));
        if at_ms == node.deadline_ms {
            return;
        }
        node.deadline_ms = at_ms;
        let process = node.process;
        if let Some(at_ms) = at_ms {
            let late = self.seed.below(20);
            let deadline = Happening::Deadline {
                node: number,
                process,
                at_ms,
            };
            self.after(at_ms - self.at_ms + late, deadline);
        }
    }

    pub(super) fn deadline(&mut self, number: usize, process: u64, at_ms: u64) {
        let node = &mut self.nodes[number];
        if node.process == process && node.deadline_ms == Some(at_ms) {
            node.deadline_ms = None;
            self.post(number, Event::Timeout);
        }
    }

    /// Does what may leave, in order.
    fn perform(&mut self, number: usize, outputs: Vec<Output>) {
        let process = self.nodes[number].process;
        for output in outputs {
            if self.nodes[number].process != process || self.burns(number) {
                return;
            }
            self.tell(|| format!("node-{number} -> {output:?}"));
            self.check_output(number, &output);
            match output {
                Output::Reply { request, reply } => self.reply(number, request, *reply),
                Output::Send { to, message } => {
                    self.liar_overhears(&message);
                    self.send(number, &to, &message);
                }
                Output::Begin { id, activity } => self.begin(number, id, activity),
                Output::Stop { id } => self.pull_stop(number, &id),
                Output::Find { number: find } => self.find(number, find),
                Output::RemoveImage { name, .. } => panic!("no pull was told of {name}"),
            }
        }
    }
}

/// Commits and their failures.
impl World {
    /// The file that the writer is at.
    fn first_file(&self, number: usize) -> StoreFile {
        let disk = &self.nodes[number].disk;
        let (first, second) = match self.plant {
            Plant::FilesInWrongOrder => (StoreFile::Executions, StoreFile::Jobs),
            _ => (StoreFile::Jobs, StoreFile::Executions),
        };
        if disk.is_in_flight(first) {
            first
        } else {
            second
        }
    }

    fn commit_takes_time(&mut self, number: usize) {
        let process = self.nodes[number].process;
        let ms = self.delay(self.scenario.odds.commit_ms_max) + 1;
        self.after(
            ms,
            Happening::Commit {
                node: number,
                process,
            },
        );
    }

    pub(super) fn commit_goes_on(&mut self, number: usize, process: u64) {
        if self.nodes[number].process != process || self.burns(number) {
            return;
        }
        let file = self.first_file(number);
        if self.nodes[number].disk_is_bad || self.strikes(self.scenario.odds.commit_fails) {
            // A commit that failed may have landed.
            if self.seed.once_in(4) {
                self.nodes[number].disk.land(file);
            }
            self.nodes[number].disk.cut();
            self.put(number, Input::CommitFailed);
            return;
        }
        self.nodes[number].disk.land(file);
        self.tell(|| format!("node-{number} has committed {file:?}"));
        let disk = &self.nodes[number].disk;
        if disk.is_in_flight(StoreFile::Jobs) || disk.is_in_flight(StoreFile::Executions) {
            self.commit_takes_time(number);
        } else {
            self.put(number, Input::Committed);
        }
    }

    /// A crash of the deciders, not of the process.
    fn commit_failed(&mut self, number: usize) {
        self.tell(|| format!("node-{number}: a commit failed"));
        let rebuilding = Deciders::Rebuilding { stored: None };
        let node = &mut self.nodes[number];
        node.rebuilds += 1;
        node.search = None;
        node.deadline_ms = None;
        node.kept.clear();
        node.reopen_pause_ms = REOPEN_MS.0;
        if let Deciders::Working { gate, .. } = std::mem::replace(&mut node.deciders, rebuilding) {
            for output in gate.fail() {
                if let Output::Reply { request, reply } = output {
                    self.unsure(request, &reply);
                    self.unanswered(request);
                }
            }
        }
        self.let_go(number);
        self.reopen_later(number);
    }

    fn reopen_later(&mut self, number: usize) {
        let node = &self.nodes[number];
        let (pause, process) = (node.reopen_pause_ms, node.process);
        self.after(
            pause,
            Happening::Reopen {
                node: number,
                process,
            },
        );
    }

    pub(super) fn reopen(&mut self, number: usize, process: u64) {
        if self.nodes[number].process != process {
            return;
        }
        if self.nodes[number].disk_is_bad {
            let pause = &mut self.nodes[number].reopen_pause_ms;
            *pause = (*pause * 2).min(REOPEN_MS.1);
            self.reopen_later(number);
            return;
        }
        self.nodes[number].disk.reopen();
        let state = self.stored(number);
        if let Deciders::Rebuilding { stored } = &mut self.nodes[number].deciders {
            *stored = Some(state);
            self.wake(number);
        }
    }

    /// The store is back and every activity is let go: decide again.
    fn rebuild(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let is_idle = node.doing.is_empty();
        if let Deciders::Rebuilding { stored } = &mut node.deciders
            && is_idle
            && let Some(stored) = stored.take()
        {
            self.tell(|| format!("node-{number} is rebuilt"));
            // What is still in the inbox is of the earlier agent's time, but a peer that came or went did.
            self.recover(number, *stored);
            let peers: Vec<usize> = self.nodes[number].sees.keys().copied().collect();
            for peer in peers {
                self.nodes[number].sees.remove(&peer);
                self.look_at_peer(number, peer);
            }
        }
    }
}
