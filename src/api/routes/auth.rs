//! `/api/v1/auth`: the way to log in that the CLI insists on (rest-api.md 1.6).
//!
//! Before its first request the CLI asks for the ways to log in and takes the only one: it signs a phrase with the user's RSA
//! key and keeps the token that it gets for ever. On an open node the token opens nothing that is not open; the signature is
//! verified all the same, so that a token names the key whose holder asked for it. Tokens are made of that key alone: nothing
//! is kept, so their number and age need no bound. Where a token file is given there is no way to log in but that token.

use crate::api::access::Access;
use crate::api::error::ApiError;
use crate::api::wire::Json;
use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// The name of the one way, as the original's.
const CLIENT_KEY: &str = "ClientKey";

/// Bytes of an answer at most: a key and a signature of 8,192 bits in base64, twice, take 5,000.
const ANSWER_MAX: usize = 16 * 1024;

/// All ways to log in.
pub(super) fn list(access: &Access) -> Json {
    let mut methods = Json::object();
    if access.token.is_none() {
        methods = methods.with(CLIENT_KEY, requirement(access));
    }
    Json::object()
        .with("NextToken", "")
        .with("Methods", methods)
}

/// One way to log in.
pub(super) fn get(access: &Access, name: &str) -> Result<Json, ApiError> {
    known(access, name)?;
    Ok(requirement(access))
}

fn known(access: &Access, name: &str) -> Result<(), ApiError> {
    if access.token.is_none() && name == CLIENT_KEY {
        return Ok(());
    }
    Err(ApiError::UnknownLogin {
        name: name.to_owned(),
    })
}

fn requirement(access: &Access) -> Json {
    let phrase = BASE64.encode(access.challenge.phrase());
    Json::object()
        .with("type", "challenge")
        .with("params", Json::object().with("InputPhrase", phrase))
}

/// Verifies an answer; a token if it is right.
///
/// # Errors
/// 400 for what is not an answer, 401 for a wrong one. Never 200 with `success: false`, which sends the CLI round in circles.
pub(super) fn answer(access: &Access, name: &str, body: &[u8]) -> Result<Json, ApiError> {
    known(access, name)?;
    let request = read(body, "the request body")?;
    let data = bytes(&request, "MethodData")?;
    let data = read(&data, "MethodData")?;
    let (signature, key) = (bytes(&data, "PhraseSignature")?, bytes(&data, "PublicKey")?);
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key)
        .verify(access.challenge.phrase(), &signature)
        .map_err(|_| ApiError::LoginRefused {
            why: "PhraseSignature is not PublicKey's signature of the phrase".to_owned(),
        })?;
    let token = format!("codling-{}", HEXLOWER.encode(&Sha256::digest(&key)));
    Ok(Json::object().with(
        "Authentication",
        Json::object().with("success", true).with("token", token),
    ))
}

fn read(text: &[u8], what: &str) -> Result<Json, ApiError> {
    Json::read(text).map_err(|why| ApiError::BadRequest(format!("{what} is not JSON: {why}")))
}

fn bytes(json: &Json, key: &str) -> Result<Vec<u8>, ApiError> {
    let wrong = |why: String| ApiError::BadRequest(format!("{key} {why}"));
    match json.get(key) {
        Some(Json::Text(text)) if text.len() > ANSWER_MAX => Err(wrong(format!(
            "is too long: {} > {ANSWER_MAX} bytes",
            text.len()
        ))),
        Some(Json::Text(text)) => BASE64
            .decode(text.as_bytes())
            .map_err(|why| wrong(format!("is not base64: {why}"))),
        Some(other) => Err(wrong(format!("must be a string, not {}", other.kind()))),
        None => Err(wrong("is missing".to_owned())),
    }
}
