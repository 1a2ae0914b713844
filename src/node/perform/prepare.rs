//! `Prepare`: the image from here or its registry, then a container that is not started.

use super::leash::{Leash, Pull};
use super::platform::is_for_this_machine;
use super::{News, Tools, failure, let_go};
use crate::agent::{ActivityId, Plan, Progress};
use crate::config::ImagePull;
use crate::engine::{ContainerSpec, EngineError, ImageFacts};
use crate::model::{
    Capability, ContainerId, DockerSpec, Failure, FailureKind, PullNews, PullProgress, PullStage,
};
use async_io::Timer;
use futures_lite::future::{or, zip};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Between two news of one pull: short for who watches, and at most 1,200 turns in an hour of pulling.
const PULL_NEWS_PAUSE: Duration = Duration::from_secs(3);

/// What an operator has said about containers.
#[derive(Clone, Debug)]
pub(in crate::node) struct Preparation {
    /// Whether a registry may be asked.
    pub(in crate::node) image_pull: ImagePull,
    /// What a container gets beside nothing.
    pub(in crate::node) capabilities: Vec<Capability>,
    /// Cap of a container's log in bytes.
    pub(in crate::node) output_max_bytes: u64,
}

/// When an image was looked at.
enum Looked {
    Before,
    Now(Result<Option<ImageFacts>, EngineError>),
}

/// Creating twice is creating once: the container's name follows from the execution.
///
/// A container is created at once and the image looked at beside it, for mostly it is here; nothing is started before it
/// is known to be made for this machine.
pub(super) async fn prepare(
    tools: &Tools,
    id: &ActivityId,
    plan: Plan,
    leash: &Leash,
) -> Result<ContainerId, Failure> {
    let spec = container_spec(tools, plan)?;
    let engine = tools.engine.as_ref();
    let image = spec.run.image.as_str();
    let look = async {
        match tools.suitable.has(image) {
            true => Looked::Before,
            false => Looked::Now(engine.image(image).await),
        }
    };
    let created = match zip(engine.create(&spec), look).await {
        (Err(EngineError::NoSuchImage { .. }), _) => {
            get(tools, id, image, leash).await?;
            let facts = engine.image(image).await;
            if let Ok(Some(facts)) = &facts {
                let progress = Progress::Pulled {
                    image: image.to_owned(),
                    id: facts.id.clone(),
                    bytes: facts.size_bytes,
                };
                let id = id.clone();
                // A closed channel is a node that ends.
                let _ = tools.news.send(News::Progress { id, progress }).await;
            }
            is_for_this_machine(tools, image, facts.map_err(|error| failure(&error))?).await?;
            engine.create(&spec).await
        }
        (created, Looked::Before) => created,
        (created, Looked::Now(facts)) => {
            is_for_this_machine(tools, image, facts.map_err(|error| failure(&error))?).await?;
            created
        }
    };
    let created = created.map_err(|error| failure(&error))?;
    for warning in &created.warnings {
        log::debug!("execution {}: the engine warns: {warning}", spec.execution);
    }
    Ok(created.id)
}

/// Gets an image that is not here, if the operator lets a registry be asked.
async fn get(tools: &Tools, id: &ActivityId, image: &str, leash: &Leash) -> Result<(), Failure> {
    if tools.preparation.image_pull == ImagePull::Never {
        let message =
            format!("the image \"{image}\" is not on this node, and --image-pull is never");
        return Err(Failure::new(FailureKind::ImageNotHere, message));
    }
    let tell = async |stage| {
        let image = image.to_owned();
        let news = News::Progress {
            id: id.clone(),
            progress: Progress::Pulling(PullNews { image, stage }),
        };
        // A closed channel is a node that ends.
        let _ = tools.news.send(news).await;
    };
    tell(PullStage::Began).await;
    // The engine speaks several times a second; only the latest word of each pause is passed on.
    let latest = Mutex::new(None);
    let mut keep = |progress: PullProgress| {
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    };
    let pull = async {
        let pulled = tools.engine.pull(image, &mut keep).await;
        pulled.map_err(|error| failure(&error))
    };
    let tell_on = async {
        loop {
            Timer::after(PULL_NEWS_PAUSE).await;
            let news = latest.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(progress) = news {
                tell(PullStage::Underway(progress)).await;
            }
        }
    };
    match leash.or_pulled(or(pull, tell_on)).await {
        Ok(pulled) => pulled?,
        Err(Pull::Stop) => {
            return Err(Failure::new(FailureKind::ImagePull, "the pull was stopped"));
        }
        Err(Pull::LetGo) => return Err(let_go()),
    }
    tell(PullStage::Ended).await;
    Ok(())
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
    environment.extend([
        format!("BACALHAU_EXECUTION_ID={}", plan.execution),
        format!("BACALHAU_JOB_ID={}", plan.job.id),
        format!("BACALHAU_JOB_TYPE={}", plan.job.job_type.word()),
        format!("BACALHAU_PARTITION_INDEX={}", plan.partition),
        // One where there is one on every node.
        format!("BACALHAU_PARTITION_COUNT={}", plan.job.count.max(1)),
    ]);
    Ok(ContainerSpec {
        node: tools.node.clone(),
        job: plan.job.id,
        execution: plan.execution,
        run,
        environment,
        limits: plan.resources,
        capabilities: tools.preparation.capabilities.clone(),
        output_max_bytes: tools.preparation.output_max_bytes,
    })
}
