//! schemathesis against the real node and its own document: whatever it makes up, no 5xx, no answer that the document does
//! not describe, and 405 for methods that a path does not have.

use crate::support::engines::Real;
use crate::support::http;
use crate::support::jobs::{IMAGE, command};
use crate::support::program::{Program, serve_on};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

/// What is asked of every answer. Not among them: whether a valid document is accepted (a job may be refused for what no
/// schema says) and whether an odd one is refused (unknown keys and parameters are ignored, as clients expect).
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,allow_header_conformance";

/// Made-up requests of each operation, beside the examples and the edge of every rule: half a minute in all.
const CASES: &str = "20";

/// The same requests in every run.
const SEED: &str = "6";

/// It takes a minute; only a failure takes three.
const LIMIT: Duration = Duration::from_secs(180);

/// The node's document with ids that exist as examples, so that paths lead somewhere too.
fn document(api: SocketAddr, job: &str, node: &str) -> Value {
    let answer = http::request(api, "GET", "/api/v1/openapi.json", None).unwrap();
    assert_eq!(answer.status, 200);
    let mut document = answer.body;
    for (path, item) in document["paths"].as_object_mut().unwrap() {
        let id = if path.contains("/nodes/") { node } else { job };
        for operation in item.as_object_mut().unwrap().values_mut() {
            let parameters = operation
                .get_mut("parameters")
                .and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                match parameter["name"].as_str() {
                    Some("id") => parameter["example"] = id.into(),
                    Some("name") => parameter["example"] = "ClientKey".into(),
                    _ => {}
                }
            }
        }
    }
    let task = "/components/requestBodies/Submission/content/application~1json/examples/hello/value\
                /Job/Tasks/0/Engine/Params/Image";
    *document.pointer_mut(task).expect("the example of a job") = IMAGE.into();
    document
}

#[test]
fn schemathesis_finds_no_5xx_no_undescribed_answer_and_no_undeclared_method() {
    let dir = tempfile::tempdir().unwrap();
    // Made-up images are not looked for on the network.
    let flags = ["--image-pull", "never"];
    let node = serve_on(&dir.path().join("data"), &Real::Podman.socket(), &flags).start();
    let api = node.api();
    let submitted = http::request(
        api,
        "PUT",
        "/api/v1/orchestrator/jobs",
        Some(&command(IMAGE, &["true"])),
    )
    .unwrap();
    let job = submitted.body["JobID"]
        .as_str()
        .expect("it is taken")
        .to_owned();
    let own = http::request(api, "GET", "/api/v1/agent/node", None).unwrap();
    let document = document(api, &job, own.body["NodeID"].as_str().unwrap());
    let file = dir.path().join("openapi.json");
    fs::write(&file, document.to_string()).unwrap();

    let program = std::env::var("CODLING_TEST_SCHEMATHESIS")
        .expect("CODLING_TEST_SCHEMATHESIS: start the tests with scripts/test");
    let url = format!("http://{api}");
    let ended = Program::other(
        &program,
        &[
            "--no-color",
            "run",
            &file.display().to_string(),
            "--url",
            &url,
            "--checks",
            CHECKS,
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            CASES,
            "--seed",
            SEED,
            "--generation-database",
            "none",
            "--no-shrink",
            "--warnings",
            "off",
            "--request-timeout",
            "30",
            "--continue-on-failure",
        ],
    )
    .env("HOME", &dir.path().display().to_string())
    .start()
    .ended_within(LIMIT);
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    assert!(ended.says("No issues found"), "{}", ended.out);
    // It really sent jobs, and the node is well.
    let jobs = http::request(api, "GET", "/api/v1/orchestrator/jobs", None).unwrap();
    assert!(
        jobs.body["Items"]
            .as_array()
            .is_some_and(|jobs| jobs.len() > 1),
        "{}",
        jobs.body
    );
}
