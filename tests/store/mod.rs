//! The store, each kind through the same suite, and what only a file can do.

mod full;
mod offline;
mod pins;
pub(crate) mod random;
mod recorded;
mod records;
mod refusals;
mod samples;
mod suite;

use async_io::block_on;
use codling::model::{Batch, DamagedStore, NodeId, StoreAnswer, StoreQuery, StoredState};
use codling::store::{Place, Store, StoreConfig, StoreReport};
use samples::at;
use std::path::Path;

/// Both files under `directory`, at the documented places.
fn config_in(directory: &Path) -> StoreConfig {
    StoreConfig {
        node: NodeId::from(samples::NODE),
        jobs: Place::File(directory.join("node-requester/jobs.db")),
        executions: Place::File(directory.join("node-compute/executions.db")),
        damaged: DamagedStore::Refuse,
    }
}

#[track_caller]
fn open(config: StoreConfig) -> (Store, StoredState) {
    Store::open(config, at(1_000)).unwrap()
}

/// The next report of the writer thread.
#[track_caller]
fn report(store: &Store) -> StoreReport {
    store.reports().recv_blocking().unwrap()
}

/// Commits and waits until it is durable.
#[track_caller]
fn commit(store: &Store, batch: Batch) {
    store.commit(1, batch).unwrap();
    let report = report(store);
    assert!(
        matches!(report, StoreReport::CommitDone { seq: 1 }),
        "{report:?}"
    );
}

#[track_caller]
fn close(store: Store) {
    block_on(store.close()).unwrap();
}

/// Reads through the pool.
#[track_caller]
fn ask(store: &Store, query: StoreQuery) -> StoreAnswer {
    block_on(store.ask(query))
}
