//! Newtypes for every identifier, so that none is taken for another.

use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// A job: `j-` and a UUID whose first 48 bits are the submission time in ms, so that key order is creation order.
    JobId
}
impl JobId {
    /// Whether it has the form of a whole id: `j-` and a UUID.
    #[must_use]
    pub fn looks_whole(&self) -> bool {
        let Some(uuid) = self.0.strip_prefix("j-") else {
            return false;
        };
        uuid.len() == 36
            && uuid.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    }

    /// Its UUID as a number, which takes a fifth of the memory; `None` if it is no id of ours in lower case.
    #[must_use]
    pub fn number(&self) -> Option<u128> {
        let digits: String = self.0.strip_prefix("j-")?.split('-').collect();
        let number = u128::from_str_radix(&digits, 16).ok()?;
        (Self::from_number(number) == *self).then_some(number)
    }

    /// The id of a number.
    #[must_use]
    pub fn from_number(number: u128) -> Self {
        let hex = format!("{number:032x}");
        Self(format!(
            "j-{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        ))
    }
}
text_id! {
    /// An execution: `e-` and a UUID derived from job, version, partition, attempt and node, so that a decision made
    /// twice is the same execution.
    ExecutionId
}
text_id! {
    /// An evaluation: a bare UUID.
    EvaluationId
}
text_id! {
    /// A node: its libp2p peer id in base58 text.
    NodeId
}
text_id! {
    /// A container, as its engine names it.
    ContainerId
}

/// One API request in flight; the reply slot is kept under it in `node`. Never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_number_and_what_is_no_id_of_ours_has_none() {
        let id = JobId::from("j-0f8fad5b-d9cb-769f-a165-70867728950e");
        assert_eq!(id.number().map(JobId::from_number), Some(id));
        for text in [
            "j-1",
            "j-",
            "0f8fad5b",
            "j-0F8FAD5B-d9cb-769f-a165-70867728950e",
        ] {
            assert_eq!(JobId::from(text).number(), None, "{text}");
        }
    }

    #[test]
    fn only_a_prefix_and_a_whole_uuid_is_a_whole_job_id() {
        assert!(JobId::from("j-0f8fad5b-d9cb-469f-a165-70867728950e").looks_whole());
        for text in [
            "j-0f8fad5b",
            "j-",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "j-0f8fad5b-d9cb-469f-a165-70867728950g",
            "j-0f8fad5bxd9cb-469f-a165-70867728950e",
        ] {
            assert!(!JobId::from(text).looks_whole(), "{text}");
        }
    }
}
