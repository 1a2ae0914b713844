//! One row of the table of flags, and a value with its origin.

use crate::model::Origin;
use core::net::IpAddr;
use std::path::PathBuf;

/// How a flag is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagShape {
    /// `--flag VALUE`, once.
    Value,
    /// `--flag` alone; `--flag=false` undoes it.
    Switch,
    /// `--flag A --flag B,C`.
    List,
}

/// A row: everything that help, environment and start report need to know of a flag.
#[derive(Clone, Copy, Debug)]
pub struct FlagSpec {
    /// Without dashes.
    pub name: &'static str,
    /// Other spellings, taken but not listed in the help.
    pub synonyms: &'static [&'static str],
    /// Variables beside `CODLING_<NAME>`, which comes first.
    pub variables: &'static [&'static str],
    /// How it is written.
    pub shape: FlagShape,
    /// Stands for the value in the help.
    pub meta: &'static str,
    /// What is parsed when nothing is given.
    pub default: &'static str,
    /// What the help and the start report call that.
    pub default_shown: &'static str,
    /// One line for operators.
    pub help: &'static str,
}

impl FlagSpec {
    /// A flag with one value.
    #[must_use]
    pub const fn value(
        name: &'static str,
        meta: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            synonyms: &[],
            variables: &[],
            shape: FlagShape::Value,
            meta,
            default,
            default_shown: default,
            help,
        }
    }

    /// A flag that is there or not.
    #[must_use]
    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        let mut spec = Self::value(name, "", "false", help);
        spec.shape = FlagShape::Switch;
        spec.default_shown = "no";
        spec
    }

    /// A flag that may be repeated and takes comma lists.
    #[must_use]
    pub const fn list(name: &'static str, meta: &'static str, help: &'static str) -> Self {
        let mut spec = Self::value(name, meta, "", help);
        spec.shape = FlagShape::List;
        spec.default_shown = "none";
        spec
    }

    /// With other words for the default.
    #[must_use]
    pub const fn shown(mut self, words: &'static str) -> Self {
        self.default_shown = words;
        self
    }

    /// With other spellings.
    #[must_use]
    pub const fn synonyms(mut self, synonyms: &'static [&'static str]) -> Self {
        self.synonyms = synonyms;
        self
    }

    /// With variables beside `CODLING_<NAME>`.
    #[must_use]
    pub const fn variables(mut self, variables: &'static [&'static str]) -> Self {
        self.variables = variables;
        self
    }

    /// All its variables, the first that is set wins: `CODLING_<NAME>`, `CODLING_<SYNONYM>`, the others.
    pub fn all_variables(&self) -> impl Iterator<Item = String> + '_ {
        std::iter::once(&self.name)
            .chain(self.synonyms)
            .map(|name| variable_of(name))
            .chain(self.variables.iter().map(|name| (*name).to_owned()))
    }

    /// Whether `name`, without dashes, is this flag.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.synonyms.contains(&name)
    }
}

/// `api-host` to `CODLING_API_HOST`.
fn variable_of(name: &str) -> String {
    format!("CODLING_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// A line of the start report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The flag, without dashes.
    pub name: &'static str,
    /// Its value in words.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// How a value is written in the start report; `None` leaves the words to the row's default.
pub trait Shown {
    /// In words, or nothing to show.
    fn shown(&self) -> Option<String>;
}

macro_rules! shown_by_display {
    ($($ty:ty),*) => {$(
        impl Shown for $ty {
            fn shown(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}
shown_by_display!(u16, u64, IpAddr, String);

impl Shown for log::LevelFilter {
    fn shown(&self) -> Option<String> {
        Some(self.to_string().to_ascii_lowercase())
    }
}

impl Shown for PathBuf {
    fn shown(&self) -> Option<String> {
        Some(self.display().to_string())
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> Option<String> {
        self.as_ref().and_then(Shown::shown)
    }
}

impl Shown for Vec<String> {
    fn shown(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.join(","))
    }
}

impl Shown for std::collections::BTreeMap<String, String> {
    fn shown(&self) -> Option<String> {
        let pairs: Vec<String> = self
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.shown()
    }
}

impl Shown for crate::model::NodeRoles {
    fn shown(&self) -> Option<String> {
        Some(
            match self {
                Self::Requester => "requester",
                Self::Compute => "compute",
                Self::Both => "requester,compute",
            }
            .to_owned(),
        )
    }
}
