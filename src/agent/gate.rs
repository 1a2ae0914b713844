//! The commit gate: nothing binding leaves before the turn that decided it is durable.
//!
//! ```text
//!  turn --> filling batch --(a promise is in it, none in flight)--> in flight --> durable
//!     \--> outputs: reversible ones at once; binding ones queue in order until their turn is durable
//! ```
//! One batch is in flight and one is filling: group commit without a timer. A turn with promises is durable when their
//! batch is; a turn without, when the turn before it is. A ride-along joins the filling batch and never causes a commit
//! of its file: if its file has no promise in a batch that leaves, it stays behind for the next one.
//!
//! A failed commit ends this gate's life: `fail` hands back every unreleased output, and the shell builds a new agent
//! and a new gate from the store.

use super::turn::is_promise;
use crate::agent::{Output, Turn};
use crate::model::{Batch, ExecutionId, JobId, PulledImages, Write, WriteKind};
use std::collections::{BTreeMap, VecDeque};

/// How much may wait in the filling batch before no new work is read. A record is about 1 KiB, so this is some hundred
/// submissions, more than one commit's time brings.
pub const FILLING_BYTES_MAX: usize = 256 * 1024;

/// Numbers batches from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct BatchNumber(u64);

type Rows<K, R> = BTreeMap<K, (WriteKind, Write<Box<R>>)>;

/// Holds outputs back until they may leave. See the module's text.
#[derive(Debug)]
pub struct Gate {
    jobs: Rows<JobId, crate::model::JobRecord>,
    executions: Rows<ExecutionId, crate::model::ExecutionRecord>,
    images: Option<(WriteKind, PulledImages)>,
    filling: BatchNumber,
    in_flight: Option<BatchNumber>,
    durable: BatchNumber,
    /// The batch that the latest turn waits for.
    latest: BatchNumber,
    waiting: VecDeque<(BatchNumber, Output)>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            executions: BTreeMap::new(),
            images: None,
            filling: BatchNumber(1),
            in_flight: None,
            durable: BatchNumber(0),
            latest: BatchNumber(0),
            waiting: VecDeque::new(),
        }
    }
}

impl Gate {
    /// Takes a turn in; returns what may leave now, in order.
    pub fn admit(&mut self, turn: Turn) -> Vec<Output> {
        if turn.writes.has_promise() {
            self.latest = self.filling;
        }
        merge(&mut self.jobs, turn.writes.jobs);
        merge(&mut self.executions, turn.writes.executions);
        if let Some((kind, images)) = turn.writes.images {
            let kind = self.images.take().map_or(kind, |(old, _)| kind.max(old));
            self.images = Some((kind, images));
        }
        let mut leaving = Vec::new();
        for output in turn.outputs {
            if output.is_binding() {
                self.waiting.push_back((self.latest, output));
            } else {
                leaving.push(output);
            }
        }
        leaving.extend(self.released());
        leaving
    }

    /// The next batch to commit, if one is due and none is in flight. Call after every `admit` and `committed`.
    pub fn next_batch(&mut self) -> Option<Batch> {
        let of_executions = has_promise(&self.executions) || is_promise(self.images.as_ref());
        if self.in_flight.is_some() || !(has_promise(&self.jobs) || of_executions) {
            return None;
        }
        let mut batch = Batch {
            jobs: leaving(&mut self.jobs),
            ..Batch::default()
        };
        if of_executions {
            batch.executions = without_kinds(std::mem::take(&mut self.executions));
            batch.images = self.images.take().map(|(_, images)| images);
        }
        self.in_flight = Some(self.filling);
        self.filling = BatchNumber(self.filling.0 + 1);
        Some(batch)
    }

    /// The ride-alongs that are left at a clean stop, if any. Only when nothing is in flight and no batch is due.
    pub fn last_batch(&mut self) -> Option<Batch> {
        let is_empty = self.jobs.is_empty() && self.executions.is_empty() && self.images.is_none();
        if self.in_flight.is_some() || is_empty {
            return None;
        }
        for (kind, _) in self.jobs.values_mut() {
            *kind = WriteKind::Promise;
        }
        for (kind, _) in self.executions.values_mut() {
            *kind = WriteKind::Promise;
        }
        if let Some((kind, _)) = &mut self.images {
            *kind = WriteKind::Promise;
        }
        self.next_batch()
    }

    /// The batch in flight is on disk; returns what may leave now, in order.
    pub fn committed(&mut self) -> Vec<Output> {
        if let Some(number) = self.in_flight.take() {
            self.durable = number;
        }
        self.released()
    }

    /// The commit failed: every output that has not left, which now never will.
    #[must_use]
    pub fn fail(self) -> Vec<Output> {
        self.waiting.into_iter().map(|(_, output)| output).collect()
    }

    /// Whether a commit is on its way.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether so much is filling that no new submissions and asks are read. Completions always are.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let jobs: usize = self.jobs.values().map(|(_, write)| job_bytes(write)).sum();
        jobs + self.executions.len() * EXECUTION_BYTES > FILLING_BYTES_MAX
    }

    fn released(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        while self
            .waiting
            .front()
            .is_some_and(|(number, _)| *number <= self.durable)
        {
            outputs.extend(self.waiting.pop_front().map(|(_, output)| output));
        }
        outputs
    }
}

/// What an execution's record takes at the most usual: its job, and both streams' first bytes at its end.
const EXECUTION_BYTES: usize = 2_048;

fn job_bytes(write: &Write<Box<crate::model::JobRecord>>) -> usize {
    match write {
        Write::Put(record) => {
            record.submitted.len() + EXECUTION_BYTES * (1 + record.executions.len())
        }
        Write::Delete => 0,
    }
}

fn has_promise<K, R>(rows: &Rows<K, R>) -> bool {
    rows.values().any(|(kind, _)| *kind == WriteKind::Promise)
}

fn merge<K: Ord, R>(rows: &mut Rows<K, R>, new: Rows<K, R>) {
    for (key, (kind, write)) in new {
        let kind = rows.get(&key).map_or(kind, |(old, _)| kind.max(*old));
        rows.insert(key, (kind, write));
    }
}

fn leaving<K: Ord, R>(rows: &mut Rows<K, R>) -> BTreeMap<K, Write<Box<R>>> {
    if !has_promise(rows) {
        return BTreeMap::new();
    }
    without_kinds(std::mem::take(rows))
}

fn without_kinds<K: Ord, R>(rows: Rows<K, R>) -> BTreeMap<K, Write<Box<R>>> {
    let rows = rows.into_iter();
    rows.map(|(key, (_, write))| (key, write)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Writes;
    use crate::model::{ApiReply, RequestId};

    fn reply(number: u64) -> Output {
        Output::Reply {
            request: RequestId(number),
            reply: Box::new(ApiReply::NotLive),
        }
    }

    fn turn(kind: Option<WriteKind>, outputs: Vec<Output>) -> Turn {
        let mut writes = Writes::default();
        if let Some(kind) = kind {
            writes
                .executions
                .insert(ExecutionId::from("e-1"), (kind, Write::Delete));
        }
        Turn { writes, outputs }
    }

    #[test]
    fn a_reply_waits_for_the_batch_of_its_turn_and_a_find_does_not() {
        let mut gate = Gate::default();
        assert_eq!(
            gate.admit(turn(
                Some(WriteKind::Promise),
                vec![reply(1), Output::Find { number: 1 }]
            )),
            vec![Output::Find { number: 1 }]
        );
        assert!(gate.next_batch().is_some());
        assert_eq!(gate.committed(), vec![reply(1)]);
    }

    #[test]
    fn images_leave_with_a_commit_of_their_file_and_a_pull_makes_one() {
        let images = |kind| Turn {
            writes: Writes {
                images: Some((kind, PulledImages::default())),
                ..Writes::default()
            },
            outputs: vec![reply(1)],
        };
        let mut gate = Gate::default();
        assert_eq!(gate.admit(images(WriteKind::RideAlong)), vec![reply(1)]);
        assert_eq!(gate.next_batch(), None);
        gate.admit(turn(Some(WriteKind::Promise), vec![]));
        assert!(gate.next_batch().unwrap().images.is_some());
        assert_eq!(gate.committed(), vec![]);
        assert_eq!(gate.admit(images(WriteKind::Promise)), vec![]);
        gate.admit(images(WriteKind::RideAlong));
        assert!(
            gate.next_batch().unwrap().images.is_some(),
            "still a promise"
        );
        assert_eq!(gate.committed(), vec![reply(1), reply(1)]);
        gate.admit(images(WriteKind::RideAlong));
        assert!(gate.last_batch().unwrap().images.is_some());
    }

    #[test]
    fn a_turn_without_writes_waits_for_the_turn_before_it() {
        let mut gate = Gate::default();
        gate.admit(turn(Some(WriteKind::Promise), vec![]));
        assert!(gate.next_batch().is_some());
        assert_eq!(gate.admit(turn(None, vec![reply(2)])), vec![]);
        assert_eq!(gate.committed(), vec![reply(2)]);
        assert_eq!(gate.admit(turn(None, vec![reply(3)])), vec![reply(3)]);
    }

    #[test]
    fn a_ride_along_causes_no_commit_and_holds_nothing_back() {
        let mut gate = Gate::default();
        assert_eq!(
            gate.admit(turn(Some(WriteKind::RideAlong), vec![reply(1)])),
            vec![reply(1)]
        );
        assert_eq!(gate.next_batch(), None);
        assert_eq!(
            gate.last_batch().map(|batch| batch.executions.len()),
            Some(1)
        );
    }

    #[test]
    fn a_ride_along_does_not_leave_with_the_other_files_promise() {
        let mut gate = Gate::default();
        gate.admit(turn(Some(WriteKind::RideAlong), vec![]));
        let mut writes = Writes::default();
        writes
            .jobs
            .insert(JobId::from("j-1"), (WriteKind::Promise, Write::Delete));
        gate.admit(Turn {
            writes,
            outputs: vec![],
        });
        assert_eq!(
            gate.next_batch()
                .map(|batch| (batch.jobs.len(), batch.executions.len())),
            Some((1, 0))
        );
    }

    #[test]
    fn a_second_batch_waits_while_one_is_in_flight_and_its_outputs_with_it() {
        let mut gate = Gate::default();
        gate.admit(turn(Some(WriteKind::Promise), vec![reply(1)]));
        assert!(gate.next_batch().is_some());
        gate.admit(turn(Some(WriteKind::Promise), vec![reply(2)]));
        assert_eq!(gate.next_batch(), None);
        assert_eq!(gate.committed(), vec![reply(1)]);
        assert!(gate.next_batch().is_some());
        assert_eq!(gate.committed(), vec![reply(2)]);
    }

    #[test]
    fn after_a_failed_commit_nothing_unreleased_is_released() {
        let mut gate = Gate::default();
        gate.admit(turn(Some(WriteKind::Promise), vec![reply(1)]));
        assert!(gate.next_batch().is_some());
        gate.admit(turn(None, vec![reply(2)]));
        assert_eq!(gate.fail(), vec![reply(1), reply(2)]);
    }

    #[test]
    fn a_gate_that_fills_takes_no_new_work_until_its_batch_has_left() {
        let mut gate = Gate::default();
        let fits = FILLING_BYTES_MAX / EXECUTION_BYTES;
        for number in 0..=fits {
            assert!(!gate.is_full(), "{number} records");
            let mut writes = Writes::default();
            let id = ExecutionId(format!("e-{number}"));
            writes
                .executions
                .insert(id, (WriteKind::Promise, Write::Delete));
            gate.admit(Turn {
                writes,
                outputs: vec![],
            });
        }
        assert!(gate.is_full());
        assert!(gate.next_batch().is_some());
        assert!(!gate.is_full());
    }
}
