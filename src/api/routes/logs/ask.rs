//! What a follower asks for, and which execution that is.

use super::super::history::Versions;
use super::super::query::Query;
use super::frames::Wire;
use crate::api::error::ApiError;
use crate::model::{
    Execution, ExecutionState, JobRecord, LAST_LINES_MAX, LogBytes, LogExtent, LogStart,
};

/// The query, read.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Id of an execution, or the beginning of it; empty for the one that tells most.
    execution: String,
    pub(super) extent: LogExtent,
    pub(super) start: LogStart,
    pub(super) wire: Wire,
}

impl Ask {
    pub(super) fn read(query: &Query) -> Result<Self, ApiError> {
        let extent = if query.flag("follow")? {
            LogExtent::ToTheEnd
        } else {
            LogExtent::Present
        };
        let wire = match query.text("frames") {
            "" | "json" => Wire::Json,
            "binary" => Wire::Binary,
            other => {
                return Err(ApiError::BadRequest(format!(
                    "query parameter frames must be json or binary, not \"{other}\""
                )));
            }
        };
        Ok(Self {
            execution: query.text("execution_id").to_owned(),
            extent,
            start: start(query)?,
            wire,
        })
    }

    /// The execution that is meant: of the versions asked for, the one that changed last and was not discarded, as in
    /// the original; when all were, the one of them that printed last. `None` while there is none.
    pub(super) fn choose<'a>(
        &self,
        query: &Query,
        record: &'a JobRecord,
    ) -> Result<Option<&'a Execution>, ApiError> {
        let versions = Versions::read(query, record.job.version)?;
        let among = || {
            record
                .executions
                .iter()
                .filter(|execution| versions.has(execution.job_version))
        };
        if self.execution.is_empty() {
            let latest = |discarded: bool| {
                among()
                    .filter(|execution| is_discarded(execution) == discarded)
                    .filter(|execution| !discarded || execution.run_output.is_some())
                    .max_by_key(|execution| (execution.modified, execution.revision))
            };
            return Ok(latest(false).or_else(|| latest(true)));
        }
        let mut named = record
            .executions
            .iter()
            .filter(|execution| execution.id.as_str().starts_with(&self.execution));
        match (named.next(), named.next()) {
            (Some(execution), None) => Ok(Some(execution)),
            (None, _) => Err(ApiError::ExecutionNotFound {
                id: self.execution.clone(),
                job: record.job.id.to_string(),
            }),
            (Some(_), Some(_)) => Err(ApiError::BadRequest(format!(
                "several executions of job {} begin with {}: use the full id",
                record.job.id, self.execution
            ))),
        }
    }
}

fn is_discarded(execution: &Execution) -> bool {
    matches!(
        execution.state,
        ExecutionState::AskForBidRejected
            | ExecutionState::BidRejected
            | ExecutionState::Failed
            | ExecutionState::Cancelled
    )
}

fn start(query: &Query) -> Result<LogStart, ApiError> {
    if query.has("from") {
        let text = query.text("from");
        return text
            .split_once(',')
            .and_then(|(stdout, stderr)| {
                Some(LogStart::At(LogBytes {
                    stdout: stdout.parse().ok()?,
                    stderr: stderr.parse().ok()?,
                }))
            })
            .ok_or_else(|| {
                ApiError::BadRequest(format!(
                    "query parameter from must be two numbers of bytes such as 0,0, not \"{text}\""
                ))
            });
    }
    if query.has("lines") {
        let lines = query.number("lines")?;
        return usize::try_from(lines)
            .ok()
            .filter(|lines| *lines <= LAST_LINES_MAX)
            .map(LogStart::Last)
            .ok_or_else(|| {
                ApiError::BadRequest(format!(
                    "query parameter lines must be at most {LAST_LINES_MAX}, not {lines}; leave it out for all"
                ))
            });
    }
    // A switch in the original: nothing of what was printed before.
    if query.flag("tail")? {
        return Ok(LogStart::Last(0));
    }
    Ok(LogStart::At(LogBytes::default()))
}
