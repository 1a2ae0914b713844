//! Both files as one store: the order of their commits, the scan that an agent is built from, and the answers to reads.

use super::error::StoreError;
use super::executions::{self, ScannedExecutions};
use super::file::{Age, Content, StoreFile};
use super::jobs::{self, ScannedJobs};
use super::meter::FileCounts;
use super::place::{self, Place};
use crate::model::{
    Batch, DamagedStore, ExecutionId, ExecutionRecord, FileCost, FileHistory, NodeId, Now,
    StoreAnswer, StoreQuery, StoreRoom, StoredState,
};
use std::path::Path;

/// Whose store, and where both files live.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// This node: of its own asks, jobs.db must know the job.
    pub node: NodeId,
    /// jobs.db: what this node was asked to have done.
    pub jobs: Place,
    /// executions.db: what this node has taken on.
    pub executions: Place,
    /// What becomes of a file that cannot be understood.
    pub damaged: DamagedStore,
}

impl StoreConfig {
    fn may_set_aside(&self, path: &Path) -> bool {
        let is_it = |place: &Place| matches!(place, Place::File(file) if file == path);
        self.damaged == DamagedStore::SetAside && (is_it(&self.jobs) || is_it(&self.executions))
    }
}

/// What both files have cost since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// jobs.db.
    pub jobs: FileCounts,
    /// executions.db.
    pub executions: FileCounts,
}

/// Both files.
#[derive(Debug)]
pub(super) struct Files {
    node: NodeId,
    jobs: StoreFile,
    executions: StoreFile,
}

impl Files {
    /// Opens both files and reads what is there. A damaged file is moved aside, if that is wanted, and a new one made.
    pub(super) fn open(config: &StoreConfig, now: Now) -> Result<(Self, StoredState), StoreError> {
        place::refuse_same(&config.jobs, &config.executions)?;
        // Each of the two files may be moved aside once.
        for _ in 0..2 {
            match Self::open_once(config, now) {
                Err(StoreError::Damaged { path, what }) if config.may_set_aside(&path) => {
                    let aside = place::set_aside(&path)?;
                    log::error!(
                        "store file \"{}\" is damaged ({what}); it is \"{}\" now, and a new one is made",
                        path.display(),
                        aside.display()
                    );
                }
                other => return other,
            }
        }
        Self::open_once(config, now)
    }

    fn open_once(config: &StoreConfig, now: Now) -> Result<(Self, StoredState), StoreError> {
        let jobs = StoreFile::open(Content::Jobs, config.jobs.clone())?;
        // Most of a start is reading: what is read of one file is decoded while the other is opened and read.
        let (jobs_scanned, others) = beside(
            || jobs.read(|txn| jobs::scan(txn, now)),
            || {
                let place = config.executions.clone();
                let executions = StoreFile::open(Content::Executions, place)?;
                let scanned = executions.read(executions::scan)?;
                Ok::<_, StoreError>((executions, scanned))
            },
        )?;
        let jobs_scanned = jobs_scanned?;
        let (executions, executions_scanned) = others?;
        let files = Self {
            node: config.node.clone(),
            jobs,
            executions,
        };
        files.look_for_room();
        let state = StoredState {
            jobs_file: history(files.jobs.age()),
            executions_file: history(files.executions.age()),
            ..files.state(jobs_scanned, executions_scanned)?
        };
        Ok((files, state))
    }

    /// One commit per file that has rows, jobs.db first. After an error executions.db is not tried.
    pub(super) fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if !batch.jobs.is_empty() {
            self.jobs.commit(|txn| jobs::apply(txn, batch.jobs))?;
        }
        if !batch.executions.is_empty() || batch.images.is_some() {
            self.executions
                .commit(|txn| executions::apply(txn, batch.executions, batch.images))?;
        }
        Ok(())
    }

    /// Opens again what is closed since a failure and reads both files.
    pub(super) fn reopen(&self, now: Now) -> Result<StoredState, StoreError> {
        self.jobs.reopen()?;
        self.executions.reopen()?;
        self.scan(now)
    }

    /// What both disks have room for.
    pub(super) fn room(&self) -> StoreRoom {
        match (self.jobs.room(), self.executions.room()) {
            (StoreRoom::Enough, StoreRoom::Enough) => StoreRoom::Enough,
            _ => StoreRoom::EndsOnly,
        }
    }

    /// Makes the ballasts that are missing, as far as there is room.
    pub(super) fn look_for_room(&self) {
        self.jobs.look_for_room();
        self.executions.look_for_room();
    }

    fn scan(&self, now: Now) -> Result<StoredState, StoreError> {
        let jobs = self.jobs.read(|txn| jobs::scan(txn, now))?;
        let executions = self.executions.read(executions::scan)?;
        self.state(jobs, executions)
    }

    fn state(
        &self,
        jobs: ScannedJobs,
        executions: ScannedExecutions,
    ) -> Result<StoredState, StoreError> {
        let orphaned = self.orphaned(&executions.live)?;
        Ok(StoredState {
            live_jobs: jobs.live,
            ended_jobs: jobs.ended.into(),
            retained: jobs.retained,
            names: jobs.names,
            last_job: jobs.last,
            live_executions: executions.live,
            ended_executions: executions.ended,
            orphaned_executions: orphaned,
            images: executions.images,
            jobs_file: FileHistory::Kept,
            executions_file: FileHistory::Kept,
            room: self.room(),
        })
    }

    /// Which of these this node asked of itself for a job that jobs.db does not hold.
    fn orphaned(&self, live: &[ExecutionRecord]) -> Result<Vec<ExecutionId>, StoreError> {
        self.jobs.read(|txn| {
            let mut orphaned = Vec::new();
            for record in live.iter().filter(|record| record.requester == self.node) {
                if !jobs::holds(txn, &record.job.id)? {
                    orphaned.push(record.id.clone());
                }
            }
            Ok(orphaned)
        })
    }

    /// Closes both files; the first error is returned.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        let jobs = self.jobs.close();
        let executions = self.executions.close();
        jobs.and(executions)
    }

    pub(super) fn answer(&self, query: &StoreQuery) -> Result<StoreAnswer, StoreError> {
        self.jobs.read(|txn| match query {
            StoreQuery::Job(id) => Ok(StoreAnswer::Job(jobs::read(txn, id)?.map(Box::new))),
            StoreQuery::Jobs(range) => {
                let page = jobs::list(txn, range)?;
                Ok(StoreAnswer::Jobs {
                    rows: page.rows,
                    more: page.more,
                })
            }
        })
    }

    /// What both files have cost, for those who watch the node.
    pub(super) fn costs(&self) -> Vec<FileCost> {
        vec![self.jobs.cost(), self.executions.cost()]
    }

    pub(super) fn counts(&self) -> StoreCounts {
        StoreCounts {
            jobs: self.jobs.counts(),
            executions: self.executions.counts(),
        }
    }
}

/// Both at once, the first on a thread of its own.
fn beside<A: Send, B>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B,
) -> Result<(A, B), StoreError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("store-scan".to_owned())
            .spawn_scoped(scope, one)
            .map_err(|source| StoreError::Thread { source })?;
        let other = other();
        match thread.join() {
            Ok(one) => Ok((one, other)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn history(age: Age) -> FileHistory {
    match age {
        Age::Known => FileHistory::Kept,
        Age::New => FileHistory::New,
    }
}
