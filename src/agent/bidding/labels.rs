//! Do this node's labels fit the job's constraints? (rest-api.md 1.9, 4.9)

use crate::model::{Constraint, Job, RejectReason};
use std::collections::BTreeMap;

/// Constraints under this prefix are preferences, not filters.
const PREFERENCE_PREFIX: &str = "favour_";

pub(super) fn check(job: &Job, labels: &BTreeMap<String, String>) -> Result<(), RejectReason> {
    let mut filters = job
        .constraints
        .iter()
        .filter(|constraint| !constraint.key.starts_with(PREFERENCE_PREFIX));
    if filters.all(|constraint| matches(constraint, labels)) {
        Ok(())
    } else {
        Err(RejectReason::LabelsDoNotMatch)
    }
}

fn matches(constraint: &Constraint, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&constraint.key);
    let listed = value.is_some_and(|value| constraint.values.contains(value));
    match constraint.operator.as_str() {
        "=" | "==" | "in" => listed,
        "!=" | "notin" => !listed,
        "exists" => value.is_some(),
        "!" => value.is_none(),
        "gt" => compare(constraint, value, |label, bound| label > bound),
        "lt" => compare(constraint, value, |label, bound| label < bound),
        _ => false,
    }
}

fn compare(
    constraint: &Constraint,
    value: Option<&String>,
    holds: impl Fn(i64, i64) -> bool,
) -> bool {
    let label = value.and_then(|value| value.parse().ok());
    let bound = constraint
        .values
        .first()
        .and_then(|bound| bound.parse().ok());
    matches!((label, bound), (Some(label), Some(bound)) if holds(label, bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(key: &str, operator: &str, values: &[&str]) -> bool {
        let labels = BTreeMap::from([("site".to_owned(), "7".to_owned())]);
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        matches(
            &Constraint {
                key: key.to_owned(),
                operator: operator.to_owned(),
                values,
            },
            &labels,
        )
    }

    #[test]
    fn every_operator_matches_as_documented() {
        assert!(holds("site", "=", &["7"]) && !holds("site", "==", &["8"]));
        assert!(holds("site", "in", &["8", "7"]) && !holds("none", "in", &["7"]));
        assert!(holds("none", "!=", &["7"]) && !holds("site", "!=", &["7"]));
        assert!(holds("none", "notin", &["7"]) && !holds("site", "notin", &["7", "8"]));
        assert!(holds("site", "exists", &[]) && holds("none", "!", &[]));
        assert!(
            holds("site", "gt", &["6"])
                && !holds("site", "gt", &["x"])
                && holds("site", "lt", &["8"])
        );
        assert!(!holds("site", "resembles", &["7"]));
    }
}
