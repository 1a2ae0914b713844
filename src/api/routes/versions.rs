//! The versions of a job: listed, shown, run again (rest-api.md 2.2 J6 and J9).

use super::find::{self, Place};
use super::job::{READS_MAX, REASON_MAX, namespace_of, page, read_optional, text_of, token_beside};
use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::wire::{self, Json, check_token};
use crate::model::{ApiReply, ApiRequest, Job, JobId, JobRecord, Stored};
use hyper::HeaderMap;

/// `GET /jobs/{id}/versions`: each as it was last, in ascending order.
pub(super) async fn get(backend: &ApiBackend, id: &str, query: &Query) -> Result<Json, ApiError> {
    let record = find::record(backend, Place::new(id, query)).await?;
    let earlier = record.earlier.iter().map(|version| &version.job);
    let items = earlier
        .chain([&record.job])
        .cloned()
        .map(wire::job)
        .collect();
    Ok(page(items, ""))
}

/// One version of a job; 0 is the latest.
pub(super) fn one(record: &JobRecord, version: u64) -> Result<&Job, ApiError> {
    let latest = &record.job;
    if version == 0 || version == latest.version {
        return Ok(latest);
    }
    let mut earlier = record.earlier.iter().map(|version| &version.job);
    let oldest = earlier
        .clone()
        .next()
        .map_or(latest.version, |job| job.version);
    earlier
        .find(|job| job.version == version)
        .ok_or_else(|| ApiError::VersionNotFound {
            id: latest.id.to_string(),
            version,
            oldest,
            latest: latest.version,
        })
}

/// `PUT /jobs/{id}/rerun`: a version, run again as the next one.
pub(super) async fn rerun(
    backend: &ApiBackend,
    headers: &HeaderMap,
    id: &str,
    query: &Query,
    body: &[u8],
) -> Result<Json, ApiError> {
    let asked = RerunRequest::read(headers, query, body)?;
    let place = Place::within(id, &asked.namespace);
    find::with_job(backend, place, |job| rerun_one(backend, job, &asked)).await
}

async fn rerun_one(
    backend: &ApiBackend,
    job: JobId,
    request: &RerunRequest,
) -> Result<Json, ApiError> {
    let asked = Asked::Rerun {
        job: job.to_string(),
    };
    let mut stored = Stored::Unread;
    for _ in 0..READS_MAX {
        let request = ApiRequest::Rerun {
            job: job.clone(),
            version: request.version,
            reason: request.reason.clone(),
            idempotency: request.idempotency.clone(),
            stored: std::mem::take(&mut stored),
        };
        match backend.ask(request, &asked).await? {
            ApiReply::Rerun {
                version,
                evaluation,
            } => {
                return Ok(Json::object()
                    .with("JobID", job.as_str())
                    .with("JobVersion", version)
                    .with("EvaluationID", evaluation.as_str())
                    .with("Warnings", Json::Null));
            }
            ApiReply::Unread { .. } => stored = find::for_update(backend, &job).await?,
            ApiReply::NotLive => return Err(ApiError::JobNotFound { id: job.0 }),
            _ => return Err(ApiError::Unexpected),
        }
    }
    Err(ApiError::JobChanges { id: job.0 })
}

/// What a rerun says besides which job.
#[derive(Debug)]
struct RerunRequest {
    /// 0 is the latest.
    version: u64,
    /// May be empty.
    reason: String,
    namespace: String,
    idempotency: Option<String>,
}

impl RerunRequest {
    fn read(headers: &HeaderMap, query: &Query, body: &[u8]) -> Result<Self, ApiError> {
        let body = read_optional(body)?;
        let mut reason = text_of(&body, "Reason")?;
        let cut = reason.floor_char_boundary(REASON_MAX);
        reason.truncate(cut);
        let token = match text_of(&body, "IdempotencyToken")? {
            empty if empty.is_empty() => token_beside(headers, query),
            token => token,
        };
        check_token(&token).map_err(ApiError::BadRequest)?;
        Ok(Self {
            version: version_of(&body)?,
            reason,
            namespace: namespace_of(query, &body)?,
            idempotency: (!token.is_empty()).then_some(token),
        })
    }
}

/// The version that is to run again; 0, the latest, when absent.
fn version_of(body: &Json) -> Result<u64, ApiError> {
    let found = match body.get("JobVersion") {
        None => return Ok(0),
        Some(Json::Number(number)) => match number.as_u64() {
            Some(version) => return Ok(version),
            None => number.to_string(),
        },
        Some(other) => other.kind().to_owned(),
    };
    Err(ApiError::BadRequest(format!(
        "JobVersion must be a whole number of 0 or more, not {found}"
    )))
}
