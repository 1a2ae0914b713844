//! A job in a file: YAML or JSON, from text to the JSON that a node takes, every problem with its line.
//!
//! ```text
//!  text --> yaml.rs  a tree of nodes, each with line and column; bounded
//!       --> shape.rs what a job may hold; unknown, double and read-only fields are problems; plain words become text
//!       --> a Document: the job's JSON, and where each field stands, so that what the node finds has its line too
//! ```
//!
//! JSON is read as the YAML that it is, and by the JSON parser where YAML knows an escape less. Values are the node's to
//! judge: no rule of a job is written down twice.
//!
//! DECISION: `saphyr-parser` and a tree of our own. serde_yaml is archived; serde-saphyr is maintained and bounded, but
//! brings 11 crates and 520 kB where this brings 2 and 72 kB; serde_norway wraps a C parser in translation. None of the
//! serde ones gives each field of a free-form document its line.

mod node;
mod shape;
mod yaml;

use super::CliError;
use node::Place;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

/// The file name that means stdin.
const STDIN: &str = "-";

/// The largest file: jobs are written by hand, and a node takes no more than ten times that.
const FILE_MAX: u64 = 1 << 20;

/// How many problems are told: more than anybody corrects at a time.
const PROBLEMS_MAX: usize = 32;

/// What is wrong with a file, in the order of its lines.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<(Option<Place>, String)>,
}

impl Problems {
    fn add(&mut self, at: Option<Place>, problem: impl Into<String>) {
        self.found.push((at, problem.into()));
    }
}

/// A job that was read.
#[derive(Debug)]
pub(super) struct Document {
    /// As named by the user.
    name: String,
    /// The job, as a submission holds it.
    pub(super) job: Value,
    /// What a submission around it said.
    pub(super) token: Option<String>,
    places: BTreeMap<String, Place>,
}

/// Reads a file to the job in it.
///
/// # Errors
/// The file cannot be read, or what is wrong with it.
pub(super) fn read(name: &str) -> Result<Document, CliError> {
    let unreadable = |source| CliError::File {
        path: name.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    if name == STDIN {
        io::stdin().take(FILE_MAX + 1).read_to_end(&mut bytes)
    } else {
        File::open(name).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes))
    }
    .map_err(unreadable)?;
    let name = if name == STDIN { "stdin" } else { name };
    parse(name, &bytes)
}

fn parse(name: &str, bytes: &[u8]) -> Result<Document, CliError> {
    let mut problems = Problems::default();
    let document = root(bytes, &mut problems).map(|root| {
        let read = shape::read(&root, &mut problems);
        Document {
            name: name.to_owned(),
            job: read.job,
            token: read.token,
            places: read.places,
        }
    });
    match document {
        Some(document) if problems.found.is_empty() => Ok(document),
        _ => Err(told(name, problems.found)),
    }
}

fn root(bytes: &[u8], problems: &mut Problems) -> Option<node::Node> {
    if u64::try_from(bytes.len()).map_or(true, |length| length > FILE_MAX) {
        problems.add(
            None,
            format!("the file is too big: more than {FILE_MAX} bytes"),
        );
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}'),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            problems.add(Some(Place { line, column: 1 }), "this line is not UTF-8");
            return None;
        }
    };
    match yaml::parse(text) {
        Ok(root) => Some(root),
        Err((at, why)) => {
            if is_json(text) {
                match serde_json::from_str::<Value>(text) {
                    Ok(json) => return Some(node::Node::from_json(&json)),
                    Err(error) => {
                        let place = Place {
                            line: error.line(),
                            column: error.column(),
                        };
                        problems.add(
                            Some(place),
                            format!("it is not JSON: {}", without_place(&error)),
                        );
                        return None;
                    }
                }
            }
            problems.add(at, why);
            None
        }
    }
}

/// Whether it begins as a JSON object does: YAML's own braces rarely hold a quoted name.
fn is_json(text: &str) -> bool {
    text.trim_start()
        .strip_prefix('{')
        .is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
}

/// serde_json says the place at the end of its words.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

fn told(name: &str, mut found: Vec<(Option<Place>, String)>) -> CliError {
    found.sort_by_key(|(place, _)| *place);
    let count = found.len();
    let mut lines: Vec<String> = found
        .into_iter()
        .take(PROBLEMS_MAX)
        .map(|(place, problem)| located(name, place, &problem))
        .collect();
    if count > PROBLEMS_MAX {
        lines.push(format!("and {} more", count - PROBLEMS_MAX));
    }
    CliError::JobFile { lines }
}

fn located(name: &str, place: Option<Place>, problem: &str) -> String {
    match place {
        Some(Place { line, column }) => format!("{name}:{line}:{column}: {problem}"),
        None => format!("{name}: {problem}"),
    }
}

impl Document {
    /// What a node says is wrong with the job, each line with where that is in the file.
    pub(super) fn locate(&self, message: &str) -> Vec<String> {
        message
            .lines()
            .map(|problem| located(&self.name, self.place(problem), problem))
            .collect()
    }

    /// Where the field that a problem names stands, or the nearest thing around it that the file has.
    fn place(&self, problem: &str) -> Option<Place> {
        let start = problem.find("Job.")?;
        let path = &problem[start + "Job.".len()..];
        let end = path
            .find(|c: char| !(c.is_ascii_alphanumeric() || ".[]\"_-".contains(c)))
            .unwrap_or(path.len());
        let mut path = path[..end].trim_end_matches('.').to_ascii_lowercase();
        loop {
            if let Some(place) = self.places.get(&path) {
                return Some(*place);
            }
            let shorter = path.rfind(['.', '['])?;
            path.truncate(shorter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        match parse("job.yaml", text.as_bytes()) {
            Err(CliError::JobFile { lines }) => lines,
            other => panic!("{other:?}"),
        }
    }

    fn job(text: &str) -> Value {
        parse("job.yaml", text.as_bytes()).unwrap().job
    }

    #[test]
    fn plain_words_are_text_where_a_job_holds_text_and_numbers_where_it_holds_numbers() {
        let read = job(
            "name: 7\ntype: batch\ncount: 2\nlabels: {on: true, size: 1.50}\ntasks:\n- name: main\n  env: {A: 1, B: ~}\n  \
             engine: {type: docker, params: {Image: x, Parameters: [echo, 1, yes, '']}}\n  resources: {cpu: 0.5, memory: 512}\n  \
             timeouts: {ExecutionTimeout: 60}\n",
        );
        assert_eq!(
            read,
            serde_json::json!({
                "Name": "7", "Type": "batch", "Count": 2, "Labels": { "on": "true", "size": "1.50" },
                "Tasks": [{
                    "Name": "main", "Env": { "A": "1", "B": "" },
                    "Engine": { "Type": "docker", "Params": { "Image": "x", "Parameters": ["echo", "1", "yes", ""] } },
                    "Resources": { "CPU": "0.5", "Memory": "512" },
                    "Timeouts": { "ExecutionTimeout": 60 },
                }],
            })
        );
    }

    #[test]
    fn json_is_read_with_tabs_escapes_and_line_numbers_bare_or_in_a_submission() {
        let bare = "{\n\t\"Name\": \"\\ud83d\\ude00\",\n\t\"Type\": \"batch\"\n}\n";
        assert_eq!(job(bare)["Name"], "\u{1f600}");
        let wrapped = parse(
            "f",
            br#"{"Job": {"Name": "n"}, "IdempotencyToken": "t", "Namespace": "default"}"#,
        )
        .unwrap();
        assert_eq!(wrapped.job["Name"], "n");
        assert_eq!(wrapped.token.as_deref(), Some("t"));
        assert_eq!(
            problems("{\n\t\"namee\": 1\n}"),
            ["job.yaml:2:2: \"namee\" is not a field of a job; did you mean Name?"]
        );
        assert_eq!(
            problems("{\n\"a\" 1}"),
            ["job.yaml:2:5: it is not JSON: expected `:`"]
        );
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = "ID: j-1\nTyp: batch\ntasks:\n  - name: main\n    Name: again\n    Ressources: {}\n    engine:\n      type: docker\n      params: {Imag: x}\n  - 7\n";
        assert_eq!(
            problems(text),
            [
                "job.yaml:1:1: \"ID\" is set by the node; leave it out",
                "job.yaml:2:1: \"Typ\" is not a field of a job; did you mean Type?",
                "job.yaml:5:5: \"Name\" is given twice",
                "job.yaml:6:5: \"Ressources\" is not a field of Tasks[0]; did you mean Resources?",
                "job.yaml:9:16: \"Imag\" is not a field of Tasks[0].Engine.Params; did you mean Image?",
                "job.yaml:10:5: Tasks[1] must be a mapping, not a word",
            ]
        );
    }

    #[test]
    fn what_is_not_a_job_is_refused_in_one_line() {
        for (text, problem) in [
            ("", "job.yaml: the file holds no job"),
            ("# nothing\n", "job.yaml: the file holds no job"),
            ("hello", "job.yaml:1:1: a job must be a mapping, not a word"),
            ("- a\n", "job.yaml:1:1: a job must be a mapping, not a list"),
            (
                "Name: a\n---\nName: b\n",
                "job.yaml:2:1: a second document begins; a file holds one job",
            ),
            (
                "Name: a: b\n",
                "job.yaml:1:8: mapping values are not allowed in this context",
            ),
            (
                "Name: *nobody\n",
                "job.yaml:1:7: while parsing node, found unknown anchor",
            ),
            ("? [a]\n: b\n", "job.yaml:1:3: a key must be a word"),
        ] {
            assert_eq!(problems(text), [problem], "{text}");
        }
        assert!(parse("f", b"Name: \xff").is_err());
        let lines = problems(&"x".repeat(1_048_577));
        assert_eq!(
            lines,
            ["job.yaml: the file is too big: more than 1048576 bytes"]
        );
    }

    #[test]
    fn a_document_that_grows_when_it_is_read_is_refused() {
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        let mut last = 'a';
        for name in 'b'..='j' {
            let items = vec![format!("*{last}"); 9].join(",");
            bomb.push_str(&format!("{name}: &{name} [{items}]\n"));
            last = name;
        }
        let lines = problems(&bomb);
        assert!(
            lines[0].contains("it grows beyond 4194304 bytes"),
            "{lines:?}"
        );
        for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
            let deep = format!("{}{}", open.repeat(20_000), close.repeat(20_000));
            let lines = problems(&deep);
            assert!(
                lines[0].contains("it nests deeper than 32 levels")
                    || lines[0].contains("recursion limit"),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn an_anchor_is_what_it_stands_for() {
        let read = job("labels: &l {a: b}\nmeta: *l\n");
        assert_eq!(read["Meta"], serde_json::json!({ "a": "b" }));
    }

    #[test]
    fn what_the_node_finds_has_its_line_too() {
        let text = "Name: n\nTasks:\n- Name: main\n  Resources:\n    CPU: much\n";
        let document = parse("job.yaml", text.as_bytes()).unwrap();
        assert_eq!(
            document.locate(
                "missing job type\nJob.Tasks[0].Resources.CPU: invalid CPU value\nJob.Tasks[0].Engine is missing\nevery item of Job.Tasks[9].X must be"
            ),
            [
                "job.yaml: missing job type",
                "job.yaml:5:10: Job.Tasks[0].Resources.CPU: invalid CPU value",
                "job.yaml:3:3: Job.Tasks[0].Engine is missing",
                "job.yaml:3:3: every item of Job.Tasks[9].X must be",
            ]
        );
    }
}
