//! Who may drive this node: judged at the head of every request, before its route is looked up.
//!
//! Two strangers are kept out. A **web page** in the operator's browser reaches whatever the browser reaches, the loopback
//! too: it can send simple requests unasked, and by pointing a name of its own at 127.0.0.1 (DNS rebinding) even read the
//! answers. Such a request names the page's host in `Host`, or the page in `Origin` or `Sec-Fetch-Site`; and a body is
//! taken only as `application/json`, which no page may send elsewhere unasked. A **program without the token** is kept out
//! where the operator named a token file.
//!
//! With a token no page can do anything, whatever the name: a browser never adds the header by itself. So `Host` is judged
//! only where there is no token, and a node behind a name that it does not know stays usable.

mod challenge;
mod hosts;
mod token;

pub use challenge::Challenge;
pub use hosts::Hosts;
pub use token::{ApiToken, TOKEN_MAX, TOKEN_MIN, TokenFileError};

use super::error::ApiError;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue, ORIGIN};
use hyper::http::request::Parts;

/// Another way to send the token, for tools that cannot set `Authorization`.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Longest piece of a stranger's header that is quoted back.
const QUOTED_MAX: usize = 128;

/// Who may do what on one server.
#[derive(Debug)]
pub struct Access {
    /// The names under which the node is asked for.
    pub hosts: Hosts,
    /// What every caller must show, if anything.
    pub token: Option<ApiToken>,
    /// What a client signs that logs in.
    pub challenge: Challenge,
}

/// Whether a route is for everybody, also where a token is asked for: what a client needs to find out that it needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Everybody,
    TokenHolders,
}

impl Access {
    /// Whether a page in somebody's browser may have sent this.
    ///
    /// # Errors
    /// 400 without a usable host, 403 for a foreign one and for foreign pages.
    pub(super) fn judge_sender(&self, head: &Parts) -> Result<(), ApiError> {
        let host = host(head)?;
        if self.token.is_none()
            && let Some(host) = host
            && !self.hosts.has(host)
        {
            return Err(ApiError::HostNotOurs {
                host: quoted(hosts::name(host)),
            });
        }
        judge_page(&head.headers, host)
    }

    /// Whether the caller may use a route.
    ///
    /// # Errors
    /// 401 without the token.
    pub(super) fn judge_caller(
        &self,
        headers: &HeaderMap,
        audience: Audience,
    ) -> Result<(), ApiError> {
        let Some(token) = &self.token else {
            // Whatever a client still carries from another time is no reason to turn it away.
            return Ok(());
        };
        if audience == Audience::Everybody {
            return Ok(());
        }
        let mut shown = shown_tokens(headers).peekable();
        if shown.peek().is_none() {
            return Err(ApiError::TokenMissing);
        }
        // Every one is compared, so that the time tells nothing.
        let right = shown.fold(false, |right, shown| token.is(shown) | right);
        right.then_some(()).ok_or(ApiError::TokenWrong)
    }
}

/// What the request is for: the address of the request line, else `Host`. `None` for HTTP/1.0 without one, which no browser
/// sends.
fn host(head: &Parts) -> Result<Option<&str>, ApiError> {
    if let Some(authority) = head.uri.authority() {
        return Ok(Some(authority.as_str()));
    }
    let mut hosts = head.headers.get_all(hyper::header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host
            .to_str()
            .ok()
            .filter(|host| !host.is_empty())
            .map(Some)
            .ok_or(ApiError::HostMissing),
        (None, _) if head.version < hyper::Version::HTTP_11 => Ok(None),
        _ => Err(ApiError::HostMissing),
    }
}

/// Browsers add `Origin` to everything that can change something and to web sockets, and newer ones `Sec-Fetch-Site` to
/// everything; a link that somebody follows is no page's doing.
fn judge_page(headers: &HeaderMap, host: Option<&str>) -> Result<(), ApiError> {
    for origin in headers.get_all(ORIGIN) {
        let same = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|origin| host.is_some_and(|host| hosts::same(origin, host)));
        if !same {
            return Err(ApiError::ForeignPage {
                page: quoted(&String::from_utf8_lossy(origin.as_bytes())),
            });
        }
    }
    let is = |name: &HeaderName, word: &str| headers.get(name).is_some_and(|value| value == word);
    if is(&FETCH_SITE, "cross-site") && !is(&FETCH_MODE, "navigate") {
        return Err(ApiError::ForeignPage {
            page: "Sec-Fetch-Site: cross-site".to_owned(),
        });
    }
    Ok(())
}

fn shown_tokens(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(AUTHORIZATION)
        .iter()
        .filter_map(bearer)
        .chain(headers.get_all(API_KEY).iter().map(HeaderValue::as_bytes))
}

/// What follows `Bearer`, in any case.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

fn quoted(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(QUOTED_MAX)
        .collect()
}
