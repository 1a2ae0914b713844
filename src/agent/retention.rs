//! Which ended jobs, and which ended executions, are deleted, so that neither the card nor a list fills up.
//!
//! Those of a file that ended first go first, as soon as one of the three bounds is passed: age, number, bytes. Deletions ride along
//! with a turn that commits anyway, some at a time, so keeping less costs no commit; only too many bytes may cause one.
//! Without a set clock nothing is too old, and what ended while the clock was not set goes by number and bytes alone.

use crate::model::{Now, Overdue, RetentionLimits, UnixMs, WriteKind};
use std::collections::BTreeMap;

/// Deletions of one turn: each is a row of a commit, which costs up to 12 kB of the card.
const DELETED_MAX: usize = 64;

/// The ended records that a file holds, by their keys. What goes on is not one of them.
#[derive(Debug)]
pub(super) struct Retention<K> {
    limits: RetentionLimits,
    /// Bytes by end and key; those of an unknown end come first.
    ended: BTreeMap<(Option<UnixMs>, K), u64>,
    bytes: u64,
    /// Whether an operator asked that what is overdue goes without waiting for other commits.
    is_hurried: bool,
}

impl<K: Ord + Clone + Default> Retention<K> {
    pub(super) fn new(limits: RetentionLimits) -> Self {
        Self {
            limits,
            ended: BTreeMap::new(),
            bytes: 0,
            is_hurried: false,
        }
    }

    /// What is beyond the bounds now.
    pub(super) fn overdue(&self, now: Now) -> Overdue {
        let mut overdue = Overdue::default();
        let oldest = now
            .wall
            .map(|wall| UnixMs(wall.0.saturating_sub(self.limits.age_ms)));
        let total = u64::try_from(self.ended.len()).unwrap_or(u64::MAX);
        for ((ended, _), bytes) in &self.ended {
            let is_over = total - overdue.count > self.limits.records
                || self.bytes.saturating_sub(overdue.bytes) > self.limits.bytes
                || (ended.is_some() && oldest.is_some_and(|oldest| *ended < Some(oldest)));
            if is_over {
                overdue.count += 1;
                overdue.bytes = overdue.bytes.saturating_add(*bytes);
            }
        }
        overdue
    }

    /// Has what is overdue go with the next turns, whether they commit anyway or not.
    pub(super) fn hurry(&mut self) {
        self.is_hurried = true;
    }

    /// One has ended.
    pub(super) fn keep(&mut self, key: K, ended: Option<UnixMs>, bytes: u64) {
        let key = (ended, key);
        self.remove(&key);
        self.ended.insert(key, bytes);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// One goes on, as it was stored when it had ended.
    pub(super) fn revive(&mut self, key: K, ended: Option<UnixMs>) {
        self.remove(&(ended, key));
    }

    /// Keys of those that go with this turn, which commits if `turn` is a promise; and how heavy their deletion is.
    pub(super) fn due(&mut self, turn: WriteKind, now: Now) -> (Vec<K>, WriteKind) {
        let kind = match self.bytes > self.limits.bytes || self.is_hurried {
            true => WriteKind::Promise,
            false => WriteKind::RideAlong,
        };
        let mut gone = Vec::new();
        while turn.max(kind) == WriteKind::Promise && gone.len() < DELETED_MAX {
            let Some(next) = self.next(now) else {
                self.is_hurried = false;
                break;
            };
            self.remove(&next);
            gone.push(next.1);
        }
        (gone, kind)
    }

    /// The one that goes next, if a bound is passed.
    fn next(&self, now: Now) -> Option<(Option<UnixMs>, K)> {
        let is_over = u64::try_from(self.ended.len()).unwrap_or(u64::MAX) > self.limits.records
            || self.bytes > self.limits.bytes;
        if is_over {
            return self.ended.first_key_value().map(|(key, _)| key.clone());
        }
        let oldest = UnixMs(now.wall?.0.saturating_sub(self.limits.age_ms));
        let known = (Some(UnixMs(0)), K::default())..(Some(oldest), K::default());
        self.ended.range(known).next().map(|(key, _)| key.clone())
    }

    fn remove(&mut self, key: &(Option<UnixMs>, K)) {
        let bytes = self.ended.remove(key).unwrap_or(0);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BootId;

    fn now(wall: Option<u64>) -> Now {
        Now {
            boot: BootId([0; 16]),
            boot_ms: 0,
            wall: wall.map(UnixMs),
        }
    }

    /// Jobs 1, 2, ... of 100 bytes that ended at these times.
    fn holding(limits: RetentionLimits, ends: &[Option<u64>]) -> Retention<u128> {
        let mut retention = Retention::new(limits);
        for (number, ended) in (1..).zip(ends) {
            retention.keep(number, ended.map(UnixMs), 100);
        }
        retention
    }

    #[test]
    fn jobs_beyond_the_number_go_with_the_next_commit_the_one_that_ended_first_before_the_others() {
        let limits = RetentionLimits {
            records: 2,
            ..RetentionLimits::default()
        };
        let mut retention = holding(limits, &[Some(30), Some(10), Some(40), Some(20)]);
        assert_eq!(
            retention.due(WriteKind::RideAlong, now(None)).0,
            [0_u128; 0]
        );
        assert_eq!(
            retention.due(WriteKind::Promise, now(None)),
            (vec![2, 4], WriteKind::RideAlong)
        );
        assert_eq!(retention.due(WriteKind::Promise, now(None)).0, [0_u128; 0]);
    }

    #[test]
    fn too_many_bytes_cause_a_commit() {
        let limits = RetentionLimits {
            bytes: 250,
            ..RetentionLimits::default()
        };
        let mut retention = holding(limits, &[Some(1), Some(2), Some(3)]);
        assert_eq!(
            retention.due(WriteKind::RideAlong, now(None)),
            (vec![1], WriteKind::Promise)
        );
        assert_eq!(
            retention.due(WriteKind::RideAlong, now(None)),
            (vec![], WriteKind::RideAlong)
        );
    }

    #[test]
    fn an_old_job_goes_only_by_a_set_clock_and_only_if_its_own_end_is_known() {
        let limits = RetentionLimits {
            age_ms: 1_000,
            ..RetentionLimits::default()
        };
        let mut retention = holding(limits, &[None, Some(5_000), Some(6_000)]);
        assert_eq!(retention.due(WriteKind::Promise, now(None)).0, [0_u128; 0]);
        assert_eq!(
            retention.due(WriteKind::Promise, now(Some(6_000))).0,
            [0_u128; 0]
        );
        assert_eq!(retention.due(WriteKind::Promise, now(Some(6_001))).0, [2]);
        assert_eq!(retention.due(WriteKind::Promise, now(Some(9_000))).0, [3]);
        assert_eq!(
            retention.due(WriteKind::Promise, now(Some(u64::MAX))).0,
            [0_u128; 0]
        );
    }

    #[test]
    fn one_turn_deletes_only_so_many() {
        let limits = RetentionLimits {
            records: 0,
            ..RetentionLimits::default()
        };
        let ends = vec![Some(1); DELETED_MAX + 1];
        let mut retention = holding(limits, &ends);
        assert_eq!(
            retention.due(WriteKind::Promise, now(None)).0.len(),
            DELETED_MAX
        );
        assert_eq!(retention.due(WriteKind::Promise, now(None)).0.len(), 1);
    }

    #[test]
    fn a_job_that_runs_again_is_not_deleted() {
        let limits = RetentionLimits {
            records: 0,
            ..RetentionLimits::default()
        };
        let mut retention = holding(limits, &[Some(7)]);
        retention.revive(1, Some(UnixMs(7)));
        assert_eq!(retention.due(WriteKind::Promise, now(None)).0, [0_u128; 0]);
        assert_eq!(retention.bytes, 0);
    }
}
