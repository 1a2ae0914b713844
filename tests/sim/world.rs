//! The world: virtual time, everything that is about to happen, and who is in it.

use super::clients::Client;
use super::engine::{Call, Reply, SimEngine, State};
use super::liars::LiarState;
use super::network::Network;
use super::node::SimNode;
use super::perform::Caller;
use super::plant::Plant;
use super::scenario::{Fault, Liar, Scenario};
use super::services::SETTLED_MS;
use super::watch::{Rule, Violation, Watch};
use crate::support::seed::Seed;
use codling::agent::ActivityId;
use codling::model::{ContainerId, Message, NodeId, RequestId};
use std::collections::{BTreeMap, VecDeque};

/// A run that takes more steps has a loop in it: the longest honest ones take a tenth.
const STEPS_MAX: u64 = 400_000;
/// How long after the last fault everything must be over: retries are minutes apart, jobs take minutes.
const QUIET_AFTER_MS: u64 = 6 * 60 * 60 * 1_000;
/// How many lines of a replay are kept: the end is what matters.
const TRACE_MAX: usize = 400;

/// Something that is about to happen. `process` and the like name who it is for: if that one is gone, nothing happens.
#[derive(Debug)]
pub(super) enum Happening {
    /// The node's loop runs.
    Loop {
        node: usize,
        process: u64,
    },
    /// Its agent's deadline.
    Deadline {
        node: usize,
        process: u64,
        at_ms: u64,
    },
    /// Its writer thread is done with the next file.
    Commit {
        node: usize,
        process: u64,
    },
    /// It opens its store again.
    Reopen {
        node: usize,
        process: u64,
    },
    /// It starts.
    Start {
        node: usize,
        process: u64,
    },
    /// A message arrives.
    Arrive {
        to: usize,
        from: NodeId,
        message: Box<Message>,
    },
    /// A node finds out whether it is connected to a peer.
    Look {
        node: usize,
        peer: usize,
    },
    /// A call reaches its engine.
    Effect {
        call: u64,
    },
    /// Its reply reaches the caller.
    Heard {
        caller: Caller,
        reply: Reply,
        engine_starts: u64,
    },
    /// An activity sees that its container has ended, or finishes publishing.
    Ready {
        node: usize,
        process: u64,
        id: ActivityId,
    },
    /// An activity's container was started.
    Progress {
        node: usize,
        process: u64,
        id: ActivityId,
    },
    /// An engine that is away is looked for again.
    SearchAgain {
        node: usize,
        process: u64,
        search: u64,
        looks: u64,
    },
    /// A container's work is done.
    ContainerEnds {
        host: usize,
        container: ContainerId,
    },
    EngineBack {
        host: usize,
        starts: u64,
    },
    DiskGood {
        node: usize,
    },
    LinkUp {
        a: usize,
        b: usize,
    },
    Client {
        client: usize,
    },
    GiveUp {
        request: RequestId,
    },
    Lie,
    Fault(Fault),
    Heal,
    /// What is kept running must run by now, and is stopped.
    StopServices,
}

/// All there is. See the module's text.
#[derive(Debug)]
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) seed: Seed,
    pub(super) at_ms: u64,
    pub(super) is_healed: bool,
    pub(super) engines: Vec<SimEngine>,
    pub(super) nodes: Vec<SimNode>,
    pub(super) network: Network,
    pub(super) clients: Vec<Client>,
    pub(super) asked: BTreeMap<RequestId, super::clients::Asked>,
    pub(super) asked_in_all: u64,
    pub(super) liar: LiarState,
    pub(super) watch: Watch,
    pub(super) plant: Plant,
    pub(super) calls: BTreeMap<u64, (Caller, Call)>,
    pub(super) calls_made: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    serial: u64,
    steps: u64,
    trace: Option<VecDeque<String>>,
}

/// What a run that found nothing wrong was like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) steps: u64,
    pub(super) turns: u64,
    pub(super) commits: u64,
    pub(super) jobs: u64,
    pub(super) versions: u64,
    pub(super) crashes: u64,
    pub(super) rebuilds: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            turns: self.turns + other.turns,
            commits: self.commits + other.commits,
            jobs: self.jobs + other.jobs,
            versions: self.versions + other.versions,
            crashes: self.crashes + other.crashes,
            rebuilds: self.rebuilds + other.rebuilds,
        }
    }
}

/// Whether a run keeps what it needs to explain itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    Silent,
    Traced,
}

impl World {
    pub(super) fn new(scenario: Scenario, number: u64, plant: Plant, telling: Telling) -> Self {
        let engines = scenario.hosts.iter().map(|_| SimEngine::default());
        let nodes = scenario.nodes.iter().enumerate();
        let nodes: Vec<SimNode> = nodes
            .map(|(number, plan)| SimNode::new(number, plan))
            .collect();
        let clients = scenario.clients.iter().cloned().map(Client::new).collect();
        let peers = nodes.len() + usize::from(scenario.liar != Liar::None);
        Self {
            seed: Seed::new(number),
            at_ms: 0,
            is_healed: false,
            engines: engines.collect(),
            network: Network::new(peers),
            clients,
            asked: BTreeMap::new(),
            asked_in_all: 0,
            liar: LiarState::default(),
            watch: Watch::default(),
            plant,
            calls: BTreeMap::new(),
            calls_made: 0,
            queue: BTreeMap::new(),
            serial: 0,
            steps: 0,
            trace: (telling == Telling::Traced).then(VecDeque::new),
            nodes,
            scenario,
        }
    }

    /// Runs until nothing is left to happen.
    ///
    /// # Errors
    /// The first rule that was broken.
    pub(super) fn run(&mut self) -> Result<Tally, Violation> {
        for node in 0..self.nodes.len() {
            let process = self.nodes[node].process;
            let after = self.seed.below(200);
            self.after(after, Happening::Start { node, process });
        }
        for client in 0..self.clients.len() {
            let at = self.clients[client].plan.at_ms;
            self.after(at, Happening::Client { client });
        }
        for (at, fault) in std::mem::take(&mut self.scenario.faults) {
            self.after(at, Happening::Fault(fault));
        }
        if self.scenario.liar != Liar::None {
            self.after(500, Happening::Lie);
        }
        self.after(self.scenario.heal_ms, Happening::Heal);
        let settled_ms = self.scenario.heal_ms + SETTLED_MS;
        self.after(settled_ms, Happening::StopServices);
        self.until_quiet()?;
        self.ask_everything();
        self.until_quiet()?;
        self.check_quiet();
        self.verdict()?;
        Ok(Tally {
            steps: self.steps,
            turns: self.nodes.iter().map(|node| node.turns).sum(),
            commits: self.nodes.iter().map(|node| node.disk.commits()).sum(),
            jobs: self.watch.jobs(),
            versions: self.watch.later_versions(),
            crashes: self.nodes.iter().map(|node| node.process).sum(),
            rebuilds: self.nodes.iter().map(|node| node.rebuilds).sum(),
        })
    }

    fn until_quiet(&mut self) -> Result<(), Violation> {
        while let Some(((at_ms, _), happening)) = self.queue.pop_first() {
            self.at_ms = at_ms;
            self.steps += 1;
            if self.at_ms > self.scenario.heal_ms + QUIET_AFTER_MS {
                let text = format!("{happening:?} is still to happen, hours after the last fault");
                self.watch.broken(Rule::NothingPendsForEver, text);
            } else if self.steps > STEPS_MAX {
                let text = format!("no end after {STEPS_MAX} steps: {happening:?}");
                self.watch.broken(Rule::NothingPendsForEver, text);
            } else {
                self.happen(happening);
            }
            self.verdict()?;
        }
        Ok(())
    }

    fn verdict(&mut self) -> Result<(), Violation> {
        match self.watch.violation.take() {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    /// Something happens so many milliseconds from now.
    pub(super) fn after(&mut self, ms: u64, happening: Happening) {
        self.serial += 1;
        self.queue
            .insert((self.at_ms.saturating_add(ms), self.serial), happening);
    }

    /// True once in `times`; never for 0, nor once the world has healed.
    pub(super) fn strikes(&mut self, times: u64) -> bool {
        times > 0 && !self.is_healed && self.seed.once_in(times)
    }

    /// A delay up to `ms`, mostly much less.
    pub(super) fn delay(&mut self, ms: u64) -> u64 {
        match self.seed.below(4) {
            0 => self.seed.below(ms + 1),
            _ => self.seed.below(ms / 10 + 1),
        }
    }

    /// A line for the reader of a replay.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let at_ms = self.at_ms;
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE_MAX {
                trace.pop_front();
            }
            trace.push_back(format!("{at_ms:>9} {}", line()));
        }
    }

    /// The last lines of a traced run.
    pub(super) fn trace(&self) -> String {
        let lines = self.trace.iter().flatten().cloned();
        lines.collect::<Vec<String>>().join("\n")
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Loop { node, process } => self.run_loop(node, process),
            Happening::Deadline {
                node,
                process,
                at_ms,
            } => self.deadline(node, process, at_ms),
            Happening::Commit { node, process } => self.commit_goes_on(node, process),
            Happening::Reopen { node, process } => self.reopen(node, process),
            Happening::Start { node, process } => self.start(node, process),
            Happening::Arrive { to, from, message } => self.arrive(to, from, *message),
            Happening::Look { node, peer } => self.look_at_peer(node, peer),
            Happening::Effect { call } => self.effect(call),
            Happening::Heard {
                caller,
                reply,
                engine_starts,
            } => self.heard(caller, reply, engine_starts),
            Happening::Ready { node, process, id } => self.ready(node, process, &id),
            Happening::Progress { node, process, id } => self.progress(node, process, id),
            Happening::SearchAgain {
                node,
                process,
                search,
                looks,
            } => self.search_again(node, process, search, looks),
            Happening::ContainerEnds { host, container } => {
                let found = self.engines[host].containers.get(&container);
                if let Some(found) = found.filter(|found| found.state == State::Running) {
                    let code = found.script.code;
                    self.container_exits(host, &container, code);
                }
            }
            Happening::EngineBack { host, starts } => {
                if self.engines[host].starts == starts {
                    self.engine_is_back(host);
                }
            }
            Happening::DiskGood { node } => self.nodes[node].disk_is_bad = false,
            Happening::LinkUp { a, b } => self.link_up(a, b),
            Happening::Client { client } => self.client(client),
            Happening::GiveUp { request } => self.give_up(request),
            Happening::Lie => self.lie(),
            Happening::Fault(fault) => {
                if !self.is_healed {
                    self.tell(|| format!("fault: {fault:?}"));
                    self.befall(fault);
                }
            }
            Happening::Heal => self.heal(),
            Happening::StopServices => self.stop_services(),
        }
    }

    fn befall(&mut self, fault: Fault) {
        match fault {
            Fault::Kill {
                node,
                steps,
                down_ms,
            } => self.nodes[node].fuse = Some((steps, down_ms)),
            Fault::Stop { node, down_ms } => self.stop_cleanly(node, down_ms),
            Fault::Reboot {
                host,
                down_ms,
                wall_off_ms,
            } => self.reboot(host, down_ms, wall_off_ms),
            Fault::LinkDown { a, b, ms } => self.link_down(a, b, ms),
            Fault::EngineAway { host, ms } => {
                let engine = &mut self.engines[host];
                engine.is_away = true;
                engine.starts += 1;
                let starts = engine.starts;
                self.after(ms, Happening::EngineBack { host, starts });
            }
            Fault::EngineRestart { host, ms } => {
                let engine = &mut self.engines[host];
                engine.is_away = true;
                engine.starts += 1;
                let starts = engine.starts;
                if !self.scenario.hosts[host].runs_on {
                    self.containers_die(host);
                }
                self.after(ms, Happening::EngineBack { host, starts });
            }
            Fault::Vanish { host } => {
                let ids: Vec<ContainerId> = self.engines[host].containers.keys().cloned().collect();
                if !ids.is_empty() {
                    let id = self.seed.pick(&ids).clone();
                    self.container_vanishes(host, &id);
                }
            }
            Fault::StoreLost {
                node,
                file,
                down_ms,
            } => {
                self.kill(node, down_ms);
                self.lost(node, file);
                self.nodes[node].disk.lose(file);
            }
            Fault::WallStep { node, wall_off_ms } => self.nodes[node].clock.step(wall_off_ms),
            Fault::DiskBad { node, ms } => {
                self.nodes[node].disk_is_bad = true;
                self.after(ms, Happening::DiskGood { node });
            }
        }
    }

    /// From now on nothing goes wrong any more.
    fn heal(&mut self) {
        self.tell(|| "the world heals".to_owned());
        self.is_healed = true;
        for host in 0..self.engines.len() {
            self.engine_is_back(host);
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].disk_is_bad = false;
            self.nodes[node].fuse = None;
            if self.nodes[node].is_down() {
                let process = self.nodes[node].process;
                self.after(10, Happening::Start { node, process });
            }
        }
        for a in 0..self.network.peers() {
            for b in a + 1..self.network.peers() {
                self.link_up(a, b);
            }
        }
        self.liar_repents();
    }
}
