//! Who may drive a node: no web page, and where a token is asked for nobody without it.

use super::support::{Around, JSON, Reply, TestServer, recorded};
use super::world::World;
use codling::api::{ApiToken, Hosts, TOKEN_MAX, TOKEN_MIN};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const ALIVE: &str = "/api/v1/agent/alive";
const NODE: &str = "/api/v1/agent/node";
const JOBS: &str = "/api/v1/orchestrator/jobs";
const TOKEN: &str = "correct-horse-battery-staple";

fn serve(hosts: Hosts, token: Option<ApiToken>) -> TestServer {
    let mut around = Around::loopback();
    around.access.hosts = hosts;
    around.access.token = token;
    let (agent, store) = World::default().script();
    TestServer::around(agent, store, around)
}

fn asking_for_a_token() -> (TestServer, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = token_file(dir.path(), format!("{TOKEN}\n").as_bytes());
    let server = serve(hosts("127.0.0.1"), Some(ApiToken::read(&path).unwrap()));
    (server, dir)
}

fn hosts(bound: &str) -> Hosts {
    let bound: IpAddr = bound.parse().unwrap();
    Hosts::new(bound, Some("pi"), &["node.example".to_owned()])
}

fn token_file(dir: &Path, text: &[u8]) -> PathBuf {
    let path = dir.join("token");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Reply {
    server.client().send("GET", path, headers, b"")
}

#[test]
fn a_rebound_name_is_refused_before_its_route_is_looked_up() {
    let server = World::default().serve();
    for host in [
        "evil.example",
        "evil.example:1234",
        "127.0.0.1.evil.example",
        "192.0.2.7",
    ] {
        for path in [ALIVE, JOBS, "/nosuch", "/%zz"] {
            let reply = get(&server, path, &[("Host", host)]);
            let message = reply.refused(403, "Forbidden");
            assert!(
                message.contains(host.split(':').next().unwrap()),
                "{message}"
            );
        }
    }
    let put = server.client().send(
        "PUT",
        JOBS,
        &[JSON, ("Host", "evil.example")],
        recorded("submit-request").as_bytes(),
    );
    put.refused(403, "Forbidden");
    // An address in the request line goes before Host.
    let mut client = server.client();
    client.raw(b"GET http://evil.example/api/v1/agent/node HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.reply("GET").refused(403, "Forbidden");
    assert_eq!(server.asked(), []);
    for host in ["localhost", "127.0.0.1:1234", "[::1]:1234", "LOCALHOST:80"] {
        get(&server, ALIVE, &[("Host", host)]).ok();
    }
}

#[test]
fn a_node_for_others_answers_to_its_address_its_machine_and_the_names_it_was_given() {
    let server = serve(hosts("0.0.0.0"), None);
    for host in ["192.0.2.7:1234", "pi", "pi.local:1234", "NODE.example:9"] {
        get(&server, ALIVE, &[("Host", host)]).ok();
    }
    let reply = get(&server, ALIVE, &[("Host", "evil.example")]);
    reply.refused(403, "Forbidden");
    let hint = reply.json()["Hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("--api-allow-host evil.example"), "{hint}");
}

#[test]
fn a_page_from_elsewhere_can_neither_read_nor_change_anything() {
    let server = World::default().serve();
    let body = recorded("submit-request");
    for page in [
        ("Origin", "http://evil.example"),
        ("Origin", "http://localhost:3000"),
        ("Origin", "https://localhost"),
        ("Origin", "null"),
        ("Origin", ""),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        get(&server, NODE, &[page]).refused(403, "Forbidden");
        for method in ["PUT", "POST", "DELETE"] {
            let reply = server
                .client()
                .send(method, JOBS, &[JSON, page], body.as_bytes());
            reply.refused(403, "Forbidden");
        }
    }
    // What a form or a script may send unasked carries no such header in an old browser, but no JSON either.
    for kind in [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    ] {
        let reply = server
            .client()
            .send("POST", JOBS, &[("Content-Type", kind)], body.as_bytes());
        reply.refused(415, "UnsupportedMediaType");
    }
    // A script's question whether it may send more is answered with no.
    let asks = [
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    let reply = server.client().send("OPTIONS", JOBS, &asks, b"");
    reply.refused(405, "MethodNotAllowed");
    assert!(
        !reply
            .headers
            .keys()
            .any(|name| name.starts_with("access-control")),
        "{reply:?}"
    );
    assert_eq!(server.asked(), []);
    // The node's own page, and a link that somebody follows.
    get(
        &server,
        ALIVE,
        &[("Host", "localhost:7"), ("Origin", "http://localhost:7")],
    )
    .ok();
    let followed = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    get(&server, ALIVE, &followed).ok();
}

#[test]
fn without_the_token_only_what_tells_that_one_is_needed_is_answered() {
    let (server, _dir) = asking_for_a_token();
    for path in [ALIVE, "/api/v1/agent/version", "/api/v1/auth"] {
        get(&server, path, &[]).ok();
    }
    let wrong = format!("Bearer {TOKEN}x");
    for headers in [
        &[][..],
        &[("Authorization", "")],
        &[("Authorization", "Bearer")],
        &[("Authorization", "Bearer ")],
        &[("Authorization", wrong.as_str())],
        &[("Authorization", TOKEN)],
        &[("Authorization", "Basic Y29ycmVjdDpob3JzZQ==")],
        &[("X-API-Key", "correct-horse")],
    ] {
        for path in [NODE, JOBS, "/nosuch", "/%zz", "/api/v1/agent/node?a=%zz"] {
            let reply = get(&server, path, headers);
            let message = reply.refused(401, "Unauthorized");
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
            assert!(!message.contains("horse"), "{message}");
        }
    }
    assert_eq!(server.asked(), []);
}

#[test]
fn the_token_opens_everything_under_whatever_name_the_node_is_reached() {
    let (server, _dir) = asking_for_a_token();
    let bearer = format!("Bearer {TOKEN}");
    let lower = format!("bearer  {TOKEN}");
    for shown in [
        ("Authorization", bearer.as_str()),
        ("Authorization", lower.as_str()),
        ("X-API-Key", TOKEN),
    ] {
        get(&server, NODE, &[shown]).ok();
        get(&server, NODE, &[shown, ("Host", "behind-a-proxy.example")]).ok();
        get(&server, "/nosuch", &[shown]).refused(404, "NotFound");
    }
    let page = [
        ("Authorization", bearer.as_str()),
        ("Origin", "http://evil.example"),
    ];
    get(&server, NODE, &page).refused(403, "Forbidden");
}

#[test]
fn an_open_node_takes_no_offence_at_a_token_of_another_time() {
    let server = World::default().serve();
    for stale in ["Bearer stale", "Basic c3RhbGU6eA==", "", "Garbage \u{7f}"] {
        get(
            &server,
            NODE,
            &[("Authorization", stale.trim_end_matches('\u{7f}'))],
        )
        .ok();
    }
}

#[test]
fn each_mistake_in_a_token_file_is_told_apart_and_never_quotes_it() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |text: &[u8]| -> String {
        let path = token_file(dir.path(), text);
        let error = ApiToken::read(&path).unwrap_err().to_string();
        assert!(error.contains("token"), "{error}");
        error
    };
    assert!(refused(b"").contains("is empty"));
    assert!(refused(b" \n\t ").contains("is empty"));
    assert!(refused(&[b's'; TOKEN_MIN - 1]).contains("too short: 15 < 16"));
    assert!(refused(&[b's'; TOKEN_MAX + 1]).contains("too long: more than 512"));
    assert!(refused(&vec![b's'; 10_000_000]).contains("too long"));
    let blank = refused(b"secret secret secret");
    assert!(
        blank.contains("at 6") && !blank.contains("secret "),
        "{blank}"
    );
    assert!(refused("geheimni\u{df}geheimnis".as_bytes()).contains("at 8"));
    let good = token_file(dir.path(), &[b's'; TOKEN_MIN]);
    ApiToken::read(&good).unwrap();
    ApiToken::read(&token_file(dir.path(), &[b's'; TOKEN_MAX])).unwrap();
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&good, fs::Permissions::from_mode(mode)).unwrap();
        let error = ApiToken::read(&good).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{mode:o}")) && error.contains("chmod 600"),
            "{error}"
        );
    }
    let missing = ApiToken::read(&dir.path().join("nosuch"))
        .unwrap_err()
        .to_string();
    assert!(missing.contains("cannot be read"), "{missing}");
    let folder = ApiToken::read(dir.path()).unwrap_err().to_string();
    assert!(folder.contains("is not a file"), "{folder}");
    assert_eq!(
        format!(
            "{:?}",
            ApiToken::read(&token_file(dir.path(), TOKEN.as_bytes())).unwrap()
        ),
        "ApiToken"
    );
}
