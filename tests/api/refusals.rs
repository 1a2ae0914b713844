//! Every refusal: status, code, hint, whether to try again.

use super::support::{JSON, Reply, TestServer, Then, recorded};
use super::world::{World, job_id, running};
use codling::api::{Limits, REQUESTS_MAX};
use codling::model::{ApiReply, DenyReason, JobId, StoreAnswer};
use std::time::Duration;

const JOBS: &str = "/api/v1/orchestrator/jobs";

fn denying(reason: DenyReason) -> TestServer {
    TestServer::start(
        Box::new(move |_| Then::Reply(ApiReply::Denied(reason.clone()))),
        Box::new(|_| StoreAnswer::Unavailable),
    )
}

fn submit(server: &TestServer) -> Reply {
    server.put(JOBS, &recorded("submit-request"))
}

fn is_retryable(reply: &Reply) -> bool {
    let said = reply.json()["Details"]["Retryable"] == "true";
    assert_eq!(said, reply.headers.contains_key("retry-after"), "{reply:?}");
    said
}

#[test]
fn unknown_routes_are_404_and_known_ones_tell_their_methods() {
    let server = World::default().serve();
    for path in [
        "/api/v1/nosuch",
        "/api/v1/requester/list",
        "/api/v1/orchestrator/jobs/",
        "/api/v1/orchestrator/jobs/a/b",
        "/api/v1/agent/alive/",
        "/api/v2/agent/alive",
        "//",
    ] {
        let reply = server.get(path);
        // An empty id is an id that no job has.
        reply.refused(404, "NotFound");
    }
    for (method, path, allow) in [
        ("DELETE", "/api/v1/agent/alive", "GET, HEAD"),
        ("TRACE", "/api/v1/agent/node", "GET, HEAD"),
        ("DELETE", JOBS, "GET, HEAD, PUT, POST"),
        (
            "PATCH",
            "/api/v1/orchestrator/jobs/j-1",
            "GET, HEAD, DELETE",
        ),
        ("PUT", "/api/v1/orchestrator/jobs/j-1/history", "GET, HEAD"),
        ("OPTIONS", "/", "GET, HEAD"),
    ] {
        let reply = server.client().send(method, path, &[], b"");
        let message = reply.refused(405, "MethodNotAllowed");
        assert_eq!(reply.headers["allow"], allow, "{message}");
    }
    assert_eq!(server.asked(), []);
}

#[test]
fn a_refusal_quotes_no_more_of_a_request_than_a_line_may_hold() {
    let server = World::default().serve();
    let long = "x".repeat(8_000);
    for (path, begins) in [
        (format!("/{long}"), "no such route: GET /xxx"),
        (format!("{JOBS}/{long}"), "job not found: xxx"),
        (
            format!("{JOBS}?order_by={long}"),
            "query parameter order_by",
        ),
    ] {
        let reply = server.get(&path);
        let body = reply.json();
        let message = body["Message"].as_str().unwrap();
        assert!(message.starts_with(begins), "{message}");
        assert!(
            message.len() < 1_100 && message.ends_with("..."),
            "{message}"
        );
    }
}

#[test]
fn what_is_not_json_is_told_so() {
    let server = World::default().serve();
    let message = server.put(JOBS, "{\"Job\":").refused(400, "BadRequest");
    assert!(message.contains("not JSON"), "{message}");
    server.put(JOBS, "").refused(400, "BadRequest");
    server
        .delete(&format!("{JOBS}/{}", job_id(1)), "nonsense")
        .refused(400, "BadRequest");
    let reply = server.client().send(
        "POST",
        JOBS,
        &[("Content-Type", "application/x-www-form-urlencoded")],
        recorded("submit-request").as_bytes(),
    );
    let message = reply.refused(415, "UnsupportedMediaType");
    assert!(message.contains("application/json"), "{message}");
    server
        .client()
        .send("POST", JOBS, &[], recorded("submit-request").as_bytes())
        .refused(415, "UnsupportedMediaType");
}

#[test]
fn malformed_parameters_are_400_and_name_themselves() {
    let server = World::default().with_live(running(1)).serve();
    let job = format!("{JOBS}/{}", job_id(1));
    for (path, named) in [
        (format!("{JOBS}?limit=many"), "limit"),
        (format!("{JOBS}?limit=-1"), "limit"),
        (format!("{JOBS}?reverse=perhaps"), "reverse"),
        (format!("{JOBS}?order_by=colour"), "order_by"),
        (format!("{JOBS}?next_token=bogus"), "token"),
        (format!("{JOBS}?labels=team+in"), "team in"),
        (format!("{job}?job_version=x"), "job_version"),
        (format!("{job}/history?event_type=bogus"), "event_type"),
        (format!("{job}/history?since=-1"), "since"),
        (format!("{job}/history?next_token=bogus"), "token"),
        (format!("{job}/executions?order_by=colour"), "order_by"),
        (format!("{JOBS}?labels=%zz"), "%zz"),
        (format!("{JOBS}/%ff"), "%ff"),
    ] {
        let message = server.get(&path).refused(400, "BadRequest");
        assert!(message.contains(named), "{path}: {message}");
    }
}

#[test]
fn an_unknown_job_is_404_and_an_ambiguous_prefix_409() {
    let server = World::default()
        .with_live(running(1))
        .with_stored(running(2))
        .serve();
    for id in [
        job_id(9).0.as_str(),
        "j-ffff",
        "a-name",
        "with%2Fslash",
        "%20",
    ] {
        for tail in ["", "/executions", "/history"] {
            let reply = server.get(&format!("{JOBS}/{id}{tail}"));
            let message = reply.refused(404, "NotFound");
            assert!(message.starts_with("job not found: "), "{message}");
            assert_eq!(reply.json()["Component"], "JobStore");
        }
        server
            .delete(&format!("{JOBS}/{id}"), "{}")
            .refused(404, "NotFound");
    }
    let reply = server.get(&format!("{JOBS}/j-"));
    reply.refused(409, "MultipleJobsFound");
    assert_eq!(reply.json()["Hint"], "use the full job id");
    server
        .get(&format!("{JOBS}/{}?job_version=2", job_id(1)))
        .refused(404, "NotFound");
}

#[test]
fn each_refusal_of_the_agent_has_its_status_and_says_whether_to_try_again() {
    let id = job_id(7);
    for (reason, status, code, retryable) in [
        (
            DenyReason::TooManyLive { limit: 4_096 },
            429,
            "ResourceExhausted",
            true,
        ),
        (DenyReason::NotRequester, 404, "NotFound", false),
        (
            DenyReason::TokenReused { token: "t".into() },
            409,
            "ResourceInUse",
            false,
        ),
        (
            DenyReason::StoreUnavailable {
                job: Some(id.clone()),
            },
            507,
            "DatastoreFailure",
            true,
        ),
        (
            DenyReason::StoreUnavailable { job: None },
            507,
            "DatastoreFailure",
            true,
        ),
        (DenyReason::StoreFull, 507, "DatastoreFailure", true),
        (
            DenyReason::Timeout { seconds: 25 },
            503,
            "ServiceUnavailable",
            true,
        ),
        (
            DenyReason::Busy { limit: 64 },
            503,
            "ServiceUnavailable",
            true,
        ),
    ] {
        let text = reason.to_string();
        let reply = submit(&denying(reason));
        assert_eq!(reply.refused(status, code), text);
        assert_eq!(is_retryable(&reply), retryable, "{text}");
    }
}

#[test]
fn a_failed_commit_never_says_not_accepted_but_how_the_outcome_is_known() {
    let id = job_id(7);
    let server = denying(DenyReason::StoreUnavailable {
        job: Some(id.clone()),
    });
    let reply = submit(&server);
    reply.refused(507, "DatastoreFailure");
    let json = reply.json();
    assert_eq!(
        json["Hint"],
        format!(
            "the outcome is known when the store is back: ask for {id}, or send the same idempotency key"
        )
    );
    assert_eq!(json["Details"]["JobID"], id.0);
    let stop = server.delete(&format!("{JOBS}/{id}"), "{}");
    stop.refused(507, "DatastoreFailure");
    assert_eq!(stop.json()["Details"]["JobID"], id.0);
    // Reads while the store is away are a matter of waiting.
    let read = server.get(&format!("{JOBS}/{id}"));
    read.refused(503, "ServiceUnavailable");
    assert!(is_retryable(&read));
}

#[test]
fn a_full_disk_says_that_nothing_was_done_and_what_to_do() {
    let reply = submit(&denying(DenyReason::StoreFull));
    reply.refused(507, "DatastoreFailure");
    let hint = reply.json()["Hint"].to_string();
    assert!(hint.contains("nothing was done: free space"), "{hint}");
}

#[test]
fn an_unreadable_store_is_503_wherever_it_is_read() {
    let server = TestServer::start(
        Box::new(|request| {
            Then::Reply(match request {
                codling::model::ApiRequest::List(_) => ApiReply::Jobs(Vec::new()),
                _ => ApiReply::NotLive,
            })
        }),
        Box::new(|_| StoreAnswer::Unavailable),
    );
    let id = job_id(1);
    for path in [
        JOBS.to_owned(),
        format!("{JOBS}/{id}"),
        format!("{JOBS}/j-01"),
        format!("{JOBS}/{id}/history"),
        format!("{JOBS}/{id}/executions"),
    ] {
        let reply = server.get(&path);
        reply.refused(503, "ServiceUnavailable");
        assert!(is_retryable(&reply), "{path}");
    }
}

#[test]
fn a_full_queue_is_503_with_retry_after_and_only_for_those_beyond_it() {
    let limits = Limits {
        answer_time: Duration::from_millis(500),
        ..Limits::STANDARD
    };
    let server = TestServer::without_agent(limits);
    let mut clients: Vec<_> = (0..REQUESTS_MAX + 10).map(|_| server.client()).collect();
    for client in &mut clients {
        client.raw(b"GET /api/v1/agent/node HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    let mut full = 0;
    for client in &mut clients {
        let reply = client.reply("GET");
        let message = reply.refused(503, "ServiceUnavailable");
        assert!(is_retryable(&reply));
        full += usize::from(message == "too many requests wait: at most 64");
    }
    assert_eq!(full, 10);
}

#[test]
fn an_agent_that_does_not_answer_in_time_leaves_the_outcome_unknown() {
    let limits = Limits {
        answer_time: Duration::from_millis(100),
        ..Limits::STANDARD
    };
    let server = TestServer::with_limits(
        Box::new(|_| Then::Hold),
        Box::new(|_| StoreAnswer::Unavailable),
        limits,
    );
    let reply = submit(&server);
    let message = reply.refused(503, "ServiceUnavailable");
    assert!(message.contains("not known"), "{message}");
    assert!(is_retryable(&reply));
    assert!(
        reply.json()["Hint"]
            .as_str()
            .unwrap()
            .contains("same idempotency key")
    );
    let id: JobId = job_id(3);
    let stop = server.delete(&format!("{JOBS}/{id}"), "{}");
    assert_eq!(stop.json()["Details"]["JobID"], id.0);
}

#[test]
fn a_lost_reply_leaves_the_outcome_unknown_too() {
    let server = TestServer::start(
        Box::new(|_| Then::Lose),
        Box::new(|_| StoreAnswer::Unavailable),
    );
    let reply = submit(&server);
    let message = reply.refused(503, "ServiceUnavailable");
    assert!(message.contains("not known"), "{message}");
    assert!(is_retryable(&reply));
}

#[test]
fn a_token_that_is_too_long_is_refused() {
    let server = World::default().serve();
    let key = "k".repeat(257);
    let reply = server.client().send(
        "PUT",
        JOBS,
        &[JSON, ("Idempotency-Key", &key)],
        recorded("submit-request").as_bytes(),
    );
    let message = reply.refused(400, "ValidationError");
    assert!(message.contains("257 bytes > 256"), "{message}");
}
