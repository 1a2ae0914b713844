//! Clients that write a job in odd ways: each is understood, or refused by name.

use super::support::{JSON, TestServer};
use super::world::{World, job_id, running};
use codling::model::{ApiRequest, Job};
use serde_json::{Value, json};
use std::io::Write;

const JOBS: &str = "/api/v1/orchestrator/jobs";

/// The least that is a job, with something more in it and in its task.
fn body(job: &str, task: &str) -> String {
    format!(
        r#"{{"Job":{{"Type":"batch","Tasks":[{{"Name":"main","Engine":{{"Type":"docker"}}{task}}}]{job}}}}}"#
    )
}

#[track_caller]
fn taken(body: &str) -> Job {
    let server = World::default().serve();
    server.put(JOBS, body).ok();
    match server.asked().pop() {
        Some(ApiRequest::Submit(submission)) => submission.job,
        other => panic!("not a submission: {other:?}"),
    }
}

/// The answer to a body that is refused; the agent must not have seen it, and the server must be well.
#[track_caller]
fn refused(body: &str, code: &str) -> String {
    let server = World::default().serve();
    let message = server.put(JOBS, body).refused(400, code);
    assert_eq!(server.asked(), []);
    is_well(&server);
    message
}

#[track_caller]
fn is_well(server: &TestServer) {
    assert_eq!(server.get("/api/v1/agent/alive").status, 200);
}

#[test]
fn keys_in_any_case_are_understood_where_their_case_means_nothing() {
    let job = taken(
        r#"{"jOB":{"TYPE":"batch","cOUNT":2,"pRIORITY":3,"lABELS":{"Team":"A","team":"b"},
            "TASKS":[{"nAME":"main","ENV":{"PATH_TO":"x"},"eNGINE":{"tYPE":"Docker","pARAMS":{"iMAGE":"busybox"}},
            "tIMEOUTS":{"totaltimeout":9},"rESOURCES":{"gpu":"1"}}]}}"#,
    );
    assert_eq!((job.count, job.priority), (2, 3));
    assert_eq!(job.labels.len(), 2, "a label's key is the user's word");
    assert_eq!(job.task.timeouts.total_s, 9);
    assert_eq!(job.task.resources.gpu, "1");
    assert!(job.task.engine.is("docker"));
}

#[test]
fn the_last_of_two_equal_keys_wins_also_when_they_differ_in_case() {
    let job = taken(&body(
        r#","Count":1,"COUNT":3,"Labels":{"a":"1","a":"2"}"#,
        "",
    ));
    assert_eq!(job.count, 3);
    assert_eq!(job.labels["a"], "2");
}

#[test]
fn booleans_of_other_languages_are_told_apart_from_true_and_false() {
    let message = refused(&body(r#","Count":True"#, ""), "BadRequest");
    assert!(message.contains("not JSON"), "{message}");
    let quoted = body("", "").replacen('{', r#"{"Force":"True","#, 1);
    let message = refused(&quoted, "ValidationError");
    assert_eq!(
        message,
        "the request.Force must be true or false, not a string"
    );
    let number = body("", "").replacen('{', r#"{"Force":1,"#, 1);
    assert!(refused(&number, "ValidationError").contains("not a number"));
    // In a query they are what Go's flags take.
    let server = World::default().with_live(running(1)).serve();
    server
        .get(&format!("{JOBS}?reverse=True&limit=&order_by="))
        .ok();
    server
        .get(&format!(
            "{JOBS}/{}/executions?reverse=False&limit=",
            job_id(1)
        ))
        .ok();
}

#[test]
fn a_number_that_is_no_whole_one_is_refused_with_what_it_is() {
    for (number, told) in [
        ("1.5", "not 1.5"),
        ("1.0", "not 1.0"),
        ("1e2", "not 100.0"),
        ("99999999999999999999", "not 1e+20"),
        (r#""""#, "not a string"),
        (r#""3""#, "not a string"),
        ("true", "not a boolean"),
        ("[]", "not an array"),
    ] {
        let job = format!(r#","Count":{number}"#);
        let timeouts = format!(r#","Timeouts":{{"TotalTimeout":{number}}}"#);
        let message = refused(&body(&job, &timeouts), "ValidationError");
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 2, "{message}");
        for (line, field) in lines
            .iter()
            .zip(["Job.Tasks[0].Timeouts.TotalTimeout", "Job.Count"])
        {
            assert_eq!(*line, format!("{field} must be a whole number, {told}"));
        }
    }
    for number in ["", "-", "+1", "01", "1.", "NaN", "Infinity", "0x1"] {
        let message = refused(&body(&format!(r#","Count":{number}"#), ""), "BadRequest");
        assert!(message.contains("not JSON"), "{number}: {message}");
    }
}

#[test]
fn deep_nesting_is_refused_with_its_limit_wherever_it_is() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let params = |levels| {
        body("", "").replacen(
            r#""Type":"docker""#,
            &format!(r#""Type":"docker","Params":{{"x":{}}}"#, deep(levels)),
            1,
        )
    };
    taken(&params(40));
    for body in [
        params(100_000),
        deep(100_000),
        body(&format!(r#","Unknown":{}"#, deep(70)), ""),
    ] {
        let message = refused(&body, "BadRequest");
        assert!(message.contains("nests deeper than 64 levels"), "{message}");
    }
}

#[test]
fn nul_is_refused_in_every_text() {
    let nul = "\\u0000";
    for (job, task, named) in [
        (format!(r#","Name":"a{nul}""#), String::new(), "Job.Name"),
        (
            format!(r#","Namespace":"a{nul}""#),
            String::new(),
            "Job.Namespace",
        ),
        (
            format!(r#","Labels":{{"a":"{nul}"}}"#),
            String::new(),
            "Job.Labels[\"a\"]",
        ),
        (
            format!(r#","Labels":{{"a{nul}":""}}"#),
            String::new(),
            "a key of Job.Labels",
        ),
        (
            format!(r#","Meta":{{"a":"{nul}"}}"#),
            String::new(),
            "Job.Meta[\"a\"]",
        ),
        (
            String::new(),
            format!(r#","Env":{{"A":"x{nul}"}}"#),
            "Job.Tasks[0].Env[\"A\"]",
        ),
        (
            format!(r#","Constraints":[{{"Key":"a","Operator":"in","Values":["{nul}"]}}]"#),
            String::new(),
            "an item of Job.Constraints[0].Values",
        ),
        (
            String::new(),
            format!(r#","Publisher":{{"Type":"s3","Params":{{"Bucket":["{nul}"]}}}}"#),
            "Job.Tasks[0].Publisher.Params",
        ),
    ] {
        let message = refused(&body(&job, &task), "ValidationError");
        assert_eq!(message, format!("{named} must not contain NUL"));
    }
}

#[test]
fn a_million_labels_are_refused_and_so_is_one_more_than_a_job_may_have() {
    let labels = |count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!(r#""k{n}":"v""#)).collect();
        body(&format!(r#","Labels":{{{}}}"#, all.join(",")), "")
    };
    assert_eq!(taken(&labels(256)).labels.len(), 256);
    let message = refused(&labels(257), "ValidationError");
    assert_eq!(message, "Job.Labels has too many entries: 257 > 256");
    let million = labels(700_000);
    assert!(
        million.len() < 10_000_000,
        "it is not its size that it is refused for"
    );
    let message = refused(&million, "BadRequest");
    assert!(message.contains("more than 65536 values"), "{message}");
}

#[test]
fn each_list_and_text_of_a_job_has_its_limit() {
    let many = |item: &str| format!("[{}]", vec![item; 257].join(","));
    let long = |bytes: usize| "x".repeat(bytes);
    let input = r#"{"Source":{"Type":"ipfs"},"Target":"/x"}"#;
    for (job, task, told) in [
        (
            format!(r#","Name":"{}""#, long(257)),
            String::new(),
            "Job.Name is too long: 257 bytes > 256",
        ),
        (
            format!(r#","Namespace":"{}""#, long(5_000)),
            String::new(),
            "Job.Namespace is too long: 5000 bytes > 4096",
        ),
        (
            format!(r#","Labels":{{"{}":""}}"#, long(257)),
            String::new(),
            "a key of Job.Labels is too long: 257 bytes > 256",
        ),
        (
            format!(r#","Labels":{{"a":"{}"}}"#, long(32_769)),
            String::new(),
            "Job.Labels[\"a\"] is too long: 32769 bytes > 32768",
        ),
        (
            format!(
                r#","Constraints":{}"#,
                many(r#"{"Key":"a","Operator":"exists"}"#)
            ),
            String::new(),
            "Job.Constraints has too many items: 257 > 256",
        ),
        (
            String::new(),
            format!(r#","InputSources":{}"#, many(input)),
            "Job.Tasks[0].InputSources has too many items: 257 > 256",
        ),
        (
            String::new(),
            format!(
                r#","Network":{{"Type":"HTTP","Domains":{}}}"#,
                many(r#""a.b""#)
            ),
            "Job.Tasks[0].Network.Domains has too many items: 257 > 256",
        ),
    ] {
        assert_eq!(refused(&body(&job, &task), "ValidationError"), told);
    }
}

#[test]
fn a_body_of_100_mb_is_413_before_it_has_been_read() {
    let server = World::default().serve();
    let chunk = vec![b' '; 1 << 20];
    for declared in [true, false] {
        let mut client = server.client();
        let length = match declared {
            true => "Content-Length: 104857600",
            false => "Transfer-Encoding: chunked",
        };
        client.raw(
            format!("PUT {JOBS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{length}\r\n\r\n")
                .as_bytes(),
        );
        for _ in 0..100 {
            let mut sent = Vec::new();
            if !declared {
                sent.extend_from_slice(b"100000\r\n");
            }
            sent.extend_from_slice(&chunk);
            if !declared {
                sent.extend_from_slice(b"\r\n");
            }
            // The server need not listen to the end.
            if client.stream.write_all(&sent).is_err() {
                break;
            }
        }
        if let Some(reply) = client.try_reply("PUT") {
            let message = reply.refused(413, "BadRequest");
            assert!(message.contains("10485760"), "{message}");
        } else {
            assert!(!declared, "a declared length is refused at once");
        }
        is_well(&server);
    }
    assert_eq!(server.asked(), []);
}

#[test]
fn each_wrong_quantity_is_refused_with_what_may_be_written() {
    for (field, value, name, allowed) in [
        ("CPU", "1k", "CPU", "cores such as"),
        ("CPU", "abc", "CPU", "cores such as"),
        ("CPU", "-1", "CPU", "cores such as"),
        ("CPU", "0.5m", "CPU", "cores such as"),
        ("Memory", "-1", "memory", "bytes with an optional unit"),
        ("Memory", "1e3", "memory", "bytes with an optional unit"),
        ("Memory", "1xb", "memory", "bytes with an optional unit"),
        ("Memory", "99eb", "memory", "bytes with an optional unit"),
        ("Disk", "big", "disk", "bytes with an optional unit"),
        ("GPU", "1.5", "GPU", "a whole number"),
        ("GPU", "-1", "GPU", "a whole number"),
    ] {
        let task = format!(r#","Resources":{{"{field}":"{value}"}}"#);
        let message = refused(&body("", &task), "ValidationError");
        let expected =
            format!("Job.Tasks[0].Resources: invalid {name} value \"{value}\": use {allowed}");
        assert!(message.starts_with(&expected), "{message}");
    }
    let wrong_kind = refused(&body("", r#","Resources":{"CPU":1}"#), "ValidationError");
    assert_eq!(
        wrong_kind,
        "Job.Tasks[0].Resources.CPU must be a string, not a number"
    );
    let good = r#","Resources":{"CPU":" 5 00M ","Memory":"1,024 MiB","Disk":"1.5Gb","GPU":"0"}"#;
    let resources = taken(&body("", good)).task.resources;
    assert_eq!(resources.cpu, "500m");
    assert_eq!(resources.memory, "1,024mib");
}

#[test]
fn each_wrong_constraint_is_refused_with_its_operator() {
    for (operator, values, told) in [
        (
            "resembles",
            json!(["a"]),
            "is unknown: use =, ==, !=, in, notin, exists, !, gt or lt",
        ),
        ("IN", json!(["a"]), "is unknown"),
        ("", json!([]), "is unknown"),
        ("in", json!([]), "needs at least one value"),
        ("notin", json!(null), "needs at least one value"),
        ("exists", json!(["a"]), "takes no value"),
        ("!", json!(["a"]), "takes no value"),
        ("=", json!([]), "needs exactly one value"),
        ("!=", json!(["a", "b"]), "needs exactly one value"),
        ("gt", json!(["a"]), "needs a whole number, not \"a\""),
        ("lt", json!(["1.5"]), "needs a whole number, not \"1.5\""),
    ] {
        let constraints = json!([{"Key": "zone", "Operator": operator, "Values": values}]);
        let message = refused(
            &body(&format!(r#","Constraints":{constraints}"#), ""),
            "ValidationError",
        );
        assert!(
            message.starts_with(&format!(
                "constraint \"zone\": operator \"{operator}\" {told}"
            )),
            "{message}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_job_of_another_type_is_told_too() {
    let with = |kind: &str, count: u32| {
        json!({"Job": {"Type": kind, "Count": count, "Tasks": [{"Name": "main", "Engine": {"Type": ""}}]}}).to_string()
    };
    for kind in ["daemon", "ops"] {
        let message = refused(&with(kind, 2), "ValidationError");
        let lines: Vec<&str> = message.lines().collect();
        assert!(
            lines[1].contains(&format!("of a {kind} job must be 0 or 1, not 2")),
            "{message}"
        );
        assert!(lines[0].contains("Engine.Type is missing"), "{message}");
    }
    assert_eq!(
        refused(&with("service", 2), "ValidationError")
            .lines()
            .count(),
        1
    );
}

#[test]
fn a_body_is_one_document_of_one_type() {
    for text in [
        "",
        " ",
        "null",
        "[]",
        "\"Job\"",
        "{} {}",
        "{\"Job\":",
        "\u{feff}{}",
    ] {
        let server = World::default().serve();
        let reply = server.put(JOBS, text);
        assert_eq!(reply.status, 400, "{text:?}: {reply:?}");
        let hint: Value = reply.json()["Hint"].clone();
        assert!(hint.is_string(), "{text:?}: {reply:?}");
    }
    let server = World::default().serve();
    let latin = server
        .client()
        .send("PUT", JOBS, &[JSON], b"{\"Job\":{\"Name\":\"caf\xe9\"}}");
    assert_eq!(latin.status, 400);
    for (encoding, status) in [("identity", 200), ("gzip", 415)] {
        let headers = [JSON, ("Content-Encoding", encoding)];
        let body = super::support::recorded("submit-request");
        let reply = server.client().send("PUT", JOBS, &headers, body.as_bytes());
        assert_eq!(reply.status, status, "{reply:?}");
        if status == 415 {
            let message = reply.refused(415, "UnsupportedMediaType");
            assert!(message.contains("\"gzip\""), "{message}");
        }
    }
}
