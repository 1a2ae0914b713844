//! A document as a tree in which every part knows where it stands.

use serde_json::{Number, Value};

/// Where something begins, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and its place; JSON of a second parser has none.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Option<Place>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    /// A word without quotes, as written: what it means depends on where it stands.
    Plain(String),
    /// A quoted or block text.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) at: Option<Place>,
    pub(super) name: String,
}

impl Node {
    /// From a parser that gives no places.
    pub(super) fn from_json(json: &Value) -> Self {
        let kind = match json {
            Value::Null => Kind::Null,
            Value::Bool(word) => Kind::Plain(word.to_string()),
            Value::Number(number) => Kind::Plain(number.to_string()),
            Value::String(text) => Kind::Text(text.clone()),
            Value::Array(items) => Kind::List(items.iter().map(Self::from_json).collect()),
            Value::Object(fields) => Kind::Map(
                fields
                    .iter()
                    .map(|(name, value)| {
                        let key = Key {
                            at: None,
                            name: name.clone(),
                        };
                        (key, Self::from_json(value))
                    })
                    .collect(),
            ),
        };
        Self { at: None, kind }
    }

    /// For messages.
    pub(super) fn word(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Plain(_) | Kind::Text(_) => "a word",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// What it is where nothing is said about it (YAML 1.2, core schema).
    pub(super) fn json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Plain(word) => plain(word),
            Kind::Text(text) => Value::from(text.as_str()),
            Kind::List(items) => items.iter().map(Self::json).collect(),
            Kind::Map(fields) => fields
                .iter()
                .map(|(key, value)| (key.name.clone(), value.json()))
                .collect(),
        }
    }
}

/// What a word without quotes means: true, false, a number that JSON can hold, or itself.
fn plain(word: &str) -> Value {
    match word {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = word.trim_start_matches(['+', '-']);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Value::from(word);
    }
    let positive = word.strip_prefix('+').unwrap_or(word);
    let radix = |prefix, radix| {
        let digits = word.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok().map(Number::from)
    };
    let number = radix("0x", 16)
        .or_else(|| radix("0o", 8))
        .or_else(|| positive.parse::<u64>().ok().map(Number::from))
        .or_else(|| word.parse::<i64>().ok().map(Number::from))
        .or_else(|| positive.parse::<f64>().ok().and_then(Number::from_f64));
    number.map_or_else(|| Value::from(word), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbers_as_yaml_1_2_says_and_not_as_1_1_did() {
        for (word, json) in [
            ("7", "7"),
            ("-7", "-7"),
            ("+7", "7"),
            ("1.50", "1.5"),
            ("0x1f", "31"),
            ("0o17", "15"),
            ("010", "10"),
            ("1e3", "1000.0"),
            ("18446744073709551615", "18446744073709551615"),
            ("yes", "\"yes\""),
            ("1:30", "\"1:30\""),
            ("1_000", "\"1_000\""),
            (".inf", "\".inf\""),
            ("-", "\"-\""),
            ("TRUE", "true"),
        ] {
            assert_eq!(plain(word).to_string(), json, "{word}");
        }
    }
}
