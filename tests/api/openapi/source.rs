//! What the source of `src/api` says of routes, parameters and fields.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/api")
        .join(name)
}

/// A file without its comments and tests.
fn text(path: &std::path::Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn routes_text() -> String {
    text(&folder("routes").join("mod.rs"))
}

/// The identifier that `text` begins with.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Every path with the name of its route, from the arms of `Route::find`.
pub(super) fn routes() -> Vec<(String, String)> {
    let text = routes_text();
    let arms = text
        .split("match segments.as_slice()")
        .nth(1)
        .and_then(|rest| rest.split("_ => None").next())
        .expect("the arms of Route::find");
    let mut routes = Vec::new();
    for arm in arms.split("[\"").skip(1) {
        let (pattern, rest) = arm.split_once("] =>").expect("an arm");
        let route = rest.split_once("Self::").expect("a route").1;
        let pattern = format!("\"{pattern}");
        let mut paths = vec![String::new()];
        for segment in pattern.split(',') {
            let words: Vec<String> = segment.split('|').map(segment_word).collect();
            paths = paths
                .iter()
                .flat_map(|path| words.iter().map(move |word| format!("{path}/{word}")))
                .collect();
        }
        let route = identifier(route);
        routes.extend(paths.into_iter().map(|path| (path, route.to_owned())));
    }
    assert!(routes.len() > 10, "{routes:?}");
    routes
}

/// `"jobs"` as it is, `id` as a variable.
fn segment_word(segment: &str) -> String {
    let segment = segment.trim();
    match segment.strip_prefix('"') {
        Some(word) => word.trim_end_matches('"').to_owned(),
        None => format!("{{{segment}}}"),
    }
}

/// Each route with each module that answers it, from the dispatch.
pub(super) fn handlers() -> Vec<(String, String)> {
    let text = routes_text();
    let dispatch = text
        .split("async fn dispatch")
        .nth(1)
        .expect("the dispatch");
    let mut handlers = Vec::new();
    for arm in dispatch.split("Route::").skip(1) {
        // The first `module::` of the arm, if it has one.
        let module = arm
            .match_indices("::")
            .map(|(at, _)| {
                let before = &arm[..at];
                let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_');
                &before[start.map_or(0, |start| start + 1)..]
            })
            .find(|module| !files_of(module).is_empty());
        if let Some(module) = module {
            handlers.push((identifier(arm).to_owned(), module.to_owned()));
        }
    }
    handlers
}

/// The files of a module of routes: one, or all of its folder.
fn files_of(module: &str) -> Vec<PathBuf> {
    let file = folder("routes").join(format!("{module}.rs"));
    if file.exists() {
        return vec![file];
    }
    let files = fs::read_dir(folder("routes").join(module))
        .into_iter()
        .flatten();
    files.map(|file| file.expect("a file").path()).collect()
}

/// The files of all handlers.
pub(super) fn handler_files() -> BTreeSet<String> {
    handlers().into_iter().map(|(_, file)| file).collect()
}

/// Names of query parameters and headers that a module of routes reads.
pub(super) fn parameters_of(file: &str) -> BTreeSet<String> {
    // Without blanks, so that it does not matter where lines break.
    let text: String = match file {
        "mod" => routes_text(),
        module => files_of(module).iter().map(|file| text(file)).collect(),
    }
    .split_whitespace()
    .collect();
    let mut names = BTreeSet::new();
    for start in [
        "query.text(\"",
        "query.flag(\"",
        "query.number(\"",
        "query.all(\"",
        "query.has(\"",
        "(query,\"",
        "headers.get(\"",
    ] {
        for (at, _) in text.match_indices(start) {
            let rest = &text[at + start.len()..];
            names.insert(rest.split('"').next().unwrap_or_default().to_owned());
        }
    }
    names
}

/// What these files read, with what every route reads and what other files read for them.
pub(super) fn parameters_read(files: &[&str]) -> BTreeSet<String> {
    // `mod` reads what every route takes; the others read versions and namespaces for their neighbours.
    files
        .iter()
        .copied()
        .chain(["mod", "history", "find", "job"])
        .flat_map(parameters_of)
        .collect()
}

/// Fields of request bodies that the code reads: the words in the files that read bodies.
pub(super) fn fields_read() -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for (name, file) in ["wire", "routes"].iter().flat_map(|name| {
        let files = fs::read_dir(folder(name)).expect("a folder");
        files.map(move |file| (*name, file.expect("a file").path()))
    }) {
        if file.is_dir() {
            continue; // what is asked for over a socket comes in its query
        }
        let text = text(&file);
        // Readers of whole documents take `Fields`, readers of small ones ask the JSON itself.
        let words: Vec<&str> = if name == "wire" && text.contains("&Fields<") {
            text.split('"').skip(1).step_by(2).collect()
        } else if name == "routes" {
            [
                "request.get(\"",
                "body.get(\"",
                "text_of(body, \"",
                "text_of(&body, \"",
                "bytes(&request, \"",
                "bytes(&data, \"",
            ]
            .iter()
            .flat_map(|start| {
                text.match_indices(start)
                    .map(|(at, _)| &text[at + start.len()..])
            })
            .filter_map(|rest| rest.split('"').next())
            .collect()
        } else {
            continue;
        };
        fields.extend(
            words
                .into_iter()
                .filter(|word| is_field(word))
                .map(str::to_owned),
        );
    }
    // The answer to a challenge is a document inside a field.
    for inner in ["PhraseSignature", "PublicKey"] {
        assert!(fields.remove(inner), "{inner}");
    }
    fields
}

fn is_field(word: &str) -> bool {
    word.len() > 1
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
        && (word.starts_with(|c: char| c.is_ascii_uppercase()) || word == "reason")
}
