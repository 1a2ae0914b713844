//! Where two documents differ, as lines: `-` before what was, `+` before what is.
//!
//! Each line names its place in the document, so that a change deep in a job reads without what is around it.

use super::Json;
use std::borrow::Cow;

/// The lines; none when the documents are the same.
pub(in crate::api) fn difference(was: &Json, is: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", Some(was), Some(is), &mut lines);
    lines
}

/// The depth is that of the documents, which is bounded where they are read.
fn compare(at: &str, was: Option<&Json>, is: Option<&Json>, lines: &mut Vec<String>) {
    match (was, is) {
        (was, is) if was == is => {}
        (Some(Json::Object(old)), Some(Json::Object(new))) => {
            let added = new.iter().filter(|(key, _)| value_of(old, key).is_none());
            for (key, _) in old.iter().chain(added) {
                compare(
                    &below(at, key),
                    value_of(old, key),
                    value_of(new, key),
                    lines,
                );
            }
        }
        (Some(Json::List(old)), Some(Json::List(new))) => {
            for index in 0..old.len().max(new.len()) {
                let at = format!("{at}[{index}]");
                compare(&at, old.get(index), new.get(index), lines);
            }
        }
        (was, is) => {
            lines.extend(was.map(|was| line('-', at, was)));
            lines.extend(is.map(|is| line('+', at, is)));
        }
    }
}

fn value_of<'a>(entries: &'a [(Cow<'static, str>, Json)], key: &str) -> Option<&'a Json> {
    let entry = entries.iter().find(|(name, _)| name == key);
    entry.map(|(_, value)| value)
}

fn below(at: &str, key: &str) -> String {
    match at {
        "" => key.to_owned(),
        at => format!("{at}.{key}"),
    }
}

fn line(sign: char, at: &str, value: &Json) -> String {
    // What was read as JSON can be written as such.
    let value = serde_json::to_string(value).unwrap_or_default();
    format!("{sign} {at}: {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_a_line_with_its_place_and_equal_documents_have_none() {
        let read = |text: &str| Json::read(text.as_bytes()).expect("valid");
        let was = read(r#"{"Count":1,"Labels":{"a":"1","b":"2"},"Tasks":[{"Params":["x","y"]}]}"#);
        let is = read(r#"{"Count":2,"Labels":{"b":"2","c":"3"},"Tasks":[{"Params":["x"]}]}"#);
        assert_eq!(
            difference(&was, &is),
            [
                "- Count: 1",
                "+ Count: 2",
                "- Labels.a: \"1\"",
                "+ Labels.c: \"3\"",
                "- Tasks[0].Params[1]: \"y\"",
            ]
        );
        assert_eq!(difference(&was, &was), Vec::<String>::new());
    }
}
