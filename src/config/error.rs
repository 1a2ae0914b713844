//! What can be wrong with a setting, in words that name it.

use crate::model::Origin;
use thiserror::Error;

/// Why a parser refuses a text: what it would take instead, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Completes "use ...".
    pub allowed: String,
    /// A full instruction.
    pub hint: String,
}

impl Wrong {
    /// Both texts.
    #[must_use]
    pub fn new(allowed: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            allowed: allowed.into(),
            hint: hint.into(),
        }
    }
}

/// A setting that cannot be used. `Display` is one line; [`ConfigError::hint`] is the line below it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that does not parse.
    #[error("{origin}: \"{value}\" is not valid; use {}", wrong.allowed)]
    BadValue {
        /// Which flag or variable.
        origin: Origin,
        /// As typed.
        value: String,
        /// What it takes, and a hint.
        wrong: Wrong,
    },
    /// A flag that takes one value was given more than once, perhaps under its synonym.
    #[error("flag --{name} is given more than once: \"{first}\", then \"{second}\"")]
    GivenTwice {
        /// Its name.
        name: &'static str,
        /// The first value.
        first: String,
        /// The second value.
        second: String,
    },
    /// REST and the swarm on one port.
    #[error("--api-port and --port are both {port} ({api_origin}; {swarm_origin})")]
    EqualPorts {
        /// Where --api-port comes from.
        api_origin: Origin,
        /// Where --port comes from.
        swarm_origin: Origin,
        /// The port of both.
        port: u16,
    },
    /// REST off the loopback without consent.
    #[error(
        "{origin}: \"{host}\" opens the REST API to the network; use 127.0.0.1, or add --api-token-file FILE or --api-open"
    )]
    NotLoopback {
        /// Where --api-host comes from.
        origin: Origin,
        /// The address.
        host: core::net::IpAddr,
    },
    /// No home directory to put the default data directory in.
    #[error("no place for the data directory: HOME is not set, and /etc/passwd names no home")]
    NoHome,
}

impl ConfigError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::BadValue { wrong, .. } => wrong.hint.clone(),
            Self::GivenTwice { name, .. } => format!("keep one --{name}"),
            Self::EqualPorts { .. } => {
                "--api-port is for the REST API, --port (or --swarm-port) for other nodes: change \
                 one of them"
                    .to_owned()
            }
            Self::NotLoopback { .. } => {
                "whoever reaches that address can run containers here: keep the default and tunnel \
                 (ssh -L 1234:127.0.0.1:1234), or ask callers for a token (openssl rand -hex 32 >FILE; \
                 chmod 600 FILE), or add --api-open on a network you trust"
                    .to_owned()
            }
            Self::NoHome => "say where: --data-dir /var/lib/codling".to_owned(),
        }
    }
}
