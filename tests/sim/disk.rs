//! `SimDisk`: both store files of a node, batch by batch.
//!
//! Per file there are the durable rows and one batch in flight. A batch lands whole or not at all, jobs.db first; the
//! world decides when, and whether. Rows go through the stored encoding, so what does not survive it is found here.

use codling::model::{
    Batch, EndedExecution, EndedJob, ExecutionId, ExecutionRecord, FileHistory, JobId, JobNames,
    JobRecord, JobSummary, NodeId, PulledImages, StoreRoom, StoredState, Write,
};
use std::collections::BTreeMap;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreFile {
    Jobs,
    Executions,
}

/// One file.
#[derive(Clone, Debug)]
struct SimFile<K, R> {
    durable: BTreeMap<K, R>,
    in_flight: Option<BTreeMap<K, Write<Box<R>>>>,
    commits: u64,
}

impl<K, R> Default for SimFile<K, R> {
    fn default() -> Self {
        Self {
            durable: BTreeMap::new(),
            in_flight: None,
            commits: 0,
        }
    }
}

impl<K: Ord, R> SimFile<K, R> {
    /// The batch in flight is on the medium.
    fn land(&mut self) {
        let Some(rows) = self.in_flight.take() else {
            return;
        };
        self.commits += 1;
        for (key, write) in rows {
            match write {
                Write::Put(record) => {
                    self.durable.insert(key, *record);
                }
                Write::Delete => {
                    self.durable.remove(&key);
                }
            }
        }
    }
}

/// A record as it is read from its file: through its encoding, which must not change it.
fn read<R>(record: &R) -> R
where
    R: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> + PartialEq + std::fmt::Debug,
{
    let bytes = minicbor::to_vec(record).unwrap();
    let read: R = minicbor::decode(&bytes).unwrap();
    assert_eq!(read, *record, "a record changes when it is stored");
    read
}

/// Both files. See the module's text.
#[derive(Clone, Debug)]
pub(super) struct SimDisk {
    jobs: SimFile<JobId, JobRecord>,
    executions: SimFile<ExecutionId, ExecutionRecord>,
    /// What a process keeps of those that have ended: hundreds, and a store may be opened hundreds of times.
    ended: BTreeMap<ExecutionId, EndedExecution>,
    /// As the process that has them open found them.
    jobs_file: FileHistory,
    executions_file: FileHistory,
    /// As the next one will find them.
    next_jobs_file: FileHistory,
    next_executions_file: FileHistory,
}

impl SimDisk {
    pub(super) fn new() -> Self {
        Self {
            jobs: SimFile::default(),
            executions: SimFile::default(),
            ended: BTreeMap::new(),
            jobs_file: FileHistory::New,
            executions_file: FileHistory::New,
            next_jobs_file: FileHistory::New,
            next_executions_file: FileHistory::New,
        }
    }

    /// A process opens the files.
    pub(super) fn open(&mut self) {
        let kept = FileHistory::Kept;
        self.jobs_file = std::mem::replace(&mut self.next_jobs_file, kept);
        self.executions_file = std::mem::replace(&mut self.next_executions_file, kept);
    }

    /// The same process opens them again after a failure: it has seen them before.
    pub(super) fn reopen(&mut self) {
        self.jobs_file = FileHistory::Kept;
        self.executions_file = FileHistory::Kept;
    }

    /// A batch is handed to the writer.
    pub(super) fn begin(&mut self, batch: Batch) {
        self.jobs.in_flight = (!batch.jobs.is_empty()).then_some(batch.jobs);
        self.executions.in_flight = (!batch.executions.is_empty()).then_some(batch.executions);
    }

    /// Whether the batch in flight has rows for this file that have not landed.
    pub(super) fn is_in_flight(&self, file: StoreFile) -> bool {
        match file {
            StoreFile::Jobs => self.jobs.in_flight.is_some(),
            StoreFile::Executions => self.executions.in_flight.is_some(),
        }
    }

    pub(super) fn land(&mut self, file: StoreFile) {
        match file {
            StoreFile::Jobs => self.jobs.land(),
            StoreFile::Executions => {
                for (id, write) in self.executions.in_flight.iter().flatten() {
                    match write {
                        Write::Put(record) if !record.is_live() => {
                            self.ended.insert(id.clone(), EndedExecution::of(record));
                        }
                        _ => drop(self.ended.remove(id)),
                    }
                }
                self.executions.land();
            }
        }
    }

    /// What has not landed never will.
    pub(super) fn cut(&mut self) {
        self.jobs.in_flight = None;
        self.executions.in_flight = None;
    }

    /// A file is gone; what it promised went with it.
    pub(super) fn lose(&mut self, file: StoreFile) {
        match file {
            StoreFile::Jobs => {
                self.jobs = SimFile::default();
                self.next_jobs_file = FileHistory::New;
            }
            StoreFile::Executions => {
                self.executions = SimFile::default();
                self.ended.clear();
                self.next_executions_file = FileHistory::New;
            }
        }
    }

    /// Durable commits of both files so far.
    pub(super) fn commits(&self) -> u64 {
        self.jobs.commits + self.executions.commits
    }

    pub(super) fn job(&self, id: &JobId) -> Option<&JobRecord> {
        self.jobs.durable.get(id)
    }

    /// A job as somebody reads it who does not have it in memory.
    pub(super) fn read_job(&self, id: &JobId) -> Option<JobRecord> {
        self.job(id).map(read)
    }

    /// Reads all that is there.
    pub(super) fn read_through(&self) {
        self.jobs().for_each(|record| drop(read(record)));
        self.executions().for_each(|record| drop(read(record)));
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = &JobRecord> {
        self.jobs.durable.values()
    }

    pub(super) fn execution(&self, id: &ExecutionId) -> Option<&ExecutionRecord> {
        self.executions.durable.get(id)
    }

    pub(super) fn executions(&self) -> impl Iterator<Item = &ExecutionRecord> {
        self.executions.durable.values()
    }

    pub(super) fn jobs_file(&self) -> FileHistory {
        self.jobs_file
    }

    /// What an agent of node `me` is built from.
    pub(super) fn stored(&self, me: &NodeId) -> StoredState {
        let (live_jobs, ended): (Vec<_>, Vec<_>) =
            self.jobs().map(read).partition(JobRecord::is_live);
        let mut names = JobNames::default();
        self.jobs().for_each(|record| names.note(record));
        let retained = ended.iter().map(EndedJob::of).collect();
        let ended = ended.into_iter().filter_map(|record| {
            let tokens: Vec<_> = record.tokens().cloned().collect();
            (!tokens.is_empty()).then_some(JobSummary {
                id: record.job.id,
                tokens,
            })
        });
        let live = self.executions().filter(|record| record.is_live());
        let live: Vec<ExecutionRecord> = live.map(read).collect();
        let orphaned = live.iter().filter(|record| {
            record.requester == *me && !self.jobs.durable.contains_key(&record.job.id)
        });
        StoredState {
            live_jobs,
            ended_jobs: ended.collect(),
            retained,
            names,
            last_job: self.jobs.durable.last_key_value().map(|(id, _)| id.clone()),
            orphaned_executions: orphaned.map(|record| record.id.clone()).collect(),
            live_executions: live,
            ended_executions: self.ended.values().cloned().collect(),
            images: PulledImages::default(),
            jobs_file: self.jobs_file,
            executions_file: self.executions_file,
            room: StoreRoom::Enough,
        }
    }
}
