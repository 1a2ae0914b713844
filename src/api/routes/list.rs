//! `GET /jobs`: live and stored jobs as one list.
//!
//! The live rows of a stretch come from the agent; when that reply is released the store is read, and the two are merged by
//! key, a live row winning. So a row never shows a promise that is not durable, and none is missing: a job that ends between
//! the two looks is live in the first or terminal in the second. Lists go on by key, never by index, so that pages neither
//! repeat nor skip rows while jobs come and go.

use super::job::page;
use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::wire::{self, Json, Selector, Token};
use crate::model::{
    ApiReply, ApiRequest, Job, JobId, JobRange, ListOrder, StoreAnswer, StoreQuery,
};
use std::cmp::Ordering;
use std::collections::VecDeque;

/// Rows of a page at most, also when no limit is asked for: one read of the store copies no more, and the token leads on.
const PAGE_MAX: usize = 256;

/// Rows looked at for one page. A selector that fits few rows answers what it found so far and a token, instead of reading
/// the whole store for one request.
const SCAN_MAX: usize = 2_048;

/// What is asked for.
#[derive(Debug)]
struct Listing {
    order_by: String,
    order: ListOrder,
    limit: u64,
    after: Option<JobId>,
    namespace: String,
    labels: Selector,
}

impl Listing {
    fn read(query: &Query) -> Result<Self, ApiError> {
        let selector = query.all("labels").collect::<Vec<_>>().join(",");
        let labels = Selector::read(&selector).map_err(ApiError::BadRequest)?;
        let namespace = query.text("namespace").to_owned();
        let (order_by, reverse, limit, after) = match query.text("next_token") {
            "" => (
                query.text("order_by").to_owned(),
                query.flag("reverse")?,
                query.number("limit")?,
                None,
            ),
            // What was asked for at first holds for every page.
            text => {
                let token = Token::read(text)
                    .filter(|token| token.from.starts_with("j-"))
                    .ok_or_else(|| ApiError::BadRequest(format!("invalid paging token: {text}")))?;
                (
                    token.order_by,
                    token.reverse,
                    token.limit,
                    Some(JobId(token.from)),
                )
            }
        };
        match order_by.as_str() {
            "" | "created_at" => {}
            "modified_at" => {
                return Err(ApiError::NotImplemented {
                    what: "jobs are not listed by modified_at here".to_owned(),
                    hint: "use order_by created_at, with reverse for the newest first",
                });
            }
            other => {
                return Err(ApiError::BadRequest(format!(
                    "query parameter order_by must be created_at, not \"{other}\""
                )));
            }
        }
        Ok(Self {
            order_by,
            order: if reverse {
                ListOrder::NewestFirst
            } else {
                ListOrder::OldestFirst
            },
            limit,
            after,
            namespace,
            labels,
        })
    }

    fn page_size(&self) -> usize {
        match usize::try_from(self.limit).unwrap_or(PAGE_MAX) {
            0 => PAGE_MAX,
            limit => limit.min(PAGE_MAX),
        }
    }

    fn passes(&self, row: &Job) -> bool {
        matches!(self.namespace.as_str(), "" | "*") || self.namespace == row.namespace
    }

    fn token(&self, last: &JobId) -> String {
        Token {
            order_by: self.order_by.clone(),
            reverse: self.order == ListOrder::NewestFirst,
            limit: self.limit,
            from: last.to_string(),
        }
        .write()
    }
}

/// One page.
pub(super) async fn get(backend: &ApiBackend, query: &Query) -> Result<Json, ApiError> {
    let listing = Listing::read(query)?;
    let page_size = listing.page_size();
    let mut after = listing.after.clone();
    let mut items = Vec::new();
    let mut looked_at = 0;
    // One row more than the page holds tells whether the list goes on.
    let mut rows_wanted = page_size + 1;
    loop {
        let Stretch { rows, more } = stretch(backend, &listing, after.clone(), rows_wanted).await?;
        // What was selected is rare, so the rest is looked through in the largest steps.
        rows_wanted = PAGE_MAX + 1;
        let mut rows = rows.into_iter();
        for row in rows.by_ref() {
            if items.len() == page_size {
                let last = after.as_ref().map(|last| listing.token(last));
                return Ok(page(items, &last.unwrap_or_default()));
            }
            looked_at += 1;
            if listing.passes(&row) && listing.labels.matches(&row.labels) {
                items.push(wire::job(&row));
            }
            after = Some(row.id);
        }
        let full = items.len() == page_size || looked_at >= SCAN_MAX;
        match (&after, more) {
            (_, false) | (None, _) => return Ok(page(items, "")),
            (Some(last), true) if full => return Ok(page(items, &listing.token(last))),
            (Some(_), true) => {}
        }
    }
}

/// Rows that follow each other in the order asked for.
#[derive(Debug)]
struct Stretch {
    rows: Vec<Job>,
    /// Whether there may be more after them.
    more: bool,
}

/// The next rows after `after`, at most `limit`.
async fn stretch(
    backend: &ApiBackend,
    listing: &Listing,
    after: Option<JobId>,
    limit: usize,
) -> Result<Stretch, ApiError> {
    let range = JobRange {
        prefix: String::new(),
        after,
        order: listing.order,
        limit,
    };
    let request = ApiRequest::List(range.clone());
    let ApiReply::Jobs(live) = backend.ask(request, &Asked::Read).await? else {
        return Err(ApiError::Unexpected);
    };
    match backend.read(StoreQuery::Jobs(range)).await {
        StoreAnswer::Jobs { rows, more } => {
            Ok(merge(live, Stretch { rows, more }, listing.order, limit))
        }
        StoreAnswer::Unavailable => Err(ApiError::StoreUnreadable),
        StoreAnswer::Job(_) => Err(ApiError::Unexpected),
    }
}

/// Merges two stretches that begin at the same place. The live one is whole up to `limit` rows; the stored one may end
/// early, and then nothing after its last row may be shown yet, since rows between are missing.
fn merge(live: Vec<Job>, stored: Stretch, order: ListOrder, limit: usize) -> Stretch {
    let live_full = live.len() >= limit;
    let stored_more = stored.more;
    let mut live = VecDeque::from(live);
    let mut stored = VecDeque::from(stored.rows);
    let mut rows = Vec::new();
    while rows.len() < limit {
        let side = match (live.front(), stored.front()) {
            (Some(a), Some(b)) => match order {
                ListOrder::OldestFirst => a.id.cmp(&b.id),
                ListOrder::NewestFirst => b.id.cmp(&a.id),
            },
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) if !stored_more => Ordering::Less,
            (Some(_) | None, None) => break,
        };
        let row = match side {
            Ordering::Less => live.pop_front(),
            Ordering::Greater => stored.pop_front(),
            Ordering::Equal => {
                stored.pop_front();
                live.pop_front()
            }
        };
        rows.extend(row);
    }
    let more = !live.is_empty() || !stored.is_empty() || stored_more || live_full;
    // A side that claims more but gave nothing would be asked for ever.
    let more = more && !rows.is_empty();
    Stretch { rows, more }
}
