//! Settings as typed to settings as needed, each value with its origin.
//!
//! ```text
//!  argv, environment, home      Raw        as typed, nothing judged          raw.rs
//!            |
//!      the table of flags       FLAGS      name, variables, default, help    settings.rs
//!            |  parse.rs, containers.rs, duration.rs: one function per kind of value
//!            v
//!    each value + its Origin    Config     complete                          settings.rs
//!            |  check.rs: rules that look at two settings
//!            v
//!       the start report        Line       one per setting
//! ```
//!
//! Precedence is flag, then variable, then default. An empty variable is unset. A bad value is one [`ConfigError`] that
//! holds the flag or variable, the value, what is allowed and a hint. Nothing here reads a file, a clock or the
//! environment: all of it comes in as data ([`Surroundings`]), so every rule is a plain test.
//!
//! **A new flag** is one row in `settings.rs`; help, variable, start report and golden help file follow from it.

mod check;
mod client;
mod containers;
mod duration;
mod error;
mod flag;
mod groups;
mod home;
mod nearest;
mod parse;
mod raw;
mod redact;
mod retention;
mod settings;
mod stores;

pub use client::{ClientTarget, Secret};
pub use containers::{Capabilities, LowWater, OutputMax};
pub use duration::{DURATION_ALLOWED, parse_duration};
pub use error::{ConfigError, Wrong};
pub use flag::{FlagShape, FlagSpec, Line, Setting, Shown};
pub use groups::FLAG_GROUPS;
pub use home::{DATA_DIR_NAME, FALLBACK_DATA_DIR};
pub use nearest::nearest;
pub use parse::{ApiAccess, ImagePull, LogFormat, StoreKind};
pub use raw::{Raw, Surroundings};
pub use redact::redacted;
pub use retention::{RetainAge, RetainBytes};
pub use settings::{Config, FLAGS};
pub use stores::StorePaths;

impl Config {
    /// Judges everything that was typed. Binds, reads and writes nothing.
    ///
    /// # Errors
    /// The first bad value or broken rule, ready to be shown.
    pub fn resolve(raw: &Raw) -> Result<Self, ConfigError> {
        check::check(Self::from_raw(raw)?, raw)
    }

    /// The data directory alone, for commands that need no more.
    ///
    /// # Errors
    /// As [`Config::resolve`] for this setting.
    pub fn data_dir_of(raw: &Raw) -> Result<Setting<std::path::PathBuf>, ConfigError> {
        check::data_dir(settings::one::data_dir(raw)?, raw)
    }

    /// The directory of a user's sockets: `$XDG_RUNTIME_DIR`, else `/run/user/<uid>`.
    #[must_use]
    pub fn runtime_dir_of(around: &Surroundings) -> std::path::PathBuf {
        parse::runtime_dir(around)
    }

    /// The engine socket alone, for commands that need no more.
    ///
    /// # Errors
    /// As [`Config::resolve`] for this setting.
    pub fn engine_socket_of(raw: &Raw) -> Result<Setting<Option<std::path::PathBuf>>, ConfigError> {
        settings::one::engine_socket(raw)
    }
}
