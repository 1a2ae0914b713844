//! How an execution ended.

use super::{Failure, SpecConfig};
use minicbor::{Decode, Encode};

/// The most bytes of each stream that `RunOutput` keeps (rest-api.md 3.7).
pub const RUN_OUTPUT_MAX: usize = 2_048;

/// `--job-output-max` unless given: 16 MiB holds any log that a person reads, and 100 of them fit a small card.
pub const JOB_OUTPUT_MAX_DEFAULT: u64 = 16 << 20;
/// The smallest cap given to an engine: below this, engines rotate a log more often than they write it.
pub const JOB_OUTPUT_MAX_LEAST: u64 = 64 << 10;
/// The largest cap given to an engine, and so the longest log and log frame that is believed.
pub const JOB_OUTPUT_MAX_MOST: u64 = 1 << 30;

/// The one terminal state of an execution.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Outcome {
    /// Its container ended by itself, whatever the code.
    #[n(0)]
    Completed {
        /// First bytes and exit code.
        #[n(0)]
        output: RunOutput,
        /// Where results went; empty kind for nowhere.
        #[n(1)]
        published: SpecConfig,
    },
    /// It could not be carried out.
    #[n(1)]
    Failed {
        /// Why.
        #[n(0)]
        failure: Failure,
        /// What it had printed, where known.
        #[n(1)]
        output: Option<RunOutput>,
    },
    /// It was stopped on request.
    #[n(2)]
    Cancelled {
        /// What it had printed, where known.
        #[n(0)]
        output: Option<RunOutput>,
    },
}

/// The first bytes of what a container printed, and its exit code. Bytes are exact; JSON replaces invalid UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RunOutput {
    /// At most [`RUN_OUTPUT_MAX`] bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub stdout: Vec<u8>,
    /// Whether stdout was longer, or may have been.
    #[n(1)]
    pub stdout_truncated: bool,
    /// At most [`RUN_OUTPUT_MAX`] bytes.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub stderr: Vec<u8>,
    /// Whether stderr was longer, or may have been.
    #[n(3)]
    pub stderr_truncated: bool,
    /// As the engine reports it.
    #[n(4)]
    pub exit_code: i64,
}
