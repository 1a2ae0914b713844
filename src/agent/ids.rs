//! Ids that are derived, not drawn: the same decision made twice names the same thing.

use crate::model::{EvaluationId, ExecutionId, JobId, NodeId, UnixMs};
use sha2::{Digest, Sha256};

/// A requester's source of new job ids: a seed drawn once per start by the shell, when this agent was built (a start may
/// build several, and what the one before it named must not be named again), a counter, and the latest time used.
#[derive(Clone, Debug)]
pub(crate) struct JobIds {
    seed: [u8; 32],
    built_ms: u64,
    drawn: u64,
    latest_ms: u64,
}

/// The first 48 bits of a job id hold milliseconds.
const MS_MASK: u64 = (1 << 48) - 1;

impl JobIds {
    /// New ids sort after `last`; `built_ms` is the boot clock.
    pub(crate) fn new(seed: [u8; 32], built_ms: u64, last: Option<&JobId>) -> Self {
        let latest_ms = last.and_then(time_of).unwrap_or_default();
        Self {
            seed,
            built_ms,
            drawn: 0,
            latest_ms,
        }
    }

    /// The next id. Ids grow even when the clock does not, or is not set.
    pub(crate) fn next(&mut self, wall: Option<UnixMs>) -> JobId {
        self.drawn += 1;
        self.latest_ms = (self.latest_ms + 1).max(wall.map_or(0, |wall| wall.0)) & MS_MASK;
        let numbers = [self.built_ms, self.drawn].map(u64::to_be_bytes);
        let mut bytes = digest(&[b"job", &self.seed, &numbers[0], &numbers[1]]);
        bytes[..6].copy_from_slice(&self.latest_ms.to_be_bytes()[2..]);
        JobId(format!("j-{}", uuid(bytes, 7)))
    }
}

fn time_of(id: &JobId) -> Option<u64> {
    let hex: String = id
        .as_str()
        .strip_prefix("j-")?
        .chars()
        .filter(|c| *c != '-')
        .take(12)
        .collect();
    u64::from_str_radix(&hex, 16).ok()
}

/// The execution of one attempt of one partition of one job version on one node.
pub(crate) fn execution_id(
    job: &JobId,
    version: u64,
    partition: u32,
    attempt: u32,
    node: &NodeId,
) -> ExecutionId {
    let bytes = digest(&[
        b"execution",
        job.as_str().as_bytes(),
        &version.to_be_bytes(),
        &partition.to_be_bytes(),
        &attempt.to_be_bytes(),
        node.as_str().as_bytes(),
    ]);
    ExecutionId(format!("e-{}", uuid(bytes, 8)))
}

/// The `number`th evaluation of a job.
pub(crate) fn evaluation_id(job: &JobId, number: u64) -> EvaluationId {
    EvaluationId(uuid(
        digest(&[
            b"evaluation",
            job.as_str().as_bytes(),
            &number.to_be_bytes(),
        ]),
        8,
    ))
}

/// Tells one submitted document from another.
pub(crate) fn fingerprint(document: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest(&[b"document", document])[..8]);
    u64::from_be_bytes(first)
}

fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        // Lengths first, so that no two lists of parts run into the same bytes.
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize()[..16]);
    bytes
}

/// RFC 9562 text with the given version: 7 for time-ordered ids, 8 for derived ones.
fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = (bytes[6] & 0x0f) | (version << 4);
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_ids_grow_with_the_clock_and_without_it() {
        let mut ids = JobIds::new([7; 32], 0, None);
        let made: Vec<_> = [
            Some(UnixMs(1_000)),
            None,
            Some(UnixMs(500)),
            Some(UnixMs(9_000)),
            None,
        ]
        .into_iter()
        .map(|wall| ids.next(wall))
        .collect();
        assert!(made.is_sorted_by(|a, b| a < b), "{made:?}");
        let after = JobIds::new([8; 32], 0, made.last()).next(None);
        assert!(Some(&after) > made.last());
    }

    #[test]
    fn an_agent_that_is_built_again_names_no_job_like_the_one_before_it() {
        let first = JobIds::new([7; 32], 1_000, None).next(None);
        let second = JobIds::new([7; 32], 2_000, None).next(None);
        assert_ne!(first, second);
    }

    #[test]
    fn the_same_decision_is_the_same_execution_and_another_node_is_another_one() {
        let (job, a, b) = (JobId::from("j-1"), NodeId::from("a"), NodeId::from("b"));
        assert_eq!(
            execution_id(&job, 1, 0, 0, &a),
            execution_id(&job, 1, 0, 0, &a)
        );
        assert_ne!(
            execution_id(&job, 1, 0, 0, &a),
            execution_id(&job, 1, 0, 0, &b)
        );
        assert_ne!(
            execution_id(&job, 1, 0, 0, &a),
            execution_id(&job, 1, 0, 1, &a)
        );
    }
}
