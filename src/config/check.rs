//! Rules that look at more than one setting, and notes for the operator.

use super::{ApiAccess, Config, ConfigError, FLAGS, Raw, Setting, StoreKind, Wrong, home, nearest};
use crate::model::Origin;
use std::path::PathBuf;

/// The whole configuration, or the first broken rule.
pub(super) fn check(mut config: Config, raw: &Raw) -> Result<Config, ConfigError> {
    config.data_dir = data_dir(config.data_dir, raw)?;
    if config.api_port.value == config.port.value && config.port.value != 0 {
        return Err(ConfigError::EqualPorts {
            api_origin: config.api_port.origin.clone(),
            swarm_origin: config.port.origin.clone(),
            port: config.port.value,
        });
    }
    let guarded = config.api_token_file.value.is_some() || config.api_open.value == ApiAccess::Open;
    if !config.api_host.value.is_loopback() && !guarded {
        return Err(ConfigError::NotLoopback {
            origin: config.api_host.origin.clone(),
            host: config.api_host.value,
        });
    }
    one_file_each(&config)?;
    config.notes = notes(&config, raw);
    Ok(config)
}

/// Jobs and executions are two files.
fn one_file_each(config: &Config) -> Result<(), ConfigError> {
    let kinds = [
        config.compute_execution_store_type.value,
        config.requester_job_store_type.value,
    ];
    let jobs = &config.requester_job_store_path;
    match &jobs.value {
        Some(path)
            if kinds == [StoreKind::Embedded; 2]
                && config.compute_execution_store_path.value.as_ref() == Some(path) =>
        {
            Err(ConfigError::BadValue {
                origin: jobs.origin.clone(),
                value: path.display().to_string(),
                wrong: Wrong::new(
                    "another file than --compute-execution-store-path",
                    "leave both out to keep the stores in the data directory",
                ),
            })
        }
        _ => Ok(()),
    }
}

/// Replaces the origin of a default data directory by the rule that chose it.
pub(super) fn data_dir(
    given: Setting<PathBuf>,
    raw: &Raw,
) -> Result<Setting<PathBuf>, ConfigError> {
    if given.origin != Origin::Default {
        return Ok(given);
    }
    let place = home::default_data_dir(&raw.around).ok_or(ConfigError::NoHome)?;
    Ok(Setting {
        value: place.path,
        origin: Origin::Rule(place.rule.to_owned()),
    })
}

fn notes(config: &Config, raw: &Raw) -> Vec<String> {
    let mut notes = Vec::new();
    if config.api_token_file.value.is_some() && config.api_open.value == ApiAccess::Open {
        notes.push(format!(
            "--api-open changes nothing: callers must show the token of --api-token-file ({})",
            config.api_token_file.origin
        ));
    }
    for (kind, path, name) in [
        (
            &config.compute_execution_store_type,
            &config.compute_execution_store_path,
            "compute-execution-store",
        ),
        (
            &config.requester_job_store_type,
            &config.requester_job_store_path,
            "requester-job-store",
        ),
    ] {
        if kind.value == StoreKind::Memory && path.value.is_some() {
            notes.push(format!(
                "--{name}-path is ignored: --{name}-type is inmemory ({})",
                kind.origin
            ));
        }
    }
    let known: Vec<String> = FLAGS
        .iter()
        .flat_map(|spec| spec.all_variables().collect::<Vec<_>>())
        .collect();
    for name in raw
        .around
        .variables
        .keys()
        .filter(|name| name.starts_with("CODLING_"))
    {
        if !known.contains(name) {
            let guess = nearest(name, known.iter().map(String::as_str))
                .map_or_else(String::new, |guess| format!("; did you mean {guess}?"));
            notes.push(format!(
                "variable {name} is not known and was ignored{guess}"
            ));
        }
    }
    notes
}
