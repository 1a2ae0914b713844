//! The OpenAPI document against the code, both ways: what is in one and not in the other fails.
//!
//! Routes and parameters are read from the source of `src/api`, methods from what a server allows, fields of answers from
//! answers, fields of requests from the code that reads them.

mod full;
mod schema;
mod source;

use super::support::{Around, JSON, TestServer, Then};
use super::world::{World, completed, job_id};
use codling::model::{ApiReply, ApiRequest};
use schema::{Coverage, Document};
use serde_json::Value;
use std::collections::BTreeSet;

const PATH: &str = "/api/v1/openapi.json";

/// A server whose answers hold every field at least once.
fn serve() -> TestServer {
    let world = World::default()
        .with_live(full::running(1))
        .with_stored(full::completed(2))
        .with_stored(completed(3));
    let mut around = Around::loopback();
    around.peers = vec![full::peer()];
    let (mut agent, store) = world.script();
    TestServer::around(
        Box::new(move |request| match request {
            ApiRequest::NodeInfo => Then::Reply(ApiReply::Node(Box::new(full::node()))),
            ApiRequest::Prune(_) => Then::Reply(ApiReply::Prunable(Box::new(full::prunable()))),
            ApiRequest::Evidence => Then::Reply(ApiReply::Evidence(Box::new(full::bundle()))),
            other => agent(other),
        }),
        store,
        around,
    )
}

fn document(server: &TestServer) -> Document {
    Document::new(server.get(PATH).ok())
}

/// A path without its variables.
fn sample(template: &str) -> String {
    template
        .replace("{name}", "ClientKey")
        .replace("nodes/{id}", "nodes/Qm")
        .replace("{id}", job_id(2).as_str())
}

#[test]
fn the_document_is_of_this_version_and_open_to_everybody() {
    let server = serve();
    let reply = server.get(PATH);
    assert_eq!(reply.headers["content-type"], "application/json");
    let document = reply.ok();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document_of_unused(&document), Vec::<String>::new());
}

/// Components that nothing refers to.
fn document_of_unused(document: &Value) -> Vec<String> {
    let text = document.to_string();
    let mut unused = Vec::new();
    for kind in ["schemas", "parameters", "responses", "requestBodies"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            if !text.contains(&format!("\"#/components/{kind}/{name}\"")) {
                unused.push(format!("{kind}/{name}"));
            }
        }
    }
    unused
}

#[test]
fn every_route_and_method_is_described_and_nothing_else() {
    let server = serve();
    let document = document(&server);
    let routes: BTreeSet<String> = source::routes().into_iter().map(|(path, _)| path).collect();
    assert_eq!(document.paths(), routes);
    for path in &routes {
        let refused = server.client().send("PATCH", &sample(path), &[], b"");
        refused.refused(405, "MethodNotAllowed");
        let allowed: BTreeSet<String> = refused.headers["allow"]
            .split(", ")
            .filter(|method| *method != "HEAD")
            .map(str::to_ascii_lowercase)
            .collect();
        assert_eq!(document.methods(path), allowed, "{path}");
    }
}

#[test]
fn every_parameter_that_is_read_is_described_and_nothing_else() {
    let document = document(&serve());
    let handlers = source::handlers();
    for (path, route) in source::routes() {
        let files: Vec<&str> = handlers
            .iter()
            .filter(|(name, _)| *name == route)
            .map(|(_, file)| file.as_str())
            .collect();
        let read = source::parameters_read(&files);
        for parameter in document.parameters(&path) {
            assert!(
                read.contains(&parameter),
                "{path}: {parameter} is described and not read by {files:?}"
            );
        }
    }
    let described: BTreeSet<String> = document
        .paths()
        .iter()
        .flat_map(|path| document.parameters(path))
        .collect();
    for file in source::handler_files() {
        for parameter in source::parameters_of(&file) {
            assert!(
                described.contains(&parameter),
                "{file} reads {parameter}, which is described nowhere"
            );
        }
    }
}

#[test]
fn every_field_of_every_answer_is_described_and_every_described_field_is_sent() {
    let server = serve();
    let document = document(&server);
    let mut coverage = Coverage::default();
    for (path, method) in document.operations() {
        let Some(schema) = document.answer(&path, &method) else {
            continue;
        };
        for target in targets(&path) {
            let reply = ask(&server, &method, &target);
            let problems = document.check(schema, &reply, &mut coverage);
            assert_eq!(
                problems,
                Vec::<String>::new(),
                "{method} {target}: {reply:#}"
            );
        }
    }
    for target in [
        "/nosuch",
        &format!("/api/v1/orchestrator/jobs/{}", job_id(9)),
    ] {
        let problems = document.check(
            document.refusal(),
            &server.get(target).json(),
            &mut coverage,
        );
        assert_eq!(problems, Vec::<String>::new(), "{target}");
    }
    let unavailable = TestServer::without_agent(codling::api::Limits {
        answer_time: std::time::Duration::from_millis(10),
        ..codling::api::Limits::STANDARD
    });
    let refusal = unavailable.get("/api/v1/agent/node").json();
    let problems = document.check(document.refusal(), &refusal, &mut coverage);
    assert_eq!(problems, Vec::<String>::new(), "{refusal:#}");
    assert_eq!(
        coverage.never_sent(&document),
        Vec::<String>::new(),
        "described and never sent"
    );
}

/// What is asked for one path, so that each variant of its answer is seen.
fn targets(path: &str) -> Vec<String> {
    let mut targets = vec![sample(path)];
    if path.contains("jobs/{id}") {
        for n in [1, 3] {
            targets.push(path.replace("{id}", job_id(n).as_str()));
        }
    }
    if path.ends_with("jobs/{id}") {
        targets.push(format!("{}?include=executions,history", sample(path)));
    }
    if path.ends_with("nodes/{id}") {
        targets.push(path.replace("{id}", full::peer().id.as_str()));
    }
    targets
}

/// The body of an answer of 200.
fn ask(server: &TestServer, method: &str, target: &str) -> Value {
    let body = match (method, target) {
        ("get", _) => return server.get(target).ok(),
        ("post", target) if target.contains("/auth/") => {
            let mut around = Around::loopback();
            around.access.challenge = super::login::challenge();
            let (agent, store) = World::default().script();
            let server = TestServer::around(agent, store, around);
            return super::login::log_in(&server, &super::login::answer().to_string()).ok();
        }
        ("delete", target) => {
            let live = job_id(1);
            let target = target
                .rsplit_once('/')
                .map(|(before, _)| format!("{before}/{live}"))
                .unwrap();
            return server.delete(&target, "{}").ok();
        }
        (_, target) if target.ends_with("/diff") => named_as_a_job(),
        _ => super::support::recorded("submit-request"),
    };
    let method = method.to_ascii_uppercase();
    let reply = server
        .client()
        .send(&method, target, &[JSON], body.as_bytes());
    reply.ok()
}

/// A submission for a job that is there.
fn named_as_a_job() -> String {
    let mut body: Value =
        serde_json::from_str(&super::support::recorded("submit-request")).unwrap();
    body["Job"]["Name"] = full::running(1).job.name.into();
    body.to_string()
}

#[test]
fn every_field_that_is_read_of_a_request_is_described_and_nothing_else() {
    let document = document(&serve());
    let described = document.request_fields();
    let words = document.words();
    let read = source::fields_read();
    for field in &described {
        assert!(read.contains(field), "{field} is described and never read");
    }
    for field in read.iter().filter(|field| !words.contains(*field)) {
        assert!(
            described.contains(field),
            "{field} is read and not described"
        );
    }
}
