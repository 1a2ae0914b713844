//! `ScriptedEngine`: a container engine on a real Unix socket that does what it is told, also wrong things.
//!
//! It speaks enough of the Docker API to run whole jobs. Images are scripts: a container of image `quick` plays the
//! `Play` that was registered under `quick`. A running container has a real process (`sleep` under a shell that stands
//! for conmon and carries the container's id), so its end can be awaited on a pidfd. `fault` makes any call go wrong.
//!
//! ```ignore
//! let engine = ScriptedEngine::start();
//! engine.image("quick", Play::default());
//! engine.fault(Endpoint::Create, Fault::Hang, Times::Once);
//! let client = engine.client();            // the product's own client, with a tester's patience
//! assert_eq!(engine.count(Endpoint::Start), 1);
//! ```

mod container;
mod faults;
mod routes;
mod server;

pub(crate) use container::{OnFollow, OnStart, OnStop, Play, Runs, ShownPid};
pub(crate) use faults::{Fault, Times};
pub(crate) use routes::Endpoint;

use codling::engine::{ContainerEngine, Patience, SocketSearch};
use container::Container;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long `until` waits for anything: far more than a loaded machine needs.
const UNTIL_MAX: Duration = Duration::from_secs(30);

/// Which engine it pretends to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Podman,
    Docker,
}

/// The engine. Dropping it ends its containers and its threads.
#[derive(Debug)]
pub(crate) struct ScriptedEngine {
    shared: Arc<Shared>,
    _dir: tempfile::TempDir,
}

#[derive(Debug)]
struct Shared {
    socket: PathBuf,
    state: Mutex<State>,
    /// Signalled on every change of `state`.
    changed: Condvar,
    /// How many times a container was really started.
    started: AtomicUsize,
}

#[derive(Debug)]
struct State {
    kind: Kind,
    api_version: String,
    info: Value,
    plays: BTreeMap<String, Play>,
    pullable: BTreeMap<String, Play>,
    containers: BTreeMap<String, Container>,
    made: u64,
    faults: Vec<faults::Planned>,
    held_replies_go: bool,
    calls: Vec<(Endpoint, String)>,
    loaded_bytes: usize,
    serving: server::Serving,
}

impl ScriptedEngine {
    /// A Podman 4.3 with no image, listening.
    pub(crate) fn start() -> Self {
        Self::start_as(Kind::Podman)
    }

    /// The same as another engine.
    pub(crate) fn start_as(kind: Kind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared {
            socket: dir.path().join("engine.sock"),
            state: Mutex::new(State {
                kind,
                api_version: "1.41".to_owned(),
                info: json!({
                    "NCPU": 4, "MemTotal": 1_u64 << 30, "MemoryLimit": true, "CpuCfsQuota": true, "PidsLimit": true,
                    "CgroupVersion": "2", "Architecture": "arm64", "ServerVersion": "4.3.1",
                    "SecurityOptions": ["name=seccomp,profile=default"],
                }),
                plays: BTreeMap::new(),
                pullable: BTreeMap::new(),
                containers: BTreeMap::new(),
                made: 0,
                faults: Vec::new(),
                held_replies_go: false,
                calls: Vec::new(),
                loaded_bytes: 0,
                serving: server::Serving::default(),
            }),
            changed: Condvar::new(),
            started: AtomicUsize::new(0),
        });
        server::serve(&shared);
        Self { shared, _dir: dir }
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.shared.socket
    }

    /// A client of it that soon loses patience.
    pub(crate) fn client(&self) -> ContainerEngine {
        ContainerEngine::with_patience(&SocketSearch::only(self.socket()), impatient())
    }

    /// Registers an image that is here; its containers play `play`.
    pub(crate) fn image(&self, name: &str, play: Play) {
        self.shared.lock().plays.insert(name.to_owned(), play);
    }

    /// Registers an image that a registry has.
    pub(crate) fn pullable(&self, name: &str, play: Play) {
        self.shared.lock().pullable.insert(name.to_owned(), play);
    }

    /// Makes calls to `endpoint` go wrong.
    pub(crate) fn fault(&self, endpoint: Endpoint, fault: Fault, times: Times) {
        self.shared.lock().faults.push(faults::Planned {
            endpoint,
            fault,
            times,
        });
    }

    /// No call goes wrong any more. Calls that hang go on hanging.
    pub(crate) fn heal(&self) {
        self.shared.lock().faults.clear();
    }

    /// How many faults have not happened yet, or happen always.
    pub(crate) fn planned_faults(&self) -> usize {
        self.shared.lock().faults.len()
    }

    /// Lets replies go that `Fault::Held` holds, these and all later ones.
    pub(crate) fn release_replies(&self) {
        self.shared.lock().held_replies_go = true;
        self.shared.changed.notify_all();
    }

    /// Changes what `/info` says.
    pub(crate) fn say(&self, key: &str, value: Value) {
        self.shared.lock().info[key] = value;
    }

    /// Changes the API version that `/_ping` tells.
    pub(crate) fn speak(&self, api_version: &str) {
        self.shared.lock().api_version = api_version.to_owned();
    }

    /// Ends containers that run until they are released, with the exit codes of their plays.
    pub(crate) fn release_containers(&self) {
        for container in self.shared.lock().containers.values_mut() {
            container.finish();
        }
    }

    /// Lets every container that runs print on stream 1 or 2.
    pub(crate) fn print(&self, stream: u8, bytes: &[u8]) {
        let mut state = self.shared.lock();
        for container in state.containers.values_mut().filter(|c| c.runs()) {
            container.print(stream, bytes);
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Drops what the logs have, as a rotation does.
    pub(crate) fn rotate_logs(&self) {
        let mut state = self.shared.lock();
        state.containers.values_mut().for_each(Container::rotate);
    }

    /// The socket goes away with all connections, as when the engine's service is stopped; containers live on.
    pub(crate) fn go_away(&self) {
        server::stop(&self.shared);
    }

    /// And it is back.
    pub(crate) fn come_back(&self) {
        server::serve(&self.shared);
    }

    /// How many calls to `endpoint` arrived so far.
    pub(crate) fn count(&self, endpoint: Endpoint) -> usize {
        self.shared.lock().count(endpoint)
    }

    /// All calls so far, as method and path.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.shared
            .lock()
            .calls
            .iter()
            .map(|(_, line)| line.clone())
            .collect()
    }

    /// The bodies of the containers that exist, by name.
    pub(crate) fn containers(&self) -> BTreeMap<String, Value> {
        self.shared
            .lock()
            .containers
            .values()
            .map(|c| (c.name.clone(), c.body.clone()))
            .collect()
    }

    /// How many times a container was really started, whatever was answered.
    pub(crate) fn started(&self) -> usize {
        self.shared.started.load(Ordering::SeqCst)
    }

    /// How many containers run.
    pub(crate) fn running(&self) -> usize {
        self.shared
            .lock()
            .containers
            .values()
            .filter(|c| c.runs())
            .count()
    }

    /// Whether each container of a node runs, by the label that it carries.
    pub(crate) fn containers_of(&self, node: &str) -> Vec<bool> {
        let state = self.shared.lock();
        let ours = state
            .containers
            .values()
            .filter(|c| c.label("codling.node") == Some(node));
        ours.map(Container::runs).collect()
    }

    /// Removes a node's containers, as somebody else would.
    pub(crate) fn remove_containers_of(&self, node: &str) {
        let mut state = self.shared.lock();
        state.containers.retain(|_, container| {
            let ours = container.label("codling.node") == Some(node);
            if ours {
                container.kill();
            }
            !ours
        });
    }

    /// How many connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.shared.lock().serving.open
    }

    /// Bytes of archives that were loaded.
    pub(crate) fn loaded_bytes(&self) -> usize {
        self.shared.lock().loaded_bytes
    }

    /// Adds a container that somebody else made.
    pub(crate) fn foreign_container(&self, name: &str, labels: Value) {
        self.add_foreign(name, json!({ "Image": "foreign", "Labels": labels }));
    }

    /// The same, of an image that is here.
    pub(crate) fn foreign_container_of(&self, image: &str) {
        self.add_foreign("foreign", json!({ "Image": image, "Labels": {} }));
    }

    /// Whether an image is here by this name.
    pub(crate) fn has_image(&self, name: &str) -> bool {
        self.shared.lock().plays.contains_key(name)
    }

    fn add_foreign(&self, name: &str, body: Value) {
        let mut state = self.shared.lock();
        let id = state.next_id();
        state.containers.insert(
            id.clone(),
            Container::new(id, name.to_owned(), body, Play::default()),
        );
    }

    /// Waits until `condition` holds of the engine; fails after `UNTIL_MAX`.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + UNTIL_MAX;
        while !condition(self) {
            assert!(
                Instant::now() < deadline,
                "waited {UNTIL_MAX:?} until {what}; calls: {:#?}",
                self.calls()
            );
            let state = self.shared.lock();
            drop(
                self.shared
                    .changed
                    .wait_timeout(state, Duration::from_millis(20))
                    .unwrap(),
            );
        }
    }
}

impl Drop for ScriptedEngine {
    fn drop(&mut self) {
        server::stop(&self.shared);
        for container in self.shared.lock().containers.values_mut() {
            container.kill();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn count(&self, endpoint: Endpoint) -> usize {
        self.calls
            .iter()
            .filter(|(called, _)| *called == endpoint)
            .count()
    }

    fn next_id(&mut self) -> String {
        self.made += 1;
        format!("{:064x}", self.made)
    }
}

/// Time limits for an engine that fails on purpose: short, but longer than a loaded machine needs for a true reply.
pub(crate) fn impatient() -> Patience {
    Patience {
        connect: Duration::from_secs(5),
        ping: Duration::from_secs(2),
        read: Duration::from_secs(2),
        change: Duration::from_secs(2),
        stop_slack: Duration::from_secs(1),
        log_silence: Duration::from_secs(2),
        pull_silence: Duration::from_secs(2),
        settle: Duration::from_secs(5),
        torn: Duration::from_millis(500),
        suspicion: Duration::from_millis(100),
        away: Duration::from_millis(50),
        away_most: Duration::from_millis(200),
    }
}
