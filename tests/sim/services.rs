//! What is kept running: that it is, that there is one of each replica, and that nothing starts of what was stopped.

use super::engine::State;
use super::scenario::Liar;
use super::watch::Rule;
use super::world::World;
use codling::agent::Plan;
use codling::model::{
    DockerSpec, Execution, ExecutionRecord, ExecutionState, Job, JobId, JobRecord, JobType, NodeId,
    NodeRole,
};
use std::collections::BTreeMap;

/// How long after the last fault every service runs: engines and nodes are looked for within minutes, and no pause is
/// longer than five.
pub(super) const SETTLED_MS: u64 = 30 * 60 * 1_000;

/// How long ago a service that does not stay up was tried last, at most: the longest pause, and what a slow engine takes.
const TRIED_MS: u64 = 7 * 60 * 1_000;

/// How many executions of a job that is kept running are kept beside the last of each replica.
const ENDED_MAX: usize = 8;

/// Job, version, partition, and the node for a job that is on every one.
pub(super) type ReplicaKey = (JobId, u64, u32, Option<NodeId>);

fn key(job: &Job, partition: u32, node: &NodeId) -> ReplicaKey {
    let node = job.job_type.is_on_every_node().then(|| node.clone());
    (job.id.clone(), job.version, partition, node)
}

/// Whether the record is one in which ended executions make room for later ones.
pub(super) fn keeps_few(record: &JobRecord) -> bool {
    // One that never answered counts as well.
    let has_ended = |one: &&Execution| {
        one.state.is_terminal() && one.state != ExecutionState::AskForBidRejected
    };
    let ended = record.executions.iter().filter(has_ended);
    record.job.job_type.is_kept_running() && ended.count() > ENDED_MAX
}

impl World {
    /// An execution is prepared from now on.
    pub(super) fn check_prepared(&mut self, number: usize, plan: &Plan) {
        let node = &self.nodes[number];
        let durable = node.disk.job(&plan.job.id);
        let is_over = durable.is_some_and(|record| {
            record.job.version == plan.job.version && record.job.state.is_terminal()
        });
        // What another node has stopped may not have heard of it.
        if is_over && plan.job.requester == node.id {
            let text = format!("{} is prepared, and its job is over", plan.execution);
            self.watch.broken(Rule::StoppedStays, text);
        }
        let key = key(&plan.job, plan.partition, &self.nodes[number].id);
        self.watch.tried.insert(key, self.at_ms);
    }

    /// A node has started the container of an execution: no other one of its replica runs.
    pub(super) fn check_alone(&mut self, number: usize, record: &ExecutionRecord) {
        let requester = self
            .nodes
            .iter()
            .position(|node| node.id == record.requester);
        if requester.is_some_and(|requester| self.watch.has_lost_jobs(requester)) {
            // It may have lost what it knew of the one on another node, which it stops when it hears of it.
            return;
        }
        let own = key(&record.job, record.partition, &self.nodes[number].id);
        let mut beside = None;
        let containers = self.engines.iter().flat_map(|one| one.containers.values());
        for container in containers.filter(|one| one.state == State::Running) {
            let node = self.nodes.iter().find(|node| node.id == container.node);
            let stored = node.and_then(|node| node.disk.execution(&container.execution));
            if let Some(stored) = stored
                && stored.id != record.id
                && key(&stored.job, stored.partition, &container.node) == own
                // Whoever has lost a store may not know of it.
                && !self.watch.has_lost(&container.execution)
            {
                beside = Some(format!("{} runs beside {}", record.id, stored.id));
            }
        }
        if let Some(text) = beside {
            self.watch.broken(Rule::OneLiveReplica, text);
        }
    }

    /// Nothing has gone wrong for long: what is kept running must run, and is stopped.
    pub(super) fn stop_services(&mut self) {
        let mut broken = Vec::new();
        let mut kept = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let records = node.disk.jobs();
            let is_kept = |record: &&JobRecord| {
                record.job.job_type.is_kept_running() && !record.job.state.is_terminal()
            };
            for record in records.filter(is_kept) {
                if let Some(why) = self.does_not_run(record) {
                    broken.push(format!(
                        "node-{number}: {}: {why}: {record:?}",
                        record.job.id
                    ));
                }
                kept.push((number, record.job.id.clone()));
            }
        }
        for text in broken {
            self.watch.broken(Rule::KeptRunning, text);
        }
        for (number, job) in kept {
            self.end_job(number, job);
        }
    }

    /// Why a job is not as it should be, if so.
    fn does_not_run(&self, record: &JobRecord) -> Option<String> {
        let job = &record.job;
        let mut fits = true;
        let mut last: BTreeMap<ReplicaKey, &Execution> = BTreeMap::new();
        for execution in record.latest_executions() {
            let key = key(job, execution.partition, &execution.node_id);
            let declined = execution.reject.as_ref();
            if execution.was_taken() {
                last.insert(key, execution);
            } else if declined.is_some_and(|reason| !reason.is_transient()) {
                // The node does not fit, and was taken for one that had it when its store was lost.
                last.remove(&key);
                fits = false;
            }
        }
        let is_short =
            job.job_type == JobType::Service && last.len() < usize::try_from(job.count).unwrap();
        if is_short && fits && self.scenario.liar == Liar::None {
            return Some("a replica was never taken".to_owned());
        }
        last.into_iter()
            .find_map(|(key, execution)| self.replica_does_not_run(job, &key, execution))
    }

    fn replica_does_not_run(
        &self,
        job: &Job,
        key: &ReplicaKey,
        execution: &Execution,
    ) -> Option<String> {
        let node = self
            .nodes
            .iter()
            .find(|node| node.id == execution.node_id)?;
        if !node.roles.has(NodeRole::Compute) {
            return None;
        }
        let containers = self.engines.iter().flat_map(|one| one.containers.values());
        let mut running = containers
            .filter(|container| container.node == node.id && container.state == State::Running)
            .peekable();
        let spec = DockerSpec::from_params(&job.task.engine.params).unwrap();
        let stays_up = spec.parameters[0].parse::<u64>().is_err()
            && matches!(spec.image.as_str(), "here" | "pulled");
        // What others have is not there for it: it waits its turn.
        if running.peek().is_some() {
            let runs = running.any(|container| container.execution == execution.id);
            let is_open = !execution.state.is_terminal();
            return (!runs && !is_open && stays_up).then(|| format!("{} is over", execution.id));
        }
        let tried_ms = self.watch.tried.get(key).map(|at| self.at_ms - at);
        match tried_ms {
            _ if stays_up => Some(format!("{} is not up", execution.id)),
            Some(ms) if ms <= TRIED_MS => None,
            _ => Some(format!("{} was tried {tried_ms:?} ms ago", execution.id)),
        }
    }
}
