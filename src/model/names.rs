//! Which job has which name: a small index that is built while the store is scanned and kept by the agent.
//!
//! A name stands for one job of a namespace, so that a spec which is submitted again is the next version of its job. Names
//! are kept as digests: ten thousand of them cost half a megabyte of memory, whatever they say.

use super::{JobId, JobRecord};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// How many names are known: all of the live jobs and of the stored ones that retention leaves. Beyond it the oldest job is
/// found by its id only, and a spec of its name is a new job.
pub const NAMES_MAX: usize = 16_384;

/// Names of jobs, live and ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobNames(BTreeMap<u128, Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The UUID of the job's id.
    id: u128,
    revision: u64,
}

/// A job that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedJob {
    /// Which.
    pub id: JobId,
    /// Its revision when it was noted last: what is read of an ended job must not be older.
    pub revision: u64,
}

impl JobNames {
    /// Notes a job under its name. Of two jobs by one name (stored before names were unique) the younger one has it; a job
    /// that is only named by its id is not noted.
    pub fn note(&mut self, record: &JobRecord) {
        let job = &record.job;
        self.note_as(
            &job.namespace,
            &job.name,
            &job.id,
            job.version,
            job.revision,
        );
    }

    /// The same of a job whose record is not at hand.
    pub fn note_as(
        &mut self,
        namespace: &str,
        name: &str,
        job: &JobId,
        version: u64,
        revision: u64,
    ) {
        if name == job.0 && version <= 1 {
            return;
        }
        let Some(id) = job.number() else { return };
        let entry = Entry { id, revision };
        let kept = self.0.entry(digest(namespace, name)).or_insert(entry);
        if kept.id <= id {
            *kept = entry;
        }
        if self.0.len() > NAMES_MAX
            && let Some(oldest) = self.0.iter().min_by_key(|(_, entry)| entry.id)
        {
            let oldest = *oldest.0;
            self.0.remove(&oldest);
        }
    }

    /// Forgets the jobs of these numbers: they are gone.
    pub fn forget(&mut self, gone: &BTreeSet<u128>) {
        self.0.retain(|_, entry| !gone.contains(&entry.id));
    }

    /// The job of a name.
    #[must_use]
    pub fn find(&self, namespace: &str, name: &str) -> Option<NamedJob> {
        let entry = self.0.get(&digest(namespace, name))?;
        Some(NamedJob {
            id: JobId::from_number(entry.id),
            revision: entry.revision,
        })
    }
}

fn digest(namespace: &str, name: &str) -> u128 {
    let mut hasher = Sha256::new();
    // The length first, so that no two pairs run into the same bytes.
    hasher.update(
        u64::try_from(namespace.len())
            .unwrap_or(u64::MAX)
            .to_be_bytes(),
    );
    hasher.update(namespace);
    hasher.update(name);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize()[..16]);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_another_job_in_another_namespace() {
        assert_ne!(digest("a", "bc"), digest("ab", "c"));
    }
}
