//! A task as clients write it: read, checked, normalised (rest-api.md 3.5, 4 and 5.3).

use super::fields::{Fields, Problems};
use super::network::read_network;
use crate::model::{InputSource, Params, ResourcesConfig, ResultPath, SpecConfig, Task, Timeouts};
use std::collections::{BTreeMap, BTreeSet};

/// Reads one task. Unknown types of engines, publishers and sources pass: no node fits them, and the job will say so.
pub(super) fn read_task(fields: &Fields<'_>, problems: &mut Problems) -> Task {
    let name = fields.name("Name", problems);
    if name.trim().is_empty() {
        problems.add(format!("{} is missing", fields.at("Name")));
    }
    let engine = match fields.object("Engine", problems) {
        Some(engine) => read_spec(&engine, problems),
        None => SpecConfig::default(),
    };
    if engine.is_none() {
        problems.add(format!(
            "{} is missing, for instance docker",
            fields.at("Engine.Type")
        ));
    }
    let publisher = fields
        .object("Publisher", problems)
        .map(|publisher| read_spec(&publisher, problems))
        .unwrap_or_default();
    let env = fields.text_map("Env", problems);
    check_env(fields, &env, problems);
    let input_sources = read_inputs(fields, problems);
    let result_paths = read_results(fields, problems);
    if !result_paths.is_empty() && publisher.is_none() {
        problems.add(format!(
            "{} needs a publisher: without one the results go nowhere",
            fields.at("ResultPaths")
        ));
    }
    Task {
        name,
        engine,
        publisher,
        env,
        meta: fields.text_map("Meta", problems),
        input_sources,
        result_paths,
        resources: read_resources(fields, problems),
        network: fields
            .object("Network", problems)
            .map(|network| read_network(&network, problems))
            .unwrap_or_default(),
        timeouts: read_timeouts(fields, problems),
    }
}

fn read_spec(fields: &Fields<'_>, problems: &mut Problems) -> SpecConfig {
    SpecConfig {
        kind: fields.text("Type", problems).trim().to_owned(),
        params: Params(fields.params("Params", problems)),
    }
}

/// The first wrong name or value only: they tend to be wrong all together.
fn check_env(fields: &Fields<'_>, env: &BTreeMap<String, String>, problems: &mut Problems) {
    let at = fields.at("Env");
    let wrong = env.iter().find_map(|(name, value)| {
        let well_formed = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if !well_formed {
            Some(format!(
                "{at}: \"{name}\" must start with an upper-case letter and hold only upper-case letters, digits and _"
            ))
        } else if name.starts_with("BACALHAU_") {
            Some(format!("{at}: \"{name}\" must not start with BACALHAU_"))
        } else if value.is_empty() {
            Some(format!("{at}: \"{name}\" must not be empty"))
        } else {
            None
        }
    });
    if let Some(wrong) = wrong {
        problems.add(wrong);
    }
}

fn read_inputs(fields: &Fields<'_>, problems: &mut Problems) -> Vec<InputSource> {
    let mut aliases = BTreeSet::new();
    let mut targets = BTreeSet::new();
    let mut inputs = Vec::new();
    for input in fields.objects("InputSources", problems) {
        let source = input
            .object("Source", problems)
            .map(|source| read_spec(&source, problems))
            .unwrap_or_default();
        if source.is_none() {
            problems.add(format!("{} is missing", input.at("Source.Type")));
        }
        let alias = input.text("Alias", problems).trim().to_owned();
        if !alias.is_empty() && !aliases.insert(alias.clone()) {
            problems.add(format!("{} \"{alias}\" is used twice", input.at("Alias")));
        }
        let target = input.text("Target", problems).trim().to_owned();
        unique(&mut targets, &target, &input.at("Target"), problems);
        inputs.push(InputSource {
            source,
            alias,
            target,
        });
    }
    inputs
}

fn read_results(fields: &Fields<'_>, problems: &mut Problems) -> Vec<ResultPath> {
    let mut names = BTreeSet::new();
    let mut paths = BTreeSet::new();
    let mut results = Vec::new();
    for result in fields.objects("ResultPaths", problems) {
        let name = result.text("Name", problems).trim().to_owned();
        unique(&mut names, &name, &result.at("Name"), problems);
        let path = result.text("Path", problems).trim().to_owned();
        unique(&mut paths, &path, &result.at("Path"), problems);
        if !path.is_empty() && !path.starts_with('/') {
            problems.add(format!(
                "{} must be an absolute path, not \"{path}\"",
                result.at("Path")
            ));
        }
        results.push(ResultPath { name, path });
    }
    results
}

/// Notes a text that is empty or was seen before.
fn unique(seen: &mut BTreeSet<String>, text: &str, at: &str, problems: &mut Problems) {
    if text.is_empty() {
        problems.add(format!("{at} is missing"));
    } else if !seen.insert(text.to_owned()) {
        problems.add(format!("{at} \"{text}\" is used twice"));
    }
}

fn read_resources(fields: &Fields<'_>, problems: &mut Problems) -> ResourcesConfig {
    let Some(resources) = fields.object("Resources", problems) else {
        return ResourcesConfig::default();
    };
    let mut read = |key| -> String {
        resources
            .text(key, problems)
            .chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let [cpu, memory, disk, gpu] = ["CPU", "Memory", "Disk", "GPU"].map(&mut read);
    let config = ResourcesConfig {
        cpu,
        memory,
        disk,
        gpu,
    };
    // One at a time, so that each wrong quantity is told.
    let none = ResourcesConfig::default;
    for quantity in [
        ResourcesConfig {
            cpu: config.cpu.clone(),
            ..none()
        },
        ResourcesConfig {
            memory: config.memory.clone(),
            ..none()
        },
        ResourcesConfig {
            disk: config.disk.clone(),
            ..none()
        },
        ResourcesConfig {
            gpu: config.gpu.clone(),
            ..none()
        },
    ] {
        if let Err(error) = quantity.parse() {
            problems.add(format!("{}: {error}", fields.at("Resources")));
        }
    }
    config
}

fn read_timeouts(fields: &Fields<'_>, problems: &mut Problems) -> Timeouts {
    let Some(timeouts) = fields.object("Timeouts", problems) else {
        return Timeouts::default();
    };
    let mut read = |key: &str| {
        let seconds = timeouts.integer(key, problems).unwrap_or_default();
        u64::try_from(seconds).unwrap_or_else(|_| {
            problems.add(format!(
                "{} must be 0 or more seconds, not {seconds}",
                timeouts.at(key)
            ));
            0
        })
    };
    let read = Timeouts {
        execution_s: read("ExecutionTimeout"),
        queue_s: read("QueueTimeout"),
        total_s: read("TotalTimeout"),
    };
    let parts = read.execution_s.saturating_add(read.queue_s);
    if read.total_s > 0 && parts > read.total_s {
        problems.add(format!(
            "{} is too short: {} s < {parts} s, the sum of ExecutionTimeout and QueueTimeout",
            timeouts.at("TotalTimeout"),
            read.total_s
        ));
    }
    read
}
