//! `--watch`, and tables on a terminal: `script` of util-linux makes the terminal.

use crate::support::fake_api::{FakeApi, Say};
use crate::support::program::{Ended, Program};
use crate::support::wait;
use serde_json::{Value, json};

fn list(state: &str) -> Value {
    json!({ "NextToken": "", "Items": [{
        "ID": "j-01a21056-5bdc-7b46-aead-e5bdb30df5b3", "Name": "nightly", "Type": "service", "State": { "StateType": state },
        "CreateTime": 1_748_779_200_123_000_000_i64,
        "Tasks": [{ "Engine": { "Params": { "Image": "docker.io/library/alpine:3.20.3-of-some-day" } } }],
    }]})
}

/// On a terminal of 80 columns and 6 rows.
fn on_a_terminal(command: &str, api: &FakeApi) -> Ended {
    let script = format!(
        "stty cols 80 rows 6; exec {} {command}",
        env!("CARGO_BIN_EXE_codling")
    );
    Program::other("/usr/bin/script", &["-qec", &script, "/dev/null"])
        .env("PATH", "/usr/bin:/bin")
        .api(api.addr)
        .run()
}

#[test]
fn a_watched_list_is_a_line_for_each_change_and_ends_well_on_an_interrupt() {
    for (signal, flags) in [
        (
            rustix::process::Signal::INT,
            &["job", "list", "--watch"][..],
        ),
        (
            rustix::process::Signal::TERM,
            &["job", "executions", "j-1", "--watch", "--json"],
        ),
    ] {
        let mut asked = 0;
        let api = FakeApi::start(move |_| {
            asked += 1;
            match asked {
                1 | 2 => Say::Json(200, list("Running")),
                3 => Say::HangUp,
                _ => Say::Json(200, list("Completed")),
            }
        });
        let running = Program::new(flags).api(api.addr).start();
        running.says("the node answers again");
        wait::until("the last change is shown", || {
            running
                .out()
                .contains("Completed")
                .then_some(())
                .ok_or_else(|| running.out())
        });
        running.signal(signal);
        let ended = running.ended();
        assert_eq!(ended.code, 0, "{}", ended.err);
        let lines = ended.out.lines().count();
        let expected = if flags.contains(&"--json") { 2 } else { 3 };
        assert_eq!(lines, expected, "{}", ended.out);
        assert!(!ended.out.contains('\x1b'), "{:?}", ended.out);
    }
}

#[test]
fn watched_nodes_are_a_line_for_each_change() {
    let nodes = |status: &str| {
        json!({ "Nodes": [{ "Membership": status, "Info": {
            "NodeID": "12D3KooWJsEZUE9kCrzo5giyzaHMmwHTZH4TACCrcpbKzuVW6PQ6", "Labels": { "name": "pi" },
        } }, { "Membership": "PENDING", "Info": { "NodeID": "12D3nameless", "Labels": { "name": "12D3nameless" } } }] })
    };
    let mut asked = 0;
    let api = FakeApi::start(move |_| {
        asked += 1;
        Say::Json(200, nodes(if asked < 3 { "PENDING" } else { "APPROVED" }))
    });
    let running = Program::new(&["node", "list", "--watch"])
        .api(api.addr)
        .start();
    wait::until("the change is shown", || {
        let out = running.out();
        if out.contains("APPROVED") {
            Ok(())
        } else {
            Err(out)
        }
    });
    running.signal(rustix::process::Signal::INT);
    let ended = running.ended();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.out.lines().count(), 4, "{}", ended.out);
    assert_eq!(
        ended.out.matches("12D3nameless").count(),
        1,
        "{}",
        ended.out
    );
}

#[test]
fn a_watch_without_a_node_ends_as_a_list_does() {
    let ended = Program::new(&["job", "list", "--watch", "--api-port", "1"]).run();
    assert_eq!(ended.code, 1);
    assert!(
        ended.err.contains("start one with: codling serve"),
        "{}",
        ended.err
    );
}

#[test]
fn nodes_are_cut_to_the_terminal_and_their_ids_never() {
    let id = "12D3KooWJsEZUE9kCrzo5giyzaHMmwHTZH4TACCrcpbKzuVW6PQ6";
    let api = FakeApi::start(move |_| {
        Say::Json(
            200,
            json!({ "Nodes": [{ "Membership": "APPROVED", "Info": {
            "NodeID": id, "Labels": { "name": "a-name-of-many-letters" },
            "Codling": { "Conditions": [{ "Code": "engine_away" }, { "Code": "under_voltage" }] },
        } }] }),
        )
    });
    let ended = on_a_terminal("node list", &api);
    assert!(ended.out.contains(id), "{}", ended.out);
    assert!(ended.out.contains("..."), "{}", ended.out);
    let piped = Program::new(&["node", "list"]).api(api.addr).run();
    assert!(
        piped.out.contains("engine_away under_voltage"),
        "{}",
        piped.out
    );
}

#[test]
fn a_table_is_cut_to_its_terminal_and_whole_elsewhere() {
    let api = FakeApi::start(|_| Say::Json(200, list("Running")));
    let ended = on_a_terminal("job list", &api);
    assert_eq!(ended.code, 0, "{}", ended.out);
    for line in ended.out.lines() {
        assert!(line.trim_end().chars().count() <= 80, "{line:?}");
    }
    assert!(
        ended.out.contains("e5bdb30df5b3"),
        "the id is whole: {}",
        ended.out
    );
    assert!(ended.out.contains("..."), "{}", ended.out);
    let piped = Program::new(&["job", "list"]).api(api.addr).run();
    assert!(
        piped
            .out
            .contains("docker.io/library/alpine:3.20.3-of-some-day"),
        "{}",
        piped.out
    );
}

#[test]
fn a_watched_list_is_redrawn_in_place_on_a_terminal() {
    let api = FakeApi::start(|_| Say::Json(200, list("Running")));
    let script = format!(
        "stty cols 80 rows 6; exec timeout -s INT 3 {} job list --watch",
        env!("CARGO_BIN_EXE_codling")
    );
    let ended = Program::other("/usr/bin/script", &["-qec", &script, "/dev/null"])
        .env("PATH", "/usr/bin:/bin")
        .api(api.addr)
        .run();
    assert_eq!(
        ended.out.matches("\x1b[H").count(),
        1,
        "what did not change is not drawn again: {:?}",
        ended.out
    );
    assert!(
        (2..=5).contains(&api.asked().len()),
        "one request a second: {}",
        api.asked().len()
    );
}
