//! `GET /jobs`: live and stored jobs as one list.
//!
//! The live rows of a stretch come from the agent; when that reply is released the store is read, and the two are merged by
//! key, a live row winning. So a row never shows a promise that is not durable, and none is missing: a job that ends between
//! the two looks is live in the first or terminal in the second. Lists go on by key, never by index, so that pages neither
//! repeat nor skip rows while jobs come and go.
//!
//! By the time of the last change there is no such key: each page looks through all jobs and keeps the best of them. A job
//! that changes between two pages moves, and may then be on both or on neither.

use super::job::page;
use super::query::Query;
use crate::api::backend::ApiBackend;
use crate::api::error::{ApiError, Asked};
use crate::api::wire::{self, Json, Selector, Token};
use crate::model::{
    ApiReply, ApiRequest, Job, JobId, JobRange, ListOrder, StoreAnswer, StoreQuery,
};
use futures_lite::future;
use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

/// Rows of a page at most, also when no limit is asked for: one read of the store copies no more, and the token leads on.
const PAGE_MAX: usize = 256;

/// Rows of a page that are read at once: those before them are written meanwhile. A full page and the row after it are four
/// such steps.
const STEP: usize = (PAGE_MAX + 1).div_ceil(4);

/// Rows looked at for one page. A selector that fits few rows answers what it found so far and a token, instead of reading
/// the whole store for one request.
const SCAN_MAX: usize = 2_048;

/// What is asked for.
#[derive(Debug)]
struct Listing {
    order_by: String,
    sort: Sort,
    order: ListOrder,
    limit: u64,
    after: Option<Cursor>,
    namespace: String,
    labels: Selector,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Created,
    Modified,
}

/// The last row of a page, by which the next one goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    /// When it changed last, in ms; 0 by creation, and while the clock was not set.
    modified_ms: u64,
    id: JobId,
}

impl Cursor {
    fn of(job: &Job, sort: Sort) -> Self {
        Self {
            modified_ms: match sort {
                Sort::Created => 0,
                Sort::Modified => job.modified.map_or(0, |modified| modified.0),
            },
            id: job.id.clone(),
        }
    }

    /// As a token holds it: the id, after the time where that matters.
    fn write(&self, sort: Sort) -> String {
        match sort {
            Sort::Created => self.id.to_string(),
            Sort::Modified => format!("{}:{}", self.modified_ms, self.id),
        }
    }

    fn read(text: &str, sort: Sort) -> Option<Self> {
        let (modified_ms, id) = match sort {
            Sort::Created => (0, text),
            Sort::Modified => {
                let (ms, id) = text.split_once(':')?;
                (ms.parse().ok()?, id)
            }
        };
        id.starts_with("j-").then(|| Self {
            modified_ms,
            id: JobId::from(id),
        })
    }
}

impl Listing {
    fn read(query: &Query) -> Result<Self, ApiError> {
        let selector = query.all("labels").collect::<Vec<_>>().join(",");
        let labels = Selector::read(&selector).map_err(ApiError::BadRequest)?;
        let namespace = query.text("namespace").to_owned();
        let invalid = |text: &str| ApiError::BadRequest(format!("invalid paging token: {text}"));
        let text = query.text("next_token");
        let (order_by, reverse, limit, from) = match text {
            "" => (
                query.text("order_by").to_owned(),
                query.flag("reverse")?,
                query.number("limit")?,
                None,
            ),
            // What was asked for at first holds for every page.
            text => {
                let token = Token::read(text).ok_or_else(|| invalid(text))?;
                (token.order_by, token.reverse, token.limit, Some(token.from))
            }
        };
        let sort = match order_by.as_str() {
            // Ids are in the order of creation.
            "" | "created_at" | "id" => Sort::Created,
            "modified_at" => Sort::Modified,
            other => {
                return Err(ApiError::BadRequest(format!(
                    "query parameter order_by must be created_at, id or modified_at, not \"{other}\""
                )));
            }
        };
        let after = match from {
            None => None,
            Some(from) => Some(Cursor::read(&from, sort).ok_or_else(|| invalid(text))?),
        };
        Ok(Self {
            order_by,
            sort,
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
        let is_here =
            matches!(self.namespace.as_str(), "" | "*") || self.namespace == row.namespace;
        is_here && self.labels.matches(&row.labels)
    }

    /// Whether a row comes before another in the order asked for.
    fn comes_before(&self, one: &Cursor, other: &Cursor) -> bool {
        match self.order {
            ListOrder::OldestFirst => one < other,
            ListOrder::NewestFirst => one > other,
        }
    }

    fn token(&self, last: &Cursor) -> String {
        Token {
            order_by: self.order_by.clone(),
            reverse: self.order == ListOrder::NewestFirst,
            limit: self.limit,
            from: last.write(self.sort),
        }
        .write()
    }
}

/// One page.
pub(super) async fn get(backend: &ApiBackend, query: &Query) -> Result<Json, ApiError> {
    let listing = Listing::read(query)?;
    match listing.sort {
        Sort::Created => by_creation(backend, &listing).await,
        Sort::Modified => by_change(backend, &listing).await,
    }
}

async fn by_creation(backend: &ApiBackend, listing: &Listing) -> Result<Json, ApiError> {
    let page_size = listing.page_size();
    let mut after = listing.after.clone();
    let mut items = Vec::new();
    // Rows of the page that are still to be written.
    let mut found: Vec<Job> = Vec::new();
    let mut looked_at = 0;
    let token = loop {
        let count = items.len() + found.len();
        let rows_wanted = match count == looked_at {
            // One row more than the page holds tells whether the list goes on.
            true => (page_size + 1 - count).min(STEP),
            // What was selected is rare, so the rest is looked through in the largest steps.
            false => PAGE_MAX + 1,
        };
        let writing = || items.extend(found.drain(..).map(wire::job));
        let order = listing.order;
        let next = next_rows(backend, order, after.as_ref(), rows_wanted, writing).await?;
        let full = |count: usize| count == page_size;
        let mut goes_on = false;
        for row in next.rows {
            if full(items.len() + found.len()) {
                goes_on = true;
                break;
            }
            looked_at += 1;
            after = Some(Cursor::of(&row, listing.sort));
            if listing.passes(&row) {
                found.push(row);
            }
        }
        let enough = looked_at >= SCAN_MAX;
        match &after {
            Some(last) if goes_on || next.more && enough => break listing.token(last),
            _ if !next.more => break String::new(),
            Some(_) | None => {}
        }
    };
    items.extend(found.into_iter().map(wire::job));
    Ok(page(items, &token))
}

/// Looks through all jobs and keeps a page of them, and one more that tells whether the list goes on.
async fn by_change(backend: &ApiBackend, listing: &Listing) -> Result<Json, ApiError> {
    let page_size = listing.page_size();
    let mut best: BTreeMap<Cursor, Json> = BTreeMap::new();
    let mut read = None;
    loop {
        let order = ListOrder::OldestFirst;
        let next = next_rows(backend, order, read.as_ref(), PAGE_MAX + 1, || ());
        let Stretch { rows, more } = next.await?;
        for row in rows {
            read = Some(Cursor::of(&row, Sort::Created));
            let cursor = Cursor::of(&row, listing.sort);
            let is_due = match &listing.after {
                None => true,
                Some(after) => listing.comes_before(after, &cursor),
            };
            let worst = match listing.order {
                ListOrder::OldestFirst => best.last_key_value(),
                ListOrder::NewestFirst => best.first_key_value(),
            };
            let has_room = best.len() <= page_size
                || worst.is_some_and(|(worst, _)| listing.comes_before(&cursor, worst));
            if is_due && has_room && listing.passes(&row) {
                best.insert(cursor, wire::job(row));
                if best.len() > page_size + 1 {
                    match listing.order {
                        ListOrder::OldestFirst => best.pop_last(),
                        ListOrder::NewestFirst => best.pop_first(),
                    };
                }
            }
        }
        if !more {
            break;
        }
    }
    let mut rows: Vec<(Cursor, Json)> = best.into_iter().collect();
    if listing.order == ListOrder::NewestFirst {
        rows.reverse();
    }
    let goes_on = rows.len() > page_size;
    rows.truncate(page_size);
    let token = match rows.last() {
        Some((last, _)) if goes_on => listing.token(last),
        _ => String::new(),
    };
    Ok(page(rows.into_iter().map(|(_, row)| row).collect(), &token))
}

/// Rows that follow each other in the order asked for.
#[derive(Debug)]
struct Stretch {
    rows: Vec<Job>,
    /// Whether there may be more after them.
    more: bool,
}

/// The next rows after `after`, at most `limit`. Does `meanwhile` while the store is read.
async fn next_rows(
    backend: &ApiBackend,
    order: ListOrder,
    after: Option<&Cursor>,
    limit: usize,
    meanwhile: impl FnOnce(),
) -> Result<Stretch, ApiError> {
    let range = JobRange {
        prefix: String::new(),
        after: after.map(|after| after.id.clone()),
        order,
        limit,
    };
    let request = ApiRequest::List(range.clone());
    let ApiReply::Jobs(live) = backend.ask(request, &Asked::Read).await? else {
        return Err(ApiError::Unexpected);
    };
    // The read is under way on its own thread once it was asked for.
    let read = backend.read(StoreQuery::Jobs(range));
    let (answer, ()) = future::zip(read, async { meanwhile() }).await;
    match answer {
        StoreAnswer::Jobs { rows, more } => Ok(merge(live, Stretch { rows, more }, order, limit)),
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
