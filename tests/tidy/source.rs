//! Reads the project's files, and Rust source as paths: enough of a lexer to see what a file names.

use std::fs;
use std::path::{Path, PathBuf};

/// The project's own directory.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One text file of the project, with its path from the top level.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: String,
    pub(super) text: String,
}

/// Every file under `dir` whose name ends in `suffix`, sorted by path.
pub(super) fn files_under(dir: &str, suffix: &str) -> Vec<SourceFile> {
    let mut files = Vec::new();
    collect(&root().join(dir), suffix, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Every Rust file of the crate and of its tests.
pub(super) fn rust_files() -> Vec<SourceFile> {
    let mut files = files_under("src", ".rs");
    files.extend(files_under("tests", ".rs"));
    files
}

fn collect(dir: &Path, suffix: &str, files: &mut Vec<SourceFile>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, suffix, files);
        } else if path.to_string_lossy().ends_with(suffix) {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let path = path
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .into_owned();
            files.push(SourceFile { path, text });
        }
    }
}

/// A path as it is written in the code (`["crate", "model", "JobId"]`), use trees expanded, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedPath {
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
}

impl NamedPath {
    /// True when the path begins with these segments.
    pub(super) fn starts_with(&self, prefix: &str) -> bool {
        let prefix: Vec<&str> = prefix.split("::").collect();
        self.segments.len() >= prefix.len()
            && self.segments.iter().zip(&prefix).all(|(a, b)| a == b)
    }

    /// True when these segments stand anywhere in the path, one after the other.
    pub(super) fn contains(&self, part: &str) -> bool {
        let part: Vec<&str> = part.split("::").collect();
        self.segments
            .windows(part.len())
            .any(|window| window.iter().zip(&part).all(|(a, b)| a == b))
    }
}

/// A lexical element: an identifier, or one character of punctuation (`::` is one element).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) text: String,
}

/// Splits Rust source into tokens. Comments, strings and characters are left out.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let start = at;
        let c = chars[at];
        if c == '/' && chars.get(at + 1) == Some(&'/') {
            at = end_of_line(&chars, at);
        } else if c == '/' && chars.get(at + 1) == Some(&'*') {
            at = end_of_block_comment(&chars, at);
        } else if let Some(end) = end_of_string(&chars, at) {
            at = end;
        } else if c == '\'' {
            at = end_of_quote(&chars, at);
        } else if is_word(c) {
            while at < chars.len() && is_word(chars[at]) {
                at += 1;
            }
            tokens.push(Token {
                line,
                text: chars[start..at].iter().collect(),
            });
        } else {
            at += if c == ':' && chars.get(at + 1) == Some(&':') {
                2
            } else {
                1
            };
            if !c.is_whitespace() {
                tokens.push(Token {
                    line,
                    text: chars[start..at].iter().collect(),
                });
            }
        }
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn end_of_line(chars: &[char], from: usize) -> usize {
    (from..chars.len())
        .find(|at| chars[*at] == '\n')
        .unwrap_or(chars.len())
}

fn end_of_block_comment(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

/// The end of the string literal (plain, byte, raw) that begins at `from`, if one does.
fn end_of_string(chars: &[char], from: usize) -> Option<usize> {
    let mut at = from;
    while at < chars.len() && at < from + 2 && matches!(chars[at], 'b' | 'c' | 'r') {
        at += 1;
    }
    let raw = at > from && chars[at - 1] == 'r';
    let hashes = chars[at..].iter().take_while(|c| raw && **c == '#').count();
    at += hashes;
    if chars.get(at) != Some(&'"') || (from > 0 && at > from && is_word(chars[from - 1])) {
        return None;
    }
    at += 1;
    while at < chars.len() {
        if !raw && chars[at] == '\\' {
            at += 2;
        } else if chars[at] == '"'
            && chars[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
        {
            return Some(at + 1 + hashes);
        } else {
            at += 1;
        }
    }
    Some(chars.len())
}

/// The end of a character literal, or of the quote of a lifetime.
fn end_of_quote(chars: &[char], from: usize) -> usize {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), _) => (from + 3..chars.len())
            .find(|at| chars[*at] == '\'')
            .map_or(chars.len(), |at| at + 1),
        (Some(_), Some('\'')) => from + 3,
        _ => from + 1,
    }
}

/// Every path of two segments or more that the source names, in code and in `use`.
pub(super) fn paths(source: &str) -> Vec<NamedPath> {
    let tokens = tokens(source);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // `use<'a>` in a type tells what it captures, and imports nothing.
        let captures = tokens.get(at + 1).is_some_and(|next| next.text == "<");
        if tokens[at].text == "use" && !captures {
            at = use_tree(&tokens, at + 1, &[], &mut paths);
        } else if tokens[at].text.chars().all(is_word) {
            let line = tokens[at].line;
            let mut segments = vec![tokens[at].text.clone()];
            while at + 2 < tokens.len()
                && tokens[at + 1].text == "::"
                && tokens[at + 2].text.chars().all(is_word)
            {
                at += 2;
                segments.push(tokens[at].text.clone());
            }
            if segments.len() > 1 {
                paths.push(NamedPath { line, segments });
            }
            at += 1;
        } else {
            at += 1;
        }
    }
    paths
}

/// Reads one use tree from `at`, pushes its full paths, and returns where it ended.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    paths: &mut Vec<NamedPath>,
) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                at += 1;
                while at < tokens.len() && tokens[at].text != "}" {
                    at = use_tree(tokens, at, &segments, paths);
                    if tokens.get(at).is_some_and(|token| token.text == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            "as" => at += 1,
            "::" => {}
            name => segments.push(name.to_owned()),
        }
        at += 1;
    }
    paths.push(NamedPath { line, segments });
    at
}

#[cfg(test)]
fn written(source: &str) -> Vec<String> {
    paths(source)
        .into_iter()
        .map(|path| path.segments.join("::"))
        .collect()
}

#[test]
fn use_trees_are_expanded_to_full_paths() {
    let source = "use crate::{model::{JobId, Now}, agent};\nuse std::time::Instant as Clock;\nfn f() { std::fs::read(\"a::b\"); }";
    let expected = [
        "crate::model::JobId",
        "crate::model::Now",
        "crate::agent",
        "std::time::Instant",
        "std::fs::read",
    ];
    assert_eq!(written(source), expected);
}

#[test]
fn comments_strings_and_characters_name_no_path() {
    let source = "// a::b\n/* c::d /* e::f */ */ let x = r#\"g::h\"#; let y = ('\"', '\\'', b\"i::j\"); fn k<'a>() -> l::m {}";
    assert_eq!(written(source), ["l::m"]);
    let captures = "fn f() -> impl T + use<> { a::b; } fn g() -> impl T + use<'a> { c::d }";
    assert_eq!(written(captures), ["a::b", "c::d"]);
}

#[test]
fn a_path_knows_its_line() {
    assert_eq!(paths("\n\nuse a::b;")[0].line, 3);
}
