//! From a request to its answer: which route, which method, which handler.

mod agent;
mod auth;
mod diff;
mod executions;
mod find;
mod history;
mod job;
mod list;
mod logs;
mod nodes;
mod query;
mod reply;
mod versions;

use super::access::Audience;
use super::error::{ApiError, Asked};
use super::openapi;
use super::server::{self, HeldBody, Shared};
use super::wire::Json;
use crate::model::{DenyReason, PruneMode};
use async_io::Timer;
use bytes::Bytes;
use futures_lite::future;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use query::Query;
use reply::Style;

pub(super) use logs::{Seats, Upgrade, attend};
pub(super) use reply::last_words;

/// Every path that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Alive,
    Version,
    Node,
    Metrics,
    Debug,
    Prune,
    Config,
    OpenApi,
    Auth,
    AuthMethod(String),
    Nodes,
    NodeOf(String),
    Jobs,
    JobsDiff,
    Job(String),
    JobExecutions(String),
    JobHistory(String),
    JobVersions(String),
    JobRerun(String),
    JobLogs(String),
    Moved(&'static str),
}

impl Route {
    fn find(path: &str) -> Result<Option<Self>, ApiError> {
        let segments = query::segments(path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Ok(match segments.as_slice() {
            ["" | "version"] => Some(Self::Moved("/api/v1/agent/version")),
            ["livez"] => Some(Self::Moved("/api/v1/agent/alive")),
            ["api", "v1", "agent", "alive"] => Some(Self::Alive),
            ["api", "v1", "agent", "version"] => Some(Self::Version),
            ["api", "v1", "agent", "node"] => Some(Self::Node),
            ["api", "v1", "agent", "debug"] => Some(Self::Debug),
            ["api", "v1", "agent", "prune"] => Some(Self::Prune),
            ["metrics"] => Some(Self::Metrics),
            ["api", "v1", "agent", "config"] => Some(Self::Config),
            ["api", "v1", "openapi.json"] => Some(Self::OpenApi),
            ["api", "v1", "auth"] => Some(Self::Auth),
            ["api", "v1", "auth", name] => Some(Self::AuthMethod((*name).to_owned())),
            ["api", "v1", "orchestrator", "nodes"] => Some(Self::Nodes),
            ["api", "v1", "orchestrator", "nodes", id] => Some(Self::NodeOf((*id).to_owned())),
            ["api", "v1", "orchestrator", "jobs"] => Some(Self::Jobs),
            ["api", "v1", "orchestrator", "jobs", "diff"] => Some(Self::JobsDiff),
            ["api", "v1", "orchestrator", "jobs", id] => Some(Self::Job((*id).to_owned())),
            ["api", "v1", "orchestrator", "jobs", id, "executions"] => {
                Some(Self::JobExecutions((*id).to_owned()))
            }
            ["api", "v1", "orchestrator", "jobs", id, "history"] => {
                Some(Self::JobHistory((*id).to_owned()))
            }
            ["api", "v1", "orchestrator", "jobs", id, "versions"] => {
                Some(Self::JobVersions((*id).to_owned()))
            }
            ["api", "v1", "orchestrator", "jobs", id, "rerun"] => {
                Some(Self::JobRerun((*id).to_owned()))
            }
            ["api", "v1", "orchestrator", "jobs", id, "logs"] => {
                Some(Self::JobLogs((*id).to_owned()))
            }
            _ => None,
        })
    }

    /// The methods that the path knows, as `Allow` names them.
    fn allow(&self) -> &'static str {
        match self {
            Self::Jobs => "GET, HEAD, PUT, POST",
            Self::Job(_) => "GET, HEAD, DELETE",
            Self::JobsDiff | Self::JobRerun(_) => "PUT",
            Self::AuthMethod(_) | Self::Prune => "GET, HEAD, POST",
            Self::Config
            | Self::OpenApi
            | Self::Auth
            | Self::Nodes
            | Self::NodeOf(_)
            | Self::Alive
            | Self::Version
            | Self::Node
            | Self::Metrics
            | Self::Debug
            | Self::JobExecutions(_)
            | Self::JobHistory(_)
            | Self::JobVersions(_)
            | Self::JobLogs(_)
            | Self::Moved(_) => "GET, HEAD",
        }
    }

    /// Who may ask for the path: everybody for what tells a client that it needs a token.
    fn audience(&self) -> Audience {
        match self {
            Self::Alive
            | Self::Version
            | Self::OpenApi
            | Self::Auth
            | Self::AuthMethod(_)
            | Self::Moved(_) => Audience::Everybody,
            _ => Audience::TokenHolders,
        }
    }

    fn allows(&self, method: &Method) -> bool {
        self.allow().split(", ").any(|word| word == method.as_str())
    }
}

/// One request, answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) response: Response<Full<Bytes>>,
    /// A body that was not read to its end and should be, so that its client sees the answer.
    pub(super) unread: Option<Incoming>,
    /// What the connection becomes once the answer has left.
    pub(super) upgrade: Option<Upgrade>,
}

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(super) async fn answer(request: Request<Incoming>, shared: &Shared) -> Answered {
    let (mut head, mut body) = request.into_parts();
    let query = Query::read(head.uri.query().unwrap_or_default());
    let style = match &query {
        Ok(query) if query.has("pretty") => Style::Pretty,
        _ => Style::Compact,
    };
    let answered = dispatch(&mut head, query, &mut body, shared).await;
    let mut upgrade = None;
    let response = match answered {
        Ok(Answer::Body(json)) => reply::ok(&json, style),
        Ok(Answer::Document(text)) => reply::document(text),
        Ok(Answer::Metrics(page)) => reply::metrics(page),
        Ok(Answer::Moved(to)) => reply::moved(to),
        Ok(Answer::Upgrade(to)) => {
            let response = reply::switching(&to.accept);
            upgrade = Some(*to);
            response
        }
        Err(error) => reply::refused(&error, style),
    };
    // A client that asked first whether to send its body has its answer and sends none.
    let unread = !body.is_end_stream() && !head.headers.contains_key(EXPECT);
    Answered {
        response,
        unread: unread.then_some(body),
        upgrade,
    }
}

enum Answer {
    Body(Json),
    Document(&'static str),
    Metrics(String),
    Moved(&'static str),
    Upgrade(Box<Upgrade>),
}

async fn dispatch(
    head: &mut Parts,
    query: Result<Query, ApiError>,
    body: &mut Incoming,
    shared: &Shared,
) -> Result<Answer, ApiError> {
    shared.access.judge_sender(head)?;
    let path = head.uri.path();
    let found = Route::find(path);
    let audience = match &found {
        Ok(Some(route)) => route.audience(),
        // Who may not ask is not told what there is.
        _ => Audience::TokenHolders,
    };
    shared.access.judge_caller(&head.headers, audience)?;
    let Some(route) = found? else {
        return Err(ApiError::UnknownRoute {
            method: head.method.to_string(),
            path: path.to_owned(),
        });
    };
    if !route.allows(&head.method) {
        return Err(ApiError::MethodNotAllowed {
            method: head.method.to_string(),
            path: path.to_owned(),
            allow: route.allow(),
        });
    }
    let query = &query?;
    if let Route::JobLogs(job) = &route {
        let upgrade = logs::expect_upgrade(head, job, query)?;
        return Ok(Answer::Upgrade(Box::new(upgrade)));
    }
    let held = match head.method {
        Method::GET | Method::HEAD => None,
        _ => Some(read_body(head, body, shared).await?),
    };
    let bytes = held.as_ref().map(HeldBody::bytes);
    let backend = &shared.backend;
    let answer = async {
        Ok(Answer::Body(match (&route, bytes) {
            (Route::Moved(to), _) => return Ok(Answer::Moved(to)),
            (Route::Alive, _) => agent::alive(),
            (Route::Version, _) => agent::version(),
            (Route::Node, _) => agent::node(backend).await?,
            (Route::Metrics, _) => {
                return Ok(Answer::Metrics(
                    agent::metrics(backend, &shared.counters).await?,
                ));
            }
            (Route::Debug, _) => agent::debug(backend, &shared.counters).await?,
            (Route::Prune, None) => agent::prune(backend, PruneMode::DryRun).await?,
            (Route::Prune, Some(_)) => agent::prune(backend, PruneMode::Remove).await?,
            (Route::OpenApi, _) => return Ok(Answer::Document(openapi::DOCUMENT)),
            (Route::Config, _) => backend.config(),
            (Route::Auth, _) => auth::list(&shared.access),
            (Route::AuthMethod(name), None) => auth::get(&shared.access, name)?,
            (Route::AuthMethod(name), Some(bytes)) => auth::answer(&shared.access, name, bytes)?,
            (Route::Nodes, _) => nodes::list(backend, query).await?,
            (Route::NodeOf(id), _) => nodes::get(backend, id).await?,
            (Route::Jobs, None) => list::get(backend, query).await?,
            (Route::Jobs, Some(bytes)) => job::submit(backend, &head.headers, query, bytes).await?,
            (Route::JobsDiff, bytes) => diff::put(backend, bytes.unwrap_or_default()).await?,
            (Route::Job(id), None) => job::get(backend, id, query).await?,
            (Route::Job(id), Some(bytes)) => job::stop(backend, id, query, bytes).await?,
            (Route::JobExecutions(id), _) => executions::get(backend, id, query).await?,
            (Route::JobHistory(id), _) => history::get(backend, id, query).await?,
            (Route::JobVersions(id), _) => versions::get(backend, id, query).await?,
            (Route::JobRerun(id), bytes) => {
                let bytes = bytes.unwrap_or_default();
                versions::rerun(backend, &head.headers, id, query, bytes).await?
            }
            (Route::JobLogs(_), _) => return Err(ApiError::NotWebsocket),
        }))
    };
    let limit = shared.limits.answer_time;
    let too_late = async {
        Timer::after(limit).await;
        Err(ApiError::Denied {
            reason: DenyReason::Timeout {
                seconds: limit.as_secs(),
            },
            asked: match (&route, bytes) {
                (Route::Jobs, Some(_)) => Asked::Submit,
                (Route::Job(job), Some(_)) => Asked::Stop { job: job.clone() },
                (Route::JobRerun(job), _) => Asked::Rerun { job: job.clone() },
                _ => Asked::Read,
            },
        })
    };
    future::or(answer, too_late).await
}

/// Reads the body of a request that has one.
async fn read_body(
    head: &Parts,
    body: &mut Incoming,
    shared: &Shared,
) -> Result<HeldBody, ApiError> {
    // A stop needs no body, and some clients send none or an untyped one.
    if head.method != Method::DELETE {
        job::expect_json(&head.headers)?;
    }
    server::read_body(body, &shared.bodies, &shared.limits).await
}
