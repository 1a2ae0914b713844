//! How long commits and flushes take, in buckets that never change: their p99 is read off them, on a board or in a fleet.

use crate::model::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Upper bounds in microseconds: from a fast disk to a card that is about to die.
const BOUNDS_US: [u64; 12] = [
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    5_000_000,
];

/// A histogram that is filled while it is read. Relaxed: it orders nothing.
#[derive(Debug, Default)]
pub(super) struct Latency {
    buckets: [AtomicU64; BOUNDS_US.len()],
    above: AtomicU64,
    sum_us: AtomicU64,
}

impl Latency {
    /// Does something and counts how long it took.
    #[allow(clippy::disallowed_methods)] // measures the medium; decides nothing
    pub(super) fn measure<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.add(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        done
    }

    fn add(&self, us: u64) {
        let bucket = BOUNDS_US
            .iter()
            .position(|bound| us <= *bound)
            .map_or(&self.above, |at| &self.buckets[at]);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Histogram {
        let counts = self.buckets.iter();
        Histogram {
            buckets: BOUNDS_US
                .into_iter()
                .zip(counts.map(|count| count.load(Ordering::Relaxed)))
                .collect(),
            above: self.above.load(Ordering::Relaxed),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_first_bucket_that_is_not_below_it() {
        let latency = Latency::default();
        for us in [0, 500, 501, 5_000_000, 5_000_001] {
            latency.add(us);
        }
        let read = latency.read();
        assert_eq!(read.buckets.first(), Some(&(500, 2)));
        assert_eq!(read.buckets.get(1), Some(&(1_000, 1)));
        assert_eq!(read.buckets.last(), Some(&(5_000_000, 1)));
        assert_eq!((read.above, read.sum_us), (1, 10_001_002));
    }
}
