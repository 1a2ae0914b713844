//! From the `{id}` of a path to a job: by its id, by its name, or by a prefix that only one id has.

use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::model::{
    ApiReply, ApiRequest, JobId, JobRange, JobRecord, ListOrder, StoreAnswer, StoreQuery, Stored,
};
use std::collections::BTreeSet;

/// Ids with one prefix that are counted: enough to see that the prefix is far too short.
const COUNTED_MAX: usize = 100;

/// The namespace of a job that names none, and of a request that does not say where its job is.
pub(super) const NAMESPACE: &str = "default";

/// What a path and its query say of a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// An id, a name, or the start of an id.
    pub(super) text: &'a str,
    /// Where names are looked up; ids need no namespace.
    pub(super) namespace: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn new(text: &'a str, query: &'a Query) -> Self {
        Self::within(text, query.text("namespace"))
    }

    pub(super) fn within(text: &'a str, namespace: &'a str) -> Self {
        let namespace = match namespace {
            "" | "*" => NAMESPACE,
            namespace => namespace,
        };
        Self { text, namespace }
    }
}

/// The id that a place stands for. A name goes before an id and its prefix, as in the original. A whole id is not looked
/// up further.
///
/// # Errors
/// 404 when no job has it, 409 when several do.
async fn job_id(backend: &ApiBackend, place: Place<'_>) -> Result<JobId, ApiError> {
    let text = place.text;
    let named = match text {
        "" => None,
        name => named(backend, place.namespace, name).await?,
    };
    if let Some(id) = named {
        return Ok(id);
    }
    let id = JobId::from(text);
    if id.looks_whole() {
        return Ok(id);
    }
    let not_found = || ApiError::JobNotFound {
        id: text.to_owned(),
    };
    // Every id starts so.
    if !text.starts_with("j-") {
        return Err(not_found());
    }
    let range = JobRange {
        prefix: text.to_owned(),
        after: None,
        order: ListOrder::OldestFirst,
        limit: COUNTED_MAX,
    };
    let mut ids = BTreeSet::new();
    match backend
        .ask(ApiRequest::List(range.clone()), &Asked::Read)
        .await?
    {
        ApiReply::Jobs(rows) => ids.extend(rows.into_iter().map(|row| row.id)),
        _ => return Err(ApiError::Unexpected),
    }
    let more = match backend.read(StoreQuery::Jobs(range)).await {
        StoreAnswer::Jobs { rows, more } => {
            ids.extend(rows.into_iter().map(|row| row.id));
            more
        }
        StoreAnswer::Unavailable => return Err(ApiError::StoreUnreadable),
        StoreAnswer::Job(_) => return Err(ApiError::Unexpected),
    };
    if ids.len() > 1 {
        return Err(ApiError::MultipleJobs {
            id: text.to_owned(),
            found: ids.len(),
            bound: if more || ids.len() >= COUNTED_MAX {
                "at least "
            } else {
                ""
            },
        });
    }
    ids.pop_first().ok_or_else(not_found)
}

/// The job of a name.
pub(super) async fn named(
    backend: &ApiBackend,
    namespace: &str,
    name: &str,
) -> Result<Option<JobId>, ApiError> {
    let request = ApiRequest::Find {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    match backend.ask(request, &Asked::Read).await? {
        ApiReply::Found { job } => Ok(Some(job)),
        ApiReply::NotLive => Ok(None),
        _ => Err(ApiError::Unexpected),
    }
}

/// Does something with the job that a place stands for. A whole id is taken for one at once, and only when no job has it
/// for a name: a job that was described on one node and submitted to another is named by the id that it had there.
pub(super) async fn with_job<T, F: Future<Output = Result<T, ApiError>>>(
    backend: &ApiBackend,
    place: Place<'_>,
    act: impl Fn(JobId) -> F,
) -> Result<T, ApiError> {
    let id = JobId::from(place.text);
    if id.looks_whole() {
        match act(id).await {
            Err(ApiError::JobNotFound { .. }) => {}
            done => return done,
        }
    }
    act(job_id(backend, place).await?).await
}

/// The whole record of the job that a place stands for: from the agent while it is live, else from the store.
pub(super) async fn record(backend: &ApiBackend, place: Place<'_>) -> Result<JobRecord, ApiError> {
    with_job(backend, place, |id| record_of(backend, id)).await
}

async fn record_of(backend: &ApiBackend, id: JobId) -> Result<JobRecord, ApiError> {
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

/// The same for the agent, which is to make a further version of it.
pub(super) async fn for_update(backend: &ApiBackend, id: &JobId) -> Result<Stored, ApiError> {
    match stored(backend, id).await {
        Ok(record) => Ok(Stored::Record(Box::new(record))),
        Err(ApiError::JobNotFound { .. }) => Ok(Stored::Absent),
        Err(error) => Err(error),
    }
}
