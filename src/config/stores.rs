//! Where the two store files are (serve.md 1.8).

use super::settings::one;
use super::{Config, ConfigError, Raw, StoreKind};
use crate::model::NodeId;
use std::path::{Path, PathBuf};

/// The files of a node's records; `None` for those that are kept in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePaths {
    /// jobs.db.
    pub jobs: Option<PathBuf>,
    /// executions.db.
    pub executions: Option<PathBuf>,
}

impl Config {
    /// Where the store files of this node are.
    #[must_use]
    pub fn store_paths(&self, node: &NodeId) -> StorePaths {
        StorePaths {
            jobs: file(
                self.requester_job_store_type.value,
                self.requester_job_store_path.value.clone(),
                &jobs_db(&self.data_dir.value, node),
            ),
            executions: file(
                self.compute_execution_store_type.value,
                self.compute_execution_store_path.value.clone(),
                &executions_db(&self.data_dir.value, node),
            ),
        }
    }

    /// The same for commands that need no other setting.
    ///
    /// # Errors
    /// As [`Config::resolve`] for these settings.
    pub fn store_paths_of(raw: &Raw, dir: &Path, node: &NodeId) -> Result<StorePaths, ConfigError> {
        Ok(StorePaths {
            jobs: file(
                one::requester_job_store_type(raw)?.value,
                one::requester_job_store_path(raw)?.value,
                &jobs_db(dir, node),
            ),
            executions: file(
                one::compute_execution_store_type(raw)?.value,
                one::compute_execution_store_path(raw)?.value,
                &executions_db(dir, node),
            ),
        })
    }
}

fn jobs_db(dir: &Path, node: &NodeId) -> PathBuf {
    dir.join(format!("{node}-requester")).join("jobs.db")
}

fn executions_db(dir: &Path, node: &NodeId) -> PathBuf {
    dir.join(format!("{node}-compute")).join("executions.db")
}

fn file(kind: StoreKind, path: Option<PathBuf>, place: &Path) -> Option<PathBuf> {
    match kind {
        StoreKind::Memory => None,
        StoreKind::Embedded => Some(path.unwrap_or_else(|| place.to_owned())),
    }
}
