//! What the test knows of every job, and what must be true of it.

use super::life::Life;
use super::plan::Order;
use crate::support::jobs::shell;
use crate::support::tap::Counts;
use crate::support::wait;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many of the latest jobs are read again after every round; all are at the end.
const LOOK_BACK: usize = 12;

/// Every job that exists, in the order in which the test learned of it.
#[derive(Debug, Default)]
pub(super) struct Books {
    entries: Vec<Entry>,
    by_id: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Entry {
    id: String,
    order: Order,
    /// The whole job as it was first seen in a terminal state.
    end: Option<Value>,
}

/// The submission of an order, the same each time.
pub(super) fn submission(order: &Order) -> Value {
    let mut submission = shell(&order.line);
    submission["Job"]["Tasks"][0]["Engine"]["Params"]["Image"] = json!(order.image);
    submission["Job"]["Name"] = json!(order.name);
    submission["IdempotencyToken"] = json!(order.name);
    submission
}

/// Where a job is read whole.
pub(super) fn path_of(job: &str) -> String {
    format!("jobs/{job}?include=executions,history")
}

/// Whether a job, read whole, is in a terminal state.
pub(super) fn is_terminal(body: &Value) -> bool {
    let state = body["Job"]["State"]["StateType"].as_str();
    matches!(state, Some("Completed" | "Failed" | "Stopped"))
}

impl Books {
    /// A job exists: its submission was answered, or it was found.
    #[track_caller]
    pub(super) fn enter(&mut self, id: &str, order: &Order) {
        if let Some(known) = self.by_id.get(id) {
            let known = &self.entries[*known].order;
            assert_eq!(known.name, order.name, "two submissions got one job");
            return;
        }
        let other = self
            .entries
            .iter()
            .find(|entry| entry.order.name == order.name);
        assert!(
            other.is_none(),
            "one submission got two jobs: {id} and {other:?}"
        );
        self.by_id.insert(id.to_owned(), self.entries.len());
        self.entries.push(Entry {
            id: id.to_owned(),
            order: order.clone(),
            end: None,
        });
    }

    /// A job was read. A terminal state that was seen once is never seen otherwise.
    #[track_caller]
    pub(super) fn note(&mut self, id: &str, body: &Value) {
        let entry = &mut self.entries[self.by_id[id]];
        match &entry.end {
            Some(end) => assert_eq!(end, body, "an ended job has changed"),
            None if is_terminal(body) => entry.end = Some(body.clone()),
            None => {}
        }
    }

    /// Waits until every job has ended, and judges the latest; those judged before have not changed.
    #[track_caller]
    pub(super) fn settle(&mut self, life: &Life, counts: impl Fn() -> Counts) {
        let first = self.entries.len().saturating_sub(LOOK_BACK);
        for index in first..self.entries.len() {
            self.read_again(index, life);
            let entry = &self.entries[index];
            let end = entry.end.as_ref().expect("it has ended");
            judge(&entry.order, end, &counts());
        }
    }

    /// Reads everything once more: nothing has changed, nothing exists that nobody submitted, nothing was started for
    /// nothing.
    #[track_caller]
    pub(super) fn close(&mut self, life: &Life, counts: &Counts) {
        for index in 0..self.entries.len() {
            self.read_again(index, life);
        }
        let mut listed = Vec::new();
        let mut path = "jobs?limit=100".to_owned();
        loop {
            let page = life.call("GET", &path, None).body;
            let items = page["Items"].as_array().expect("a list").clone();
            listed.extend(items.iter().map(|item| text(&item["ID"])));
            match page["NextToken"].as_str() {
                Some(token) if !token.is_empty() => path = format!("jobs?next_token={token}"),
                _ => break,
            }
        }
        listed.sort_unstable();
        let known: Vec<String> = self.by_id.keys().cloned().collect();
        assert_eq!(listed, known, "the jobs that exist");
        assert_eq!(
            counts.starts_in_all(),
            known.len() as u64,
            "containers started, one for each job: {counts:?}"
        );
    }

    /// The ids of all executions.
    pub(super) fn executions(&self) -> Vec<String> {
        let ends = self.entries.iter().filter_map(|entry| entry.end.as_ref());
        ends.flat_map(|end| executions(end).iter().map(|item| text(&item["ID"])))
            .collect()
    }

    #[track_caller]
    fn read_again(&mut self, index: usize, life: &Life) {
        let id = self.entries[index].id.clone();
        let body = wait::until("the job ends", || {
            let answer = life.call("GET", &path_of(&id), None);
            assert_eq!(answer.status, 200, "job {id} is lost: {}", answer.body);
            if is_terminal(&answer.body) {
                Ok(answer.body)
            } else {
                Err(answer.body)
            }
        });
        self.note(&id, &body);
    }
}

/// One terminal state, one execution, the command run once, its exit code and output true, its outcome told once.
#[track_caller]
fn judge(order: &Order, end: &Value, counts: &Counts) {
    let name = &order.name;
    let state = &end["Job"]["State"]["StateType"];
    assert_eq!(state, "Completed", "{name}: {end:#}");
    let [execution] = executions(end) else {
        panic!("{name} has not exactly one execution: {end:#}");
    };
    assert_eq!(execution["ComputeState"]["StateType"], 9, "{name}: {end:#}");
    let output = &execution["RunOutput"];
    assert_eq!(output["ExitCode"], order.exit_code, "{name}: {end:#}");
    assert_eq!(output["Stdout"], order.stdout, "{name}: {end:#}");
    assert_eq!(output["stderr"], order.stderr, "{name}: {end:#}");
    let id = text(&execution["ID"]);
    let starts = counts.starts_of(&id);
    assert_eq!(
        starts, 1,
        "containers started for {name} ({id}): {counts:?}"
    );

    let history = end["History"]["Items"].as_array().expect("a history");
    let outcomes = history.iter().filter(|item| {
        let message = item["Event"]["Message"].as_str().unwrap_or_default();
        message.starts_with("Completed ")
    });
    assert_eq!(outcomes.count(), 1, "{name}: {end:#}");
    let ends = history
        .iter()
        .filter(|item| item["Event"]["Details"]["NewState"] == "Completed");
    assert_eq!(ends.count(), 1, "{name}: {end:#}");
    let numbers: Vec<u64> = history
        .iter()
        .map(|item| item["SeqNum"].as_u64().expect("a number"))
        .collect();
    assert!(
        numbers.is_sorted_by(|left, right| left < right),
        "{name}: {end:#}"
    );
}

fn executions(end: &Value) -> &[Value] {
    end["Executions"]["Items"]
        .as_array()
        .map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
