//! Putting an answer into HTTP.

use crate::api::error::ApiError;
use crate::api::wire::{Json, METRICS_TYPE, SERVER};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SERVER as SERVER_NAME, UPGRADE, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without blanks.
    Compact,
    /// With line breaks and two blanks a level, for people.
    Pretty,
}

/// 200 with a body.
pub(super) fn ok(body: &Json, style: Style) -> Response<Full<Bytes>> {
    json(StatusCode::OK, body, style)
}

/// 200 with the page that Prometheus reads.
pub(super) fn metrics(page: String) -> Response<Full<Bytes>> {
    let mut response = named(Full::new(page.into()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
    response
}

/// The error's status, envelope and headers.
pub(super) fn refused(error: &ApiError, style: Style) -> Response<Full<Bytes>> {
    let row = error.row();
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, &error.envelope(&row), style);
    let headers = response.headers_mut();
    if let Some(seconds) = row.retry_after_s {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    match error {
        ApiError::MethodNotAllowed { allow, .. } => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        ApiError::TokenMissing | ApiError::TokenWrong => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

/// A refusal as the last bytes of a connection, for a client whose request never came to be.
pub(in crate::api) fn last_words(error: &ApiError) -> Vec<u8> {
    let response = refused(error, Style::Compact);
    let (head, body) = (
        response.status(),
        written(&error.envelope(&error.row()), Style::Compact),
    );
    let mut words = format!(
        "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in response.headers() {
        words.push_str(&format!(
            "{name}: {}\r\n",
            value.to_str().unwrap_or_default()
        ));
    }
    words.push_str("\r\n");
    [words.into_bytes(), body].concat()
}

/// 200 with a JSON text of ours.
pub(super) fn document(text: &'static str) -> Response<Full<Bytes>> {
    let mut response = named(Full::new(Bytes::from_static(text.as_bytes())));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 101 to a websocket.
pub(super) fn switching(accept: &str) -> Response<Full<Bytes>> {
    let mut response = named(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    // Base64 is a header's value.
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// 301 to a path of ours.
pub(super) fn moved(to: &'static str) -> Response<Full<Bytes>> {
    let mut response = named(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static(to));
    response
}

fn written(body: &Json, style: Style) -> Vec<u8> {
    let text = match style {
        Style::Compact => serde_json::to_vec(body),
        Style::Pretty => serde_json::to_vec_pretty(body),
    };
    // Encoding into memory cannot fail: every key is text and every number finite.
    let mut text = text.unwrap_or_default();
    text.push(b'\n');
    text
}

fn json(status: StatusCode, body: &Json, style: Style) -> Response<Full<Bytes>> {
    let mut response = named(Full::new(written(body, style).into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn named(body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(SERVER_NAME, HeaderValue::from_static(SERVER));
    response
}
