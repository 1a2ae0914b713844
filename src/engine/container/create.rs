//! What a container may do: nothing that it did not ask for and the operator did not allow.

use super::super::{
    ContainerSpec, EngineKind, EngineProfile, LABEL_EXECUTION, LABEL_JOB, LABEL_NODE,
    LABEL_OUTPUT_MAX,
};
use super::wire::{CreateBody, HostConfig, LogConfig, Ulimit};
use crate::model::{
    CPU_MILLIS_LEAST, JOB_OUTPUT_MAX_LEAST, JOB_OUTPUT_MAX_MOST, MEMORY_BYTES_LEAST,
};
use std::collections::BTreeMap;

/// Processes and threads of one container: enough for a build, too few for a fork bomb to hurt the board.
const PIDS_MAX: u64 = 512;
/// Open files that a process starts with; what programs expect, since some loop over all of them.
const NOFILE_SOFT: u64 = 1_024;
/// Open files that it may raise that to.
const NOFILE_HARD: u64 = 4_096;
/// Processes of the container's user. Counted over the whole machine when the engine runs without root, so the real
/// bound is `PIDS_MAX`; named only because Podman fills in what is missing with a maximum that it may not set. Below the
/// 32,768 that Podman leaves itself, which our own limit does not show.
const NPROC: u64 = 16_384;
/// Nanoseconds of one thousandth of a core a second.
const NANOS_PER_MILLI_CPU: u64 = 1_000_000;

/// The labels by which a container is found again.
pub(super) fn labels(spec: &ContainerSpec) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (LABEL_NODE, spec.node.to_string()),
        (LABEL_JOB, spec.job.to_string()),
        (LABEL_EXECUTION, spec.execution.to_string()),
        (LABEL_OUTPUT_MAX, output_max(spec).to_string()),
    ])
}

fn output_max(spec: &ContainerSpec) -> u64 {
    spec.output_max_bytes
        .clamp(JOB_OUTPUT_MAX_LEAST, JOB_OUTPUT_MAX_MOST)
}

/// The body of create. Limits that the kernel does not let this engine enforce are left out.
pub(super) fn body<'a>(spec: &'a ContainerSpec, profile: &EngineProfile) -> CreateBody<'a> {
    let memory = profile
        .enforces_memory
        .then(|| spec.limits.memory_bytes.max(MEMORY_BYTES_LEAST));
    let cpu = spec
        .limits
        .cpu_millis
        .max(CPU_MILLIS_LEAST)
        .saturating_mul(NANOS_PER_MILLI_CPU);
    let nofile = NOFILE_HARD.min(profile.hard_limits.nofile);
    let nproc = NPROC.min(profile.hard_limits.nproc);
    CreateBody {
        image: &spec.run.image,
        cmd: &spec.run.parameters,
        entrypoint: &spec.run.entrypoint,
        env: spec
            .environment
            .iter()
            .chain(&spec.run.environment)
            .map(String::as_str)
            .collect(),
        working_dir: &spec.run.working_directory,
        labels: labels(spec),
        network_disabled: true,
        host_config: HostConfig {
            memory,
            // The same value: memory and swap together, so no swap on a card.
            memory_swap: memory,
            nano_cpus: profile.enforces_cpu.then_some(cpu),
            pids_limit: profile.enforces_pids.then_some(PIDS_MAX),
            cap_drop: ["ALL"],
            cap_add: spec
                .capabilities
                .iter()
                .map(|capability| capability.as_str())
                .collect(),
            security_opt: ["no-new-privileges"],
            network_mode: "none",
            ulimits: [
                Ulimit {
                    name: "nofile",
                    soft: NOFILE_SOFT.min(nofile),
                    hard: nofile,
                },
                Ulimit {
                    name: "nproc",
                    soft: nproc,
                    hard: nproc,
                },
            ],
            log_config: log_config(profile.kind, output_max(spec)),
        },
    }
}

fn log_config(kind: EngineKind, output_max: u64) -> LogConfig {
    let config = match kind {
        // Podman keeps one file, and empties it when it is full.
        EngineKind::Podman => BTreeMap::from([("max-size", output_max.to_string())]),
        // Docker keeps two, so that at least half of the cap is there after a rotation.
        EngineKind::Docker => BTreeMap::from([
            ("max-size", (output_max / 2).to_string()),
            ("max-file", "2".to_owned()),
            ("compress", "false".to_owned()),
        ]),
    };
    LogConfig {
        driver: kind.log_driver(),
        config,
    }
}
