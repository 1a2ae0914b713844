//! The rules that no seed may break, and what is remembered to judge them.
//!
//! Three witnesses: what leaves a node (against what its disk holds at that moment), what containers do, and what
//! clients see. None of them looks into an agent.

use super::clients::{SECOND, update_document};
use super::disk::StoreFile;
use super::engine::State;
use super::scenario::Liar;
use super::services::{ReplicaKey, keeps_few};
use super::world::World;
use codling::agent::{Activity, Output};
use codling::model::{
    ApiReply, ComputeState, ContainerId, DesiredState, Execution, ExecutionId, ExecutionState,
    FailureKind, FileHistory, Job, JobId, JobRecord, JobState, Message, NodeId, NodeInfo, NodeRole,
    RETAIN_AGE_MS, RejectReason, Resources,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many declined executions of a partition a job keeps at least.
const DECLINED_MAX: usize = 8;

/// How many executions of earlier versions a job keeps at least.
const EARLIER_EXECUTIONS_MAX: usize = 32;

/// What must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// What leaves a node is durable there.
    DurableBeforeItLeaves,
    /// What a client has seen decided is never undecided or decided otherwise.
    OneTerminalState,
    /// What was taken ends, is reported, and nothing is left to do.
    NothingPendsForEver,
    /// A completed execution shows the exit code of its container.
    TrueExitCode,
    /// What is said to be lost was lost.
    TrueLoss,
    /// An outcome that a node has forgotten was told before.
    AnEndIsTold,
    /// A container is started once, on one node, for a promise that both files hold.
    StartedOnce,
    /// Running containers never have more than their node offers.
    NotOverCommitted,
    /// One activity per execution at a time.
    OneActivity,
    /// Only containers of one's own are touched, and none before its outcome is safe.
    OwnContainersOnly,
    /// When all is quiet there is no container left.
    NothingLeaks,
    /// A token, a name, or a job id, names one job, and what is said twice happens once.
    OneJobPerToken,
    /// What a later version has replaced only ends.
    OneLiveVersion,
    /// No replica of a job runs twice at a time.
    OneLiveReplica,
    /// What is kept running runs, or is tried again soon.
    KeptRunning,
    /// What has ended or was stopped starts nothing more.
    StoppedStays,
    /// A node whose bid was accepted is waited for.
    AcceptedIsNotGivenUp,
    /// A question gets its own kind of answer.
    RightReply,
}

/// A broken rule, with its case.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) rule: Rule,
    pub(super) text: String,
}

/// How an execution was seen to have ended: its state, exit code and kind of failure.
type End = (ExecutionState, Option<i64>, Option<FailureKind>);

/// What clients have seen of a job.
#[derive(Clone, Debug, Default)]
struct Seen {
    version: u64,
    state: Option<JobState>,
    executions: BTreeMap<ExecutionId, Option<End>>,
    /// The version of which all executions were seen when it was over.
    closed: Option<u64>,
}

/// What is remembered. See the module's text.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) violation: Option<Violation>,
    /// Acknowledged submissions: the node, and the client's name for the job.
    taken: BTreeMap<JobId, (usize, String)>,
    /// Ids that were named in a reply which never left: the answer is then to ask for that id.
    unsure: BTreeMap<JobId, String>,
    tokens: BTreeMap<(usize, String), JobId>,
    seen: BTreeMap<JobId, Seen>,
    started: BTreeMap<ExecutionId, (usize, ContainerId)>,
    exits: BTreeMap<ExecutionId, BTreeSet<i64>>,
    vanished: BTreeSet<ExecutionId>,
    /// Executions whose container a reboot ended.
    cut_off: BTreeSet<ExecutionId>,
    /// Executions whose job was lost with jobs.db.
    homeless: BTreeSet<ExecutionId>,
    accepted: BTreeSet<ExecutionId>,
    cancelled: BTreeSet<ExecutionId>,
    /// Nodes that have lost a jobs.db.
    forgetful: BTreeSet<usize>,
    /// When each replica was last prepared.
    pub(super) tried: BTreeMap<ReplicaKey, u64>,
}

impl Watch {
    /// Whether a node has ever lost its jobs.db.
    pub(super) fn has_lost_jobs(&self, number: usize) -> bool {
        self.forgetful.contains(&number)
    }

    /// A rule was broken; the first one counts.
    pub(super) fn broken(&mut self, rule: Rule, text: String) {
        self.violation.get_or_insert(Violation { rule, text });
    }

    pub(super) fn jobs(&self) -> u64 {
        self.taken.len() as u64
    }

    /// Jobs that were seen as a version after their first.
    pub(super) fn later_versions(&self) -> u64 {
        let later = self.seen.values().filter(|seen| seen.version > 1);
        later.count() as u64
    }

    pub(super) fn taken_jobs(&self) -> Vec<(usize, JobId)> {
        let jobs = self.taken.iter();
        jobs.map(|(job, (node, _))| (*node, job.clone())).collect()
    }

    pub(super) fn was_cancelled(&self, execution: &ExecutionId) -> bool {
        self.cancelled.contains(execution)
    }

    /// Whether the store or the engine of its node has lost an execution.
    pub(super) fn has_lost(&self, execution: &ExecutionId) -> bool {
        self.vanished.contains(execution) || self.homeless.contains(execution)
    }

    pub(super) fn vanished(&mut self, execution: ExecutionId) {
        self.vanished.insert(execution);
    }

    pub(super) fn cut_off(&mut self, execution: ExecutionId) {
        self.cut_off.insert(execution);
    }

    /// A submission's outcome is unknown, but its id was named.
    pub(super) fn unsure(&mut self, job: JobId, name: &str) {
        self.unsure.insert(job, name.to_owned());
    }

    /// A submission was acknowledged to a client.
    pub(super) fn taken(&mut self, node: usize, token: &Option<String>, name: &str, job: JobId) {
        if let Some(token) = token {
            let key = (node, token.clone());
            let first = self.tokens.entry(key).or_insert_with(|| job.clone());
            if *first != job {
                let text = format!("token {token} was answered with {first} and with {job}");
                self.broken(Rule::OneJobPerToken, text);
            }
        }
        if self.unsure.get(&job).is_some_and(|other| other != name) {
            let text = format!("{job} was named for another job and is {name}");
            self.broken(Rule::OneJobPerToken, text);
        }
        let (other_node, other) = self
            .taken
            .entry(job.clone())
            .or_insert_with(|| (node, name.to_owned()));
        if *other_node != node || other != name {
            let text = format!("{job} is {other} of node-{other_node} and {name} of node-{node}");
            self.broken(Rule::OneJobPerToken, text);
        }
    }
}

/// What is lost.
impl World {
    /// A store file is about to go. Jobs of a lost jobs.db are nobody's any more; executions of a lost executions.db may run
    /// once more.
    pub(super) fn lost(&mut self, number: usize, file: StoreFile) {
        match file {
            StoreFile::Jobs => {
                self.watch.forgetful.insert(number);
                let jobs = self.watch.taken_jobs();
                for (_, job) in jobs.into_iter().filter(|(node, _)| *node == number) {
                    self.watch.taken.remove(&job);
                    self.watch.seen.remove(&job);
                }
                // One that was lost before and came back is in its file all the same.
                for record in self.nodes[number].disk.jobs() {
                    self.watch.seen.remove(&record.job.id);
                }
                self.watch.tokens.retain(|(node, _), _| *node != number);
                let executions = self.nodes[number].disk.executions();
                let homeless: Vec<ExecutionId> =
                    executions.map(|record| record.id.clone()).collect();
                self.watch.homeless.extend(homeless);
            }
            StoreFile::Executions => {
                let id = self.nodes[number].id.clone();
                let started = self.watch.started.iter();
                let here = started.filter(|(_, (node, _))| *node == number);
                let gone: Vec<ExecutionId> = here.map(|(execution, _)| execution.clone()).collect();
                self.watch.vanished.extend(gone);
                let containers = self
                    .engines
                    .iter()
                    .flat_map(|engine| engine.containers.values());
                let ours = containers.filter(|container| container.node == id);
                let gone: Vec<ExecutionId> = ours.map(|one| one.execution.clone()).collect();
                self.watch.vanished.extend(gone);
            }
        }
    }
}

/// What leaves a node.
impl World {
    pub(super) fn check_output(&mut self, number: usize, output: &Output) {
        let node = &self.nodes[number];
        let broken = match output {
            Output::Reply { reply, .. } => self.unfounded_reply(number, reply),
            Output::Send { to, message } => self.unfounded_message(number, to, message),
            Output::Begin { id, activity } => {
                if node
                    .doing
                    .keys()
                    .any(|other| other.execution == id.execution)
                {
                    let text = format!("{id:?} begins beside another of its execution");
                    self.watch.broken(Rule::OneActivity, text);
                    return;
                }
                let broken = self.unfounded_activity(number, &id.execution, activity);
                if let Activity::Prepare(plan) = activity {
                    self.check_prepared(number, plan);
                }
                broken
            }
            Output::Stop { .. } | Output::Find { .. } | Output::RemoveImage { .. } => None,
        };
        if let Some(why) = broken {
            let text = format!("node-{number}: {why}: {output:?}");
            self.watch.broken(Rule::DurableBeforeItLeaves, text);
        }
        if let Output::Send {
            message: Message::AcceptBid { execution },
            ..
        } = output
        {
            self.watch.accepted.insert(execution.clone());
        }
        if let Output::Stop { id } = output {
            self.watch.cancelled.insert(id.execution.clone());
        }
    }

    fn unfounded_reply(&self, number: usize, reply: &ApiReply) -> Option<&'static str> {
        let disk = &self.nodes[number].disk;
        match reply {
            ApiReply::Submitted { job, .. } if disk.job(job).is_none() => {
                Some("the job is not durable")
            }
            ApiReply::Job(record) => self.unfounded_record(number, record),
            ApiReply::Jobs(jobs) => jobs.iter().find_map(|job| self.unfounded_job(number, job)),
            _ => None,
        }
    }

    /// Whether a record shows a promise that a power cut now would take back.
    fn unfounded_record(&self, number: usize, record: &JobRecord) -> Option<&'static str> {
        let broken = self.unfounded_job(number, &record.job);
        if broken.is_some() {
            return broken;
        }
        let durable = self.nodes[number].disk.job(&record.job.id)?;
        if durable.job.version > record.job.version {
            // It was looked at before the commit that released it brought a later one.
            return None;
        }
        if record.earlier.len() > durable.earlier.len() {
            return Some("an earlier version is not durable");
        }
        for execution in &record.executions {
            let kept = durable
                .executions
                .iter()
                .find(|kept| kept.id == execution.id);
            match kept {
                None => return Some("an execution is not durable"),
                Some(kept) if execution.state.is_terminal() && end(kept) != end(execution) => {
                    return Some("an execution's end is not durable");
                }
                Some(_) => {}
            }
        }
        None
    }

    fn unfounded_job(&self, number: usize, job: &Job) -> Option<&'static str> {
        let Some(durable) = self.nodes[number].disk.job(&job.id) else {
            return Some("the job is not durable");
        };
        if durable.job.version < job.version {
            return Some("the job's version is not durable");
        }
        let is_shown = durable.job.version == job.version
            && job.state.is_terminal()
            && durable.job.state != job.state;
        is_shown.then_some("the job's end is not durable")
    }

    fn planned(&self, number: usize, id: &ExecutionId) -> Option<&Execution> {
        let mut jobs = self.nodes[number].disk.jobs();
        jobs.find_map(|record| record.executions.iter().find(|one| one.id == *id))
    }

    fn unfounded_message(
        &self,
        number: usize,
        to: &NodeId,
        message: &Message,
    ) -> Option<&'static str> {
        let disk = &self.nodes[number].disk;
        match message {
            Message::Ask { execution, .. } => match self.planned(number, execution) {
                Some(planned) if planned.node_id == *to => None,
                _ => Some("the plan is not durable"),
            },
            Message::AcceptBid { execution } => match self.planned(number, execution) {
                Some(planned) if planned.desired != DesiredState::Pending => None,
                _ => Some("that its bid was accepted is not durable"),
            },
            Message::Cancel { execution } => {
                // What another node says of it is not heard, only answered.
                let planned = self
                    .planned(number, execution)
                    .filter(|planned| planned.node_id == *to)?;
                let wanted = planned.desired != DesiredState::Stopped;
                wanted.then_some("that it is to stop is not durable")
            }
            Message::Accepted { execution, .. } => match disk.execution(execution) {
                Some(record) if record.requester == *to => None,
                _ => Some("the acceptance is not durable"),
            },
            Message::Outcome { execution, outcome } => {
                match disk.execution(execution).map(|record| &record.state) {
                    Some(ComputeState::Ended { outcome: kept, .. }) if kept == &**outcome => None,
                    _ => Some("the outcome is not durable"),
                }
            }
            Message::Acknowledge { execution } => {
                let planned = self
                    .planned(number, execution)
                    .filter(|planned| planned.node_id == *to)?;
                let open = !planned.state.is_terminal();
                open.then_some("the outcome is not durable here")
            }
            _ => None,
        }
    }

    fn unfounded_activity(
        &self,
        number: usize,
        execution: &ExecutionId,
        activity: &Activity,
    ) -> Option<&'static str> {
        let node = &self.nodes[number];
        let record = node.disk.execution(execution);
        match activity {
            Activity::Prepare(_) => None,
            Activity::Run { .. } | Activity::Publish { .. } => {
                let Some(record) = record else {
                    return Some("the acceptance is not durable");
                };
                let is_local = record.requester == node.id && node.roles.has(NodeRole::Requester);
                let may_lack = node.disk.jobs_file() == FileHistory::New
                    || self.watch.homeless.contains(execution);
                if is_local && !may_lack && self.planned(number, execution).is_none() {
                    return Some("the plan is not durable");
                }
                None
            }
            Activity::Discard => {
                let record = record.filter(|record| !record.state.is_terminal())?;
                // Whoever has no job and was never started is forgotten.
                let was_started = self.watch.started.contains_key(execution)
                    && !self.watch.vanished.contains(execution);
                let is_orphan = record.requester == node.id
                    && node.disk.job(&record.job.id).is_none()
                    && !was_started;
                (!is_orphan).then_some("the outcome is not durable")
            }
        }
    }
}

fn end(execution: &Execution) -> Option<End> {
    let code = execution.run_output.as_ref().map(|output| output.exit_code);
    let kind = execution.failure.as_ref().map(|failure| failure.kind);
    let is_over = execution.state.is_terminal();
    is_over.then_some((execution.state, code, kind))
}

/// What containers do.
impl World {
    /// A container has just been started.
    pub(super) fn check_start(&mut self, host: usize, number: usize, id: &ContainerId) {
        let container = self.engines[host].containers[id].clone();
        let node = &self.nodes[number];
        let execution = &container.execution;
        if container.node != node.id {
            let text = format!("node-{number} starts {id}, which is of {}", container.node);
            return self.watch.broken(Rule::OwnContainersOnly, text);
        }
        let Some(record) = node.disk.execution(execution) else {
            if self.watch.vanished.contains(execution) {
                // Its executions.db was lost while the start was on its way.
                return;
            }
            let text = format!("node-{number} starts {execution}, which it never promised");
            return self.watch.broken(Rule::StartedOnce, text);
        };
        let is_lie = record.requester == NodeId::from("liar");
        let running = self.engines[host]
            .containers
            .values()
            .filter(|other| other.node == container.node && other.state == State::Running);
        let sum = running.fold(Resources::default(), |sum, other| {
            sum.checked_add(&other.resources).unwrap()
        });
        if let Some(dimension) = sum.exceeds(&self.nodes[number].total) {
            let text = format!("node-{number} starts {execution}: more {dimension:?} than it has");
            self.watch.broken(Rule::NotOverCommitted, text);
        }
        // A liar may ask two nodes to run one id.
        if is_lie {
            return;
        }
        let record = record.clone();
        self.check_alone(number, &record);
        let before = self
            .watch
            .started
            .insert(execution.clone(), (number, id.clone()));
        let is_again = !self.watch.vanished.contains(execution);
        if let Some((other, _)) = before.filter(|_| is_again) {
            let text = format!("{execution} is started on node-{number} and was on node-{other}");
            self.watch.broken(Rule::StartedOnce, text);
        }
    }

    /// A container is about to be stopped or removed.
    pub(super) fn check_touch(&mut self, host: usize, number: usize, id: &ContainerId) {
        let Some(container) = self.engines[host].containers.get(id) else {
            return;
        };
        if container.node != self.nodes[number].id {
            let text = format!("node-{number} touches {id}, which is of {}", container.node);
            self.watch.broken(Rule::OwnContainersOnly, text);
        }
    }

    /// A container is about to be removed.
    pub(super) fn check_removal(&mut self, host: usize, number: usize, id: &ContainerId) {
        let Some(container) = self.engines[host].containers.get(id) else {
            return;
        };
        let record = self.nodes[number].disk.execution(&container.execution);
        if container.state != State::Created
            && record.is_some_and(|record| !record.state.is_terminal())
        {
            let text = format!("{id} is removed before its outcome is durable");
            self.watch.broken(Rule::OwnContainersOnly, text);
        }
    }

    /// A container has ended.
    pub(super) fn note_exit(&mut self, host: usize, id: &ContainerId) {
        let container = &self.engines[host].containers[id];
        if let State::Exited(code) = container.state {
            let exits = self.watch.exits.entry(container.execution.clone());
            exits.or_default().insert(code);
        }
    }
}

/// What clients see.
impl World {
    pub(super) fn client_sees(&mut self, number: usize, record: &JobRecord) {
        let job = &record.job.id;
        let liar = NodeId::from("liar");
        let mut broken = None;
        let document = match &record.submitted[..] {
            // What was submitted was lost with jobs.db.
            [] if self.watch.has_lost_jobs(number) => record.job.name.as_str().into(),
            submitted => String::from_utf8_lossy(submitted),
        };
        if let Some((_, name)) = self.watch.taken.get(job)
            && document.strip_suffix(SECOND).unwrap_or(&document) != name
        {
            broken = Some((Rule::OneJobPerToken, format!("{job} is not {name}")));
        }
        self.client_sees_job(number, &record.job);
        let seen = self.watch.seen.entry(job.clone()).or_default();
        let latest = record.job.version;
        let earlier = |execution: &&Execution| execution.job_version < latest;
        if let Some(one) = record
            .executions
            .iter()
            .filter(earlier)
            .find(|one| one.desired != DesiredState::Stopped)
        {
            let text = format!("{} of version {} goes on", one.id, one.job_version);
            broken = Some((Rule::OneLiveVersion, text));
        }
        let replaced = record.executions.iter().filter(earlier).count();
        let states = record.executions.iter().map(|execution| execution.state);
        let declined = states
            .filter(|state| *state == ExecutionState::AskForBidRejected)
            .count();
        for (id, ended) in &seen.executions {
            let now = record
                .executions
                .iter()
                .find(|execution| execution.id == *id);
            // Of many declined executions only the latest are kept.
            let may_go = keeps_few(record)
                || declined >= DECLINED_MAX
                    && ended.is_none_or(|(state, _, _)| state == ExecutionState::AskForBidRejected)
                || replaced >= EARLIER_EXECUTIONS_MAX;
            if now.is_none() && !may_go
                || ended.is_some() && now.is_some_and(|now| end(now) != *ended)
            {
                let text = format!("{id} was {ended:?} and is {:?}", now.and_then(end));
                broken = Some((Rule::OneTerminalState, text));
            }
        }
        let is_new =
            |one: &&Execution| one.job_version == latest && !seen.executions.contains_key(&one.id);
        if seen.closed == Some(latest)
            && let Some(one) = record.executions.iter().find(is_new)
        {
            let text = format!("{} was planned when {job} was over", one.id);
            broken = Some((Rule::StoppedStays, text));
        }
        seen.closed = record.job.state.is_terminal().then_some(latest);
        for execution in &record.executions {
            seen.executions.insert(execution.id.clone(), end(execution));
            if execution.state == ExecutionState::Completed && execution.node_id != liar {
                let code = execution.run_output.as_ref().map(|output| output.exit_code);
                let exits = self.watch.exits.get(&execution.id);
                let is_true = code
                    .zip(exits)
                    .is_some_and(|(code, exits)| exits.contains(&code));
                if !is_true {
                    let text = format!("{} shows {code:?}, not {exits:?}", execution.id);
                    broken = Some((Rule::TrueExitCode, text));
                }
            }
            let kind = execution.failure.as_ref().map(|failure| failure.kind);
            if kind == Some(FailureKind::ContainerLost)
                && execution.node_id != liar
                && !self.watch.vanished.contains(&execution.id)
                && !self.watch.cut_off.contains(&execution.id)
            {
                let text = format!("{} was not lost", execution.id);
                broken = Some((Rule::TrueLoss, text));
            }
            // A liar may have asked for the same execution, and have been told.
            if execution.reject == Some(RejectReason::AlreadyEnded)
                && self.scenario.liar == Liar::None
                && self.watch.forgetful.is_empty()
            {
                let text = format!("{} had ended and nobody was told how", execution.id);
                broken = Some((Rule::AnEndIsTold, text));
            }
            if kind == Some(FailureKind::NoAnswer) && self.watch.accepted.contains(&execution.id) {
                let text = format!("{} was accepted and given up", execution.id);
                broken = Some((Rule::AcceptedIsNotGivenUp, text));
            }
        }
        if let Some((rule, text)) = broken {
            self.watch.broken(rule, format!("node-{number}: {text}"));
        }
    }

    /// A row of a list, or the job of a record.
    pub(super) fn client_sees_job(&mut self, number: usize, job: &Job) {
        let seen = self.watch.seen.entry(job.id.clone()).or_default();
        if job.version > seen.version {
            (seen.version, seen.state) = (job.version, None);
        }
        let state = Some(job.state).filter(|state| state.is_terminal());
        if job.version < seen.version || seen.state.is_some() && seen.state != state {
            let text = format!(
                "node-{number}: {} was {:?} as version {} and is {:?} as version {}",
                job.id, seen.state, seen.version, job.state, job.version
            );
            self.watch.broken(Rule::OneTerminalState, text);
            return;
        }
        seen.state = state;
    }

    /// An update was acknowledged to its client.
    pub(super) fn updated(&mut self, number: usize, client: usize, job: JobId) {
        let plan = &self.clients[client].plan;
        let (name, document) = (plan.job.name.clone(), update_document(plan));
        let first = self.clients[client].job();
        if let Some(first) = first.filter(|first| self.watch.taken.contains_key(*first))
            && *first != job
        {
            let text = format!("node-{number}: {name} was {first} and its update is {job}");
            self.watch.broken(Rule::OneJobPerToken, text);
        }
        // After a loss other clients may have brought their spec again.
        let durable = self.nodes[number].disk.job(&job);
        if !self.watch.forgetful.contains(&number)
            && durable.is_none_or(|record| record.submitted != document)
        {
            let text = format!("node-{number}: the update of {job} is not durable");
            self.watch.broken(Rule::DurableBeforeItLeaves, text);
        }
        self.watch.taken(number, &None, &name, job);
    }

    /// A rerun was acknowledged to its client.
    pub(super) fn reran(&mut self, number: usize, job: &JobId, version: u64) {
        let durable = self.nodes[number].disk.job(job);
        if durable.is_none_or(|record| record.job.version < version) {
            let text = format!("node-{number}: version {version} of {job} is not durable");
            self.watch.broken(Rule::DurableBeforeItLeaves, text);
        }
    }

    pub(super) fn client_misses(&mut self, number: usize, job: &JobId) {
        // A clock that is set may make an ended job older than jobs are kept.
        let is_kept = self.nodes[number].clock.oldest_ms(self.at_ms) < RETAIN_AGE_MS;
        if is_kept && self.watch.taken.contains_key(job) {
            let text = format!("node-{number} does not know {job}, which it took");
            self.watch.broken(Rule::OneTerminalState, text);
        }
    }

    /// A node that has nothing left to do says so.
    pub(super) fn check_node(&mut self, number: usize, info: &NodeInfo) {
        let computes = self.nodes[number].roles.has(NodeRole::Compute);
        if info.running + info.enqueued > 0 || computes && info.available != info.total {
            let text = format!(
                "node-{number} has {} running, {} enqueued, {:?} of {:?} free",
                info.running, info.enqueued, info.available, info.total
            );
            self.watch.broken(Rule::NothingPendsForEver, text);
        }
    }

    /// Nothing is left to happen: everything must be over.
    pub(super) fn check_quiet(&mut self) {
        let mut broken = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            node.disk.read_through();
            let mut tokens: BTreeMap<&str, &JobId> = BTreeMap::new();
            for record in node.disk.jobs() {
                let job = &record.job;
                if record.is_live() {
                    let text = format!("node-{number}: {} is {:?}: {record:?}", job.id, job.state);
                    broken.push((Rule::NothingPendsForEver, text));
                }
                if let Some(key) = &record.idempotency
                    && let Some(other) = tokens.insert(&key.token, &job.id)
                {
                    let text = format!("node-{number}: {other} and {} by one token", job.id);
                    broken.push((Rule::OneJobPerToken, text));
                }
                let may_forget =
                    self.watch.forgetful.contains(&number) || self.may_forget_tokens(number);
                if job.version > 2 && !may_forget {
                    let text = format!("node-{number}: {} is {}", job.id, job.version);
                    broken.push((Rule::OneJobPerToken, text));
                }
                if job.job_type.is_kept_running() || job.job_type.is_on_every_node() {
                    if job.job_type.is_kept_running() && job.state == JobState::Completed {
                        let text = format!("node-{number}: {} has completed", job.id);
                        broken.push((Rule::KeptRunning, text));
                    }
                    continue;
                }
                let complete = (0..job.count).all(|partition| {
                    record.latest_executions().any(|execution| {
                        execution.partition == partition
                            && execution.state == ExecutionState::Completed
                    })
                });
                // What is out of time or stopped may complete all the same, and stays what it is.
                let may_differ = job.state == JobState::Stopped || job.task.timeouts.total_s > 0;
                let is_completed = job.state == JobState::Completed;
                if complete != is_completed && (is_completed || !may_differ && complete) {
                    let text = format!("node-{number}: {} is {:?}: {record:?}", job.id, job.state);
                    broken.push((Rule::OneTerminalState, text));
                }
            }
            for record in node.disk.executions() {
                // One that was forgotten because its job is not known leaves the file with the next commit.
                let is_orphan =
                    record.requester == node.id && node.disk.job(&record.job.id).is_none();
                if !record.state.is_terminal() && !is_orphan {
                    let text = format!("node-{number}: {record:?}");
                    broken.push((Rule::NothingPendsForEver, text));
                }
            }
        }
        for engine in &self.engines {
            for (id, container) in &engine.containers {
                let text = format!("{id} is left: {container:?}");
                broken.push((Rule::NothingLeaks, text));
            }
        }
        for (rule, text) in broken {
            self.watch.broken(rule, text);
        }
    }
}
