//! How long ended jobs are kept, as an operator says it.

use super::{DURATION_ALLOWED, Shown, Surroundings, Wrong, parse_duration};
use crate::model::{
    RETAIN_AGE_MS_LEAST, RETAIN_BYTES_LEAST, RETAIN_BYTES_MOST, RETAIN_RECORDS_MAX, bytes_of,
};
use std::time::Duration;

/// Time since a job's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainAge(pub Duration);

/// Bytes that ended jobs take of jobs.db.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainBytes(pub u64);

impl Shown for RetainAge {
    fn shown(&self) -> Option<String> {
        Some(format!("{} s", self.0.as_secs()))
    }
}

impl Shown for RetainBytes {
    fn shown(&self) -> Option<String> {
        Some(format!("{} bytes", self.0))
    }
}

pub(super) fn age(text: &str, _: &Surroundings) -> Result<RetainAge, Wrong> {
    let age = parse_duration(text)?;
    if age.as_millis() < u128::from(RETAIN_AGE_MS_LEAST) {
        return Err(Wrong::new(
            format!(
                "{DURATION_ALLOWED}, at least {} s",
                RETAIN_AGE_MS_LEAST / 1_000
            ),
            "whoever waits for a job has to find it",
        ));
    }
    Ok(RetainAge(age))
}

pub(super) fn records(text: &str, _: &Surroundings) -> Result<u64, Wrong> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .filter(|records| (1..=RETAIN_RECORDS_MAX).contains(records))
        .ok_or_else(|| {
            Wrong::new(
                format!("a number from 1 to {RETAIN_RECORDS_MAX}"),
                "each job that is kept takes some memory and about 1 KiB of the disk",
            )
        })
}

pub(super) fn bytes(text: &str, _: &Surroundings) -> Result<RetainBytes, Wrong> {
    bytes_of(text)
        .filter(|bytes| (RETAIN_BYTES_LEAST..=RETAIN_BYTES_MOST).contains(bytes))
        .map(RetainBytes)
        .ok_or_else(|| {
            Wrong::new(
                format!(
                    "from {}KiB to {}GiB, such as 8MiB",
                    RETAIN_BYTES_LEAST >> 10,
                    RETAIN_BYTES_MOST >> 30
                ),
                "a start reads all of it",
            )
        })
}
