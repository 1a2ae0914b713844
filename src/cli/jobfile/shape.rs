//! What a job may hold (rest-api.md 3.3 to 3.6): the names of its fields and which of them are text.
//!
//! A node takes unknown fields in silence, as upstream does, so a slip of the pen would run a job that nobody meant.
//! Here it is told, with the name that was probably meant.

use super::Problems;
use super::node::{Kind, Node, Place};
use crate::config::nearest;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What a field holds.
#[derive(Clone, Copy)]
enum Shape {
    /// Text; plain words are taken as written.
    Text,
    /// A number, or whatever the node makes of it.
    Any,
    /// Text by free names.
    TextMap,
    List(&'static Shape),
    Fields(&'static [Field]),
    /// A typed spec; its parameters are known when its type is docker.
    Spec,
}

type Field = (&'static str, Shape);

const JOB: &[Field] = &[
    ("Name", Shape::Text),
    ("Namespace", Shape::Text),
    ("Type", Shape::Text),
    ("Priority", Shape::Any),
    ("Count", Shape::Any),
    ("Constraints", Shape::List(&Shape::Fields(CONSTRAINT))),
    ("Meta", Shape::TextMap),
    ("Labels", Shape::TextMap),
    ("Tasks", Shape::List(&Shape::Fields(TASK))),
];

const CONSTRAINT: &[Field] = &[
    ("Key", Shape::Text),
    ("Operator", Shape::Text),
    ("Values", Shape::List(&Shape::Text)),
];

const TASK: &[Field] = &[
    ("Name", Shape::Text),
    ("Engine", Shape::Spec),
    ("Publisher", Shape::Spec),
    ("Env", Shape::TextMap),
    ("Meta", Shape::TextMap),
    ("InputSources", Shape::List(&Shape::Fields(INPUT))),
    ("ResultPaths", Shape::List(&Shape::Fields(RESULT))),
    ("Resources", Shape::Fields(RESOURCES)),
    ("Network", Shape::Fields(NETWORK)),
    ("Timeouts", Shape::Fields(TIMEOUTS)),
];

const INPUT: &[Field] = &[
    ("Source", Shape::Spec),
    ("Alias", Shape::Text),
    ("Target", Shape::Text),
];

const RESULT: &[Field] = &[("Name", Shape::Text), ("Path", Shape::Text)];

const RESOURCES: &[Field] = &[
    ("CPU", Shape::Text),
    ("Memory", Shape::Text),
    ("Disk", Shape::Text),
    ("GPU", Shape::Text),
];

const NETWORK: &[Field] = &[
    ("Type", Shape::Text),
    ("Domains", Shape::List(&Shape::Text)),
    ("Ports", Shape::Any),
];

const TIMEOUTS: &[Field] = &[
    ("ExecutionTimeout", Shape::Any),
    ("QueueTimeout", Shape::Any),
    ("TotalTimeout", Shape::Any),
];

const SPEC: &[Field] = &[("Type", Shape::Text), ("Params", Shape::Any)];

const DOCKER_SPEC: &[Field] = &[("Type", Shape::Text), ("Params", Shape::Fields(DOCKER))];

const DOCKER: &[Field] = &[
    ("Image", Shape::Text),
    ("Entrypoint", Shape::List(&Shape::Text)),
    ("Parameters", Shape::List(&Shape::Text)),
    ("EnvironmentVariables", Shape::List(&Shape::Text)),
    ("WorkingDirectory", Shape::Text),
];

/// What a submission holds beside its job.
const SUBMISSION: &[&str] = &[
    "Job",
    "Namespace",
    "Credential",
    "IdempotencyToken",
    "Force",
];

/// Fields of a job that are shown, and not for a submitter to set.
const READ_ONLY: &[&str] = &[
    "ID",
    "State",
    "Version",
    "Revision",
    "CreateTime",
    "ModifyTime",
];

/// A job, what was around it, and where its fields stand: by path in lower case.
pub(super) struct Read {
    pub(super) job: Value,
    pub(super) token: Option<String>,
    pub(super) places: BTreeMap<String, Place>,
}

/// Reads a document that is a job, or a submission with a job in it.
pub(super) fn read(root: &Node, problems: &mut Problems) -> Read {
    let mut reader = Reader {
        places: BTreeMap::new(),
        problems,
    };
    let mut token = None;
    let mut job = root;
    if let Some(inner) = field(root, "Job") {
        job = inner;
        token = field(root, "IdempotencyToken").and_then(|node| match &node.kind {
            Kind::Plain(text) | Kind::Text(text) => Some(text.clone()),
            _ => None,
        });
        reader.submission(root);
    }
    let job = reader.value(job, Shape::Fields(JOB), "");
    Read {
        job,
        token,
        places: reader.places,
    }
}

fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.kind {
        Kind::Map(fields) => fields
            .iter()
            .find(|(key, _)| key.name.eq_ignore_ascii_case(name))
            .map(|(_, value)| value),
        _ => None,
    }
}

struct Reader<'a> {
    places: BTreeMap<String, Place>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn submission(&mut self, root: &Node) {
        let Kind::Map(fields) = &root.kind else {
            return;
        };
        for (key, _) in fields {
            if !SUBMISSION
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&key.name))
            {
                let problem = format!(
                    "\"{}\" stands beside \"Job\" and is not a field of a submission; write it into the job",
                    key.name
                );
                self.problems.add(key.at, problem);
            }
        }
    }

    /// The JSON of `node`; `path` is empty for the job itself.
    fn value(&mut self, node: &Node, shape: Shape, path: &str) -> Value {
        if let Some(at) = node.at {
            self.places.insert(path.to_ascii_lowercase(), at);
        }
        match (&node.kind, shape) {
            (Kind::Null, Shape::Text) => Value::from(""),
            (Kind::Null, _) if path.is_empty() => {
                self.problems.add(None, "the file holds no job");
                Value::Null
            }
            (Kind::Null, _) => Value::Null,
            (_, Shape::Any) => node.json(),
            (Kind::Plain(text) | Kind::Text(text), Shape::Text) => Value::from(text.as_str()),
            (Kind::List(items), Shape::List(shape)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.value(item, *shape, &format!("{path}[{index}]")))
                .collect(),
            (Kind::Map(_), Shape::Fields(known)) => self.fields(node, known, path),
            (Kind::Map(_), Shape::Spec) => {
                let is_docker = field(node, "Type").is_some_and(|kind| {
                    matches!(&kind.kind, Kind::Plain(word) | Kind::Text(word) if word.trim().eq_ignore_ascii_case("docker"))
                });
                self.fields(node, if is_docker { DOCKER_SPEC } else { SPEC }, path)
            }
            (Kind::Map(fields), Shape::TextMap) => {
                let mut map = Map::new();
                for (key, value) in fields {
                    let text = self.value(value, Shape::Text, &inside(path, &key.name));
                    if map.insert(key.name.clone(), text).is_some() {
                        self.problems
                            .add(key.at, format!("\"{}\" is given twice", key.name));
                    }
                }
                Value::Object(map)
            }
            (_, shape) => {
                let what = if path.is_empty() { "a job" } else { path };
                let problem = format!("{what} must be {}, not {}", shape.word(), node.word());
                self.problems.add(node.at, problem);
                Value::Null
            }
        }
    }

    fn fields(&mut self, node: &Node, known: &[Field], path: &str) -> Value {
        let Kind::Map(fields) = &node.kind else {
            return Value::Null;
        };
        let mut map = Map::new();
        let mut seen = BTreeSet::new();
        for (key, value) in fields {
            let found = known
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(&key.name));
            let Some((name, shape)) = found else {
                self.problems.add(key.at, unknown(&key.name, known, path));
                continue;
            };
            if !seen.insert(*name) {
                self.problems
                    .add(key.at, format!("\"{}\" is given twice", key.name));
                continue;
            }
            let read = self.value(value, *shape, &inside(path, name));
            map.insert((*name).to_owned(), read);
        }
        Value::Object(map)
    }
}

fn inside(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn unknown(name: &str, known: &[Field], path: &str) -> String {
    if path.is_empty()
        && READ_ONLY
            .iter()
            .any(|other| other.eq_ignore_ascii_case(name))
    {
        return format!("\"{name}\" is set by the node; leave it out");
    }
    let place = if path.is_empty() { "a job" } else { path };
    let lower: Vec<String> = known
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    let guess = nearest(&name.to_ascii_lowercase(), lower.iter().map(String::as_str))
        .and_then(|guess| {
            known
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(guess))
        })
        .map_or_else(String::new, |(guess, _)| format!("; did you mean {guess}?"));
    format!("\"{name}\" is not a field of {place}{guess}")
}

impl Shape {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "a word",
            Self::Any => "a value",
            Self::List(_) => "a list",
            Self::TextMap | Self::Fields(_) | Self::Spec => "a mapping",
        }
    }
}
