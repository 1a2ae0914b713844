//! Label selectors in lists: one Kubernetes-style expression, commas meaning "and" (rest-api.md 1.9).

use std::collections::BTreeMap;

/// How many requirements one selector may have; each row of a list is compared with all of them.
const REQUIREMENTS_MAX: usize = 32;

/// A parsed selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::api) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

impl Selector {
    /// Reads a selector; blank text selects everything.
    ///
    /// # Errors
    /// What is wrong, as a sentence for the client.
    pub(in crate::api) fn read(text: &str) -> Result<Self, String> {
        let requirements: Vec<Requirement> = split(text)
            .into_iter()
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(requirement)
            .collect::<Result<_, _>>()?;
        if requirements.len() > REQUIREMENTS_MAX {
            return Err(format!(
                "too many label requirements: {} > {REQUIREMENTS_MAX}",
                requirements.len()
            ));
        }
        Ok(Self(requirements))
    }

    /// Whether labels satisfy every requirement.
    pub(in crate::api) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let number = value.and_then(|value| value.parse::<i64>().ok());
            match &requirement.rule {
                Rule::In(values) => value.is_some_and(|value| values.contains(value)),
                Rule::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Rule::Exists => value.is_some(),
                Rule::Absent => value.is_none(),
                Rule::Greater(limit) => number.is_some_and(|number| number > *limit),
                Rule::Less(limit) => number.is_some_and(|number| number < *limit),
            }
        })
    }
}

/// The parts between commas that are not inside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut inside = false;
    text.split(|c| {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        c == ',' && !inside
    })
    .collect()
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let of = |key: &str, rule| {
        let key = key.trim();
        let well_formed = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
        if well_formed {
            Ok(Requirement {
                key: key.to_owned(),
                rule,
            })
        } else {
            Err(format!("cannot read the label requirement \"{text}\""))
        }
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    let number = |value: &str| {
        value
            .trim()
            .parse()
            .map_err(|_| format!("\"{text}\" must compare with a whole number"))
    };
    if let Some(key) = text.strip_prefix('!') {
        return of(key, Rule::Absent);
    }
    if let Some((key, values)) = set(text, " notin")? {
        return of(key, Rule::NotIn(values));
    }
    if let Some((key, values)) = set(text, " in")? {
        return of(key, Rule::In(values));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return of(key, Rule::NotIn(one(value)));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return of(key, Rule::In(one(value)));
    }
    if let Some((key, value)) = text.split_once('>') {
        return of(key, Rule::Greater(number(value)?));
    }
    if let Some((key, value)) = text.split_once('<') {
        return of(key, Rule::Less(number(value)?));
    }
    of(text, Rule::Exists)
}

/// `key WORD (a, b)`; `None` when the text has no such word.
fn set<'a>(text: &'a str, word: &str) -> Result<Option<(&'a str, Vec<String>)>, String> {
    let Some((key, rest)) = text.split_once(word) else {
        return Ok(None);
    };
    let rest = rest.trim();
    // A key or value that merely contains the letters is something else.
    if !rest.is_empty() && !rest.starts_with('(') {
        return Ok(None);
    }
    let values = rest
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| format!("\"{text}\" needs values in parentheses"))?;
    Ok(Some((
        key,
        values
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Selector::read(selector).expect(selector).matches(&labels)
    }

    #[test]
    fn each_form_selects_what_its_row_of_the_table_says() {
        let labels = [("team", "a"), ("n", "7")];
        for (selector, expected) in [
            ("", true),
            ("team=a", true),
            ("team == a", true),
            ("team=b", false),
            ("other=a", false),
            ("bacalhau_canary!=true", true),
            ("team!=a", false),
            ("team in (a, c)", true),
            ("team in (b,c)", false),
            ("team notin (b)", true),
            ("other notin (b)", true),
            ("team notin (a,b)", false),
            ("team", true),
            ("!team", false),
            ("!other", true),
            ("n>6", true),
            ("n<7", false),
            ("team>1", false),
            ("team=a,n>6,!x", true),
            ("team in (a,c),n<7", false),
        ] {
            assert_eq!(matches(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for selector in ["team in", "team in (a", "a b", "n>x", "=", "!"] {
            assert!(Selector::read(selector).is_err(), "{selector}");
        }
        assert!(Selector::read(&"a,".repeat(REQUIREMENTS_MAX + 1)).is_err());
    }
}
