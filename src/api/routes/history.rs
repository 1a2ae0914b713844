//! `/jobs/{id}/history`: what happened, page by page.
//!
//! Clients poll while `NextToken` is not empty and stop for good when it is, so the contract is exact (rest-api.md 7.2):
//! it is empty only when the job is terminal and everything was delivered. Items and the terminal flag come from one
//! record, hence from one moment.

use super::find::{self, Place};
use super::job::page;
use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::ApiError;
use crate::api::wire::{self, Json, Token};
use crate::model::{ExecutionId, HistoryItem, HistoryLevel, JobRecord, UnixMs};

/// Items of a page when none is asked for, as the original.
const PAGE_DEFAULT: u64 = 100;

/// Items of a page at most: more than a record holds of recent history.
const PAGE_MAX: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    All,
    Job,
    Execution,
}

/// Which items are asked for.
#[derive(Debug)]
struct Filter {
    level: Level,
    /// Start of the execution ids shown; empty for all.
    execution: String,
    /// Nothing before this moment; items of an unset clock are shown.
    since: UnixMs,
    version: Versions,
}

/// Which versions of a job are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    All,
    One(u64),
}

impl Versions {
    /// `job_version=N`, else the latest one, else all of them.
    pub(super) fn read(query: &Query, latest: u64) -> Result<Self, ApiError> {
        let all = query.flag("all_job_versions")?;
        Ok(match query.number("job_version")? {
            0 if all => Self::All,
            0 => Self::One(latest),
            version => Self::One(version),
        })
    }

    pub(super) fn has(self, version: u64) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == version,
        }
    }
}

impl Filter {
    fn read(query: &Query, record: &JobRecord) -> Result<Self, ApiError> {
        let level = match query.text("event_type") {
            "" | "all" => Level::All,
            "job" => Level::Job,
            "execution" => Level::Execution,
            other => {
                return Err(ApiError::BadRequest(format!(
                    "query parameter event_type must be all, job or execution, not \"{other}\""
                )));
            }
        };
        Ok(Self {
            level,
            execution: query.text("execution_id").to_owned(),
            since: UnixMs(query.number("since")?.saturating_mul(1_000)),
            version: Versions::read(query, record.job.version)?,
        })
    }

    fn passes(&self, item: &HistoryItem) -> bool {
        let of_execution = match &item.level {
            HistoryLevel::Job => self.execution.is_empty() && self.level != Level::Execution,
            HistoryLevel::Execution(id) => {
                self.level != Level::Job && id.as_str().starts_with(&self.execution)
            }
        };
        of_execution
            && self.version.has(item.job_version)
            && item.time.is_none_or(|time| time >= self.since)
    }

    /// Whether more items can come: the job is not terminal, or one of the executions asked for is not. A version that
    /// another has replaced only has its executions to end.
    fn may_grow(&self, record: &JobRecord) -> bool {
        if self.execution.is_empty() {
            return match self.version {
                Versions::One(version) if version < record.job.version => record
                    .executions
                    .iter()
                    .any(|one| one.job_version == version && !one.state.is_terminal()),
                Versions::All | Versions::One(_) => !record.job.state.is_terminal(),
            };
        }
        let mut asked = record
            .executions
            .iter()
            .filter(|execution| is_of(&execution.id, &self.execution))
            .peekable();
        if asked.peek().is_none() {
            return !record.job.state.is_terminal();
        }
        asked.any(|execution| !execution.state.is_terminal())
    }
}

fn is_of(id: &ExecutionId, prefix: &str) -> bool {
    id.as_str().starts_with(prefix)
}

/// One page.
pub(super) async fn get(backend: &ApiBackend, id: &str, query: &Query) -> Result<Json, ApiError> {
    // The form is checked before anybody is asked.
    let from = match query.text("next_token") {
        "" => 0,
        text => Token::read(text)
            .and_then(|token| token.from.parse().ok())
            .ok_or_else(|| ApiError::BadRequest(format!("invalid paging token: {text}")))?,
    };
    let limit = query.number("limit")?;
    let page_size = match limit {
        0 => PAGE_DEFAULT,
        limit => limit.min(PAGE_MAX),
    };
    let record = find::record(backend, Place::new(id, query)).await?;
    let filter = Filter::read(query, &record)?;
    let mut items = Vec::new();
    let mut next = from;
    let mut more = false;
    let page_size = usize::try_from(page_size).unwrap_or(usize::MAX);
    for item in record.history.iter().filter(|item| item.seq >= from) {
        if items.len() == page_size {
            more = true;
            break;
        }
        if filter.passes(item) {
            items.push(wire::history_item(item, &record.job.id));
            next = item.seq + 1;
        }
    }
    let token = if more || filter.may_grow(&record) {
        Token {
            order_by: String::new(),
            reverse: false,
            limit,
            from: next.to_string(),
        }
        .write()
    } else {
        String::new()
    };
    Ok(page(items, &token))
}

/// All that is kept of one version, as part of a job's description.
pub(super) fn whole(record: &JobRecord, version: u64) -> Json {
    let items = record
        .history
        .iter()
        .filter(|item| item.job_version == version)
        .map(|item| wire::history_item(item, &record.job.id))
        .collect();
    page(items, "")
}
