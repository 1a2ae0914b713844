//! From the `{id}` of a path to a job: in full, or a prefix that only one job has.

use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::model::{
    ApiReply, ApiRequest, JobId, JobRange, JobRecord, ListOrder, StoreAnswer, StoreQuery,
};
use std::collections::BTreeSet;

/// Two tell "one" from "several".
const ENOUGH: usize = 2;

/// The id that `text` stands for. A full id is not looked up.
///
/// # Errors
/// 404 when no job has it, 409 when several do.
pub(super) async fn job_id(backend: &ApiBackend, text: &str) -> Result<JobId, ApiError> {
    if is_full(text) {
        return Ok(JobId::from(text));
    }
    let not_found = || ApiError::JobNotFound {
        id: text.to_owned(),
    };
    // Names are not looked up yet, and every id starts so.
    if !text.starts_with("j-") {
        return Err(not_found());
    }
    let range = JobRange {
        prefix: text.to_owned(),
        after: None,
        order: ListOrder::OldestFirst,
        limit: ENOUGH,
    };
    let mut ids = BTreeSet::new();
    match backend
        .ask(ApiRequest::List(range.clone()), &Asked::Read)
        .await?
    {
        ApiReply::Jobs(rows) => ids.extend(rows.into_iter().map(|row| row.job.id)),
        _ => return Err(ApiError::Unexpected),
    }
    match backend.read(StoreQuery::Jobs(range)).await {
        StoreAnswer::Jobs { rows, .. } => ids.extend(rows.into_iter().map(|row| row.job.id)),
        StoreAnswer::Unavailable => return Err(ApiError::StoreUnreadable),
        StoreAnswer::Job(_) => return Err(ApiError::Unexpected),
    }
    if ids.len() >= ENOUGH {
        return Err(ApiError::MultipleJobs {
            id: text.to_owned(),
        });
    }
    ids.pop_first().ok_or_else(not_found)
}

/// The whole record of the job that `text` stands for: from the agent while it is live, else from the store.
pub(super) async fn record(backend: &ApiBackend, text: &str) -> Result<JobRecord, ApiError> {
    let id = job_id(backend, text).await?;
    let request = ApiRequest::Read { job: id.clone() };
    match backend.ask(request, &Asked::Read).await? {
        ApiReply::Job(record) => Ok(*record),
        ApiReply::NotLive => stored(backend, &id).await,
        _ => Err(ApiError::Unexpected),
    }
}

/// The stored record of a job that is not live.
pub(super) async fn stored(backend: &ApiBackend, id: &JobId) -> Result<JobRecord, ApiError> {
    match backend.read(StoreQuery::Job(id.clone())).await {
        StoreAnswer::Job(Some(record)) => Ok(*record),
        StoreAnswer::Job(None) => Err(ApiError::JobNotFound { id: id.to_string() }),
        StoreAnswer::Unavailable => Err(ApiError::StoreUnreadable),
        StoreAnswer::Jobs { .. } => Err(ApiError::Unexpected),
    }
}

/// `j-` and a UUID.
fn is_full(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("j-") else {
        return false;
    };
    uuid.len() == 36
        && uuid.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_prefix_and_a_whole_uuid_is_a_full_id() {
        assert!(is_full("j-0f8fad5b-d9cb-469f-a165-70867728950e"));
        for text in [
            "j-0f8fad5b",
            "j-",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "j-0f8fad5b-d9cb-469f-a165-70867728950g",
            "j-0f8fad5bxd9cb-469f-a165-70867728950e",
        ] {
            assert!(!is_full(text), "{text}");
        }
    }
}
