//! `Prepare`: the image from here or its registry, then a container that is not started.

use super::leash::{Leash, Pull};
use super::{Tools, failure, let_go};
use crate::agent::Plan;
use crate::config::ImagePull;
use crate::engine::ContainerSpec;
use crate::model::{ContainerId, DockerSpec, Failure, FailureKind, JobType};

/// What an operator has said about containers.
#[derive(Clone, Debug)]
pub(in crate::node) struct Preparation {
    /// Whether a registry may be asked.
    pub(in crate::node) image_pull: ImagePull,
    /// Cap of a container's log in bytes.
    pub(in crate::node) output_max_bytes: u64,
}

/// Creating twice is creating once: the container's name follows from the execution.
pub(super) async fn prepare(
    tools: &Tools,
    plan: Plan,
    leash: &Leash,
) -> Result<ContainerId, Failure> {
    let spec = container_spec(tools, plan)?;
    let engine = tools.engine.as_ref();
    let image = spec.run.image.as_str();
    if engine
        .image(image)
        .await
        .map_err(|error| failure(&error))?
        .is_none()
    {
        if tools.preparation.image_pull == ImagePull::Never {
            let message =
                format!("the image \"{image}\" is not on this node, and --image-pull is never");
            return Err(Failure::new(FailureKind::ImageNotFound, message));
        }
        let mut quiet = |_| {};
        match leash.or_pulled(engine.pull(image, &mut quiet)).await {
            Ok(pulled) => pulled.map_err(|error| failure(&error))?,
            Err(Pull::Stop) => {
                return Err(Failure::new(FailureKind::ImagePull, "the pull was stopped"));
            }
            Err(Pull::LetGo) => return Err(let_go()),
        }
    }
    let created = engine
        .create(&spec)
        .await
        .map_err(|error| failure(&error))?;
    for warning in &created.warnings {
        log::debug!("execution {}: the engine warns: {warning}", spec.execution);
    }
    Ok(created.id)
}

fn container_spec(tools: &Tools, plan: Plan) -> Result<ContainerSpec, Failure> {
    let task = &plan.job.task;
    let run = DockerSpec::from_params(&task.engine.params)
        .map_err(|error| Failure::new(FailureKind::BadSpec, error.to_string()))?;
    let mut environment: Vec<String> = task
        .env
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    // What every execution is told (rest-api.md 4.10).
    let job_type = match plan.job.job_type {
        JobType::Batch => "batch",
        JobType::Service => "service",
        JobType::Daemon => "daemon",
        JobType::Ops => "ops",
    };
    environment.extend([
        format!("BACALHAU_EXECUTION_ID={}", plan.execution),
        format!("BACALHAU_JOB_ID={}", plan.job.id),
        format!("BACALHAU_JOB_TYPE={job_type}"),
        format!("BACALHAU_PARTITION_INDEX={}", plan.partition),
        format!("BACALHAU_PARTITION_COUNT={}", plan.job.count),
    ]);
    Ok(ContainerSpec {
        node: tools.node.clone(),
        job: plan.job.id,
        execution: plan.execution,
        run,
        environment,
        limits: plan.resources,
        output_max_bytes: tools.preparation.output_max_bytes,
    })
}
