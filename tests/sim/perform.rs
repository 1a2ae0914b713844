//! Activities as sequences of engine calls, as in `node::perform`, and the search for the engine, as in `node::finder`.
//!
//! A call takes effect at one moment and its reply is heard at a later one; a kill, a rebuild or an engine's restart may
//! fall before, between and after. What a dead process has sent may still take effect.

use super::engine::{Call, Reply, State, away};
use super::plant::Plant;
use super::world::{Happening, World};
use codling::agent::{
    Activity, ActivityId, ActivityResult, Entry, Event, Found, Progress, RunFailure,
};
use codling::model::{
    ContainerId, EngineFacts, Failure, FailureKind, PullNews, PullStage, RunOutput, SpecConfig,
};

/// How often an engine that is away is looked for.
const LOOK_EVERY_MS: u64 = 30_000;
/// What a container gets to end by itself once it is asked to stop.
const GRACE_MS: u64 = 10_000;
/// How long a wait for a container's end takes at most to find out that the engine is back.
const AGAIN_MS: u64 = 1_000;

/// Who hears the reply to a call.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) node: usize,
    pub(super) process: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Which, and its how-manieth call of all: a later agent's activity may have the same id.
    Activity(ActivityId, u64),
    Search(u64),
}

/// A search for the engine.
#[derive(Debug)]
pub(super) struct Search {
    number: u64,
    /// How many there were; a look that came out of turn takes the place of the one that is due.
    looks: u64,
    is_looking: bool,
    is_nudged: bool,
    /// Of the latest find, and of the latest when this look began.
    latest: u64,
    looks_for: u64,
}

/// An activity in flight.
#[derive(Debug)]
pub(super) struct Doing {
    activity: Activity,
    stage: Stage,
    pulls: Pulls,
    /// The number of its latest call.
    call: u64,
}

/// What an activity was told and has not heeded yet.
#[derive(Clone, Copy, Debug, Default)]
struct Pulls {
    stop: bool,
    let_go: bool,
}

/// Which call is under way, or what is waited for.
#[derive(Clone, Debug)]
enum Stage {
    Create,
    Pull,
    Inspect,
    Start,
    Wait,
    Stop,
    Output,
    Publish,
    List,
    Remove(Vec<ContainerId>),
    /// Its `Done` waits to be read.
    Over,
}

fn failed<T>(kind: FailureKind, message: &str) -> Result<T, Failure> {
    Err(Failure::new(kind, message))
}

fn let_go() -> Failure {
    Failure::new(FailureKind::EngineAway, "the activity was let go")
}

/// Beginning, telling, ending.
impl World {
    pub(super) fn begin(&mut self, node: usize, id: ActivityId, activity: Activity) {
        let (stage, call) = match &activity {
            Activity::Prepare(plan) => (Stage::Create, Some(Call::Create(plan.clone()))),
            Activity::Run { container, entry } => match entry {
                Entry::Prepared => (Stage::Start, Some(Call::Start(container.clone()))),
                Entry::Found => (Stage::Inspect, Some(Call::Inspect(container.clone()))),
            },
            Activity::Publish { .. } => (Stage::Publish, None),
            Activity::Discard => (Stage::List, Some(Call::List)),
        };
        let doing = Doing {
            activity,
            stage,
            pulls: Pulls::default(),
            call: 0,
        };
        self.nodes[node].doing.insert(id.clone(), doing);
        match call {
            Some(call) => self.call(node, &id, call),
            None => {
                let ms = self.delay(2_000);
                self.ready_after(ms, node, &id);
            }
        }
    }

    pub(super) fn pull_stop(&mut self, node: usize, id: &ActivityId) {
        let Some(doing) = self.nodes[node].doing.get_mut(id) else {
            return;
        };
        doing.pulls.stop = true;
        self.heed(node, id);
    }

    pub(super) fn let_go(&mut self, node: usize) {
        let ids: Vec<ActivityId> = self.nodes[node].doing.keys().cloned().collect();
        for id in ids {
            if let Some(doing) = self.nodes[node].doing.get_mut(&id) {
                doing.pulls.let_go = true;
            }
            self.heed(node, &id);
        }
    }

    /// A pull and the wait for a container's end are given up when the activity is told something.
    fn heed(&mut self, node: usize, id: &ActivityId) {
        let Some(doing) = self.nodes[node].doing.get_mut(id) else {
            return;
        };
        let pulls = doing.pulls;
        match (&doing.stage, &doing.activity) {
            (Stage::Pull, _) if pulls.stop => {
                let stopped = failed(FailureKind::ImagePull, "the pull was stopped");
                self.done(node, id, ActivityResult::Prepared(stopped));
            }
            (Stage::Pull, _) if pulls.let_go => {
                self.done(node, id, ActivityResult::Prepared(Err(let_go())));
            }
            (Stage::Wait, Activity::Run { container, .. }) if pulls.stop => {
                let call = Call::Stop(container.clone());
                doing.pulls.stop = false;
                doing.stage = Stage::Stop;
                self.call(node, id, call);
            }
            (Stage::Wait, _) if pulls.let_go => {
                let run_failure = RunFailure {
                    failure: let_go(),
                    output: None,
                };
                self.done(node, id, ActivityResult::Ran(Err(run_failure)));
            }
            _ => {}
        }
    }

    fn enter(&mut self, node: usize, id: &ActivityId, stage: Stage, call: Call) {
        if let Some(doing) = self.nodes[node].doing.get_mut(id) {
            doing.stage = stage;
            self.call(node, id, call);
        }
    }

    fn done(&mut self, node: usize, id: &ActivityId, result: ActivityResult) {
        let Some(doing) = self.nodes[node].doing.get_mut(id) else {
            return;
        };
        doing.stage = Stage::Over;
        let event = Event::Done {
            id: id.clone(),
            result,
        };
        self.post(node, event);
    }

    fn ready_after(&mut self, ms: u64, node: usize, id: &ActivityId) {
        let ready = Happening::Ready {
            node,
            process: self.nodes[node].process,
            id: id.clone(),
        };
        self.after(ms, ready);
    }

    /// A publish is through, or a container's end may have come.
    pub(super) fn ready(&mut self, node: usize, process: u64, id: &ActivityId) {
        if self.nodes[node].process != process {
            return;
        }
        let host = self.nodes[node].host;
        let Some(doing) = self.nodes[node].doing.get(id) else {
            return;
        };
        match (&doing.stage, &doing.activity) {
            (Stage::Publish, _) => {
                let result = if self.strikes(self.scenario.odds.publish_fails) {
                    failed(FailureKind::EngineRefused, "nowhere to publish")
                } else {
                    Ok(SpecConfig::default())
                };
                self.done(node, id, ActivityResult::Published(result));
            }
            (Stage::Wait, Activity::Run { container, .. }) => {
                let container = container.clone();
                if self.engines[host].is_away {
                    // The wait for the end outlives an engine that goes away.
                    return;
                }
                match self.engines[host].containers.get(&container) {
                    None => self.run_failed(node, id, FailureKind::ContainerLost),
                    Some(found) if matches!(found.state, State::Exited(_)) => {
                        self.enter(node, id, Stage::Output, Call::Output(container));
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }

    fn run_failed(&mut self, node: usize, id: &ActivityId, kind: FailureKind) {
        let run_failure = RunFailure {
            failure: Failure::new(kind, format!("{kind:?}")),
            output: None,
        };
        self.done(node, id, ActivityResult::Ran(Err(run_failure)));
    }

    /// The next stage of an activity.
    fn goes_on(&mut self, node: usize, id: &ActivityId, reply: Reply) {
        let Some(doing) = self.nodes[node].doing.get(id) else {
            return;
        };
        let activity = doing.activity.clone();
        match (doing.stage.clone(), activity, reply) {
            (Stage::Pull, Activity::Prepare(plan), Reply::Yes) => {
                self.enter(node, id, Stage::Create, Call::Create(plan));
            }
            // The image is not here.
            (Stage::Create, Activity::Prepare(plan), Reply::No) => {
                let image = plan.job.task.engine.params.get("Image").unwrap();
                let image = image.as_str().unwrap().to_owned();
                let news = PullNews {
                    image: image.clone(),
                    stage: PullStage::Began,
                };
                let progress = Progress::Pulling(news);
                let of = id.clone();
                self.post(node, Event::Progress { id: of, progress });
                self.enter(node, id, Stage::Pull, Call::Pull(image));
                self.heed(node, id);
            }
            (Stage::Create, Activity::Prepare(_), Reply::Created(container)) => {
                self.done(node, id, ActivityResult::Prepared(Ok(container)));
            }
            (_, Activity::Prepare(_), Reply::Wrong(failure)) => {
                self.done(node, id, ActivityResult::Prepared(Err(failure)));
            }
            (
                Stage::Inspect,
                Activity::Run { container, .. },
                Reply::State(State::Created | State::CutOff),
            ) => {
                self.enter(node, id, Stage::Start, Call::Start(container));
            }
            (Stage::Inspect, Activity::Run { container, .. }, Reply::State(State::Exited(_))) => {
                self.enter(node, id, Stage::Output, Call::Output(container));
            }
            (Stage::Inspect | Stage::Start, Activity::Run { .. }, Reply::State(_) | Reply::Yes) => {
                let late = self.strikes(self.scenario.odds.progress_late);
                let ms = if late { self.delay(3_000) } else { 0 };
                let progress = Happening::Progress {
                    node,
                    process: self.nodes[node].process,
                    id: id.clone(),
                };
                self.after(ms, progress);
                self.wait(node, id);
            }
            (Stage::Stop, Activity::Run { .. }, Reply::Yes) => self.wait(node, id),
            (Stage::Output, Activity::Run { .. }, Reply::State(State::Exited(exit_code))) => {
                let output = RunOutput {
                    stdout: b"out".to_vec(),
                    exit_code,
                    ..RunOutput::default()
                };
                self.done(node, id, ActivityResult::Ran(Ok(output)));
            }
            (_, Activity::Run { .. }, Reply::Wrong(failure)) => {
                let run_failure = RunFailure {
                    failure,
                    output: None,
                };
                self.done(node, id, ActivityResult::Ran(Err(run_failure)));
            }
            (Stage::List, Activity::Discard, Reply::List(containers)) => {
                let ours = containers
                    .into_iter()
                    .filter(|(_, execution, _)| *execution == id.execution);
                let ours = ours.map(|(container, _, _)| container).collect();
                self.remove_next(node, id, ours);
            }
            (Stage::Remove(rest), Activity::Discard, Reply::Yes) => {
                self.remove_next(node, id, rest)
            }
            (_, Activity::Discard, Reply::Wrong(failure)) => {
                self.done(node, id, ActivityResult::Discarded(Err(failure)));
            }
            (stage, activity, reply) => panic!("{stage:?} of {activity:?} got {reply:?}"),
        }
    }

    /// News of an activity that has ended meanwhile are lost.
    pub(super) fn progress(&mut self, node: usize, process: u64, id: ActivityId) {
        let node_now = &self.nodes[node];
        let doing = node_now.doing.get(&id);
        if node_now.process == process
            && doing.is_some_and(|doing| !matches!(doing.stage, Stage::Over))
        {
            let progress = Progress::Started;
            self.post(node, Event::Progress { id, progress });
        }
    }

    fn wait(&mut self, node: usize, id: &ActivityId) {
        if let Some(doing) = self.nodes[node].doing.get_mut(id) {
            doing.stage = Stage::Wait;
        }
        self.heed(node, id);
        let ms = self.delay(20);
        self.ready_after(ms, node, id);
    }

    fn remove_next(&mut self, node: usize, id: &ActivityId, mut rest: Vec<ContainerId>) {
        if self.plant == Plant::NotDiscardedAfterCancel && self.watch.was_cancelled(&id.execution) {
            rest.clear();
        }
        match rest.pop() {
            Some(container) => {
                self.enter(node, id, Stage::Remove(rest), Call::Remove(container));
            }
            None => self.done(node, id, ActivityResult::Discarded(Ok(()))),
        }
    }
}

/// Calls on their way.
impl World {
    fn call(&mut self, node: usize, id: &ActivityId, call: Call) {
        let number = self.calls_made + 1;
        if let Some(doing) = self.nodes[node].doing.get_mut(id) {
            doing.call = number;
        }
        self.send_call(node, What::Activity(id.clone(), number), call);
    }

    fn send_call(&mut self, node: usize, what: What, call: Call) {
        self.calls_made += 1;
        let number = self.calls_made;
        let ms = match call {
            Call::Pull(_) => self.delay(20_000),
            Call::Stop(_) => self.delay(GRACE_MS),
            _ => self.delay(self.scenario.odds.engine_ms_max),
        };
        let caller = Caller {
            node,
            process: self.nodes[node].process,
            what,
        };
        self.calls.insert(number, (caller, call));
        self.after(ms, Happening::Effect { call: number });
    }

    pub(super) fn effect(&mut self, number: u64) {
        let Some((caller, call)) = self.calls.remove(&number) else {
            return;
        };
        let node = caller.node;
        let host = self.nodes[node].host;
        let is_dead = self.nodes[node].process != caller.process;
        if is_dead && (!call.is_mutating() || self.seed.once_in(2)) {
            return;
        }
        let is_lost = self.strikes(self.scenario.odds.call_fails);
        let reply = if self.engines[host].is_away || is_lost && self.seed.once_in(2) {
            away()
        } else {
            let reply = self.take_effect(host, node, &call);
            // Done, and the connection breaks before the reply.
            if is_lost { away() } else { reply }
        };
        let ms = self.delay(self.scenario.odds.engine_ms_max);
        let heard = Happening::Heard {
            caller,
            reply,
            engine_starts: self.engines[host].starts,
        };
        self.after(ms, heard);
    }

    fn take_effect(&mut self, host: usize, node: usize, call: &Call) -> Reply {
        let name = self.nodes[node].id.clone();
        self.tell(|| format!("{name}: the engine does {call:?}"));
        let state_of = |world: &Self, id: &ContainerId| {
            let container = world.engines[host].containers.get(id);
            container.map(|container| container.state)
        };
        match call {
            Call::Start(id) => {
                let before = state_of(self, id);
                let reply = self.engines[host].effect(host, &name, call);
                if matches!(before, Some(State::Created | State::CutOff))
                    && state_of(self, id) == Some(State::Running)
                {
                    self.check_start(host, node, id);
                    self.container_runs(host, id);
                }
                reply
            }
            Call::Stop(id) => {
                self.check_touch(host, node, id);
                let before = state_of(self, id);
                let reply = self.engines[host].effect(host, &name, call);
                if before == Some(State::Running) {
                    self.watch_exit(host, id);
                }
                reply
            }
            Call::Remove(id) => {
                self.check_touch(host, node, id);
                self.check_removal(host, node, id);
                let reply = self.engines[host].effect(host, &name, call);
                self.wake_waiting(host, id);
                reply
            }
            _ => self.engines[host].effect(host, &name, call),
        }
    }

    fn container_runs(&mut self, host: usize, id: &ContainerId) {
        if let Some(ms) = self.engines[host].containers[id].script.run_ms {
            let end = Happening::ContainerEnds {
                host,
                container: id.clone(),
            };
            self.after(ms, end);
        }
    }

    pub(super) fn heard(&mut self, caller: Caller, reply: Reply, engine_starts: u64) {
        if self.nodes[caller.node].process != caller.process {
            return;
        }
        let host = self.nodes[caller.node].host;
        let reply = if self.engines[host].starts == engine_starts {
            reply
        } else {
            away()
        };
        match caller.what {
            What::Activity(id, number) => {
                let doing = self.nodes[caller.node].doing.get(&id);
                // A pull may have been given up.
                if doing.is_some_and(|doing| {
                    doing.call == number && !matches!(doing.stage, Stage::Over)
                }) {
                    self.goes_on(caller.node, &id, reply);
                }
            }
            What::Search(search) => self.searched(caller.node, search, reply),
        }
    }
}

/// The search for the engine.
impl World {
    pub(super) fn find(&mut self, number: usize, find: u64) {
        let node = &mut self.nodes[number];
        if let Some(search) = &mut node.search {
            search.is_nudged = true;
            search.latest = find;
            if !search.is_looking {
                self.look(number);
            }
            return;
        }
        node.searches += 1;
        node.search = Some(Search {
            number: node.searches,
            looks: 0,
            is_looking: false,
            is_nudged: false,
            latest: find,
            looks_for: find,
        });
        self.look(number);
    }

    fn look(&mut self, node: usize) {
        if let Some(search) = &mut self.nodes[node].search {
            search.looks += 1;
            search.is_looking = true;
            search.looks_for = search.latest;
            search.is_nudged = false;
            let what = What::Search(search.number);
            self.send_call(node, what, Call::List);
        }
    }

    fn searched(&mut self, number: usize, search: u64, reply: Reply) {
        let node = &mut self.nodes[number];
        let Some(under_way) = node.search.as_mut().filter(|other| other.number == search) else {
            return;
        };
        under_way.is_looking = false;
        let is_nudged = under_way.is_nudged;
        let (looks, looked_for) = (under_way.looks, under_way.looks_for);
        match reply {
            Reply::List(containers) => {
                if !is_nudged {
                    node.search = None;
                }
                let event = Event::EngineFound {
                    number: looked_for,
                    facts: self.facts(self.nodes[number].host),
                    containers: containers
                        .into_iter()
                        .map(|(container, execution, state)| Found {
                            container,
                            execution,
                            state,
                        })
                        .collect(),
                };
                self.post(number, event);
                if is_nudged {
                    self.look(number);
                }
            }
            _ => {
                let why = "nothing answers".to_owned();
                let process = node.process;
                self.post(number, Event::EngineAway { why });
                if is_nudged {
                    self.look(number);
                } else {
                    let again = Happening::SearchAgain {
                        node: number,
                        process,
                        search,
                        looks,
                    };
                    self.after(LOOK_EVERY_MS, again);
                }
            }
        }
    }

    pub(super) fn search_again(&mut self, node: usize, process: u64, search: u64, looks: u64) {
        let is_due = |under_way: &Search| {
            (under_way.number, under_way.looks) == (search, looks) && !under_way.is_looking
        };
        if self.nodes[node].process == process
            && self.nodes[node].search.as_ref().is_some_and(is_due)
        {
            self.look(node);
        }
    }

    fn facts(&self, host: usize) -> EngineFacts {
        EngineFacts {
            name: "Sim 1".to_owned(),
            socket: "/sim.sock".to_owned(),
            enforces_memory: self.scenario.hosts[host].enforces_memory,
            image_dir: None,
        }
    }
}

/// What becomes of containers.
impl World {
    pub(super) fn container_exits(&mut self, host: usize, id: &ContainerId, code: i64) {
        if let Some(container) = self.engines[host].containers.get_mut(id) {
            container.state = State::Exited(code);
            self.watch_exit(host, id);
        }
    }

    fn watch_exit(&mut self, host: usize, id: &ContainerId) {
        self.tell(|| format!("{id} exits"));
        self.note_exit(host, id);
        self.wake_waiting(host, id);
    }

    /// Every running container of a host is killed.
    pub(super) fn containers_die(&mut self, host: usize) {
        let containers = self.engines[host].containers.iter();
        let running: Vec<ContainerId> = containers
            .filter(|(_, container)| container.state == State::Running)
            .map(|(id, _)| id.clone())
            .collect();
        for id in running {
            self.container_exits(host, &id, super::engine::KILLED);
        }
    }

    /// The host of every running container loses its power: none of them has an end of its own.
    fn containers_are_cut_off(&mut self, host: usize) {
        for container in self.engines[host].containers.values_mut() {
            if container.state == State::Running {
                container.state = State::CutOff;
                self.watch.cut_off(container.execution.clone());
            }
        }
    }

    pub(super) fn container_vanishes(&mut self, host: usize, id: &ContainerId) {
        self.tell(|| format!("{id} vanishes"));
        if let Some(container) = self.engines[host].containers.remove(id) {
            self.watch.vanished(container.execution);
            self.wake_waiting(host, id);
        }
    }

    fn wake_waiting(&mut self, host: usize, id: &ContainerId) {
        for (node, activity) in self.waiting(host, |container| container == id) {
            let ms = self.delay(20);
            self.ready_after(ms, node, &activity);
        }
    }

    /// An engine answers again: who waits for an end asks again.
    pub(super) fn engine_is_back(&mut self, host: usize) {
        self.engines[host].is_away = false;
        for (node, activity) in self.waiting(host, |_| true) {
            let ms = self.delay(AGAIN_MS);
            self.ready_after(ms, node, &activity);
        }
    }

    /// The activities on a host that wait for such a container to end.
    fn waiting(
        &self,
        host: usize,
        is_one: impl Fn(&ContainerId) -> bool,
    ) -> Vec<(usize, ActivityId)> {
        let mut waiting = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if node.host != host {
                continue;
            }
            for (activity, doing) in &node.doing {
                if let (Stage::Wait, Activity::Run { container, .. }) =
                    (&doing.stage, &doing.activity)
                    && is_one(container)
                {
                    waiting.push((number, activity.clone()));
                }
            }
        }
        waiting
    }

    /// Power loss: every process dies, every container too; some engines forget them.
    pub(super) fn reboot(&mut self, host: usize, down_ms: u64, wall_off_ms: Option<i64>) {
        let numbers = (0..self.nodes.len()).filter(|number| self.nodes[*number].host == host);
        for number in numbers.collect::<Vec<usize>>() {
            self.kill(number, down_ms);
            self.nodes[number].clock.reboot(self.at_ms);
            self.nodes[number].clock.step(wall_off_ms);
        }
        self.calls
            .retain(|_, (caller, _)| self.nodes[caller.node].host != host);
        self.engines[host].starts += 1;
        self.engines[host].is_away = false;
        self.containers_are_cut_off(host);
        if !self.scenario.hosts[host].keeps_over_reboot {
            let ids: Vec<ContainerId> = self.engines[host].containers.keys().cloned().collect();
            for id in ids {
                self.container_vanishes(host, &id);
            }
        }
    }
}
