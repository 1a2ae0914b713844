//! The REST API over real sockets, with a scripted node behind it.
//!
//! Goldens in `tests/golden/api` pin our bodies byte for byte; `recorded/` holds what the original server and its CLI said,
//! and only keys and types are compared with it.

// Web pages and callers without the token are kept out.
mod access;
// Every bound holds against clients that pass it.
mod bounds;
// What the known clients send is answered as they expect.
mod clients;
// A process out of file descriptors.
mod descriptors;
// The history's paging contract.
mod history;
// Live and stored jobs as one list.
mod list;
// The one way to log in.
mod login;
// The node list.
mod nodes;
// Jobs written in odd ways.
mod odd_clients;
// The OpenAPI document and the code are held to each other.
mod openapi;
// Every refusal, with its status, code and hint.
mod refusals;
// Our bodies have the keys and types of the recorded ones.
mod shapes;
// Submissions: what is read, checked, normalised.
mod submission;
mod support;
// Clients that leave at every point.
mod vanish;
// Names, versions, reruns.
mod versions;
mod world;
