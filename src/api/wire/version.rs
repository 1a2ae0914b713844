//! What this build says of itself (rest-api.md 3.9, BuildVersionInfo).

use super::Json;
use super::time::rfc3339;

/// The API that is spoken, and who speaks it. The first part is true in the sense that clients read it: this is the API
/// of v1.9.3, and tools that compare versions see that. The build part after `+`, which semantic versioning tells them to
/// ignore when comparing, is our own name and version, so that nobody takes this agent for something else.
const GIT_VERSION: &str = concat!("v1.9.3+codling.", env!("CARGO_PKG_VERSION"));

/// Set by the release build; forty zeros say that it is not known.
const GIT_COMMIT: &str = match option_env!("CODLING_GIT_COMMIT") {
    Some(commit) => commit,
    None => "0000000000000000000000000000000000000000",
};

/// Set by the release build, RFC 3339; clients refuse anything else.
const BUILD_DATE: &str = match option_env!("CODLING_BUILD_DATE") {
    Some(date) => date,
    None => "1970-01-01T00:00:00Z",
};

/// The `Server` header: our name alone.
pub(in crate::api) const SERVER: &str = concat!("codling/", env!("CARGO_PKG_VERSION"));

/// The body of `agent/version`, and part of `agent/node`.
pub(in crate::api) fn build_version() -> Json {
    Json::object()
        .with("Major", "1")
        .with("Minor", "9")
        .with("GitVersion", GIT_VERSION)
        .with("GitCommit", GIT_COMMIT)
        .with("BuildDate", BUILD_DATE)
        .with("GOOS", std::env::consts::OS)
        .with("GOARCH", go_arch(std::env::consts::ARCH))
}

/// The version of somebody else, of which only a name is known.
pub(super) fn foreign_version(name: &str) -> Json {
    Json::object()
        .with("GitVersion", name)
        .with("GitCommit", "")
        .with("BuildDate", rfc3339(None))
        .with("GOOS", "")
        .with("GOARCH", "")
}

/// Go's word for an architecture; clients print it and match labels with it.
fn go_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
