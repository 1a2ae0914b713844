//! Both files as one store: the order of their commits, the scan that an agent is built from, and the answers to reads.

use super::error::StoreError;
use super::file::{Content, StoreFile};
use super::meter::FileCounts;
use super::place::{self, Place};
use super::{executions, jobs};
use crate::model::{Batch, Now, StoreAnswer, StoreQuery, StoredState};

/// Where both files live.
#[derive(Clone, Debug)]
pub struct StoreConfig {
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
    jobs: StoreFile,
    executions: StoreFile,
}

impl Files {
    pub(super) fn open(config: StoreConfig) -> Result<Self, StoreError> {
        place::refuse_same(&config.jobs, &config.executions)?;
        Ok(Self {
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
        Ok(StoredState {
            live_jobs: jobs.live,
            ended_jobs: jobs.ended.into(),
            last_job: jobs.last,
            live_executions: executions.live,
            ended_executions: executions.ended,
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

    pub(super) fn counts(&self) -> StoreCounts {
        StoreCounts {
            jobs: self.jobs.counts(),
            executions: self.executions.counts(),
        }
    }
}
