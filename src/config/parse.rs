//! One function per kind of value: text in, typed value or what would be allowed out.

use super::{Shown, Surroundings, Wrong, home};
use crate::model::{DamagedStore, MemoryLimits, NodeRoles};
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Peers to dial; each costs a connection and a back-off timer.
const PEERS_MAX: usize = 64;
/// Names of the REST API; each is compared with every request's.
const HOSTS_MAX: usize = 64;
/// Bytes of a host name (RFC 1035).
const HOST_MAX: usize = 253;
/// Labels of a node; they travel with every announcement.
const LABELS_MAX: usize = 64;
/// Bytes of a node's name, of a label's key and of a label's value: what fits a table and a Kubernetes-style selector.
const WORD_MAX: usize = 63;

/// Who may reach the REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiAccess {
    /// Programs on this machine.
    Loopback,
    /// Whoever reaches `--api-host`.
    Open,
}

/// Whether a registry may be asked for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePull {
    /// When the image is not here.
    Missing,
    /// Never: images arrive by `codling image load` or by hand.
    Never,
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people, and with priorities for the journal where stderr is the journal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In a redb file; `boltdb` is the documented name of the embedded database.
    Embedded,
    /// In memory: gone with the process.
    Memory,
}

impl Shown for ApiAccess {
    fn shown(&self) -> Option<String> {
        (*self == Self::Open).then(|| "yes".to_owned())
    }
}

impl Shown for MemoryLimits {
    fn shown(&self) -> Option<String> {
        (*self == Self::Required).then(|| "yes".to_owned())
    }
}

impl Shown for ImagePull {
    fn shown(&self) -> Option<String> {
        Some(
            if *self == Self::Missing {
                "missing"
            } else {
                "never"
            }
            .to_owned(),
        )
    }
}

impl Shown for LogFormat {
    fn shown(&self) -> Option<String> {
        Some(if *self == Self::Text { "text" } else { "json" }.to_owned())
    }
}

impl Shown for StoreKind {
    fn shown(&self) -> Option<String> {
        Some(
            if *self == Self::Embedded {
                "boltdb (redb)"
            } else {
                "inmemory"
            }
            .to_owned(),
        )
    }
}

impl Shown for DamagedStore {
    fn shown(&self) -> Option<String> {
        let word = match self {
            Self::SetAside => "set-aside",
            Self::Refuse => "refuse",
        };
        Some(word.to_owned())
    }
}

pub(super) fn port(text: &str, _: &Surroundings) -> Result<u16, Wrong> {
    number(text).ok_or_else(|| {
        Wrong::new(
            "a port from 0 to 65535",
            "leave it out for the default; 0 takes any free port",
        )
    })
}

/// Digits only: `+1` and blanks are typing errors.
fn number(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// An address to bind. Names are not resolved: that would wait for a network that a board may not have yet.
pub(super) fn address(text: &str, _: &Surroundings) -> Result<IpAddr, Wrong> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse().map_err(|_| {
        Wrong::new(
            "an IP address such as 127.0.0.1, 0.0.0.0 or ::1, or localhost",
            "give an address of this machine, without scheme or port; \"ip address\" lists them",
        )
    })
}

pub(super) fn address_or_all(text: &str, around: &Surroundings) -> Result<Option<IpAddr>, Wrong> {
    optional(text, around, address)
}

pub(super) fn api_access(text: &str, _: &Surroundings) -> Result<ApiAccess, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "on" => Ok(ApiAccess::Open),
        "false" | "no" | "0" | "off" => Ok(ApiAccess::Loopback),
        _ => Err(Wrong::new(
            "true or false",
            "leave it out to keep the REST API on this machine, or give --api-token-file",
        )),
    }
}

/// Host names without port; addresses need no naming.
pub(super) fn hosts(text: &str, _: &Surroundings) -> Result<Vec<String>, Wrong> {
    let mut hosts: Vec<String> = Vec::new();
    for host in elements(text) {
        let is_name = host.len() <= HOST_MAX
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
            && (!host.contains(':') || host.starts_with('['));
        if !is_name {
            return Err(Wrong::new(
                "host names such as pi.example, without scheme and port",
                format!("\"{host}\" is not one"),
            ));
        }
        if !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_owned());
        }
    }
    if hosts.len() > HOSTS_MAX {
        return Err(Wrong::new(
            format!("at most {HOSTS_MAX} names"),
            "name those that callers really use",
        ));
    }
    Ok(hosts)
}

pub(super) fn peers(text: &str, _: &Surroundings) -> Result<Vec<String>, Wrong> {
    let mut peers: Vec<String> = Vec::new();
    for peer in elements(text).filter(|peer| !peer.eq_ignore_ascii_case("none")) {
        if !peer.starts_with('/') {
            return Err(Wrong::new(
                "multiaddrs such as /ip4/192.0.2.10/tcp/1235/p2p/12D3KooW...",
                format!("\"{peer}\" is not one; a node prints its own when it starts"),
            ));
        }
        if !peers.iter().any(|known| known == peer) {
            peers.push(peer.to_owned());
        }
    }
    if peers.len() > PEERS_MAX {
        return Err(Wrong::new(
            format!("at most {PEERS_MAX} peers"),
            "a few peers are enough: nodes find the others through them",
        ));
    }
    Ok(peers)
}

pub(super) fn roles(text: &str, _: &Surroundings) -> Result<NodeRoles, Wrong> {
    let (mut requester, mut compute, mut other) = (0_usize, 0_usize, 0_usize);
    for role in elements(text) {
        match role.to_ascii_lowercase().as_str() {
            "requester" => requester += 1,
            "compute" => compute += 1,
            _ => other += 1,
        }
    }
    match (requester, compute, other) {
        (1.., 0, 0) => Ok(NodeRoles::Requester),
        (0, 1.., 0) => Ok(NodeRoles::Compute),
        (1.., 1.., 0) => Ok(NodeRoles::Both),
        _ => Err(Wrong::new(
            "requester, compute, or requester,compute",
            "a requester takes jobs and places them, a compute node runs them",
        )),
    }
}

pub(super) fn name(text: &str, _: &Surroundings) -> Result<Option<String>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    if is_word(text) {
        return Ok(Some(text.to_owned()));
    }
    Err(Wrong::new(
        format!("up to {WORD_MAX} letters, digits, dots, dashes and underscores"),
        "a host name does well, for instance --name pi-kitchen",
    ))
}

pub(super) fn labels(text: &str, _: &Surroundings) -> Result<BTreeMap<String, String>, Wrong> {
    let allowed = || {
        Wrong::new(
            format!("KEY=VALUE pairs of up to {WORD_MAX} letters, digits and . - _ / on each side"),
            "for instance --labels room=kitchen,gpu=none",
        )
    };
    let mut labels = BTreeMap::new();
    for pair in elements(text) {
        let (key, value) = pair.split_once('=').ok_or_else(allowed)?;
        let (key, value) = (key.trim(), value.trim());
        if !is_word(key) || !(value.is_empty() || is_word(value)) {
            return Err(allowed());
        }
        if labels.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Wrong::new(
                "each key once",
                format!("\"{key}\" is given more than once"),
            ));
        }
    }
    if labels.len() > LABELS_MAX {
        return Err(Wrong::new(
            format!("at most {LABELS_MAX} labels"),
            "drop some",
        ));
    }
    Ok(labels)
}

fn is_word(text: &str) -> bool {
    (1..=WORD_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_/".contains(&byte))
}

pub(super) fn image_pull(text: &str, _: &Surroundings) -> Result<ImagePull, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "missing" => Ok(ImagePull::Missing),
        "never" => Ok(ImagePull::Never),
        _ => Err(Wrong::new(
            "missing or never",
            "an image that is here is never pulled again; load one with: codling image load FILE",
        )),
    }
}

pub(super) fn memory_limits(text: &str, _: &Surroundings) -> Result<MemoryLimits, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "on" => Ok(MemoryLimits::Required),
        "false" | "no" | "0" | "off" => Ok(MemoryLimits::Preferred),
        _ => Err(Wrong::new(
            "true or false",
            "leave it out to run jobs one at a time where memory cannot be limited",
        )),
    }
}

/// Upstream's other formats are what people read.
pub(super) fn log_format(text: &str, _: &Surroundings) -> Result<LogFormat, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "text" | "default" | "station" | "combined" | "event" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(Wrong::new(
            "text or json",
            "leave it out for text; the journal gets priorities by itself",
        )),
    }
}

/// Upstream's names too: `fatal` and `panic` are errors here, `warning` is what many systems say.
pub(super) fn log_level(text: &str, _: &Surroundings) -> Result<log::LevelFilter, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "off" | "disabled" => Ok(log::LevelFilter::Off),
        "error" | "fatal" | "panic" => Ok(log::LevelFilter::Error),
        "warn" | "warning" => Ok(log::LevelFilter::Warn),
        "info" => Ok(log::LevelFilter::Info),
        "debug" => Ok(log::LevelFilter::Debug),
        "trace" => Ok(log::LevelFilter::Trace),
        _ => Err(Wrong::new(
            "off, error, warn, info, debug or trace",
            "info is the default; debug shows why jobs were taken or refused",
        )),
    }
}

pub(super) fn store_kind(text: &str, _: &Surroundings) -> Result<StoreKind, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "boltdb" => Ok(StoreKind::Embedded),
        "inmemory" => Ok(StoreKind::Memory),
        _ => Err(Wrong::new(
            "boltdb or inmemory",
            "boltdb is the embedded database that survives restarts; inmemory forgets everything",
        )),
    }
}

pub(super) fn damaged_store(text: &str, _: &Surroundings) -> Result<DamagedStore, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "set-aside" => Ok(DamagedStore::SetAside),
        "refuse" => Ok(DamagedStore::Refuse),
        _ => Err(Wrong::new(
            "set-aside or refuse",
            "a file that is moved aside is kept beside the new one; what the other file knows is made good from it",
        )),
    }
}

/// Podman's and Docker's variables hold URLs, the flag holds a path: both are taken everywhere.
pub(super) fn engine_socket(text: &str, around: &Surroundings) -> Result<Option<PathBuf>, Wrong> {
    if let Some((scheme, rest)) = text.split_once("://") {
        if !scheme.eq_ignore_ascii_case("unix") || !rest.starts_with('/') {
            return Err(Wrong::new(
                "a Unix socket, as /run/podman/podman.sock or unix:///run/podman/podman.sock",
                "codling talks to an engine on this machine only: give --engine-socket, or unset the variable",
            ));
        }
        return path(rest, around);
    }
    path(text, around)
}

/// A file or directory; relative to the working directory, and absolute from here on. Empty is not given.
pub(super) fn path(text: &str, around: &Surroundings) -> Result<Option<PathBuf>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with('~') || text.contains(|c: char| c == '$' || c.is_control()) {
        return Err(Wrong::new(
            "a path written in full",
            "no shell expands ~ or $VARIABLES in unit files: write the path as it is",
        ));
    }
    let full = around.working_dir.join(text);
    let mut clean = PathBuf::new();
    for component in full.components() {
        match component {
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    if is_root(&clean) {
        return Err(Wrong::new(
            "a path below /",
            "for instance /var/lib/codling",
        ));
    }
    Ok(Some(clean))
}

/// Whether `..` taken at its word leaves nothing below `/`.
fn is_root(path: &Path) -> bool {
    let mut depth = 0_usize;
    for component in path.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::ParentDir => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth == 0
}

/// As [`path`]; the default follows the home rules of `home.rs` and is filled in by `check.rs`.
pub(super) fn data_dir(text: &str, around: &Surroundings) -> Result<PathBuf, Wrong> {
    match path(text, around)? {
        Some(path) => Ok(path),
        None => Ok(home::default_data_dir(around).map_or_else(
            || Path::new(home::FALLBACK_DATA_DIR).to_path_buf(),
            |place| place.path,
        )),
    }
}

pub(super) fn runtime_dir(around: &Surroundings) -> PathBuf {
    match around.variable("XDG_RUNTIME_DIR") {
        Some(dir) if dir.starts_with('/') => PathBuf::from(dir),
        _ => PathBuf::from(format!("/run/user/{}", around.uid)),
    }
}

fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

fn optional<T>(
    text: &str,
    around: &Surroundings,
    parse: fn(&str, &Surroundings) -> Result<T, Wrong>,
) -> Result<Option<T>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text, around).map(Some)
}
