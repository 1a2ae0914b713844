//! A blocking client of a node's REST API: plain HTTP, bounded bodies, errors that say what to do.

use super::wire::Failure;
use crate::config::{ClientTarget, ConfigError, Raw};
use serde::de::DeserializeOwned;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// A node on this machine or network accepts at once or not at all.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A node answers within 25 s or says that the outcome is unknown; this is a little more.
const CALL_MAX: Duration = Duration::from_secs(40);
/// The largest reply that is read: some thousands of jobs.
const REPLY_MAX: u64 = 16 << 20;

/// How the standard library words a failed look-up of a host name.
const NO_SUCH_HOST: &str = "failed to lookup address information";

/// Where the API lives.
const ORCHESTRATOR: &str = "/api/v1/orchestrator";
const AGENT: &str = "/api/v1/agent";

/// A node, as a client sees it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    target: ClientTarget,
}

/// A JSON reply, as it came.
#[derive(Debug)]
pub(super) struct Reply {
    /// For `--json`.
    pub(super) bytes: Vec<u8>,
    base_url: String,
}

/// What can go wrong between here and a node.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// Nobody listens there.
    #[error("no node is running at {base_url}; start one with: {start}")]
    NoNode { base_url: String, start: String },
    /// There is no way to it.
    #[error("cannot reach {base_url}")]
    Unreachable {
        base_url: String,
        #[source]
        source: Box<ureq::Error>,
    },
    /// The connection broke or the reply did not come: whether the request was carried out is not known.
    #[error("{base_url} did not answer")]
    NoAnswer {
        base_url: String,
        #[source]
        source: Box<ureq::Error>,
    },
    /// It answered with an error.
    #[error("{message}")]
    Refused {
        status: u16,
        message: String,
        hint: String,
        retry: Retry,
    },
    /// It answered with something else than this API does.
    #[error("{base_url} does not answer like a node: {what}")]
    Garbled { base_url: String, what: String },
    /// It has no log to show, or not any more.
    #[error("{message}")]
    LogRefused { message: String },
    /// A job that was submitted is out of sight.
    #[error("lost sight of job {job}: no answer for {seconds} s")]
    Lost { job: String, seconds: u64 },
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// It may.
    Later,
    /// It will not.
    Never,
}

impl ClientError {
    /// What to do about it; empty when the message says it.
    pub(super) fn hint(&self) -> &str {
        match self {
            Self::NoNode { .. } | Self::LogRefused { .. } => "",
            // Only jobs are asked for by name.
            Self::Refused {
                status: 404, hint, ..
            } if hint.is_empty() => "codling job list shows the jobs of this node",
            Self::Refused { hint, .. } => hint,
            Self::Unreachable { .. } => "check --api-host and --api-port",
            Self::NoAnswer { .. } => "ask again; codling job list shows what is there",
            Self::Garbled { .. } => {
                "check --api-host and --api-port: another program may listen there"
            }
            Self::Lost { .. } => "the job goes on where it runs; codling job describe shows it",
        }
    }

    /// Whether the same request may succeed later: the node is starting, busy, or out of reach for the moment.
    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::NoNode { .. } | Self::Unreachable { .. } | Self::NoAnswer { .. } => Retry::Later,
            Self::Refused { retry, .. } => *retry,
            Self::Garbled { .. } | Self::LogRefused { .. } | Self::Lost { .. } => Retry::Never,
        }
    }
}

impl Client {
    /// A client of the node that flags and variables name.
    ///
    /// # Errors
    /// A bad --api-host or --api-port.
    pub(super) fn new(raw: &Raw) -> Result<Self, ConfigError> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // The environment's proxies are for the web, not for the node next door.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(CALL_MAX))
            .user_agent(concat!("codling/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: config.new_agent(),
            target: ClientTarget::resolve(raw)?,
        })
    }

    /// `GET` below the orchestrator; `path` starts with `/` and is escaped.
    pub(super) fn get(&self, path: &str) -> Result<Reply, ClientError> {
        self.read(self.with_token(self.agent.get(self.url(path))).call())
    }

    /// `GET` of what a node says of itself; `path` starts with `/`.
    pub(super) fn agent(&self, path: &str) -> Result<Reply, ClientError> {
        let url = format!("{}{AGENT}{path}", self.target.base_url());
        self.read(self.with_token(self.agent.get(url)).call())
    }

    /// `POST` without anything to say, to where [`Client::agent`] asks.
    pub(super) fn agent_post(&self, path: &str) -> Result<Reply, ClientError> {
        let url = format!("{}{AGENT}{path}", self.target.base_url());
        let request = self.with_token(self.agent.post(url));
        self.read(
            request
                .header("Content-Type", "application/json")
                .send(b"{}"),
        )
    }

    /// `PUT` of a JSON body.
    pub(super) fn put(&self, path: &str, body: &[u8]) -> Result<Reply, ClientError> {
        let request = self.with_token(self.agent.put(self.url(path)));
        self.read(
            request
                .header("Content-Type", "application/json")
                .send(body),
        )
    }

    /// `DELETE` with a JSON body, within `limit`.
    pub(super) fn delete(
        &self,
        path: &str,
        body: &[u8],
        limit: Duration,
    ) -> Result<Reply, ClientError> {
        let request = self
            .agent
            .delete(self.url(path))
            .config()
            .timeout_global(Some(limit))
            .build()
            .force_send_body();
        self.read(
            self.with_token(request)
                .header("Content-Type", "application/json")
                .send(body),
        )
    }

    fn with_token<Body>(&self, request: ureq::RequestBuilder<Body>) -> ureq::RequestBuilder<Body> {
        match self.authorization() {
            Some(authorization) => request.header("Authorization", authorization),
            None => request,
        }
    }

    /// What `Authorization` says, where the node wants a token.
    pub(super) fn authorization(&self) -> Option<String> {
        let token = self.target.token.as_ref()?;
        Some(format!("Bearer {}", token.0))
    }

    /// `http://host:port` of the node.
    pub(super) fn base_url(&self) -> String {
        self.target.base_url()
    }

    /// Host and port as they are looked up: an IPv6 address without its brackets.
    pub(super) fn address(&self) -> (String, u16) {
        let host = &self.target.host.value;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        (bare.to_owned(), self.target.port.value)
    }

    /// A reply that this API does not give.
    pub(super) fn garbled(&self, what: String) -> ClientError {
        ClientError::Garbled {
            base_url: self.target.base_url(),
            what,
        }
    }

    /// The URL of a path below the orchestrator.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{ORCHESTRATOR}{path}", self.target.base_url())
    }

    fn read(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Reply, ClientError> {
        let base_url = self.target.base_url();
        let mut response = answer.map_err(|error| self.failed(error))?;
        let status = response.status().as_u16();
        let bytes = response
            .body_mut()
            .with_config()
            .limit(REPLY_MAX)
            .read_to_vec()
            .map_err(|error| match error {
                ureq::Error::BodyExceedsLimit(limit) => ClientError::Garbled {
                    base_url: base_url.clone(),
                    what: format!("a reply of more than {limit} bytes"),
                },
                other => ClientError::NoAnswer {
                    base_url: base_url.clone(),
                    source: Box::new(other),
                },
            })?;
        if status == 200 {
            return Ok(Reply { bytes, base_url });
        }
        Err(refusal(status, &bytes, base_url))
    }

    /// What an error of the connection means.
    pub(super) fn failed(&self, error: ureq::Error) -> ClientError {
        let base_url = self.target.base_url();
        match &error {
            ureq::Error::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused => {
                ClientError::NoNode {
                    base_url,
                    start: self.start_command(),
                }
            }
            ureq::Error::Io(io)
                if matches!(
                    io.kind(),
                    io::ErrorKind::HostUnreachable
                        | io::ErrorKind::NetworkUnreachable
                        | io::ErrorKind::NetworkDown
                        | io::ErrorKind::AddrNotAvailable
                ) =>
            {
                ClientError::Unreachable {
                    base_url,
                    source: Box::new(error),
                }
            }
            // The resolver of the standard library has no error kind of its own for a name that leads nowhere.
            ureq::Error::Io(io) if io.to_string().starts_with(NO_SUCH_HOST) => {
                ClientError::Unreachable {
                    base_url,
                    source: Box::new(error),
                }
            }
            ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::BadUri(_)
            | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                ClientError::Unreachable {
                    base_url,
                    source: Box::new(error),
                }
            }
            ureq::Error::Protocol(what) => ClientError::Garbled {
                base_url,
                what: what.to_string(),
            },
            _ => ClientError::NoAnswer {
                base_url,
                source: Box::new(error),
            },
        }
    }

    /// The exact command that would start the missing node.
    fn start_command(&self) -> String {
        let mut command = "codling serve".to_owned();
        if self.target.port.origin != crate::model::Origin::Default {
            command.push_str(&format!(" --api-port {}", self.target.port.value));
        }
        command
    }
}

impl Reply {
    /// The fields that are needed.
    ///
    /// # Errors
    /// The reply is not what the API says.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.bytes).map_err(|error| ClientError::Garbled {
            base_url: self.base_url.clone(),
            what: error.to_string(),
        })
    }

    /// The reply as one line-ended text.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if bytes.last() != Some(&b'\n') {
            bytes.push(b'\n');
        }
        bytes
    }
}

/// What an answer other than 200 means.
pub(super) fn refusal(status: u16, bytes: &[u8], base_url: String) -> ClientError {
    match serde_json::from_slice::<Failure>(bytes) {
        Ok(failure) if !failure.message.is_empty() => {
            let said = failure
                .details
                .as_ref()
                .and_then(|details| details.get("Retryable"))
                .map(String::as_str);
            let retry = match said {
                Some("true") => Retry::Later,
                Some("false") => Retry::Never,
                _ if matches!(status, 429 | 503 | 507) => Retry::Later,
                _ => Retry::Never,
            };
            ClientError::Refused {
                status,
                message: failure.message,
                hint: failure.hint.unwrap_or_default(),
                retry,
            }
        }
        _ => ClientError::Garbled {
            base_url,
            what: format!("status {status} without an error message"),
        },
    }
}

/// A path segment: everything that is not plain is escaped.
pub(super) fn segment(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
