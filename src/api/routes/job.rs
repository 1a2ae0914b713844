//! `/api/v1/orchestrator/jobs` and `/jobs/{id}`: submit, show, stop. What concerns several versions is in `versions`.

use super::find::{self, Place};
use super::history;
use super::query::Query;
use super::versions;
use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::wire::{self, Envelope, Json, read_submission};
use crate::model::{ApiReply, ApiRequest, Job, JobId, JobRecord, JobState, Stored};
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};

/// Headers whose value is kept in a job's meta, and the key.
const CLIENT_META: [(HeaderName, &str); 2] = [
    (
        HeaderName::from_static("x-bacalhau-installationid"),
        "bacalhau.org/client.installation.id",
    ),
    (
        HeaderName::from_static("x-bacalhau-instanceid"),
        "bacalhau.org/client.instance.id",
    ),
];

/// The longest reason that is kept; it is shown in one line.
pub(super) const REASON_MAX: usize = 1_024;

/// How often a job that is to have a further version is read, when others change it at the same time.
pub(super) const READS_MAX: usize = 4;

/// Submits a job.
pub(super) async fn submit(
    backend: &ApiBackend,
    headers: &HeaderMap,
    query: &Query,
    body: &[u8],
) -> Result<Json, ApiError> {
    let envelope = envelope(headers, query);
    let mut stored = Stored::Unread;
    let mut changes = String::new();
    for _ in 0..READS_MAX {
        let (mut submission, warnings) = read_submission(body, envelope.clone())?;
        submission.stored = std::mem::take(&mut stored);
        let request = ApiRequest::Submit(Box::new(submission));
        match backend.ask(request, &Asked::Submit).await? {
            ApiReply::Submitted { job, evaluation } => {
                return Ok(Json::object()
                    .with("JobID", job.as_str())
                    .with("EvaluationID", evaluation.as_str())
                    .with("Warnings", warning_lines(&warnings)));
            }
            ApiReply::Unread { job } => {
                stored = find::for_update(backend, &job).await?;
                changes = job.0;
            }
            _ => return Err(ApiError::Unexpected),
        }
    }
    Err(ApiError::JobChanges { id: changes })
}

/// Warnings as clients expect them: null for none.
pub(super) fn warning_lines(warnings: &[String]) -> Json {
    match warnings {
        [] => Json::Null,
        warnings => warnings.into(),
    }
}

fn envelope(headers: &HeaderMap, query: &Query) -> Envelope {
    Envelope {
        token: token_beside(headers, query),
        client: CLIENT_META
            .iter()
            .map(|(header, key)| (*key, header_text(headers.get(header))))
            .collect(),
    }
}

/// The idempotency token beside the body, whose own goes first. May be empty.
pub(super) fn token_beside(headers: &HeaderMap, query: &Query) -> String {
    match header_text(headers.get("idempotency-key")) {
        empty if empty.is_empty() => query.text("idempotency_token").to_owned(),
        token => token,
    }
}

fn header_text(value: Option<&HeaderValue>) -> String {
    let text = value.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

/// Whether a body may be read as JSON. A body without this type is refused: it is also what keeps a form in somebody's
/// browser from submitting jobs, since a page may not send it to another host unasked.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::NotJson {
            found: content_type.to_owned(),
        });
    }
    match header_text(headers.get(CONTENT_ENCODING)) {
        coded if !matches!(coded.as_str(), "" | "identity") => {
            Err(ApiError::Encoded { found: coded })
        }
        _ => Ok(()),
    }
}

/// Shows one job, with its executions and history if asked for.
pub(super) async fn get(backend: &ApiBackend, id: &str, query: &Query) -> Result<Json, ApiError> {
    let asked = query.number("job_version")?;
    let record = find::record(backend, Place::new(id, query)).await?;
    let job = versions::one(&record, asked)?;
    let includes = |word: &str| {
        query
            .all("include")
            .flat_map(|words| words.split(','))
            .any(|included| included.trim() == word)
    };
    let mut body = Json::object().with("Job", wire::job(job.clone()));
    if includes("history") {
        body = body.with("History", history::whole(&record, job.version));
    }
    if includes("executions") {
        body = body.with("Executions", executions_of(&record, job));
    }
    Ok(body)
}

fn executions_of(record: &JobRecord, job: &Job) -> Json {
    let items = record
        .executions
        .iter()
        .filter(|execution| execution.job_version == job.version)
        .map(|execution| wire::execution(execution, job))
        .collect();
    page(items, "")
}

/// A list and where it goes on (rest-api.md 3.2).
pub(super) fn page(items: Vec<Json>, next_token: &str) -> Json {
    Json::object()
        .with("NextToken", next_token)
        .with("Items", items)
}

/// Stops a job. Stopping a stopped one is fine; one that ended otherwise is a conflict.
pub(super) async fn stop(
    backend: &ApiBackend,
    id: &str,
    query: &Query,
    body: &[u8],
) -> Result<Json, ApiError> {
    let StopRequest { reason, namespace } = StopRequest::read(query, body)?;
    let place = Place::within(id, &namespace);
    find::with_job(backend, place, |job| stop_one(backend, job, reason.clone())).await
}

async fn stop_one(backend: &ApiBackend, job: JobId, reason: String) -> Result<Json, ApiError> {
    let request = ApiRequest::Stop {
        job: job.clone(),
        reason,
    };
    let asked = Asked::Stop {
        job: job.to_string(),
    };
    let record = match backend.ask(request, &asked).await? {
        ApiReply::Stopping { evaluation } => {
            return Ok(Json::object().with("EvaluationID", evaluation.as_str()));
        }
        ApiReply::Job(record) => *record,
        ApiReply::NotLive => find::stored(backend, &job).await?,
        _ => return Err(ApiError::Unexpected),
    };
    match record.job.state {
        JobState::Stopped => Ok(Json::object().with("EvaluationID", "")),
        state => Err(ApiError::JobEnded {
            id: job.to_string(),
            state,
        }),
    }
}

/// What a stop says besides which job. The reason is in the body; some clients send it as a parameter, or the word None.
#[derive(Debug)]
struct StopRequest {
    /// May be empty.
    reason: String,
    namespace: String,
}

impl StopRequest {
    fn read(query: &Query, body: &[u8]) -> Result<Self, ApiError> {
        let body = read_optional(body)?;
        let mut reason = text_of(&body, "reason")?;
        if reason.is_empty() && query.text("reason") != "None" {
            query.text("reason").clone_into(&mut reason);
        }
        let cut = reason.floor_char_boundary(REASON_MAX);
        reason.truncate(cut);
        Ok(Self {
            reason,
            namespace: namespace_of(query, &body)?,
        })
    }
}

/// The body of a request that may do without one.
pub(super) fn read_optional(body: &[u8]) -> Result<Json, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(Json::object());
    }
    Json::read(body)
        .map_err(|why| ApiError::BadRequest(format!("the request body is not JSON: {why}")))
}

/// The namespace that a request names in its query or its body.
pub(super) fn namespace_of(query: &Query, body: &Json) -> Result<String, ApiError> {
    match query.text("namespace") {
        "" => text_of(body, "Namespace"),
        namespace => Ok(namespace.to_owned()),
    }
}

/// A text of a request's body; empty when absent.
pub(super) fn text_of(body: &Json, key: &str) -> Result<String, ApiError> {
    match body.get(key) {
        None => Ok(String::new()),
        Some(Json::Text(text)) => Ok(text.clone()),
        Some(other) => Err(ApiError::BadRequest(format!(
            "{key} must be a string, not {}",
            other.kind()
        ))),
    }
}
