//! What the API is, as an OpenAPI 3.1 document: served at `/api/v1/openapi.json`, and held to the routes and bodies by
//! `tests/openapi`, in both directions.
//!
//! It is kept as people read it: 38 KB of the binary. Compressed it would be 6 KB, and the code to unpack it for clients that
//! do not unpack it themselves would take more than the difference is worth.
//!
//! **A new route**: its path in `paths.json`, its bodies in `components.json`, a body of each kind among the samples of
//! `tests/openapi`.

/// The whole document.
pub(super) const DOCUMENT: &str = concat!(
    r#"{"openapi":"3.1.0","info":{"title":"codling","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#"","summary":"The REST API of a node: that of Bacalhau v1.9.3","#,
    r#""license":{"name":"Apache-2.0","identifier":"Apache-2.0"}},"#,
    r#""security":[{},{"token":[]},{"key":[]}],"paths":"#,
    include_str!("paths.json"),
    r#","components":"#,
    include_str!("components.json"),
    "}\n",
);
