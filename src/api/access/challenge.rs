//! What a client signs to log in.

use crate::model::NodeId;
use data_encoding::HEXLOWER;

/// A phrase of one run of one node: an answer from another node or another run is no answer.
#[derive(Clone, Debug)]
pub struct Challenge(String);

impl Challenge {
    /// The phrase of this run; `nonce` is random.
    #[must_use]
    pub fn new(node: &NodeId, nonce: [u8; 16]) -> Self {
        Self(format!("{node}.{}", HEXLOWER.encode(&nonce)))
    }

    /// The bytes to sign, never empty.
    pub(in crate::api) fn phrase(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
