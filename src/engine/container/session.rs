//! Finding the engine and agreeing on a version.

use super::super::{
    ApiVersion, EngineError, EngineKind, EngineProfile, HardLimits, Platform, Skipped,
};
use super::Patience;
use super::bounds::{API_FLOOR, API_MAX, BODY_MAX};
use super::http::{self, Call, words};
use super::process;
use super::search::Candidate;
use super::wire::Info;
use async_io::Async;
use hyper::Method;
use rustix::fd::OwnedFd;
use rustix::process::{Resource, getrlimit};
use std::path::PathBuf;

/// An engine that answers.
pub(super) struct Opened {
    pub(super) profile: EngineProfile,
    /// The process that answers, if it can be watched.
    pub(super) process: Option<Async<OwnedFd>>,
}

/// Tries `candidates` in order and returns the first engine that answers.
///
/// # Errors
/// The one candidate's own error if there is only one, else `NoEngine`.
pub(super) async fn open_first(
    candidates: &[Candidate],
    patience: &Patience,
) -> Result<Opened, EngineError> {
    let mut skipped = Vec::new();
    for candidate in candidates {
        let (reason, permission) = match &candidate.unusable {
            Some(reason) => (reason.clone(), None),
            None => match open(candidate, patience).await {
                Ok(mut opened) => {
                    opened.profile.skipped = skipped;
                    return Ok(opened);
                }
                Err(error) if candidates.len() == 1 => return Err(error),
                Err(error) => (reason(&error), error.permission().map(str::to_owned)),
            },
        };
        skipped.push(Skipped {
            path: candidate.path.clone(),
            origin: candidate.origin.clone(),
            reason,
            permission,
        });
    }
    Err(EngineError::NoEngine { skipped })
}

/// Why a candidate was not used, without naming its path again.
fn reason(error: &EngineError) -> String {
    match error {
        EngineError::NotReachable { source, .. }
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            "no such file".to_owned()
        }
        EngineError::NotReachable { source, .. } | EngineError::NoDescriptor { source, .. } => {
            source.to_string()
        }
        EngineError::PermissionDenied { .. } => "permission denied".to_owned(),
        other => other.to_string(),
    }
}

async fn open(candidate: &Candidate, patience: &Patience) -> Result<Opened, EngineError> {
    let socket = &candidate.path;
    let ping = Call::new("ping", Method::GET, "/_ping".to_owned(), patience.ping);
    let stream = http::connect(socket, patience.connect).await?;
    let process = process::at_other_end(&stream);
    let reply = http::send(stream, ping, "/_ping")
        .await?
        .expect(&[200])
        .await?;
    let newest = reply
        .header("Api-Version")
        .map(words)
        .ok_or_else(|| EngineError::Garbage {
            call: "ping",
            detail: "it names no Api-Version, so this is not a container engine".to_owned(),
        })?;
    let kind = match reply.header("Libpod-Api-Version") {
        Some(_) => EngineKind::Podman,
        None => EngineKind::Docker,
    };
    // Read to its end, so that the engine does not see a client that hangs up.
    reply.bytes(BODY_MAX).await?;
    let api_version = agreed(&newest).ok_or_else(|| EngineError::ApiTooOld {
        path: socket.clone(),
        version: newest.clone(),
        floor: API_FLOOR.to_string(),
    })?;

    let path = format!("/v{api_version}/info");
    let call = Call::new("describe itself", Method::GET, path.clone(), patience.read);
    let info: Info = http::send(http::connect(socket, patience.connect).await?, call, &path)
        .await?
        .expect(&[200])
        .await?
        .json(BODY_MAX)
        .await?;
    if kind == EngineKind::Docker && !info.live_restore_enabled {
        log::warn!(
            "this Docker ends its containers when it is restarted, and their jobs begin again; \"live-restore\": true in /etc/docker/daemon.json lets them live"
        );
    }
    let rootless = info
        .security_options
        .iter()
        .any(|option| option.contains("rootless"));
    let cgroup_version = info.cgroup_version.parse().unwrap_or(0);
    // Without root, limits are "not supported and ignored" on cgroup v1, whatever the flags say.
    let limits_work = !(rootless && cgroup_version == 1);
    let profile = EngineProfile {
        kind,
        version: words(&info.server_version),
        api_version,
        socket: socket.clone(),
        socket_origin: candidate.origin.clone(),
        skipped: Vec::new(),
        cores: info.ncpu,
        memory_bytes: info.mem_total,
        enforces_memory: info.memory_limit && limits_work,
        enforces_cpu: info.cpu_cfs_quota && limits_work,
        enforces_pids: info.pids_limit && limits_work,
        cgroup_version,
        rootless,
        platform: Platform::new(&words(&info.os_type), &words(&info.architecture), ""),
        hard_limits: own_hard_limits(),
        image_dir: Some(PathBuf::from(info.docker_root_dir)).filter(|dir| dir.is_absolute()),
    };
    Ok(Opened { profile, process })
}

/// The smaller of our newest version and the engine's; `None` if that is below our oldest.
fn agreed(newest: &str) -> Option<ApiVersion> {
    let version = ApiVersion::parse(newest)?.min(API_MAX);
    (version >= API_FLOOR).then_some(version)
}

/// This process's own hard limits. No engine tells its own; on one board both are started by the same supervisor or
/// the same user, and an engine that has less is the rarer case.
fn own_hard_limits() -> HardLimits {
    let hard = |resource| getrlimit(resource).maximum.unwrap_or(u64::MAX);
    HardLimits {
        nofile: hard(Resource::Nofile),
        nproc: hard(Resource::Nproc),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_of_both_versions_is_spoken_and_none_below_the_floor() {
        let text = |newest| agreed(newest).map(|v| v.to_string());
        assert_eq!(text("1.41").as_deref(), Some("1.41"));
        assert_eq!(text("1.52").as_deref(), Some("1.44"));
        assert_eq!(text("2.0").as_deref(), Some("1.44"));
        assert_eq!(text("1.40").as_deref(), Some("1.40"));
        for old in ["1.39", "1", "", "x.y", "-1.44"] {
            assert_eq!(text(old), None, "{old}");
        }
    }
}
