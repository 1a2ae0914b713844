//! `SimDisk` and redb hold the same after the same batches: what the simulator proves on the one is true of the other.

use super::disk::{SimDisk, StoreFile};
use crate::store::random::{execution_record, job_record};
use crate::support::recorder::{Disk, ImageKind, Recorder};
use crate::support::seed::Seed;
use codling::model::{Batch, BootId, DamagedStore, NodeId, Now, StoredState, UnixMs, Write};
use codling::store::{Place, Store, StoreConfig, StoreReport};

/// Histories of batches.
const HISTORIES: u64 = 40;
/// Batches of one.
const BATCHES: u64 = 12;
/// Records that may be touched.
const RECORDS: u64 = 12;

fn now() -> Now {
    Now {
        boot: BootId([1; 16]),
        boot_ms: 1,
        wall: Some(UnixMs(1_800_000_000_000)),
    }
}

fn record_number(seed: &mut Seed) -> u32 {
    u32::try_from(seed.below(RECORDS)).unwrap()
}

fn batch(seed: &mut Seed) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..=seed.below(3) {
        let number = record_number(seed);
        let job = job_record(seed, number);
        let write = |gone| {
            if gone {
                Write::Delete
            } else {
                Write::Put(Box::new(job.clone()))
            }
        };
        batch
            .jobs
            .insert(job.job.id.clone(), write(seed.once_in(5)));
        let number = record_number(seed);
        let execution = execution_record(seed, number);
        let write = |gone| {
            if gone {
                Write::Delete
            } else {
                Write::Put(Box::new(execution.clone()))
            }
        };
        batch
            .executions
            .insert(execution.id.clone(), write(seed.once_in(5)));
    }
    batch
}

/// In one order, without what only the real store bounds by age.
fn ordered(mut state: StoredState) -> StoredState {
    state.live_jobs.sort_by(|a, b| a.job.id.cmp(&b.job.id));
    state.live_executions.sort_by(|a, b| a.id.cmp(&b.id));
    state.ended_executions.sort();
    state.orphaned_executions.sort();
    state.ended_jobs.clear();
    state
}

#[test]
fn the_simulated_disk_and_redb_hold_the_same_after_the_same_batches_and_restarts() {
    let me = NodeId::from("node");
    let mut compared = 0;
    for number in 1..=HISTORIES {
        let mut seed = Seed::new(number);
        let mut recorder = Recorder::new();
        let mut twin = SimDisk::new();
        for _ in 0..3 {
            let place = |disk| Place::Backend(recorder.backend(disk));
            let config = StoreConfig {
                node: me.clone(),
                jobs: place(Disk::Jobs),
                executions: place(Disk::Executions),
                damaged: DamagedStore::Refuse,
            };
            let (store, stored) = Store::open(config, now()).expect("the store opens");
            twin.open();
            let real = ordered(stored);
            compared += real.live_jobs.len().min(real.live_executions.len());
            let mut simulated = ordered(twin.stored(&me));
            simulated.jobs_file = real.jobs_file;
            simulated.executions_file = real.executions_file;
            assert_eq!(real, simulated, "history {number}");
            for commit in 1..=BATCHES {
                let batch = batch(&mut seed);
                twin.begin(batch.clone());
                twin.land(StoreFile::Jobs);
                twin.land(StoreFile::Executions);
                store.commit(commit, batch).expect("the writer takes it");
                let report = store.reports().recv_blocking().expect("the writer lives");
                assert!(
                    matches!(report, StoreReport::CommitDone { .. }),
                    "{report:?}"
                );
            }
            // A cut: nothing that was reported is missing on either.
            recorder = Recorder::resume(recorder.image(recorder.position(), ImageKind::Dropped));
        }
    }
    assert!(
        compared > 100,
        "too little was stored to compare: {compared}"
    );
}
