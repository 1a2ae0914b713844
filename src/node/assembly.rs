//! A node, put together in the order in which it may fail without leaving anything behind.
//!
//! Peers are parsed, then the ports are taken, then the data directory is locked, then identity and store are opened:
//! a second node on the same place fails before it writes. While the store is opened the REST API answers already.

use super::NodeError;
use super::driver::{Driver, NodeEvent};
use super::evidence::{Evidence, Witness};
use super::finder::Finder;
use super::lock::{DataDirLock, lock_data_dir};
use super::logs::{Followers, LogSource};
use super::notices::health_config;
use super::perform::{Performer, Preparation};
use super::rest;
use crate::agent::{AgentConfig, Capacity, Health};
use crate::api::{self, ApiBackend, ApiServer, Limits, StoreReads};
use crate::board::{self, BootClock, Sensors};
use crate::config::{Config, StorePaths, redacted};
use crate::engine::{ContainerEngine, Engine, SocketSearch};
use crate::model::{NodeId, Origin, Resources, RetentionLimits, StoreAnswer, StoredState};
use crate::store::{Place, ReadPool, Store, StoreConfig};
use crate::swarm::{self, Host, Identity, StoreBeside};
use async_executor::Executor;
use futures_lite::future::zip;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A node that holds its place and does not run yet.
#[derive(Debug)]
pub struct Node {
    executor: Arc<Executor<'static>>,
    driver: Driver,
    stored: StoredState,
    api: ApiServer,
    host: Host,
    started: Started,
    // Last, so that the directory is free only when everything in it is closed.
    lock: DataDirLock,
}

/// What a node has taken, for the start report.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its id.
    pub id: NodeId,
    /// What is worth telling about the identity, if anything.
    pub identity_notice: Option<&'static str>,
    /// Where the REST API listens.
    pub api: SocketAddr,
    /// Where the swarm listens.
    pub swarm: Vec<SocketAddr>,
    /// The file of jobs, if it is one.
    pub jobs: Option<PathBuf>,
    /// The file of executions, if it is one.
    pub executions: Option<PathBuf>,
    /// What the node offers.
    pub total: Resources,
    /// Where that comes from.
    pub total_origin: Origin,
    /// Unfinished jobs that were found.
    pub live_jobs: usize,
    /// Unfinished executions that were found.
    pub live_executions: usize,
}

impl Node {
    /// Takes the node's place: ports, data directory, identity, store. `root` is `/`, or a tree of files in tests.
    ///
    /// # Errors
    /// See [`NodeError`]; `taken` tells whether somebody else has the place.
    pub fn open(config: &Config, root: &Path, evidence: Evidence) -> Result<Self, NodeError> {
        Self::open_with(
            config,
            root,
            Arc::new(ContainerEngine::new(&socket_search(config))),
            evidence,
        )
    }

    /// The same with an engine of the caller's.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn open_with(
        config: &Config,
        root: &Path,
        engine: Arc<dyn Engine>,
        evidence: Evidence,
    ) -> Result<Self, NodeError> {
        let peers: Result<Vec<_>, _> = config
            .peer
            .value
            .iter()
            .map(|peer| swarm::parse_peer(peer))
            .collect();
        let peers = peers?;
        let token = rest::token(config)?;
        let api_address = SocketAddr::new(config.api_host.value, config.api_port.value);
        let listener = api::bind(api_address).map_err(NodeError::Api)?;
        let api_address = listener.get_ref().local_addr().unwrap_or(api_address);
        let swarm_host = config
            .swarm_host
            .value
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let ports = swarm::bind(SocketAddr::new(swarm_host, config.port.value))
            .map_err(NodeError::Swarm)?;

        let dir = &config.data_dir.value;
        let lock = lock_data_dir(dir)?;
        let identity = Identity::open(dir, store_beside(dir))?;
        let id = identity.node_id();
        let clock = BootClock::read(root);
        let (store_config, jobs, executions) = places(config, &id);
        let total = Capacity::by_rule(&board::read_facts(root, dir)?);
        let total_origin =
            Origin::Rule("a share of the cores, memory and disk of this board".to_owned());

        let executor = Arc::new(Executor::new());
        let seed = seed()?;
        let host = Host::start(
            &identity,
            ports,
            peers,
            u64::from_le_bytes(first_eight(&seed)),
            &executor,
        )?;
        let opened: Arc<OnceLock<ReadPool>> = Arc::default();
        let reads = opened.clone();
        let store_reads = StoreReads::new(move |query| {
            let reads = reads.clone();
            async move {
                match reads.get() {
                    Some(reads) => reads.ask(query).await,
                    // The agent, which is asked first, answers once there is a store.
                    None => StoreAnswer::Unavailable,
                }
            }
        });
        let access = rest::access(config, &id, token)?;
        let preparation = Preparation {
            image_pull: config.image_pull.value,
            capabilities: config.container_caps.value.0.clone(),
            output_max_bytes: config.job_output_max.value.0,
        };
        let followers = Arc::new(Followers::default());
        let logs = LogSource {
            engine: engine.clone(),
            node: id.clone(),
            followers: followers.clone(),
            output_max_bytes: preparation.output_max_bytes,
        };
        let (backend, calls) = ApiBackend::new(
            store_reads,
            rest::peer_reads(&host, clock),
            rest::log_reads(logs),
            config,
        );
        let api = ApiServer::start(&executor, vec![listener], backend, access, Limits::STANDARD);
        // What needs no store is answered from here on, `alive` above all: a large store takes its time to be read.
        let opening = Store::opened(store_config, clock.now());
        let (store, stored) = async_io::block_on(executor.run(opening))?;
        // Nobody else fills it.
        let _ = opened.set(store.reads());
        let (performer, news) = Performer::new(
            engine.clone(),
            id.clone(),
            preparation,
            followers,
            executor.clone(),
        );
        let (finder, engine_news) = Finder::new(engine, id.clone(), executor.clone());
        let started = Started {
            id: id.clone(),
            identity_notice: identity.origin().notice(),
            api: api_address,
            swarm: host.bound().to_vec(),
            jobs,
            executions,
            total,
            total_origin: total_origin.clone(),
            live_jobs: stored.live_jobs.len(),
            live_executions: stored.live_executions.len(),
        };
        let witness = Witness {
            evidence,
            health: Health::new(
                health_config(config, root, started.jobs.iter().chain(&started.executions)),
                clock.now(),
            ),
            sensors: Sensors::find(root, dir),
            root: root.to_path_buf(),
            data_dir: dir.clone(),
            settings: settings(config),
            started_ms: clock.now().boot_ms,
            peers: 0,
        };
        let config = AgentConfig {
            memory_limits: config.require_memory_limits.value,
            labels: labels(config, &id),
            me: id,
            roles: config.node_type.value,
            total,
            total_origin,
            retention: retention(config),
            image_low_water: config.image_low_water.value.0,
            seed,
        };
        let swarm = host.events();
        let driver = Driver {
            config,
            clock,
            witness,
            store,
            calls,
            performer,
            news,
            finder,
            engine_news,
            swarm,
        };
        Ok(Self {
            executor,
            driver,
            stored,
            api,
            host,
            started,
            lock,
        })
    }

    /// What the node has taken.
    #[must_use]
    pub fn started(&self) -> &Started {
        &self.started
    }

    /// Runs on the calling thread until `stop` is ready; containers are left running. `tell` is called with what an
    /// operator may want to know.
    ///
    /// # Errors
    /// The store stopped working, or could not be closed.
    pub fn run(
        self,
        stop: impl Future<Output = ()>,
        tell: impl FnMut(NodeEvent),
    ) -> Result<(), NodeError> {
        let Self {
            executor,
            driver,
            stored,
            api,
            host,
            started: _,
            lock,
        } = self;
        // Held by the stop: the REST server closes its connections while the driver commits what is left.
        let (running, stopping) = async_channel::bounded::<()>(1);
        let stop = async move {
            stop.await;
            drop(running);
        };
        let close_api = async move {
            let _ = stopping.recv().await;
            api.stop().await;
        };
        let result = async_io::block_on(executor.run(async {
            let (result, ()) = zip(driver.run(stored, stop, tell), close_api).await;
            host.stop().await;
            result
        }));
        drop(lock);
        result
    }
}

/// Every setting as it may be shown: without secrets.
fn settings(config: &Config) -> Vec<(&'static str, String, Origin)> {
    let lines = config.lines().into_iter();
    lines
        .map(|line| (line.name, redacted(&line.value), line.origin))
        .collect()
}

fn first_eight(seed: &[u8; 32]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&seed[..8]);
    bytes
}

fn seed() -> Result<[u8; 32], NodeError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| NodeError::Random(error.to_string()))?;
    Ok(seed)
}

/// Whether a store of some node lies in the data directory: then an identity that is gone was this node's.
fn store_beside(dir: &Path) -> StoreBeside {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return StoreBeside::Absent;
    };
    let is_store = |name: &str| name.ends_with("-compute") || name.ends_with("-requester");
    let mut names = entries.flatten().map(|entry| entry.file_name());
    if names.any(|name| name.to_str().is_some_and(is_store)) {
        StoreBeside::Present
    } else {
        StoreBeside::Absent
    }
}

/// Where the two files are (serve.md 1.8), as places and as paths for the report.
fn places(config: &Config, id: &NodeId) -> (StoreConfig, Option<PathBuf>, Option<PathBuf>) {
    let StorePaths { jobs, executions } = config.store_paths(id);
    let place = |path: &Option<PathBuf>| path.clone().map_or(Place::Memory, Place::File);
    (
        StoreConfig {
            node: id.clone(),
            jobs: place(&jobs),
            executions: place(&executions),
            damaged: config.store_damaged.value,
        },
        jobs,
        executions,
    )
}

fn socket_search(config: &Config) -> SocketSearch {
    SocketSearch {
        explicit: config
            .engine_socket
            .value
            .as_ref()
            .map(|path| path.display().to_string()),
        docker_host: None,
        container_host: None,
        runtime_dir: Some(config.runtime_dir.clone()),
        uid: rustix::process::getuid().as_raw(),
    }
}

fn retention(config: &Config) -> RetentionLimits {
    RetentionLimits {
        age_ms: u64::try_from(config.retain_age.value.0.as_millis()).unwrap_or(u64::MAX),
        records: config.retain_records.value,
        bytes: config.retain_bytes.value.0,
    }
}

/// The operator's labels and the automatic ones, which win (rest-api.md 3.9).
fn labels(config: &Config, id: &NodeId) -> BTreeMap<String, String> {
    let mut labels = config.labels.value.clone();
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let name = config.name.value.clone().unwrap_or_else(|| id.0.clone());
    for (key, value) in [
        ("os_type", std::env::consts::OS),
        ("os_arch", arch),
        ("name", &name),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}
