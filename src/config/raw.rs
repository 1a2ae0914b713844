//! Settings as typed, and the one place that knows the precedence.

use super::{ConfigError, FlagShape, FlagSpec, Setting, Wrong};
use crate::model::Origin;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What was typed, with what it was typed in.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// Flags in the order given: name without dashes, value; `true` for a bare switch.
    pub flags: Vec<(String, String)>,
    /// The rest of the process's surroundings.
    pub around: Surroundings,
}

/// What a process finds around it, read once by the caller.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment; names and values that are not UTF-8 are replaced lossily.
    pub variables: BTreeMap<String, String>,
    /// What relative paths are relative to.
    pub working_dir: PathBuf,
    /// The effective user id.
    pub uid: u32,
    /// The home of that user in /etc/passwd.
    pub passwd_home: Option<PathBuf>,
    /// Which of `$HOME` and `passwd_home` could hold a data directory: writable, or with a writable `.bacalhau` in it.
    pub writable_homes: BTreeSet<PathBuf>,
}

impl Surroundings {
    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// Reads one value of a flag's text.
pub(super) type Parse<T> = fn(&str, &Surroundings) -> Result<T, Wrong>;

impl Raw {
    /// The value of one row: flag, then variable, then default.
    pub(super) fn pick<T>(
        &self,
        spec: &FlagSpec,
        parse: Parse<T>,
    ) -> Result<Setting<T>, ConfigError> {
        let (text, origin) = match self.flag(spec)? {
            Some(given) => given,
            None => self
                .variable(spec)
                .unwrap_or_else(|| (spec.default.to_owned(), Origin::Default)),
        };
        match parse(&text, &self.around) {
            Ok(value) => Ok(Setting { value, origin }),
            Err(wrong) => Err(ConfigError::BadValue {
                origin,
                value: text,
                wrong,
            }),
        }
    }

    fn flag(&self, spec: &FlagSpec) -> Result<Option<(String, Origin)>, ConfigError> {
        let mut given = self.flags.iter().filter(|(name, _)| spec.answers_to(name));
        let Some((name, first)) = given.next() else {
            return Ok(None);
        };
        let mut text = first.clone();
        for (_, next) in given {
            if spec.shape != FlagShape::List {
                return Err(ConfigError::GivenTwice {
                    name: spec.name,
                    first: first.clone(),
                    second: next.clone(),
                });
            }
            text.push(',');
            text.push_str(next);
        }
        Ok(Some((text, Origin::Flag(name.clone()))))
    }

    fn variable(&self, spec: &FlagSpec) -> Option<(String, Origin)> {
        spec.all_variables().find_map(|name| {
            let value = self.around.variable(&name)?.to_owned();
            Some((value, Origin::Variable(name)))
        })
    }
}
