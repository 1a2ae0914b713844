//! Every command in the README is run, and what it prints is what stands there.
//!
//! | In the README | Here |
//! |---|---|
//! | `scripts/quickstart` | run whole on the binary under test; with `--full` as it stands, with its release build |
//! | `scripts/test` | is what runs this; its `--help` is asked |
//! | `$ codling ...` and shell lines in the other blocks | run in one shell: a real node, a private engine, its own HOME |
//! | `$ codling node describe` | on a second node, without an engine; its facts are another board's, so the fields are compared |
//! | commands within sentences | scripts exist and answer `--help`; commands and their flags are in their help page |
//! | commands indented by four | as those within sentences: they open a node to the network |
//!
//! Ids, numbers and paths of one run are masked before lines are compared.

use crate::support::board;
use crate::support::engines::Real;
use crate::support::program::Program;
use crate::support::wait;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Commands that open a node to the network or need one's password: not for a test run, so only looked up.
const LOOKED_UP_ONLY: [&str; 2] = ["scripts/test", "scripts/quickstart"];

fn readme() -> String {
    std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap()
}

/// A command and the lines that stand below it.
#[derive(Clone, Debug)]
struct Typed {
    command: String,
    shown: Vec<String>,
}

/// The console blocks, each a list of commands.
fn blocks(text: &str) -> Vec<Vec<Typed>> {
    let mut blocks = Vec::new();
    let mut block: Option<Vec<Typed>> = None;
    for line in text.lines() {
        match (&mut block, line) {
            (None, "```console") => block = Some(Vec::new()),
            (Some(typed), "```") => {
                blocks.push(std::mem::take(typed));
                block = None;
            }
            (Some(typed), line) => match line.strip_prefix("$ ") {
                Some(command) => typed.push(Typed {
                    command: command.to_owned(),
                    shown: Vec::new(),
                }),
                None => {
                    let last = typed.last_mut().expect("a block begins with a command");
                    last.shown.push(line.to_owned());
                }
            },
            (None, _) => {}
        }
    }
    blocks
}

/// Ids and paths of one run.
fn without_ids(line: &str) -> String {
    let word = |word: &str| -> String {
        if word.starts_with("j-") {
            return "JOB".to_owned();
        }
        if word.starts_with("/tmp/") {
            return "PATH".to_owned();
        }
        if word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return "CONTAINER".to_owned();
        }
        match word.find("12D3KooW") {
            Some(start) => {
                let rest = &word[start..];
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric())
                    .unwrap_or(rest.len());
                format!("{}NODE{}", &word[..start], &rest[end..])
            }
            None => word.to_owned(),
        }
    };
    line.split_whitespace()
        .map(word)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Numbers too: ports, sizes, times.
fn masked(line: &str) -> String {
    let mut text = String::new();
    for letter in without_ids(line).chars() {
        if !letter.is_ascii_digit() {
            text.push(letter);
        } else if !text.ends_with('#') {
            text.push('#');
        }
    }
    text.replace("#.#", "#").replace("seconds", "second")
}

#[test]
fn the_quickstart_prints_what_the_readme_shows() {
    let block = blocks(&readme())
        .into_iter()
        .find(|block| block[0].command == "scripts/quickstart")
        .expect("the README shows the quickstart");
    let is_full = std::env::var_os("CODLING_TEST_FULL").is_some();
    let scratch = tempfile::tempdir().unwrap();
    let mut command = board::calmly(scratch.path(), "scripts/quickstart");
    if !is_full {
        command.args(["--binary", env!("CARGO_BIN_EXE_codling")]);
    }
    let output = command
        .current_dir(ROOT)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{out}{err}");
    let printed: BTreeSet<String> = out.lines().map(masked).collect();
    let mut shown: Vec<String> = block[0].shown.clone();
    for typed in &block[1..] {
        shown.push(format!("$ {}", typed.command));
        shown.extend(typed.shown.iter().cloned());
    }
    let of_the_build =
        |line: &&String| line.starts_with("== Build") || *line == "$ cargo build --release";
    for line in shown.iter().filter(|line| is_full || !of_the_build(line)) {
        assert!(
            printed.contains(&masked(line)),
            "the README shows \"{line}\", the quickstart printed:\n{out}"
        );
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What does not differ from board to board: the names of the fields, and whether there is a hint.
fn fields(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .filter(|line| !line.starts_with(' ') || line.contains("hint: "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

/// The lines of codling's own and those of the job, each in their order: what a job prints is not in step with the news of it.
fn apart(lines: &[String]) -> (Vec<String>, Vec<String>) {
    lines
        .iter()
        .map(|line| without_ids(line))
        .partition(|line| line.starts_with("codling: "))
}

/// A shell with a node's surroundings, in which commands are typed.
struct Shell {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Shell {
    fn start(home: &Path) -> Self {
        let bin = home.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_codling"), bin.join("codling")).unwrap();
        let mut child = board::calmly(home, "/bin/bash")
            .args(["--noprofile", "--norc"])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("HOME", home)
            .env("CODLING_ENGINE_SOCKET", Real::Podman.socket())
            .env("CODLING_SWARM_HOST", "127.0.0.1")
            .env("CODLING_PORT", "0")
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn type_in(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Starts a node with `variables` and waits until it has said `said`.
    fn serve(&mut self, variables: &str, log: &Path, said: [&str; 2]) {
        self.type_in(&format!(
            "{variables} codling serve >{} 2>&1 &",
            log.display()
        ));
        wait::until("the node is ready", || {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let is_ready = said.iter().all(|words| text.contains(words));
            is_ready.then_some(()).ok_or(text)
        });
    }

    /// Runs a command to its end; everything it printed. `$?` stays what it left.
    fn run(&mut self, command: &str) -> Vec<String> {
        self.type_in(&format!(
            "{{ {command}\n}} 2>&1; ended=$?; echo --; (exit $ended)"
        ));
        let mut printed = Vec::new();
        loop {
            let line = self.lines.next().expect("the shell lives").unwrap();
            match line.strip_suffix("--") {
                Some("") => return printed,
                Some(rest) => {
                    printed.push(rest.to_owned());
                    return printed;
                }
                None => printed.push(line),
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.type_in("kill $(jobs -p); wait; exit");
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_typed_in_the_readme_prints_what_stands_below_it() {
    let scratch = tempfile::tempdir().unwrap();
    let mut shell = Shell::start(scratch.path());
    let port = free_port();
    shell.type_in(&format!("export CODLING_API_PORT={port}"));
    let mut is_run = BTreeSet::new();
    for block in blocks(&readme()) {
        if LOOKED_UP_ONLY.contains(&block[0].command.as_str()) {
            continue;
        }
        for typed in block {
            is_run.insert(typed.command.clone());
            match typed.command.as_str() {
                "codling serve" => {
                    let log = scratch.path().join("serve.log");
                    shell.serve("", &log, ["ready; ", " engine "]);
                }
                "codling node describe" => {
                    let (log, port) = (scratch.path().join("second.log"), free_port());
                    let home = scratch.path().join("second");
                    let variables = format!(
                        "HOME={} CODLING_API_PORT={port} CODLING_ENGINE_SOCKET=/nonexistent/engine.sock",
                        home.display()
                    );
                    shell.serve(&variables, &log, ["ready; ", "get one running with"]);
                    let printed =
                        shell.run(&format!("CODLING_API_PORT={port} codling node describe"));
                    assert_eq!(fields(&printed), fields(&typed.shown), "{printed:?}");
                }
                command => {
                    let printed = shell.run(command);
                    assert_eq!(apart(&printed), apart(&typed.shown), "$ {command}");
                }
            }
        }
    }
    assert!(is_run.contains("codling serve"), "{is_run:?}");
    assert!(is_run.len() > 2, "{is_run:?}");
}

/// What stands between backticks, and what is indented by four: a command each.
fn mentioned(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut in_block = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            commands.extend(
                line.strip_prefix("    ")
                    .into_iter()
                    .flat_map(|line| line.split(" && "))
                    .map(str::to_owned),
            );
            prose.push_str(line);
            prose.push('\n');
        }
    }
    commands.extend(
        prose
            .split('`')
            .skip(1)
            .step_by(2)
            .map(|code| code.replace('\n', " ")),
    );
    commands
}

#[test]
fn every_command_that_a_sentence_mentions_exists_with_its_flags() {
    let mut seen = BTreeSet::new();
    for command in mentioned(&readme()) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        let flags = words.iter().filter(|word| word.starts_with("--"));
        if first.starts_with("scripts/") && !first.ends_with('/') {
            let script = PathBuf::from(ROOT).join(first);
            assert!(script.is_file(), "{command}");
            let help = Program::other(&script.display().to_string(), &["--help"])
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .run();
            assert_eq!(help.code, 0, "{first} --help: {}", help.err);
            for flag in flags {
                assert!(help.out.contains(flag), "{command}: {}", help.out);
            }
            seen.insert(first.to_string());
        } else if *first == "codling" && words.len() > 1 {
            let path: Vec<&str> = words[1..]
                .iter()
                .copied()
                .take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
                .collect();
            let page = Program::new(&[&["help"], path.as_slice()].concat()).run();
            assert_eq!(page.code, 0, "{command}: {}", page.err);
            for flag in flags {
                let name = flag.split('=').next().unwrap_or_default();
                assert!(
                    name == "--help" || page.out.contains(name),
                    "{command}: {}",
                    page.out
                );
            }
            seen.insert(format!("codling {}", path.join(" ")));
        }
    }
    for known in [
        "scripts/size",
        "scripts/bench",
        "codling image load",
        "codling serve",
    ] {
        assert!(seen.contains(known), "{known}: {seen:?}");
    }
}
