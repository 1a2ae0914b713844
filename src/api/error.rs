//! Every way to say no, in one table: status, code, component, what to do, whether to try again (rest-api.md 1.5).
//!
//! A mistake of the client is never 5xx. 503 and 507 mean that the same request may succeed later; `Details.Retryable`
//! says so in words that a program can read.

use super::wire::{Json, job_state_word};
use crate::model::{DenyReason, JobState};
use std::borrow::Cow;
use thiserror::Error;

/// What was asked when something went wrong; decides the words and, where it is known, names the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A submission.
    Submit,
    /// The end of this job.
    Stop {
        /// As in the path.
        job: String,
    },
    /// That this job runs again.
    Rerun {
        /// As in the path.
        job: String,
    },
    /// To see something.
    Read,
}

/// Why a request is not answered with 200.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ApiError {
    #[error("no such route: {method} {path}")]
    UnknownRoute { method: String, path: String },
    #[error("method {method} is not allowed on {path}, only {allow}")]
    MethodNotAllowed {
        method: String,
        path: String,
        allow: &'static str,
    },
    #[error("the request names no host")]
    HostMissing,
    #[error("the request is for \"{host}\", and this node does not answer to that name")]
    HostNotOurs { host: String },
    #[error("the request was sent by a web page from elsewhere: {page}")]
    ForeignPage { page: String },
    #[error("the request carries no token, and this node asks for one")]
    TokenMissing,
    #[error("the request's token is not this node's")]
    TokenWrong,
    #[error("no such way to log in: \"{name}\"")]
    UnknownLogin { name: String },
    #[error("the answer to the challenge is not right: {why}")]
    LoginRefused { why: String },
    #[error("the request's head is too big: more than {limit} bytes or 100 fields")]
    HeadTooLarge { limit: usize },
    #[error("the request's address is too long")]
    AddressTooLong,
    #[error("the request's head did not arrive within {seconds} s")]
    HeadTooSlow { seconds: u64 },
    #[error("this is not an HTTP/1.1 request")]
    HeadGarbled,
    #[error("the request's Content-Type must be application/json, not \"{found}\"")]
    NotJson { found: String },
    #[error(
        "the request body has the Content-Encoding \"{found}\", and bodies are read as they are"
    )]
    Encoded { found: String },
    #[error("{0}")]
    BadRequest(String),
    /// All problems of a submission, one a line.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    #[error("the request body is too big: more than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("the request body did not arrive within {seconds} s")]
    BodyTooSlow { seconds: u64 },
    #[error("too many request bodies are being read: at most {limit} bytes together")]
    BodiesTooMany { limit: usize },
    #[error("job not found: {id}")]
    JobNotFound { id: String },
    #[error("node not found: {id}")]
    NodeNotFound { id: String },
    #[error("multiple nodes found for id {id}")]
    MultipleNodes { id: String },
    #[error("job {id} has no version {version}; versions {oldest} to {latest} are kept")]
    VersionNotFound {
        id: String,
        version: u64,
        oldest: u64,
        latest: u64,
    },
    #[error("{bound}{found} jobs have ids that start with \"{id}\"")]
    MultipleJobs {
        id: String,
        found: usize,
        bound: &'static str,
    },
    #[error("job {id} changes faster than it can be read")]
    JobChanges { id: String },
    #[error("execution not found: {id} is none of job {job}")]
    ExecutionNotFound { id: String, job: String },
    #[error("this route is a websocket: send the upgrade request of one")]
    NotWebsocket,
    #[error("job {id} cannot be stopped: it is {} already", job_state_word(*.state))]
    JobEnded { id: String, state: JobState },
    #[error("{reason}")]
    Denied { reason: DenyReason, asked: Asked },
    #[error("the answer was lost; the outcome is not known yet")]
    ReplyLost { asked: Asked },
    #[error("the store cannot be read now")]
    StoreUnreadable,
    #[error("the node is stopping")]
    Stopping,
    #[error("the node answered something that was not asked")]
    Unexpected,
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Row {
    /// HTTP status.
    pub(super) status: u16,
    /// `Code`.
    pub(super) code: &'static str,
    /// `Component`.
    pub(super) component: &'static str,
    /// `Hint`: what to do. There is always something.
    pub(super) hint: Cow<'static, str>,
    /// Seconds for `Retry-After`; `None` where the same request cannot succeed later.
    pub(super) retry_after_s: Option<u64>,
}

/// The longest line of a message or hint: a path, name or value that a stranger sent may be as long as its request, and
/// none of ours is half as long.
const LINE_MAX: usize = 1_024;

/// For a queue that one turn empties.
const RETRY_SOON_S: u64 = 1;
/// For what takes an engine, a disk or a job to change; the store is reopened after 1 to 4 s.
const RETRY_LATER_S: u64 = 5;

/// Where the versions of a job are.
const VERSIONS_HINT: &str = "GET /api/v1/orchestrator/jobs/{id}/versions lists them";

/// What a full disk asks for.
const SPACE: &str = "nothing was done: free space on the node's disk (codling node describe names it), then send it again";

const API: &str = "APIServer";
const JOBS: &str = "JobStore";

const AGAIN: &str = "nothing was done; send it again in a moment";
const STORE_REOPENS: &str = "the store is being reopened; nothing that was accepted is lost";
const HOW_TO_SHOW_A_TOKEN: &str = "send the header Authorization: Bearer TOKEN; codling and the bacalhau CLI take the \
     token from the variable BACALHAU_API_KEY";

impl ApiError {
    /// The row of the table.
    pub(super) fn row(&self) -> Row {
        match self {
            Self::UnknownRoute { .. } => row(
                404,
                "NotFound",
                API,
                "this agent speaks the REST API of Bacalhau v1.9.3, under /api/v1: see /api/v1/openapi.json",
            ),
            Self::MethodNotAllowed { allow, .. } => row(
                405,
                "MethodNotAllowed",
                API,
                format!("send one of: {allow}"),
            ),
            Self::HostMissing => row(
                400,
                "BadRequest",
                API,
                "send a Host header with the name or address that leads here",
            ),
            Self::HostNotOurs { host } => row(
                403,
                "Forbidden",
                API,
                format!(
                    "ask for 127.0.0.1 or localhost, or start the node with --api-allow-host {host}"
                ),
            ),
            Self::ForeignPage { .. } => row(
                403,
                "Forbidden",
                API,
                "no page of another site may drive this node: use codling, the bacalhau CLI or curl",
            ),
            Self::TokenMissing | Self::TokenWrong => {
                row(401, "Unauthorized", "Authorizer", HOW_TO_SHOW_A_TOKEN)
            }
            Self::UnknownLogin { .. } => row(
                404,
                "NotFound",
                API,
                "GET /api/v1/auth lists the ways to log in here",
            ),
            Self::LoginRefused { .. } => row(
                401,
                "Unauthorized",
                "Authorizer",
                "sign the bytes of InputPhrase as GET /api/v1/auth gives it: RSA, PKCS #1 v1.5, SHA-256",
            ),
            Self::HeadTooLarge { .. } => {
                row(431, "BadRequest", API, "send fewer and shorter headers")
            }
            Self::AddressTooLong => row(414, "BadRequest", API, "send a shorter path and query"),
            Self::HeadTooSlow { .. } => {
                row(408, "TimeOut", API, "send the request's head at once").retry(RETRY_SOON_S)
            }
            Self::HeadGarbled => row(
                400,
                "BadRequest",
                API,
                "send a request line and headers as HTTP/1.1 has them, and no TLS: http://, not https://",
            ),
            Self::NotJson { .. } => row(
                415,
                "UnsupportedMediaType",
                API,
                "send the header Content-Type: application/json and a JSON document",
            ),
            Self::Encoded { .. } => row(
                415,
                "UnsupportedMediaType",
                API,
                "send the JSON document itself, without Content-Encoding",
            ),
            Self::BadRequest(_) => row(
                400,
                "BadRequest",
                API,
                "nothing was done; /api/v1/openapi.json tells what each route takes",
            ),
            Self::Invalid(_) => row(
                400,
                "ValidationError",
                API,
                "nothing was submitted: correct each line and send the job again",
            ),
            Self::BodyTooLarge { .. } => row(
                413,
                "BadRequest",
                API,
                "put large inputs into the image or into an input source",
            ),
            Self::BodyTooSlow { .. } => {
                row(408, "TimeOut", API, "send it again, faster").retry(RETRY_SOON_S)
            }
            Self::BodiesTooMany { .. } => {
                row(503, "ServiceUnavailable", API, AGAIN).retry(RETRY_SOON_S)
            }
            Self::JobNotFound { .. } => row(
                404,
                "NotFound",
                JOBS,
                "job list shows the jobs of this node",
            ),
            Self::ExecutionNotFound { job, .. } => row(
                404,
                "NotFound",
                JOBS,
                format!("job executions {job} shows them"),
            ),
            Self::NotWebsocket => row(
                400,
                "BadRequest",
                API,
                "job logs shows what a job printed, and follows it",
            ),
            Self::MultipleJobs { .. } => row(409, "MultipleJobsFound", JOBS, "use the full job id"),
            Self::NodeNotFound { .. } => row(
                404,
                "NotFound",
                "NodesManager",
                "node list shows this node and those it is connected to",
            ),
            Self::MultipleNodes { .. } => row(
                409,
                "MultipleNodesFound",
                "NodesManager",
                "use the full node id",
            ),
            Self::VersionNotFound { .. } => row(404, "NotFound", JOBS, VERSIONS_HINT),
            Self::JobChanges { .. } => {
                row(409, "ConflictJobRevision", JOBS, AGAIN).retry(RETRY_SOON_S)
            }
            Self::JobEnded { .. } => row(
                409,
                "ConflictJobState",
                JOBS,
                "there is nothing left to stop; job describe shows how it ended",
            ),
            Self::Denied { reason, asked } => denied(reason, asked),
            Self::ReplyLost { asked } => {
                row(503, "ServiceUnavailable", API, unknown(None, asked)).retry(RETRY_LATER_S)
            }
            Self::StoreUnreadable => {
                row(503, "ServiceUnavailable", JOBS, STORE_REOPENS).retry(RETRY_LATER_S)
            }
            Self::Stopping => row(
                503,
                "ServiceUnavailable",
                API,
                "nothing was done; send it again when the node is back",
            )
            .retry(RETRY_LATER_S),
            Self::Unexpected => row(
                500,
                "InternalError",
                API,
                "this is a mistake in codling: please report it with the lines of its log",
            ),
        }
    }

    /// The job whose outcome is in question, where it is known.
    fn job(&self) -> Option<&str> {
        match self {
            Self::Denied {
                reason: DenyReason::StoreUnavailable { job: Some(job) },
                ..
            } => Some(job.as_str()),
            Self::Denied {
                asked: Asked::Stop { job } | Asked::Rerun { job },
                ..
            }
            | Self::ReplyLost {
                asked: Asked::Stop { job } | Asked::Rerun { job },
            } => Some(job),
            _ => None,
        }
    }

    /// The envelope (rest-api.md 1.5).
    pub(super) fn envelope(&self, row: &Row) -> Json {
        let mut details = Json::object();
        if row.retry_after_s.is_some() {
            details = details.with("Retryable", "true");
        }
        if let Some(job) = self.job() {
            details = details.with("JobID", job);
        }
        Json::object()
            .with("Status", u64::from(row.status))
            .with("Message", shortened(&self.to_string()))
            .with("RequestID", "")
            .with("Code", row.code)
            .with("Component", row.component)
            .with("Hint", shortened(&row.hint))
            .with_some("Details", details)
    }
}

/// Each line no longer than [`LINE_MAX`].
fn shortened(text: &str) -> String {
    let line = |line: &str| match line.len() {
        0..=LINE_MAX => line.to_owned(),
        _ => format!("{}...", &line[..line.floor_char_boundary(LINE_MAX)]),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn denied(reason: &DenyReason, asked: &Asked) -> Row {
    match reason {
        DenyReason::TooManyLive { .. } | DenyReason::TooManyBytes { .. } => row(
            429,
            "ResourceExhausted",
            JOBS,
            "wait until jobs end, or stop some",
        )
        .retry(RETRY_LATER_S),
        // As on a compute-only node of the original, where the orchestrator's routes do not exist.
        DenyReason::NotRequester => row(
            404,
            "NotFound",
            API,
            "send it to a node whose --node-type has requester",
        ),
        DenyReason::TokenReused { .. } => row(
            409,
            "ResourceInUse",
            JOBS,
            "use a new idempotency token for a different request",
        ),
        DenyReason::Unchanged { .. } => row(
            409,
            "ConflictJobRevision",
            JOBS,
            "send it with Force true (--force) to run it again as a new version",
        ),
        DenyReason::TypeDiffers { .. } => row(
            409,
            "ResourceInUse",
            JOBS,
            "give the new job another name; a job's type does not change",
        ),
        DenyReason::NotBegun { .. } => row(
            409,
            "ConflictJobState",
            JOBS,
            "wait until it runs, or stop it first",
        ),
        DenyReason::NoSuchVersion { .. } => row(404, "NotFound", JOBS, VERSIONS_HINT),
        DenyReason::StoreUnavailable { job } => match asked {
            Asked::Read => row(503, "ServiceUnavailable", JOBS, STORE_REOPENS).retry(RETRY_LATER_S),
            Asked::Submit | Asked::Stop { .. } | Asked::Rerun { .. } => row(
                507,
                "DatastoreFailure",
                JOBS,
                unknown(job.as_ref().map(|job| job.as_str()), asked),
            )
            .retry(RETRY_LATER_S),
        },
        DenyReason::StoreFull => row(507, "DatastoreFailure", JOBS, SPACE).retry(RETRY_LATER_S),
        DenyReason::Timeout { .. } => {
            row(503, "ServiceUnavailable", API, unknown(None, asked)).retry(RETRY_LATER_S)
        }
        DenyReason::Busy { .. } => row(503, "ServiceUnavailable", API, AGAIN).retry(RETRY_SOON_S),
        // A reason of a later release: the words are its own.
        #[allow(unreachable_patterns)]
        _ => row(503, "ServiceUnavailable", API, AGAIN).retry(RETRY_LATER_S),
    }
}

/// What to do when it is not known whether a decision was made.
fn unknown(job: Option<&str>, asked: &Asked) -> Cow<'static, str> {
    match (job, asked) {
        (Some(job), Asked::Submit) => format!(
            "the outcome is known when the store is back: ask for {job}, or send the same idempotency key"
        )
        .into(),
        (None, Asked::Submit) => "send it again with the same idempotency key: it is taken once".into(),
        (_, Asked::Stop { job }) => format!("ask for {job}, or send it again: stopping twice is harmless").into(),
        (_, Asked::Rerun { job }) => {
            format!("ask for {job}, whose version tells whether it runs, or send it again with the same idempotency key").into()
        }
        (_, Asked::Read) => "ask again".into(),
    }
}

fn row(
    status: u16,
    code: &'static str,
    component: &'static str,
    hint: impl Into<Cow<'static, str>>,
) -> Row {
    Row {
        status,
        code,
        component,
        hint: hint.into(),
        retry_after_s: None,
    }
}

impl Row {
    fn retry(mut self, after_s: u64) -> Self {
        self.retry_after_s = Some(after_s);
        self
    }
}
