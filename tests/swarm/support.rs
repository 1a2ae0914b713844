//! Hosts for tests: each with its own key, on loopback, in a scratch directory that goes with it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_io::Timer;
use codling::swarm::{
    ConnectedPeer, Host, HostEvent, Identity, PeerAddress, StoreBeside, bind, parse_peer,
};
use futures_lite::future;
use tempfile::TempDir;

/// Longest time a test waits for anything; reached only by a failure.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// The executor of one test, polled by the thread of that test.
pub(super) fn block_on<F: Future<Output = ()>>(test: impl FnOnce(Arc<Executor<'static>>) -> F) {
    let executor = Arc::new(Executor::new());
    async_io::block_on(executor.run(test(Arc::clone(&executor))));
}

/// A key in a directory of its own: what is left of a node that does not run.
pub(super) struct Home {
    directory: TempDir,
}

impl Home {
    pub(super) fn new() -> Home {
        Home {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// The home of a node whose key file holds `key`.
    pub(super) fn with_key(key: &str) -> Home {
        let home = Home::new();
        std::fs::write(home.directory.path().join("libp2p_private_key"), key).unwrap();
        home
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::open(self.directory.path(), StoreBeside::Absent).unwrap()
    }

    /// Starts the node of this home.
    #[track_caller]
    pub(super) fn start(
        &self,
        executor: &Arc<Executor<'static>>,
        listen: &str,
        peers: Vec<PeerAddress>,
    ) -> Host {
        let ports = bind(listen.parse().unwrap()).unwrap();
        Host::start(&self.identity(), ports, peers, 7, executor).unwrap()
    }

    /// Where this node is, once it listens on `at`.
    pub(super) fn address(&self, at: SocketAddr) -> PeerAddress {
        let family = if at.is_ipv4() { "ip4" } else { "ip6" };
        let id = self.identity().node_id();
        parse_peer(&format!("/{family}/{}/tcp/{}/p2p/{id}", at.ip(), at.port())).unwrap()
    }
}

/// The first event that `wanted` takes; a panic with everything seen when none comes in time.
pub(super) async fn event<T>(host: &Host, wanted: impl Fn(&HostEvent) -> Option<T>) -> T {
    let events = host.events();
    let mut seen = Vec::new();
    loop {
        let next = future::or(async { Some(events.recv().await.unwrap()) }, async {
            Timer::at(Instant::now() + DEADLINE).await;
            None
        });
        match next.await {
            Some(event) => match wanted(&event) {
                Some(found) => return found,
                None => seen.push(event),
            },
            None => panic!(
                "{} did not say it within {DEADLINE:?}; it said {seen:?}",
                host.node_id()
            ),
        }
    }
}

/// The address at which `host` sees `peer` when it connects.
pub(super) async fn connected(host: &Host, peer: &Host) -> String {
    let wanted = peer.node_id();
    event(host, |event| match event {
        HostEvent::PeerConnected { peer, addr } if peer == wanted => Some(addr.clone()),
        _ => None,
    })
    .await
}

pub(super) async fn disconnected(host: &Host, peer: &codling::model::NodeId) {
    event(host, |event| match event {
        HostEvent::PeerDisconnected { peer: gone } if gone == peer => Some(()),
        _ => None,
    })
    .await;
}

/// The peers of `host` once `enough` says so; a panic with the last answer when it never does.
pub(super) async fn peers_until(
    host: &Host,
    enough: impl Fn(&[ConnectedPeer]) -> bool,
) -> Vec<ConnectedPeer> {
    let mut last = Vec::new();
    let asked = async {
        loop {
            last = host.connected_peers().await.unwrap();
            if enough(&last) {
                return Some(());
            }
            future::yield_now().await;
        }
    };
    let in_time = future::or(asked, async {
        Timer::at(Instant::now() + DEADLINE).await;
        None
    });
    let in_time = in_time.await;
    assert!(
        in_time.is_some(),
        "not within {DEADLINE:?}; the peers are {last:?}"
    );
    last
}
