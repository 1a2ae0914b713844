//! A node that asks for a token: started with a token file, driven by the real client.

use crate::support::program::{Program, serve};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn token_file(dir: &Path, text: &str, mode: u32) -> String {
    let path = dir.join("token");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}

#[test]
fn a_node_with_a_token_file_serves_those_who_show_the_token_and_logs_it_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let file = token_file(dir.path(), TOKEN, 0o600);
    let flags = ["--api-token-file", file.as_str(), "--log-level", "trace"];
    let node = serve(&dir.path().join("data"), &flags).start();
    let api = node.api();
    let list = |token: Option<&str>| {
        let program = Program::new(&["job", "list"]).api(api);
        match token {
            Some(token) => program.env("BACALHAU_API_KEY", token),
            None => program,
        }
        .run()
    };
    let without = list(None);
    assert_eq!(without.code, 1, "{without:?}");
    assert!(
        without.err.contains("carries no token") && without.err.contains("BACALHAU_API_KEY"),
        "{without:?}"
    );
    let wrong = list(Some("0123456789abcdef0123456789abcdeX"));
    assert!(wrong.err.contains("not this node's"), "{wrong:?}");
    let right = list(Some(TOKEN));
    assert_eq!(right.code, 0, "{right:?}");
    let said = node.err() + &without.err + &wrong.err + &right.err;
    assert!(said.contains("--api-token-file"), "{said}");
    assert!(
        !said.contains("0123456789abcdef"),
        "a token is logged: {said}"
    );
}

#[test]
fn a_token_file_that_cannot_be_used_is_told_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for (text, mode, said) in [
        ("", 0o600, "is empty"),
        ("short", 0o600, "too short: 5 < 16"),
        (TOKEN, 0o644, "open to others: mode 644"),
    ] {
        let file = token_file(dir.path(), text, mode);
        let data = dir.path().join("data");
        // Others may reach it, and that is fine with a token: only the file is wrong.
        let flags = ["--api-host", "0.0.0.0", "--api-token-file", &file];
        let ended = serve(&data, &flags).run();
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.err.contains(said), "{said}: {ended:?}");
        assert!(!ended.err.contains(TOKEN), "{ended:?}");
        assert!(!data.exists(), "something was written");
    }
}
