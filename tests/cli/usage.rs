//! Command lines that cannot be read: exit code 2, one message, one hint.

use crate::support::program::Program;

#[test]
fn a_bad_command_line_ends_with_2_and_says_what_to_write() {
    let bad = [
        (
            &["serv"][..],
            "\"codling serv\" is not a command",
            "did you mean codling serve?",
        ),
        (
            &["xyzzy"],
            "\"codling xyzzy\" is not a command",
            "codling --help",
        ),
        (
            &["job", "lst"],
            "\"codling job lst\" is not a command",
            "did you mean codling job list?",
        ),
        (
            &["help", "runn"],
            "\"codling runn\" is not a command",
            "did you mean codling run?",
        ),
        (
            &["serve", "--api-prot", "1"],
            "has no flag --api-prot",
            "did you mean --api-port?",
        ),
        (
            &["serve", "--datadir=/x"],
            "has no flag --datadir",
            "did you mean --data-dir?",
        ),
        (
            &["serve", "--frobnicate"],
            "has no flag --frobnicate",
            "codling serve --help",
        ),
        (
            &["serve", "-p", "1"],
            "has no flag -p",
            "codling serve --help",
        ),
        (
            &["serve", "--api-port"],
            "flag --api-port needs a value: PORT",
            "write --api-port PORT",
        ),
        (
            &["run"],
            "\"codling run\" needs IMAGE",
            "codling run --help",
        ),
        (
            &["job", "describe"],
            "needs JOB",
            "codling job describe --help",
        ),
        (
            &["job", "list", "x"],
            "does not know what to do with \"x\"",
            "codling job list --help",
        ),
        (
            &["serve", "now"],
            "does not know what to do with \"now\"",
            "codling serve --help",
        ),
        (
            &["--json", "job", "list"],
            "flag --json comes before the command",
            "codling COMMAND --json",
        ),
        (
            &["job", "list", "--json=1"],
            "flag --json takes no value, but \"1\"",
            "write --json alone",
        ),
        (
            &["run", "--name", "a", "--name=b", "i"],
            "flag --name is given more than once",
            "keep one",
        ),
        (
            &["job", "list", "--limit", "0"],
            "flag --limit: \"0\" is not valid; use a whole number",
            "leave it out",
        ),
        (
            &["run", "--timeout", "90", "i"],
            "flag --timeout: \"90\" is not valid; use a duration",
            "add a unit: 90s",
        ),
        (
            &["run", "--timeout", "0s", "i"],
            "flag --timeout: \"0s\" is not valid",
            "leave it out",
        ),
        (
            &["run", "--timeout", "500ms", "i"],
            "flag --timeout: \"500ms\" is not valid; use whole seconds",
            "write 1s",
        ),
        (
            &["run", "--cpu", "0", "i"],
            "flag --cpu: \"0\" is not valid; use more than 0",
            "leave it out to take the node's default",
        ),
        (
            &["run", "--memory", "0 mb", "i"],
            "flag --memory: \"0 mb\" is not valid; use more than 0",
            "leave it out",
        ),
        (
            &["run", "--count", "0", "i"],
            "flag --count: \"0\" is not valid; use a whole number from 1 to 1000",
            "leave it out",
        ),
        (
            &["run", "--workdir", "srv", "i"],
            "flag --workdir: \"srv\" is not valid; use a path inside the container",
            "for instance /srv",
        ),
        (
            &["run", "--json", "--id-only", "i"],
            "flags --json and --id-only are given together",
            "keep --json or --id-only",
        ),
        (
            &["run", "--env", "X", "i"],
            "flag --env: \"X\" is not valid; use KEY=VALUE",
            "for instance",
        ),
        (
            &["run", "--label", "=x", "i"],
            "flag --label: \"=x\" is not valid",
            "for instance",
        ),
        (
            &["run", "--cpu", "much", "i"],
            "flag --cpu: \"much\" is not valid; use cores",
            "leave it out",
        ),
        (
            &["run", "--memory", "1xb", "i"],
            "flag --memory: \"1xb\" is not valid; use bytes",
            "leave it out",
        ),
        (
            &["job", "list", "--api-port", "x"],
            "flag --api-port: \"x\" is not valid; use a port",
            "hint: ",
        ),
        (
            &["job", "list", "--api-host", "https://x"],
            "flag --api-host: \"https://x\" is not valid",
            "plain HTTP",
        ),
    ];
    for (args, message, hint) in bad {
        let ended = Program::new(args).run();
        assert_eq!(ended.code, 2, "{args:?}: {}", ended.err);
        assert_eq!(ended.out, "", "{args:?}");
        let mut lines = ended.err.lines();
        let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
        assert!(first.starts_with("codling: "), "{args:?}: {first}");
        assert!(first.contains(message), "{args:?}: {first}");
        assert!(second.starts_with("hint: "), "{args:?}: {second}");
        assert!(second.contains(hint), "{args:?}: {second}");
        assert_eq!(lines.next(), None, "{args:?}");
    }
}

#[test]
fn without_a_command_the_page_is_shown_and_the_code_is_2() {
    for args in [&[][..], &["job"], &["image"]] {
        let ended = Program::new(args).run();
        assert_eq!(ended.code, 2, "{args:?}");
        assert!(ended.err.contains("Commands:"), "{}", ended.err);
        assert!(ended.err.contains("no command is given"), "{}", ended.err);
    }
}

#[test]
fn a_word_that_is_not_utf8_is_refused_by_its_place() {
    use std::os::unix::ffi::OsStrExt;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_codling"))
        .args(["job", "describe"])
        .arg(std::ffi::OsStr::from_bytes(b"j-\xff"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(err.contains("argument 3 is not UTF-8"), "{err}");
}

#[test]
fn a_bad_setting_of_serve_ends_with_2_before_anything_is_written_or_bound() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("node");
    let dir_text = dir.display().to_string();
    let bad = [
        (
            &["--api-port", "abc"][..],
            "flag --api-port: \"abc\" is not valid",
        ),
        (
            &["--port=1234"],
            "--api-port and --port are both 1234 (default; flag --port)",
        ),
        (&["--api-host", "0.0.0.0"], "or --api-open"),
        (
            &["--peer", "/ip4/192.0.2.1"],
            "flag --peer: \"/ip4/192.0.2.1\" is not valid",
        ),
        (&["--image-pull", "always"], "use missing or never"),
        (
            &["--port", "1", "--swarm-port", "2"],
            "flag --port is given more than once: \"1\", then \"2\"",
        ),
        (
            &["--api-open=perhaps"],
            "flag --api-open: \"perhaps\" is not valid; use true or false",
        ),
    ];
    for (flags, message) in bad {
        let mut args = vec!["serve", "--data-dir", &dir_text];
        args.extend(flags);
        let ended = Program::new(&args).run();
        assert_eq!(ended.code, 2, "{flags:?}: {}", ended.err);
        assert!(ended.err.contains(message), "{flags:?}: {}", ended.err);
        assert!(ended.err.contains("\nhint: "), "{flags:?}: {}", ended.err);
        assert_eq!(ended.err.lines().count(), 2, "{flags:?}: {}", ended.err);
        assert!(!dir.exists(), "{flags:?}");
    }
}

#[test]
fn a_bad_variable_ends_with_2_and_is_named() {
    for (name, value) in [
        ("CODLING_API_PORT", "abc"),
        ("BACALHAU_API_PORT", "abc"),
        ("DOCKER_HOST", "tcp://127.0.0.1:1"),
        ("LOG_LEVEL", "loud"),
    ] {
        let ended = Program::new(&["serve", "--data-dir", "/nonexistent/x"])
            .env(name, value)
            .run();
        assert_eq!(ended.code, 2, "{name}: {}", ended.err);
        assert!(
            ended.err.starts_with(&format!(
                "codling: variable {name}: \"{value}\" is not valid; use "
            )),
            "{}",
            ended.err
        );
    }
}
