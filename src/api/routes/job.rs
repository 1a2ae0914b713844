//! `/api/v1/orchestrator/jobs` and `/jobs/{id}`: submit, show, stop.

use super::find;
use super::history;
use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::wire::{self, Envelope, Json, read_submission};
use crate::model::{ApiReply, ApiRequest, JobRecord, JobState};
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName};

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
const REASON_MAX: usize = 1_024;

/// Submits a job.
pub(super) async fn submit(
    backend: &ApiBackend,
    headers: &HeaderMap,
    query: &Query,
    body: &[u8],
) -> Result<Json, ApiError> {
    let (submission, warnings) = read_submission(body, envelope(headers, query))?;
    let request = ApiRequest::Submit(Box::new(submission));
    match backend.ask(request, &Asked::Submit).await? {
        ApiReply::Submitted { job, evaluation } => Ok(Json::object()
            .with("JobID", job.as_str())
            .with("EvaluationID", evaluation.as_str())
            .with(
                "Warnings",
                match warnings.as_slice() {
                    [] => Json::Null,
                    warnings => warnings.into(),
                },
            )),
        _ => Err(ApiError::Unexpected),
    }
}

fn envelope(headers: &HeaderMap, query: &Query) -> Envelope {
    let text = |value: Option<&hyper::header::HeaderValue>| {
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let token = match text(headers.get("idempotency-key")) {
        empty if empty.is_empty() => query.text("idempotency_token").to_owned(),
        token => token,
    };
    Envelope {
        token,
        client: CLIENT_META
            .iter()
            .map(|(header, key)| (*key, text(headers.get(header))))
            .collect(),
    }
}

/// Whether a body may be read as JSON. A body without this type is refused: it is also what keeps a form in somebody's
/// browser from submitting jobs, since a page may not send it to another host unasked.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::NotJson {
        found: content_type.to_owned(),
    })
}

/// Shows one job, with its executions and history if asked for.
pub(super) async fn get(backend: &ApiBackend, id: &str, query: &Query) -> Result<Json, ApiError> {
    let version = query.number("job_version")?;
    let record = find::record(backend, id).await?;
    if version != 0 && version != record.job.version {
        return Err(ApiError::JobNotFound {
            id: format!("{id}, version {version}"),
        });
    }
    let includes = |word: &str| {
        query
            .all("include")
            .flat_map(|words| words.split(','))
            .any(|included| included.trim() == word)
    };
    let mut body = Json::object().with("Job", wire::job(&record.job));
    if includes("history") {
        body = body.with("History", history::whole(&record));
    }
    if includes("executions") {
        body = body.with("Executions", executions_of(&record));
    }
    Ok(body)
}

fn executions_of(record: &JobRecord) -> Json {
    let items = record
        .executions
        .iter()
        .map(|execution| wire::execution(execution, &record.job))
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
    let reason = reason(query, body)?;
    let job = find::job_id(backend, id).await?;
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

/// The reason is in the body; some clients send it as a parameter, or the word None. May be empty.
fn reason(query: &Query, body: &[u8]) -> Result<String, ApiError> {
    let mut reason = String::new();
    if !body.trim_ascii().is_empty() {
        let request = Json::read(body)
            .map_err(|why| ApiError::BadRequest(format!("the request body is not JSON: {why}")))?;
        match request.get("reason") {
            None => {}
            Some(Json::Text(text)) => reason.clone_from(text),
            Some(other) => {
                return Err(ApiError::BadRequest(format!(
                    "reason must be a string, not {}",
                    other.kind()
                )));
            }
        }
    }
    if reason.is_empty() && query.text("reason") != "None" {
        query.text("reason").clone_into(&mut reason);
    }
    let cut = reason.floor_char_boundary(REASON_MAX);
    reason.truncate(cut);
    Ok(reason)
}
