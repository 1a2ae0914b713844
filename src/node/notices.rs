//! What a node is told about itself at its start, in words for an operator.

use super::evidence::{CRASH_FILE, read_crash};
use crate::agent::{Crash, HealthConfig};
use crate::board::{engine_install_line, read_memory_controller};
use crate::config::{Config, StoreKind};
use crate::model::Origin;
use crate::store::damaged_beside;
use std::path::{Path, PathBuf};

/// How to get an engine running on the system below `root`, and that one elsewhere is not used where the operator has
/// named its place.
#[must_use]
pub fn engine_hint(root: &Path, uid: u32, socket_origin: &Origin) -> String {
    let line = engine_install_line(root, uid);
    match socket_origin {
        Origin::Default => format!("get one running with: {line}"),
        origin => format!(
            "get one running with: {line}  (it must listen there, as {origin} says; without that any engine of this board is used)"
        ),
    }
}

/// What the conditions of a node depend on and what does not change while it runs.
pub(super) fn health_config<'a>(
    config: &Config,
    root: &Path,
    store_files: impl IntoIterator<Item = &'a PathBuf> + Clone,
) -> HealthConfig {
    HealthConfig {
        memory_controller: read_memory_controller(root),
        memory_limits: config.require_memory_limits.value,
        image_low_water: config.image_low_water.value.0,
        engine_hint: engine_hint(
            root,
            rustix::process::getuid().as_raw(),
            &config.engine_socket.origin,
        ),
        damaged: store_files
            .clone()
            .into_iter()
            .flat_map(|path| damaged_beside(path))
            .map(|path| path.display().to_string())
            .collect(),
        store_files: store_files
            .into_iter()
            .map(|path| path.display().to_string())
            .collect(),
        kept_in_memory: kept_in_memory(config),
        crash: crash(&config.data_dir.value),
    }
}

/// The first line of what the last crash left says what happened.
fn crash(data_dir: &Path) -> Option<Crash> {
    let report = read_crash(data_dir)?;
    Some(Crash {
        line: report.lines().next().unwrap_or_default().to_owned(),
        file: data_dir.join(CRASH_FILE).display().to_string(),
    })
}

fn kept_in_memory(config: &Config) -> Option<String> {
    let kinds = [
        ("jobs", config.requester_job_store_type.value),
        ("executions", config.compute_execution_store_type.value),
    ];
    let names: Vec<&str> = kinds
        .into_iter()
        .filter(|(_, kind)| *kind == StoreKind::Memory)
        .map(|(name, _)| name)
        .collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_is_missing_where_the_operator_said_is_not_just_installed_elsewhere() {
        let root = Path::new("/");
        let hint = engine_hint(root, 0, &Origin::Flag("engine-socket".into()));
        assert!(
            hint.contains("must listen there, as flag --engine-socket says"),
            "{hint}"
        );
        let searched = engine_hint(root, 0, &Origin::Default);
        assert!(searched.starts_with("get one running with: "), "{searched}");
        assert!(!searched.contains("must listen"), "{searched}");
    }
}
