//! The REST API: HTTP in, [`ApiRequest`](crate::model::ApiRequest) to the agent, answers of agent and store out.
//!
//! ```text
//!  client --HTTP--> server (bounds) --> routes --wire--> ApiRequest --> node --> agent
//!                                         |  ^                                    |
//!                                         |  '---------- ApiReply <---------------'
//!                                         '--NotLive---> StoreQuery --> store --> StoreAnswer
//! ```
//!
//! It speaks what the `bacalhau` CLI v1.9.3 speaks, key for key. Nothing is decided here: a request is checked for form,
//! handed over, and its answer put into words. A live job is shown by the agent, so no answer shows a promise that a power
//! cut could take back; everything else is read from disk.
//!
//! | Part | Holds |
//! |---|---|
//! | `access` | who may call: `Host`, `Origin`, tokens |
//! | `listen` | binding, with typed errors |
//! | `server` | connections and their bounds |
//! | `backend` | who answers: channel to the agent, functions to the store and to the logs |
//! | `routes` | one file per kind of route, with the checks on path and query |
//! | `wire` | JSON in and out, paging tokens, label selectors |
//! | `error` | every refusal, in one table |
//! | `openapi` | the document that describes all of it |
//!
//! **A new route**: a variant and an arm in `routes::Route`, a handler that returns `Result<Json, ApiError>`, its bodies in
//! `wire`, its description in `openapi`, a golden file and a refusal test in `tests/api`.
//!
//! Who may call is judged at the head of every request (`access`), before its route is looked up.

mod access;
mod backend;
mod error;
mod listen;
mod openapi;
mod routes;
mod server;
mod wire;

pub use access::{Access, ApiToken, Challenge, Hosts, TOKEN_MAX, TOKEN_MIN, TokenFileError};
pub use backend::{ApiBackend, ApiCall, LogReads, PeerReads, REQUESTS_MAX, ReplySlot, StoreReads};
pub use listen::{BindError, bind};
pub use server::{ApiServer, Limits};
