//! What the server has answered, for those who watch it.

use hyper::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering};

/// Since the start. Relaxed: they order nothing.
#[derive(Debug, Default)]
pub(in crate::api) struct Counters {
    /// By the first digit of the status, from 1.
    answers: [AtomicU64; 5],
    accepted: AtomicU64,
    open: AtomicU64,
}

impl Counters {
    pub(in crate::api) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(answers) = self.answers.get(class) {
            answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(in crate::api) fn opened(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::api) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Answers by class, `1xx` first.
    pub(in crate::api) fn answers(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        classes.into_iter().zip(
            self.answers
                .iter()
                .map(|count| count.load(Ordering::Relaxed)),
        )
    }

    pub(in crate::api) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(in crate::api) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}
