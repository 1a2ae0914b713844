//! The table of flags of `codling serve`, and the struct that it makes.

use super::containers::{self, Capabilities, LowWater, OutputMax};
use super::parse::{self, ApiAccess, ImagePull, LogFormat, StoreKind};
use super::retention::{self, RetainAge, RetainBytes};
use super::{ConfigError, FlagSpec, Line, Raw, Setting, Shown};
use crate::model::{DamagedStore, MemoryLimits, NodeRoles};
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Each row becomes a line of [`FLAGS`], a field of [`Config`], a line of the start report and a function in `one`.
macro_rules! settings {
    ($( $(#[$doc:meta])* $field:ident: $ty:ty = $parse:path, $spec:expr; )*) => {
        /// Every flag, in the order of the help.
        pub const FLAGS: &[FlagSpec] = &[$($spec),*];

        /// Settings as needed: validated, complete, each with its origin.
        #[derive(Clone, Debug)]
        pub struct Config {
            $( $(#[$doc])* pub $field: Setting<$ty>, )*
            /// The directory of this user's sockets: `$XDG_RUNTIME_DIR`, else `/run/user/<uid>`.
            pub runtime_dir: PathBuf,
            /// What an operator should know about these settings although none is wrong.
            pub notes: Vec<String>,
        }

        /// Single settings, for commands that need no more.
        pub(super) mod one {
            use super::*;
            $(
                #[allow(dead_code)] // not every setting is asked for alone
                pub(in crate::config) fn $field(raw: &Raw) -> Result<Setting<$ty>, ConfigError> {
                    raw.pick(&$spec, $parse)
                }
            )*
        }

        impl Config {
            pub(super) fn from_raw(raw: &Raw) -> Result<Self, ConfigError> {
                Ok(Self {
                    $( $field: one::$field(raw)?, )*
                    runtime_dir: parse::runtime_dir(&raw.around),
                    notes: Vec::new(),
                })
            }

            /// The start report: one line per setting, in the order of the help.
            #[must_use]
            pub fn lines(&self) -> Vec<Line> {
                vec![$( {
                    let spec: FlagSpec = $spec;
                    Line {
                        name: spec.name,
                        value: self.$field.value.shown().unwrap_or_else(|| spec.default_shown.to_owned()),
                        origin: self.$field.origin.clone(),
                    }
                } ),*]
            }
        }
    };
}

settings! {
    /// Where the REST API listens.
    api_host: IpAddr = parse::address,
        FlagSpec::value("api-host", "ADDRESS", "127.0.0.1", "where the REST API listens")
            .variables(&["BACALHAU_API_HOST", "BACALHAU_SERVER_HOST", "BACALHAU_HOST"]);
    /// Its port; 0 for any free one.
    api_port: u16 = parse::port,
        FlagSpec::value("api-port", "PORT", "1234", "port of the REST API")
            .variables(&["BACALHAU_API_PORT", "BACALHAU_SERVER_PORT", "BACALHAU_PORT"]);
    /// Who may reach the REST API.
    api_open: ApiAccess = parse::api_access,
        FlagSpec::switch("api-open", "let whoever reaches --api-host in, without a token");
    /// The file with the token that every caller must show; `None` for no token.
    api_token_file: Option<PathBuf> = parse::path,
        FlagSpec::value("api-token-file", "FILE", "", "callers must show the token in it")
            .shown("none");
    /// Names under which callers ask for the node, beside the usual ones.
    api_allow_host: Vec<String> = parse::hosts,
        FlagSpec::list("api-allow-host", "NAME", "name that leads to the REST API; repeatable");
    /// The swarm port; 0 for any free one.
    port: u16 = parse::port,
        FlagSpec::value("port", "PORT", "1235", "port for other nodes (or --swarm-port)")
            .synonyms(&["swarm-port"]);
    /// Where the swarm listens; `None` for all interfaces, IPv4 and IPv6.
    swarm_host: Option<IpAddr> = parse::address_or_all,
        FlagSpec::value("swarm-host", "ADDRESS", "", "where the swarm listens").shown("all interfaces");
    /// Peers to dial and keep, as typed; `none` and duplicates are gone.
    peer: Vec<String> = parse::peers,
        FlagSpec::list("peer", "MULTIADDR", "node to stay connected to; repeatable");
    /// Which roles this node has.
    node_type: NodeRoles = parse::roles,
        FlagSpec::value("node-type", "ROLES", "requester,compute", "requester, compute, or both");
    /// What this node is called in tables; `None` for its id.
    name: Option<String> = parse::name,
        FlagSpec::value("name", "NAME", "", "what this node is called").shown("its node id");
    /// Labels for job constraints.
    labels: BTreeMap<String, String> = parse::labels,
        FlagSpec::list("labels", "KEY=VALUE", "labels that jobs can ask for; repeatable");
    /// Absolute path of the data directory.
    data_dir: PathBuf = parse::data_dir,
        FlagSpec::value("data-dir", "DIR", "", "keys and stores (or --repo)").shown("~/.bacalhau")
            .synonyms(&["repo"]).variables(&["BACALHAU_DIR"]);
    /// The engine's Unix socket; `None` to search the usual places.
    engine_socket: Option<PathBuf> = parse::engine_socket,
        FlagSpec::value("engine-socket", "PATH", "", "socket of Podman or Docker").shown("search")
            .variables(&["DOCKER_HOST", "CONTAINER_HOST"]);
    /// Whether the registry may be asked for an image that is not here.
    image_pull: ImagePull = parse::image_pull,
        FlagSpec::value("image-pull", "WHEN", "missing", "pull an image when missing, or never");
    /// The free disk below which images that were pulled for jobs are removed.
    image_low_water: LowWater = containers::low_water,
        FlagSpec::value("image-low-water", "SIZE", "", "free disk, or part of it, below which images that were pulled go")
            .shown("10%, at most 2GiB");
    /// What containers get beside nothing.
    container_caps: Capabilities = containers::capabilities,
        FlagSpec::list("container-caps", "CAP", "capabilities that containers get, such as CHOWN; repeatable");
    /// How much of what a container prints is kept until its end.
    job_output_max: OutputMax = containers::output_max,
        FlagSpec::value("job-output-max", "BYTES", "16MiB", "most output that is kept of a job");
    /// What becomes of jobs where the kernel does not limit memory.
    require_memory_limits: MemoryLimits = parse::memory_limits,
        FlagSpec::switch("require-memory-limits", "refuse jobs where memory cannot be limited");
    /// How much is logged.
    log_level: log::LevelFilter = parse::log_level,
        FlagSpec::value("log-level", "LEVEL", "info", "off, error, warn, info, debug or trace")
            .variables(&["LOG_LEVEL"]);
    /// How lines of the log are written.
    log_format: LogFormat = parse::log_format,
        FlagSpec::value("log-format", "FORMAT", "text", "text, or json for one object a line")
            .variables(&["LOG_TYPE"]);
    /// Where executions are kept.
    compute_execution_store_type: StoreKind = parse::store_kind,
        FlagSpec::value("compute-execution-store-type", "TYPE", "boltdb", "boltdb or inmemory")
            .variables(&["BACALHAU_COMPUTE_STORE_TYPE"]);
    /// The file of executions; `None` for its place in the data directory.
    compute_execution_store_path: Option<PathBuf> = parse::path,
        FlagSpec::value("compute-execution-store-path", "FILE", "", "file of the executions")
            .shown("<data-dir>/<NODE-ID>-compute/executions.db").variables(&["BACALHAU_COMPUTE_STORE_PATH"]);
    /// Where jobs are kept.
    requester_job_store_type: StoreKind = parse::store_kind,
        FlagSpec::value("requester-job-store-type", "TYPE", "boltdb", "boltdb or inmemory")
            .variables(&["BACALHAU_JOB_STORE_TYPE"]);
    /// The file of jobs; `None` for its place in the data directory.
    requester_job_store_path: Option<PathBuf> = parse::path,
        FlagSpec::value("requester-job-store-path", "FILE", "", "file of the jobs")
            .shown("<data-dir>/<NODE-ID>-requester/jobs.db").variables(&["BACALHAU_JOB_STORE_PATH"]);
    /// What becomes of a store file that cannot be understood.
    store_damaged: DamagedStore = parse::damaged_store,
        FlagSpec::value("store-damaged", "WHAT", "set-aside", "move a damaged store file aside, or refuse to start");
    /// How long ended jobs are kept.
    retain_age: RetainAge = retention::age,
        FlagSpec::value("retain-age", "DURATION", "7d", "how long ended jobs are kept");
    /// How many.
    retain_records: u64 = retention::records,
        FlagSpec::value("retain-records", "N", "1000", "how many, whichever comes first");
    /// In how many bytes of jobs.db.
    retain_bytes: RetainBytes = retention::bytes,
        FlagSpec::value("retain-bytes", "BYTES", "8MiB", "in how much of the file");
}
