//! What tests must not do, and what must be there for them.

use std::fs;

use super::source::{files_under, paths, root, tokens};

/// The one place that may pause between two looks at a condition.
const MAY_PAUSE: &str = "tests/support/wait.rs";

/// The first words of golden files that must exist, and what they pin.
const GOLDEN: &[(&str, &str)] = &[
    ("deps-", "the dependency list of a target"),
    ("help", "the help pages"),
];

#[test]
fn tests_are_never_switched_off_and_their_names_are_claims() {
    let mut wrong = Vec::new();
    for dir in ["src", "tests"] {
        for file in files_under(dir, ".rs") {
            let tokens = tokens(&file.text);
            for window in tokens.windows(3) {
                let [first, second, third] = window else {
                    continue;
                };
                let attribute = first.text == "#" && second.text == "[";
                if attribute && (third.text == "ignore" || third.text == "should_panic") {
                    wrong.push(format!("{}:{}: #[{}]", file.path, first.line, third.text));
                }
                if first.text == "fn" && second.text.starts_with("test_") {
                    wrong.push(format!(
                        "{}:{}: {} is not a claim",
                        file.path, first.line, second.text
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tests_wait_for_a_condition_and_never_sleep() {
    let mut wrong = Vec::new();
    let unit_tests = files_under("src", "tests.rs");
    for file in files_under("tests", ".rs").iter().chain(&unit_tests) {
        if file.path == MAY_PAUSE {
            continue;
        }
        for path in paths(&file.text) {
            if path.contains("thread::sleep") || path.contains("Timer::after") {
                wrong.push(format!(
                    "{}:{}: {}",
                    file.path,
                    path.line,
                    path.segments.join("::")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "sleeping in tests:\n{}", wrong.join("\n"));
}

/// The simulator proves nothing about the agent if it releases outputs by a rule of its own.
#[test]
fn the_simulator_uses_the_gate_of_the_agent_and_has_none_of_its_own() {
    let files = files_under("tests/sim", ".rs");
    if files.is_empty() {
        return;
    }
    let calls_the_gate = files.iter().any(|file| {
        paths(&file.text)
            .iter()
            .any(|path| path.starts_with("codling::agent") && names_gate(&path.segments))
    });
    assert!(calls_the_gate, "tests/sim names no gate of codling::agent");
    let mut wrong = Vec::new();
    for file in &files {
        for pair in tokens(&file.text).windows(2) {
            let defines = matches!(
                pair[0].text.as_str(),
                "fn" | "struct" | "enum" | "trait" | "mod" | "type"
            );
            let name = pair[1].text.to_lowercase();
            if defines && (name.starts_with("release") || name.contains("gate")) {
                wrong.push(format!(
                    "{}:{}: {} {}",
                    file.path, pair[0].line, pair[0].text, pair[1].text
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "release logic in the simulator:\n{}",
        wrong.join("\n")
    );
}

fn names_gate(segments: &[String]) -> bool {
    segments
        .iter()
        .any(|segment| segment.to_lowercase().contains("gate"))
}

#[test]
fn golden_files_exist_and_each_is_read_by_a_test_or_a_script() {
    let names: Vec<String> = fs::read_dir(root().join("tests/golden"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for (prefix, what) in GOLDEN {
        assert!(
            names.iter().any(|name| name.starts_with(prefix)),
            "tests/golden/{prefix}...: {what}"
        );
    }
    let mut readers = files_under("tests", ".rs");
    readers.extend(files_under("scripts", ""));
    for name in names {
        // A family of files (`help-serve.txt`) is read by its first word.
        let family = name.split(['-', '.']).next().unwrap_or(&name).to_owned();
        let read = readers
            .iter()
            .any(|file| file.text.contains("golden") && file.text.contains(&family));
        assert!(read, "tests/golden/{name}: nothing reads it");
    }
}
