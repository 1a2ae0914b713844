//! How long ended jobs and executions are kept.

use super::{ComputeState, ExecutionId, ExecutionRecord, JobId, JobRecord, UnixMs};
use core::convert::Infallible;

/// Ended jobs that are kept unless given: what a list shows in a blink.
pub const RETAIN_RECORDS: u64 = 1_000;
/// The most that may be given: as many as names are known of, see [`super::NAMES_MAX`].
pub const RETAIN_RECORDS_MAX: u64 = 16_384;
/// How long they are kept unless given: seven days, as a job's results are.
pub const RETAIN_AGE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// The least that may be given: whoever waits for a job asks more often than that.
pub const RETAIN_AGE_MS_LEAST: u64 = 60 * 1_000;
/// What they take of jobs.db unless given: eight times what 1,000 plain jobs take.
pub const RETAIN_BYTES: u64 = 8 << 20;
/// The least and the most that may be given: some dozens of jobs; a file that still opens in seconds on a card.
pub const RETAIN_BYTES_LEAST: u64 = 64 << 10;
/// See [`RETAIN_BYTES_LEAST`].
pub const RETAIN_BYTES_MOST: u64 = 1 << 30;

/// What each of the two files keeps of what has ended: whichever bound is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionLimits {
    /// Milliseconds since the end.
    pub age_ms: u64,
    /// Records.
    pub records: u64,
    /// Bytes of their records.
    pub bytes: u64,
}

impl Default for RetentionLimits {
    fn default() -> Self {
        Self {
            age_ms: RETAIN_AGE_MS,
            records: RETAIN_RECORDS,
            bytes: RETAIN_BYTES,
        }
    }
}

/// What has ended and is still in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended<Id> {
    /// Which.
    pub id: Id,
    /// When it was changed last, if the clock was set.
    pub ended: Option<UnixMs>,
    /// Bytes of its rows.
    pub bytes: u64,
}

/// An ended job in jobs.db.
pub type EndedJob = Ended<JobId>;
/// An execution in executions.db whose outcome its requester has.
pub type EndedExecution = Ended<ExecutionId>;

impl EndedJob {
    /// An ended job's record, as it is about to be stored.
    #[must_use]
    pub fn of(record: &JobRecord) -> Self {
        Self {
            id: record.job.id.clone(),
            ended: record.job.modified,
            bytes: bytes_stored(record),
        }
    }
}

impl EndedExecution {
    /// An ended execution's record, as it is stored.
    #[must_use]
    pub fn of(record: &ExecutionRecord) -> Self {
        Self::stored(record, bytes_stored(record))
    }

    /// The same of one whose bytes were counted.
    #[must_use]
    pub fn stored(record: &ExecutionRecord, bytes: u64) -> Self {
        Self {
            id: record.id.clone(),
            ended: match &record.state {
                ComputeState::Ended { ended, .. } => *ended,
                _ => None,
            },
            bytes,
        }
    }
}

fn bytes_stored(record: &impl minicbor::Encode<()>) -> u64 {
    let mut counted = Counted(0);
    // Counting cannot fail.
    let _ = minicbor::encode(record, &mut counted);
    counted.0
}

/// A place to write to that keeps only the length.
struct Counted(u64);

impl minicbor::encode::Write for Counted {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 = self
            .0
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}
