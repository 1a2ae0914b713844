//! `/api/v1/auth`: the one way to log in, its signature really verified.
//!
//! `tests/golden/api/login/answer.json` was made by OpenSSL: a 2,048-bit key's signature (PKCS #1 v1.5, SHA-256) of the phrase
//! that the server below gives, and the key as PKCS #1 DER. The private half was thrown away.

use super::support::{Around, JSON, Reply, TestServer};
use super::world::{NODE, World};
use codling::api::Challenge;
use codling::model::NodeId;
use data_encoding::BASE64;
use serde_json::{Value, json};

const AUTH: &str = "/api/v1/auth";
const CLIENT_KEY: &str = "/api/v1/auth/ClientKey";

/// The challenge that the recorded answer answers.
pub(super) fn challenge() -> Challenge {
    Challenge::new(&NodeId::from(NODE), [7; 16])
}

fn serve(nonce: u8) -> TestServer {
    let mut around = Around::loopback();
    around.access.challenge = Challenge::new(&NodeId::from(NODE), [nonce; 16]);
    let (agent, store) = World::default().script();
    TestServer::around(agent, store, around)
}

pub(super) fn answer() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/api/login/answer.json"
    );
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(super) fn log_in(server: &TestServer, answer: &str) -> Reply {
    let body = json!({"Namespace": "", "Credential": null, "Name": "ClientKey",
        "MethodData": BASE64.encode(answer.as_bytes())});
    server
        .client()
        .send("POST", CLIENT_KEY, &[JSON], body.to_string().as_bytes())
}

#[test]
fn there_is_exactly_one_way_to_log_in_and_it_is_a_challenge() {
    let server = serve(7);
    let phrase = format!("{NODE}.{}", "07".repeat(16));
    let requirement =
        json!({"type": "challenge", "params": {"InputPhrase": BASE64.encode(phrase.as_bytes())}});
    assert_eq!(
        server.get(AUTH).ok(),
        json!({"NextToken": "", "Methods": {"ClientKey": requirement}})
    );
    assert_eq!(server.get(CLIENT_KEY).ok(), requirement);
    server.get("/api/v1/auth/other").refused(404, "NotFound");
}

#[test]
fn a_right_signature_gets_a_token_that_names_its_key_and_is_the_same_each_time() {
    let server = serve(7);
    let first = log_in(&server, &answer().to_string()).ok();
    assert_eq!(first["Authentication"]["success"], true);
    let token = first["Authentication"]["token"].as_str().unwrap();
    assert!(
        token.starts_with("codling-") && token.len() == 8 + 64,
        "{token}"
    );
    assert_eq!(
        log_in(&server, &answer().to_string()).ok(),
        first,
        "nothing is kept, so nothing grows"
    );
    assert_eq!(server.asked(), []);
}

#[test]
fn a_wrong_signature_is_401_whatever_is_wrong_with_it() {
    let server = serve(7);
    // The phrase of another run.
    log_in(&serve(8), &answer().to_string()).refused(401, "Unauthorized");
    let good = answer();
    let change = |key: &str, edit: fn(&mut Vec<u8>)| {
        let mut changed = good.clone();
        let mut bytes = BASE64
            .decode(changed[key].as_str().unwrap().as_bytes())
            .unwrap();
        edit(&mut bytes);
        changed[key] = BASE64.encode(&bytes).into();
        log_in(&server, &changed.to_string()).refused(401, "Unauthorized");
    };
    for key in ["PhraseSignature", "PublicKey"] {
        change(key, |bytes| bytes[100] ^= 1);
        change(key, |bytes| bytes.truncate(100));
        change(key, Vec::clear);
        change(key, |bytes| bytes.push(0));
    }
}

#[test]
fn what_is_no_answer_is_400_and_says_why() {
    let server = serve(7);
    let long = json!({"PhraseSignature": "A".repeat(20_000), "PublicKey": ""}).to_string();
    for (text, why) in [
        ("", "MethodData is not JSON"),
        ("[1]", "PhraseSignature is missing"),
        (r#"{"PhraseSignature":1}"#, "must be a string, not a number"),
        (r#"{"PhraseSignature":"!"}"#, "not base64"),
        (r#"{"PhraseSignature":""}"#, "PublicKey is missing"),
        (long.as_str(), "too long: 26716 > 16384"),
    ] {
        let message = log_in(&server, text).refused(400, "BadRequest");
        assert!(message.contains(why), "{why}: {message}");
    }
    let untyped = server.client().send("POST", CLIENT_KEY, &[], b"{}");
    untyped.refused(415, "UnsupportedMediaType");
    let other = server
        .client()
        .send("POST", "/api/v1/auth/other", &[JSON], b"{}");
    other.refused(404, "NotFound");
}
