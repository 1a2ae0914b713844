//! A job as clients read it (rest-api.md 3.3 to 3.6).

use super::Json;
use super::network::network;
use super::time::nanoseconds;
use crate::model::{Constraint, InputSource, Job, JobState, ResultPath, SpecConfig, Task};
use std::collections::BTreeMap;

/// A job's words for its states (rest-api.md 3.12).
pub(in crate::api) fn job_state_word(state: JobState) -> &'static str {
    match state {
        JobState::Pending => "Pending",
        JobState::Queued => "Queued",
        JobState::Running => "Running",
        JobState::Completed => "Completed",
        JobState::Failed => "Failed",
        JobState::Stopped => "Stopped",
    }
}

/// Entries of a whole job: a list is mostly such objects, and none of them grows.
const JOB_ENTRIES: usize = 15;

/// A whole job, whose texts it takes over. It always has exactly one task with an engine: without one, clients crash.
pub(in crate::api) fn job(job: Job) -> Json {
    Json::Object(Vec::with_capacity(JOB_ENTRIES))
        .with("ID", job.id.0)
        .with("Name", job.name)
        .with("Namespace", job.namespace)
        .with("Type", job.job_type.word())
        .with("Priority", job.priority)
        .with("Count", u64::from(job.count))
        .with("Constraints", list(&job.constraints, constraint))
        .with("Meta", job.meta)
        .with("Labels", job.labels)
        .with("Tasks", vec![task(job.task)])
        .with(
            "State",
            Json::object()
                .with("StateType", job_state_word(job.state))
                .with_some("Message", job.state_message),
        )
        .with("Version", job.version)
        .with("Revision", job.revision)
        .with("CreateTime", nanoseconds(job.created))
        .with("ModifyTime", nanoseconds(job.modified))
}

/// What a further version of a job may change, and nothing that the server keeps.
pub(in crate::api) fn spec_of(job: &Job) -> Json {
    let own = job.own_meta().map(|(k, v)| (k.clone(), v.clone()));
    let meta: BTreeMap<String, String> = own.collect();
    Json::object()
        .with("Priority", job.priority)
        .with("Count", u64::from(job.count))
        .with("Constraints", list(&job.constraints, constraint))
        .with("Meta", &meta)
        .with("Labels", &job.labels)
        .with("Tasks", vec![task(job.task.clone())])
}

fn task(task: Task) -> Json {
    Json::object()
        .with("Name", task.name)
        .with("Engine", owned_spec(task.engine))
        .with("Publisher", owned_spec(task.publisher))
        .with_some("Env", task.env)
        .with_some("Meta", task.meta)
        .with_some("InputSources", list(&task.input_sources, input_source))
        .with_some("ResultPaths", list(&task.result_paths, result_path))
        .with(
            "Resources",
            Json::object()
                .with_some("CPU", task.resources.cpu)
                .with_some("Memory", task.resources.memory)
                .with_some("Disk", task.resources.disk)
                .with_some("GPU", task.resources.gpu),
        )
        .with("Network", network(&task.network))
        .with(
            "Timeouts",
            Json::object()
                .with_some("ExecutionTimeout", task.timeouts.execution_s)
                .with_some("QueueTimeout", task.timeouts.queue_s)
                .with_some("TotalTimeout", task.timeouts.total_s),
        )
}

/// A typed spec; `{"Type":""}` for none.
pub(super) fn spec(spec: &SpecConfig) -> Json {
    owned_spec(spec.clone())
}

fn owned_spec(spec: SpecConfig) -> Json {
    Json::object()
        .with("Type", spec.kind)
        .with_some("Params", spec.params.0)
}

fn constraint(constraint: &Constraint) -> Json {
    Json::object()
        .with("Key", constraint.key.as_str())
        .with("Operator", constraint.operator.as_str())
        .with_some("Values", constraint.values.as_slice())
}

fn input_source(input: &InputSource) -> Json {
    Json::object()
        .with("Source", spec(&input.source))
        .with("Alias", input.alias.as_str())
        .with("Target", input.target.as_str())
}

fn result_path(result: &ResultPath) -> Json {
    Json::object()
        .with("Name", result.name.as_str())
        .with("Path", result.path.as_str())
}

fn list<T>(items: &[T], shape: impl Fn(&T) -> Json) -> Json {
    Json::List(items.iter().map(shape).collect())
}
