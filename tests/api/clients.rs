//! Happy paths, as the CLI, the Python client and a person with curl walk them.

use super::support::{JSON, golden, recorded};
use super::world::{World, completed, job_id, running};
use codling::model::{ApiRequest, JobState};

const JOBS: &str = "/api/v1/orchestrator/jobs";

fn one_live_one_stored() -> World {
    World::default()
        .with_live(running(1))
        .with_stored(running(1))
        .with_stored(completed(2))
}

#[test]
fn every_body_is_pinned_byte_for_byte() {
    let server = one_live_one_stored().serve();
    let (live, stored) = (job_id(1), job_id(2));
    for (name, path) in [
        ("alive", "/api/v1/agent/alive".to_owned()),
        ("job-running", format!("{JOBS}/{live}")),
        (
            "job-completed-with-all",
            format!("{JOBS}/{stored}?include=executions,history"),
        ),
        ("executions", format!("{JOBS}/{stored}/executions?limit=20")),
        (
            "history-running",
            format!("{JOBS}/{live}/history?event_type=all&limit=10"),
        ),
        (
            "history-completed",
            format!("{JOBS}/{stored}/history?event_type=all"),
        ),
        (
            "list",
            format!("{JOBS}?labels=bacalhau_canary%21%3Dtrue&limit=10"),
        ),
        ("not-found", format!("{JOBS}/{}", job_id(9))),
    ] {
        golden(name, &server.get(&path).body);
    }
    let submitted = server.put(JOBS, &recorded("submit-request"));
    golden("submitted", &submitted.body);
    let stopped = server.delete(&format!("{JOBS}/{live}"), r#"{"reason":"enough"}"#);
    golden("stopping", &stopped.body);
    let invalid = server.put(JOBS, r#"{"Job":{"Count":-1}}"#);
    golden("invalid", &invalid.body);
}

#[test]
fn the_version_names_the_api_that_is_spoken_and_who_speaks_it() {
    let server = World::default().serve();
    let reply = server.get("/api/v1/agent/version");
    let version = reply.ok();
    let git = version["GitVersion"].as_str().unwrap();
    assert!(git.starts_with("v1.9.3+codling."), "{git}");
    assert!(git.ends_with(env!("CARGO_PKG_VERSION")), "{git}");
    assert!(reply.headers["server"].starts_with("codling/"));
    assert_eq!(server.asked(), [], "nobody need be asked");
}

#[test]
fn a_node_says_where_its_numbers_come_from() {
    let server = World::default().serve();
    let node = server.get("/api/v1/agent/node").ok();
    assert_eq!(node["NodeType"], "Compute");
    assert_eq!(node["ComputeNodeInfo"]["MaxCapacity"]["CPU"], 3.2);
    assert_eq!(node["ComputeNodeInfo"]["AvailableCapacity"]["CPU"], 2.7);
    assert_eq!(node["Codling"]["CapacityOrigin"], "rule: 80 % of 4 cores");
    assert_eq!(node["Codling"]["Engine"]["Name"], "Podman 4.3.1");
}

#[test]
fn old_addresses_lead_to_the_new_ones() {
    let server = World::default().serve();
    for (from, to) in [
        ("/", "/api/v1/agent/version"),
        ("/version", "/api/v1/agent/version"),
        ("/livez", "/api/v1/agent/alive"),
    ] {
        let reply = server.get(from);
        assert_eq!(
            (reply.status, reply.headers["location"].as_str()),
            (301, to)
        );
    }
}

#[test]
fn head_answers_as_get_without_a_body_and_pretty_breaks_lines() {
    let server = World::default().serve();
    let mut client = server.client();
    let head = client.send("HEAD", "/api/v1/agent/alive", &[], b"");
    let get = client.send("GET", "/api/v1/agent/alive", &[], b"");
    assert_eq!(head.status, 200);
    assert_eq!(
        head.headers["content-length"],
        get.headers["content-length"]
    );
    let pretty = client.send("GET", "/api/v1/agent/alive?pretty", &[], b"");
    assert_eq!(pretty.body, b"{\n  \"Status\": \"OK\"\n}\n");
}

#[test]
fn a_live_job_is_shown_by_the_agent_even_if_the_store_has_an_older_row() {
    let mut older = running(1);
    older.job.state = JobState::Pending;
    let server = World::default()
        .with_live(running(1))
        .with_stored(older)
        .serve();
    let job = server.get(&format!("{JOBS}/{}", job_id(1))).ok();
    assert_eq!(job["Job"]["State"]["StateType"], "Running");
    assert!(job.get("History").is_none() && job.get("Executions").is_none());
}

#[test]
fn a_unique_prefix_is_enough_wherever_the_job_is() {
    let server = one_live_one_stored().serve();
    for n in [1, 2] {
        let prefix = &job_id(n).0[..10];
        let job = server.get(&format!("{JOBS}/{prefix}")).ok();
        assert_eq!(job["Job"]["ID"], job_id(n).0);
    }
}

#[test]
fn a_stop_carries_its_reason_and_works_without_a_body() {
    let server = World::default().with_live(running(1)).serve();
    let path = format!("{JOBS}/{}", job_id(1));
    let reply = server.delete(
        &path,
        r#"{"Namespace":"","Credential":null,"IdempotencyToken":"","reason":"Stopped at user request"}"#,
    );
    assert!(!reply.ok()["EvaluationID"].as_str().unwrap().is_empty());
    server.client().send("DELETE", &path, &[], b"").ok();
    server
        .client()
        .send("DELETE", &format!("{path}?reason=None"), &[JSON], b"{}")
        .ok();
    let reasons: Vec<String> = server
        .asked()
        .into_iter()
        .filter_map(|request| match request {
            ApiRequest::Stop { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, ["Stopped at user request", "", ""]);
}

#[test]
fn stopping_a_stopped_job_is_fine_and_a_completed_one_is_a_conflict() {
    let mut stopped = completed(1);
    stopped.job.state = JobState::Stopped;
    let mut failed = completed(3);
    failed.job.state = JobState::Failed;
    let mut ending = running(4);
    ending.job.state = JobState::Stopped;
    let server = World::default()
        .with_stored(stopped)
        .with_stored(completed(2))
        .with_stored(failed)
        .with_live(ending)
        .serve();
    for n in [1, 4] {
        let reply = server.delete(&format!("{JOBS}/{}", job_id(n)), "{}");
        assert_eq!(reply.ok(), serde_json::json!({"EvaluationID": ""}));
    }
    for n in [2, 3] {
        let reply = server.delete(&format!("{JOBS}/{}", job_id(n)), "{}");
        reply.refused(409, "ConflictJobState");
    }
    server
        .delete(&format!("{JOBS}/{}", job_id(9)), "{}")
        .refused(404, "NotFound");
}

#[test]
fn requests_may_be_pipelined_and_a_client_that_is_done_writing_is_still_answered() {
    let server = World::default().serve();
    let mut client = server.client();
    let request = "GET /api/v1/agent/alive HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client.raw(request.repeat(20).as_bytes()).shut_writing();
    for _ in 0..20 {
        assert_eq!(client.reply("GET").status, 200);
    }
    client.closed();
}

#[test]
fn executions_are_sorted_filtered_and_cut() {
    let mut record = completed(1);
    for (n, created) in [(7, 3), (8, 1), (9, 2)] {
        let mut execution = record.executions[0].clone();
        execution.id = super::world::execution_id(n);
        execution.created = Some(codling::model::UnixMs(created));
        execution.modified = Some(codling::model::UnixMs(10 - created));
        execution.job_version = if n == 9 { 2 } else { 1 };
        execution.namespace = if n == 8 {
            "other".into()
        } else {
            "default".into()
        };
        record.executions.push(execution);
    }
    record.executions.remove(0);
    let server = World::default().with_stored(record).serve();
    let ids = |query: &str| -> Vec<u64> {
        let path = format!("{JOBS}/{}/executions?{query}", job_id(1));
        let list = server.get(&path).ok();
        assert_eq!(list["NextToken"], "");
        list["Items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| u64::from_str_radix(&item["ID"].as_str().unwrap()[2..10], 16).unwrap())
            .collect()
    };
    assert_eq!(ids(""), [8, 7], "the latest version only, oldest first");
    assert_eq!(ids("all_job_versions=true"), [8, 9, 7]);
    assert_eq!(ids("all_job_versions=true&order_by=modified_at"), [7, 9, 8]);
    assert_eq!(ids("all_job_versions=true&reverse=True&limit=2"), [7, 9]);
    assert_eq!(ids("job_version=2"), [9]);
    assert_eq!(ids("namespace=other"), [8]);
    // As the Python client sends it.
    assert_eq!(
        ids("namespace=&limit=5&next_token=&reverse=False&order_by="),
        [8, 7]
    );
}

#[test]
fn a_failure_is_told_in_the_output_and_an_exit_code_is_not_a_failure() {
    let mut record = completed(1);
    record.executions[0].run_output.as_mut().unwrap().exit_code = 3;
    let mut failed = completed(2);
    failed.executions[0].run_output = None;
    failed.executions[0].state = codling::model::ExecutionState::Failed;
    failed.executions[0].state_message = "image \"x\" was not found".into();
    let server = World::default()
        .with_stored(record)
        .with_stored(failed)
        .serve();
    let output = |n| {
        let path = format!("{JOBS}/{}/executions", job_id(n));
        server.get(&path).ok()["Items"][0]["RunOutput"].clone()
    };
    assert_eq!(output(1)["ExitCode"], 3);
    assert_eq!(output(1)["ErrorMsg"], "");
    assert_eq!(output(2)["ErrorMsg"], "image \"x\" was not found");
    let running = World::default().with_live(running(1)).serve();
    let path = format!("{JOBS}/{}/executions", job_id(1));
    assert!(running.get(&path).ok()["Items"][0]["RunOutput"].is_null());
}

#[test]
fn an_answer_on_its_way_is_finished_when_the_server_stops() {
    let server = World::default().serve();
    let mut client = server.client();
    assert_eq!(
        client.send("GET", "/api/v1/agent/alive", &[], b"").status,
        200
    );
    let addr = server.addr;
    server.stop();
    client.closed();
    assert!(
        std::net::TcpStream::connect(addr).is_err(),
        "nobody listens any more"
    );
}
