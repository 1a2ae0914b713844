//! The real `bacalhau` CLI v1.9.3, on a home of its own, against the real node and a real engine.

use crate::support::bacalhau::Bacalhau;
use crate::support::engines::Real;
use crate::support::http;
use crate::support::jobs::IMAGE;
use crate::support::node::TestNode;
use crate::support::wait;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn start(dir: &tempfile::TempDir) -> (TestNode, Bacalhau) {
    let socket = Real::Podman.socket().display().to_string();
    let node = TestNode::start(&dir.path().join("data"), &[("engine-socket", &socket)]);
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    let cli = Bacalhau::at(&home, node.api);
    (node, cli)
}

#[test]
fn on_a_fresh_home_it_logs_in_by_itself_and_runs_a_job_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (node, cli) = start(&dir);
    let version = cli.json(&["agent", "version", "--output", "json"]);
    assert!(
        version["GitVersion"]
            .as_str()
            .is_some_and(|version| version.starts_with("v1.9.3+codling.")),
        "{version:#}"
    );
    let ran = cli.run(&[
        "docker",
        "run",
        IMAGE,
        "--",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 3",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("Job submitted") && ran.out.contains("Completed with exit code 3"),
        "{ran:?}"
    );
    let jobs = cli.json(&["job", "list", "--output", "json"]);
    assert_eq!(jobs.as_array().map(Vec::len), Some(1), "{jobs:#}");
    let id = jobs[0]["ID"].as_str().unwrap();
    assert_eq!(jobs[0]["State"]["StateType"], "Completed");

    let described = cli.run(&["job", "describe", &id[..10]]);
    for said in [id, "Completed", "Standard Output", "out", "err"] {
        assert!(described.out.contains(said), "{said}: {described:?}");
    }
    let executions = cli.json(&["job", "executions", id, "--output", "json"]);
    assert_eq!(
        executions[0]["ComputeState"]["StateType"], 9,
        "{executions:#}"
    );
    assert_eq!(executions[0]["RunOutput"]["ExitCode"], 3);
    let set_aside = &executions[0]["AllocatedResources"]["Tasks"]["main"];
    assert!(
        set_aside["CPU"].is_number() && set_aside["Memory"].is_number(),
        "{executions:#}"
    );
    assert_eq!(executions[0]["NodeID"], node.id.as_str());
    let history = cli.json(&["job", "history", id, "--output", "json"]);
    let last = history.as_array().and_then(|items| items.last()).unwrap();
    assert_eq!(last["Event"]["Message"], "Completed", "{history:#}");
}

#[test]
fn it_stops_a_running_job_and_is_told_that_an_ended_one_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (node, cli) = start(&dir);
    let id = cli.submit(&["--wait=false", IMAGE, "--", "sleep", "300"]);
    node.running(&id);
    let stopped = cli.run(&["job", "stop", &id]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    let ended = node.ended(&id);
    assert_eq!(ended["Job"]["State"]["StateType"], "Stopped", "{ended:#}");
    let again = cli.run(&["job", "stop", &id]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.says("terminal state"), "{again:?}");
}

#[test]
fn it_lists_and_describes_this_node_and_its_peer() {
    let dir = tempfile::tempdir().unwrap();
    let (node, cli) = start(&dir);
    let other = tempfile::tempdir().unwrap();
    let peer = TestNode::start(other.path(), &[("peer", &node.peer_address())]);
    node.connected_to(&peer.id);
    let list = cli.json(&["node", "list", "--output", "json"]);
    let rows: Vec<(&str, &str, &str)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["Info"]["NodeID"].as_str().unwrap(),
                row["Membership"].as_str().unwrap(),
                row["Connection"].as_str().unwrap(),
            )
        })
        .collect();
    let mut expected = [
        (node.id.as_str(), "APPROVED", "CONNECTED"),
        (peer.id.as_str(), "PENDING", "CONNECTED"),
    ];
    expected.sort_unstable();
    assert_eq!(rows, expected);
    for row in list.as_array().unwrap() {
        let state = &row["ConnectionState"];
        for time in ["ConnectedSince", "LastHeartbeat"] {
            let year = state[time].as_str().unwrap().split('-').next().unwrap();
            assert!(year.parse::<u32>().unwrap() >= 2026, "{time}: {list:#}");
        }
    }
    let table = cli.run(&["node", "list", "--no-style"]);
    assert!(table.out.contains("APPROVED"), "{table:?}");
    let approved = cli.json(&[
        "node",
        "list",
        "--filter-approval",
        "approved",
        "--output",
        "json",
    ]);
    assert_eq!(approved.as_array().map(Vec::len), Some(1), "{approved:#}");
    let described = cli.run(&["node", "describe", &peer.id]);
    assert_eq!(described.code, 0, "{described:?}");
    assert!(described.out.contains(&peer.id), "{described:?}");
    let config = cli.run(&["agent", "config"]);
    assert!(
        config
            .out
            .contains(&format!("DataDir: {}", dir.path().join("data").display())),
        "{config:?}"
    );
}

#[test]
fn a_token_of_another_time_is_no_reason_to_turn_a_user_away() {
    let dir = tempfile::tempdir().unwrap();
    let (node, cli) = start(&dir);
    assert_eq!(cli.run(&["node", "list"]).code, 0);
    let tokens = dir.path().join("home/.bacalhau/tokens.json");
    let stored: Value = serde_json::from_slice(&fs::read(&tokens).unwrap()).unwrap();
    let token = stored[format!("http://{}", node.api)].as_str().unwrap();
    assert!(token.starts_with("codling-"), "{stored}");
    let stale = fs::read_to_string(&tokens).unwrap().replace(token, "stale");
    fs::write(&tokens, stale).unwrap();
    assert_eq!(cli.run(&["node", "list"]).code, 0);
    assert!(fs::read_to_string(&tokens).unwrap().contains("stale"));
}

#[test]
fn a_node_that_asks_for_a_token_takes_it_from_the_variable_and_refuses_without() {
    let dir = tempfile::tempdir().unwrap();
    let token = "a-token-for-this-test-alone";
    let file = dir.path().join("token");
    fs::write(&file, token).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.display().to_string();
    let node = TestNode::start(&dir.path().join("data"), &[("api-token-file", &file)]);
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    let cli = Bacalhau::at(&home, node.api);
    let without = cli.run(&["node", "list"]);
    assert_eq!(without.code, 1, "{without:?}");
    let wrong = cli.run_with(&["node", "list"], &[("BACALHAU_API_KEY", "wrong")]);
    assert!(wrong.code == 1 && wrong.says("unauthorized"), "{wrong:?}");
    let right = cli.run_with(&["node", "list"], &[("BACALHAU_API_KEY", token)]);
    assert_eq!(right.code, 0, "{right:?}");
    // A user without the token can still see that the node lives.
    assert_eq!(cli.run(&["agent", "version"]).code, 0);
    let methods = http::request(node.api, "GET", "/api/v1/auth", None).unwrap();
    assert_eq!(methods.body["Methods"], serde_json::json!({}));
}

#[test]
fn it_shows_and_follows_what_a_job_prints_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (node, cli) = start(&dir);
    let script = "echo first; echo aside >&2; sleep 1; echo last";
    let id = cli.submit(&["--wait=false", IMAGE, "--", "sh", "-c", script]);
    // It follows from before the container runs to its end, and the close is a clean one: exit code 0.
    let followed = cli.run(&["job", "logs", "--follow", &id]);
    assert_eq!(followed.code, 0, "{followed:?}");
    for line in ["first\n", "aside\n", "last\n"] {
        assert!(followed.out.contains(line), "{line:?}: {followed:?}");
    }
    node.ended(&id);
    let afterwards = cli.run(&["job", "logs", &id]);
    assert_eq!(afterwards.code, 0, "{afterwards:?}");
    assert!(
        afterwards.out.contains("first\n") && afterwards.out.contains("last\n"),
        "{afterwards:?}"
    );
    let unknown = cli.run(&["job", "logs", "j-nosuch"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.says("job not found"), "{unknown:?}");
    let ran = cli.run(&[
        "docker",
        "run",
        "--follow",
        IMAGE,
        "--",
        "echo",
        "printed-by-the-job",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("printed-by-the-job"), "{ran:?}");
}

#[test]
fn it_compares_a_file_with_the_job_of_its_name_and_runs_a_version_again() {
    let dir = tempfile::tempdir().unwrap();
    let (node, cli) = start(&dir);
    let file = dir.path().join("job.yaml");
    let path = file.display().to_string();
    let write = |said: &str| {
        let engine = format!(
            "{{Type: docker, Params: {{Image: \"{IMAGE}\", Parameters: [\"echo\", \"{said}\"]}}}}"
        );
        let job =
            format!("Name: compared\nType: batch\nTasks: [{{Name: main, Engine: {engine}}}]\n");
        fs::write(&file, job).unwrap();
    };
    write("one");
    let submitted = cli.run(&["job", "run", "--id-only", "--wait=false", &path]);
    assert_eq!(submitted.code, 0, "{submitted:?}");
    let id = submitted.out.lines().last().unwrap().to_owned();
    node.ended(&id);
    let same = cli.run(&["job", "run", "--dry-run", &path]);
    assert!(same.code == 0 && same.says("No diff detected"), "{same:?}");
    write("two");
    let changed = cli.run(&["job", "run", "--dry-run", &path]);
    assert_eq!(changed.code, 0, "{changed:?}");
    for line in [
        "- Tasks[0].Engine.Params.Parameters[1]: \"one\"",
        "+ Tasks[0].Engine.Params.Parameters[1]: \"two\"",
    ] {
        assert!(changed.out.contains(line), "{line}: {changed:?}");
    }
    let again = cli.run(&["job", "rerun", "--id-only", "--wait=false", "compared"]);
    assert!(again.code == 0 && again.out.contains(&id), "{again:?}");
    let versions = cli.json(&["job", "versions", &id, "--output", "json"]);
    assert_eq!(versions.as_array().map(Vec::len), Some(2), "{versions:#}");
}

#[test]
fn it_runs_shows_and_stops_a_service() {
    let dir = tempfile::tempdir().unwrap();
    let (node, cli) = start(&dir);
    let file = dir.path().join("service.yaml");
    let engine = format!(
        "{{Type: docker, Params: {{Image: \"{IMAGE}\", Parameters: [sh, -c, \"echo up; sleep 1; exit 3\"]}}}}"
    );
    let job =
        format!("Name: kept\nType: service\nCount: 1\nTasks: [{{Name: main, Engine: {engine}}}]\n");
    fs::write(&file, job).unwrap();
    // It waits until the service runs, not until it ends.
    let submitted = cli.run(&["job", "run", &file.display().to_string()]);
    assert_eq!(submitted.code, 0, "{submitted:?}");
    let jobs = cli.json(&["job", "list", "--output", "json"]);
    assert_eq!(jobs[0]["Type"], "service", "{jobs:#}");
    assert_eq!(jobs[0]["State"]["StateType"], "Running", "{jobs:#}");
    let id = jobs[0]["ID"].as_str().unwrap();
    let executions = || cli.json(&["job", "executions", id, "--output", "json"]);
    // Its container ends by itself, and another one takes its place.
    wait::until("it is started again", || {
        let seen = executions();
        let states = seen.as_array().into_iter().flatten();
        let states: Vec<_> = states
            .map(|one| one["ComputeState"]["StateType"].as_u64())
            .collect();
        let is_again = states.contains(&Some(9)) && states.contains(&Some(6));
        if is_again { Ok(()) } else { Err(seen) }
    });
    let described = cli.run(&["job", "describe", id]);
    for said in [id, "service", "Running", "kept"] {
        assert!(described.out.contains(said), "{said}: {described:?}");
    }
    let table = cli.run(&["job", "list", "--no-style"]);
    assert!(
        table.out.contains("service") && table.out.contains("Running"),
        "{table:?}"
    );
    let stopped = cli.run(&["job", "stop", id]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    let ended = node.ended(id);
    assert_eq!(ended["Job"]["State"]["StateType"], "Stopped", "{ended:#}");
    Real::Podman.until_no_container_of(&node.id);
    let described = cli.run(&["job", "describe", id]);
    assert!(described.out.contains("Stopped"), "{described:?}");
}
