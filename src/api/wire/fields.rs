//! Reads typed fields out of a JSON object and notes every problem, so that one 400 tells all of them.

use super::Json;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How many problems one answer tells: more than anybody corrects at a time, and an answer stays small whatever was sent.
const PROBLEMS_MAX: usize = 32;

/// The longest text of a field: a path may be so long (`PATH_MAX`), and nothing else is longer.
const TEXT_MAX: usize = 4_096;

/// The longest name of a thing, and key of a label: it stands in a column of a table.
pub(super) const NAME_MAX: usize = 256;

/// The longest value of a label, a note or a variable; certificates are passed in variables, and they have a few KiB.
const VALUE_MAX: usize = 32 * 1_024;

/// How many labels, notes or variables a job may have, and how many items one of its lists: all are in memory while the
/// job is live, and labels are compared by every list.
pub(super) const ENTRIES_MAX: usize = 256;

/// What is wrong with a document, in the order found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<String>,
    left_out: usize,
}

impl Problems {
    pub(super) fn add(&mut self, problem: impl Into<String>) {
        if self.found.len() < PROBLEMS_MAX {
            self.found.push(problem.into());
        } else {
            self.left_out += 1;
        }
    }

    /// All of them; empty when the document is fine.
    pub(super) fn into_lines(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.found.push(format!("and {} more", self.left_out));
        }
        self.found
    }
}

/// One object and where it stands in the document, for messages.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    json: &'a Json,
    at: String,
}

impl<'a> Fields<'a> {
    /// The fields of `json`; a value that is not an object is a problem and reads as an empty one.
    pub(super) fn of(json: &'a Json, at: impl Into<String>, problems: &mut Problems) -> Self {
        let at = at.into();
        if !matches!(json, Json::Object(_)) {
            problems.add(format!("{at} must be an object, not {}", json.kind()));
        }
        Self { json, at }
    }

    /// Where a field stands.
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.at)
    }

    /// A field as it is; null is absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Json> {
        self.json.get(key)
    }

    /// An object field; `None` when absent.
    pub(super) fn object(&self, key: &str, problems: &mut Problems) -> Option<Fields<'a>> {
        self.get(key)
            .map(|json| Self::of(json, self.at(key), problems))
    }

    /// Text; empty when absent.
    pub(super) fn text(&self, key: &str, problems: &mut Problems) -> String {
        match self.get(key) {
            None => String::new(),
            Some(Json::Text(text)) => {
                check_text(&self.at(key), text, TEXT_MAX, problems);
                text.clone()
            }
            Some(other) => {
                self.wrong(key, "a string", other, problems);
                String::new()
            }
        }
    }

    /// Text that names something; empty when absent.
    pub(super) fn name(&self, key: &str, problems: &mut Problems) -> String {
        let name = self.text(key, problems);
        if (NAME_MAX + 1..=TEXT_MAX).contains(&name.len()) {
            check_text(&self.at(key), &name, NAME_MAX, problems);
        }
        name
    }

    /// True or false; false when absent.
    pub(super) fn flag(&self, key: &str, problems: &mut Problems) -> bool {
        match self.get(key) {
            None => false,
            Some(Json::Bool(value)) => *value,
            Some(other) => {
                self.wrong(key, "true or false", other, problems);
                false
            }
        }
    }

    /// A whole number; `None` when absent.
    pub(super) fn integer(&self, key: &str, problems: &mut Problems) -> Option<i64> {
        match self.get(key)? {
            Json::Number(number) if number.as_i64().is_some() => number.as_i64(),
            Json::Number(number) => {
                problems.add(format!(
                    "{} must be a whole number, not {number}",
                    self.at(key)
                ));
                None
            }
            other => {
                self.wrong(key, "a whole number", other, problems);
                None
            }
        }
    }

    /// A list of objects; empty when absent. A null item is a problem.
    pub(super) fn objects(&self, key: &str, problems: &mut Problems) -> Vec<Fields<'a>> {
        self.items(key, problems)
            .iter()
            .enumerate()
            .map(|(index, item)| Self::of(item, format!("{}[{index}]", self.at(key)), problems))
            .collect()
    }

    /// A list of texts; empty when absent.
    pub(super) fn texts(&self, key: &str, problems: &mut Problems) -> Vec<String> {
        let mut texts = Vec::new();
        for item in self.items(key, problems) {
            match item {
                Json::Text(text) => {
                    check_text(
                        &format!("an item of {}", self.at(key)),
                        text,
                        TEXT_MAX,
                        problems,
                    );
                    texts.push(text.clone());
                }
                other => problems.add(format!(
                    "every item of {} must be a string, not {}",
                    self.at(key),
                    other.kind()
                )),
            }
        }
        texts
    }

    /// An object of texts; its keys keep their case. A null value is empty.
    pub(super) fn text_map(&self, key: &str, problems: &mut Problems) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        match self.get(key) {
            None => {}
            Some(Json::Object(entries)) => {
                let left = self.bounded(key, entries, "entries", problems);
                for (name, value) in left {
                    check_text(
                        &format!("a key of {}", self.at(key)),
                        name,
                        NAME_MAX,
                        problems,
                    );
                    let text = match value {
                        Json::Text(text) => text.clone(),
                        Json::Null => String::new(),
                        other => {
                            problems.add(format!(
                                "{}[\"{name}\"] must be a string, not {}",
                                self.at(key),
                                other.kind()
                            ));
                            continue;
                        }
                    };
                    check_text(
                        &format!("{}[\"{name}\"]", self.at(key)),
                        &text,
                        VALUE_MAX,
                        problems,
                    );
                    map.insert(name.to_string(), text);
                }
            }
            Some(other) => self.wrong(key, "an object", other, problems),
        }
        map
    }

    /// A free-form object; empty when absent.
    pub(super) fn params(&self, key: &str, problems: &mut Problems) -> Map<String, Value> {
        match self.get(key) {
            None => Map::new(),
            Some(json @ Json::Object(_)) => {
                if json.has_nul() {
                    problems.add(format!("{} must not contain NUL", self.at(key)));
                }
                json.to_map()
            }
            Some(other) => {
                self.wrong(key, "an object", other, problems);
                Map::new()
            }
        }
    }

    fn items(&self, key: &str, problems: &mut Problems) -> &'a [Json] {
        match self.get(key) {
            None => &[],
            Some(Json::List(items)) => self.bounded(key, items, "items", problems),
            Some(other) => {
                self.wrong(key, "an array", other, problems);
                &[]
            }
        }
    }

    /// What is read of a list or a map: nothing of one that is too long, which is a problem.
    fn bounded<T>(
        &self,
        key: &str,
        found: &'a [T],
        what: &str,
        problems: &mut Problems,
    ) -> &'a [T] {
        if found.len() <= ENTRIES_MAX {
            return found;
        }
        problems.add(format!(
            "{} has too many {what}: {} > {ENTRIES_MAX}",
            self.at(key),
            found.len()
        ));
        &[]
    }

    fn wrong(&self, key: &str, expected: &str, found: &Json, problems: &mut Problems) {
        problems.add(format!(
            "{} must be {expected}, not {}",
            self.at(key),
            found.kind()
        ));
    }
}

/// Notes a text that is too long, or that no program can be told: NUL ends its arguments.
fn check_text(at: &str, text: &str, limit: usize, problems: &mut Problems) {
    // What stands in the message was sent by a stranger and may be as long as the body.
    let at = &at[..at.floor_char_boundary(NAME_MAX)];
    if text.len() > limit {
        problems.add(format!("{at} is too long: {} bytes > {limit}", text.len()));
    } else if text.contains('\0') {
        problems.add(format!("{at} must not contain NUL"));
    }
}
