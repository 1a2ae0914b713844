//! A job and what is sent with it.

use super::wanted::Goal;
use serde_json::{Value, json};

/// Bytes of randomness in an idempotency token: as unlikely to repeat as a UUID.
const TOKEN_BYTES: usize = 16;

/// A job under one idempotency token: however often it is sent, it is taken once.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) job: Value,
    pub(super) token: String,
}

impl Submission {
    /// With a fresh token.
    pub(super) fn of(job: Value) -> Self {
        Self {
            job,
            token: token(),
        }
    }

    /// Whether the job is to run once, so that there is one output.
    pub(super) fn runs_once(&self) -> bool {
        self.job["Count"].as_u64().unwrap_or(1) <= 1 && self.goal() == Goal::End
    }

    /// What the job is to come to.
    pub(super) fn goal(&self) -> Goal {
        match self.job["Type"].as_str() {
            Some("service") if self.job["Count"] == 0 => Goal::Nothing,
            Some("service" | "daemon") => Goal::Runs,
            _ => Goal::End,
        }
    }

    /// The body of the `PUT`.
    pub(super) fn body(&self) -> Vec<u8> {
        json!({ "IdempotencyToken": self.token, "Job": self.job })
            .to_string()
            .into_bytes()
    }
}

/// Without randomness there is no token, and a lost reply may submit twice: better than no job.
fn token() -> String {
    let mut bytes = [0; TOKEN_BYTES];
    match getrandom::fill(&mut bytes) {
        Ok(()) => data_encoding::HEXLOWER.encode(&bytes),
        Err(_) => String::new(),
    }
}
