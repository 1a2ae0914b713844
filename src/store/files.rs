//! Both files as one store: the order of their commits, the scan that an agent is built from, and the answers to reads.

use super::error::StoreError;
use super::file::{Age, Content, StoreFile};
use super::meter::FileCounts;
use super::place::{self, Place};
use super::{executions, jobs};
use crate::model::{
    Batch, ExecutionId, ExecutionRecord, FileCost, JobsFile, NodeId, Now, StoreAnswer, StoreQuery,
    StoredState,
};

/// Whose store, and where both files live.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// This node: of its own asks, jobs.db must know the job.
    pub node: NodeId,
    /// jobs.db: what this node was asked to have done.
    pub jobs: Place,
    /// executions.db: what this node has taken on.
    pub executions: Place,
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
    pub(super) fn open(config: StoreConfig) -> Result<Self, StoreError> {
        place::refuse_same(&config.jobs, &config.executions)?;
        Ok(Self {
            node: config.node,
            jobs: StoreFile::open(Content::Jobs, config.jobs)?,
            executions: StoreFile::open(Content::Executions, config.executions)?,
        })
    }

    /// One commit per file that has rows, jobs.db first. After an error executions.db is not tried.
    pub(super) fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if !batch.jobs.is_empty() {
            self.jobs.commit(|txn| jobs::apply(txn, batch.jobs))?;
        }
        if !batch.executions.is_empty() {
            self.executions
                .commit(|txn| executions::apply(txn, batch.executions))?;
        }
        Ok(())
    }

    /// Opens again what is closed since a failure and reads both files.
    pub(super) fn reopen(&self, now: Now) -> Result<StoredState, StoreError> {
        self.jobs.reopen()?;
        self.executions.reopen()?;
        self.scan(now)
    }

    pub(super) fn scan(&self, now: Now) -> Result<StoredState, StoreError> {
        let jobs = self.jobs.read(|txn| jobs::scan(txn, now))?;
        let executions = self.executions.read(executions::scan)?;
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
            jobs_file: match self.jobs.age() {
                Age::Known => JobsFile::Kept,
                Age::New => JobsFile::New,
            },
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

    pub(super) fn answer(&self, query: &StoreQuery) -> StoreAnswer {
        let answer = self.jobs.read(|txn| match query {
            StoreQuery::Job(id) => Ok(StoreAnswer::Job(jobs::read(txn, id)?.map(Box::new))),
            StoreQuery::Jobs(range) => {
                let page = jobs::list(txn, range)?;
                Ok(StoreAnswer::Jobs {
                    rows: page.rows,
                    more: page.more,
                })
            }
        });
        match answer {
            Ok(answer) => answer,
            // Said by whoever closed it.
            Err(StoreError::Closed { .. }) => StoreAnswer::Unavailable,
            Err(error) => {
                log::warn!("{error}");
                StoreAnswer::Unavailable
            }
        }
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
