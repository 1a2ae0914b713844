//! `/jobs/{id}/executions`.

use super::find::{self, Place};
use super::history::Versions;
use super::job::page;
use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::ApiError;
use crate::api::wire::{self, Json};
use crate::model::Execution;

/// The executions of a job, sorted, never in pages: a job has few.
pub(super) async fn get(backend: &ApiBackend, id: &str, query: &Query) -> Result<Json, ApiError> {
    let by_change = match query.text("order_by") {
        "" | "created_at" | "create_time" => false,
        "modified_at" | "modify_time" => true,
        other => {
            return Err(ApiError::BadRequest(format!(
                "query parameter order_by must be created_at or modified_at, not \"{other}\""
            )));
        }
    };
    let reverse = query.flag("reverse")?;
    let limit = match query.number("limit")? {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let record = find::record(backend, Place::new(id, query)).await?;
    let versions = Versions::read(query, record.job.version)?;
    let namespace = query.text("namespace");
    let mut executions: Vec<&Execution> = record
        .executions
        .iter()
        .filter(|execution| versions.has(execution.job_version))
        .filter(|execution| matches!(namespace, "" | "*") || execution.namespace == namespace)
        .collect();
    // Stable: those of one moment stay in the order they were planned.
    executions.sort_by_key(|execution| {
        if by_change {
            execution.modified
        } else {
            execution.created
        }
    });
    if reverse {
        executions.reverse();
    }
    let items = executions
        .into_iter()
        .take(limit)
        .map(|execution| wire::execution(execution, &record.job))
        .collect();
    Ok(page(items, ""))
}
