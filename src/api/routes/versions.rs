//! The versions of a job: listed, shown, run again (rest-api.md 2.2 J6 and J9).

use super::find::{self, Place};
use super::job::{READS_MAX, REASON_MAX, namespace_of, page, read_optional, text_of};
use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::wire::{self, Json};
use crate::model::{ApiReply, ApiRequest, Job, JobRecord, Stored};

/// `GET /jobs/{id}/versions`: each as it was last, in ascending order.
pub(super) async fn get(backend: &ApiBackend, id: &str, query: &Query) -> Result<Json, ApiError> {
    let record = find::record(backend, Place::new(id, query)).await?;
    let earlier = record.earlier.iter().map(|version| &version.job);
    let items = earlier.chain([&record.job]).map(wire::job).collect();
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
    id: &str,
    query: &Query,
    body: &[u8],
) -> Result<Json, ApiError> {
    let body = read_optional(body)?;
    let version = match body.get("JobVersion") {
        None => 0,
        Some(Json::Number(number)) if number.as_u64().is_some() => {
            number.as_u64().unwrap_or_default()
        }
        Some(other) => {
            return Err(ApiError::BadRequest(format!(
                "JobVersion must be a whole number of 0 or more, not {}",
                other.kind()
            )));
        }
    };
    let mut reason = text_of(&body, "Reason")?;
    let cut = reason.floor_char_boundary(REASON_MAX);
    reason.truncate(cut);
    let namespace = namespace_of(query, &body)?;
    let job = find::job_id(backend, Place::within(id, &namespace)).await?;
    let asked = Asked::Rerun {
        job: job.to_string(),
    };
    let mut stored = Stored::Unread;
    for _ in 0..READS_MAX {
        let request = ApiRequest::Rerun {
            job: job.clone(),
            version,
            reason: reason.clone(),
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
