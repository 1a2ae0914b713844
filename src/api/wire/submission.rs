//! A submission as clients write it, into a [`Submission`]: read, checked, normalised, cleaned (rest-api.md 5).

use super::Json;
use super::fields::{Fields, Problems};
use super::task::read_task;
use crate::api::error::ApiError;
use crate::model::{
    Constraint, IfUnchanged, Job, JobId, JobState, JobType, NodeId, RESERVED_META, Stored,
    Submission,
};
use std::collections::BTreeMap;

/// What a list takes for all namespaces; a job in it could not be asked for by its name.
const EVERY_NAMESPACE: &str = "*";

/// What follows `jobs/` in a route of its own; a job of this name could not be asked for by it.
const ROUTE_WORD: &str = "diff";

/// The most replicas of one job. Each is an execution in the job's record, and at most 4,096 executions live at once on
/// the whole node.
const COUNT_MAX: i64 = 1_000;

/// The longest token that is kept; clients use UUIDs.
const TOKEN_MAX: usize = 256;

/// The longest id of a client or its installation that is kept; clients use 64 hex digits.
const CLIENT_ID_MAX: usize = 128;

/// What a request carries beside its body.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Envelope {
    /// The token of a header or query parameter; the body's goes first. May be empty.
    pub(in crate::api) token: String,
    /// The client's ids from its headers, by the meta key under which they are kept.
    pub(in crate::api) client: Vec<(&'static str, String)>,
}

/// Reads the body of a submission. The strings are warnings for the client.
///
/// # Errors
/// 400: not JSON, or every problem of the job in one.
pub(in crate::api) fn read_submission(
    body: &[u8],
    envelope: Envelope,
) -> Result<(Submission, Vec<String>), ApiError> {
    let document = Json::read(body)
        .map_err(|why| ApiError::BadRequest(format!("the request body is not JSON: {why}")))?;
    let mut problems = Problems::default();
    let request = Fields::of(&document, "the request", &mut problems);
    let token = match request.text("IdempotencyToken", &mut problems) {
        empty if empty.is_empty() => envelope.token,
        token => token,
    };
    if let Err(problem) = check_token(&token) {
        problems.add(problem);
    }
    let if_unchanged = match request.flag("Force", &mut problems) {
        true => IfUnchanged::RunAgain,
        false => IfUnchanged::Refuse,
    };
    let Some(json) = request.get("Job") else {
        problems.add("missing job");
        return Err(ApiError::Invalid(problems.into_lines()));
    };
    let fields = Fields::of(json, "Job", &mut problems);
    let job_type = read_type(&fields, &mut problems);
    let mut warnings = Vec::new();
    let mut job = read_job(
        &fields,
        job_type.unwrap_or_default(),
        &mut problems,
        &mut warnings,
    );
    let problems = problems.into_lines();
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    warn_of_timeouts(&job, &mut warnings);
    for (key, value) in envelope.client {
        if !value.is_empty() && value.len() <= CLIENT_ID_MAX {
            job.meta.insert(key.to_owned(), value);
        }
    }
    let submission = Submission {
        job,
        // The job alone: the request around it repeats the client's credential, which must not be stored.
        submitted: serde_json::to_vec(json).unwrap_or_default(),
        idempotency: (!token.is_empty()).then_some(token),
        if_unchanged,
        stored: Stored::Unread,
    };
    Ok((submission, warnings))
}

/// Whether a token may be kept.
///
/// # Errors
/// What is wrong with it, for the client.
pub(in crate::api) fn check_token(token: &str) -> Result<(), String> {
    match token.len() {
        0..=TOKEN_MAX => Ok(()),
        length => Err(format!(
            "the idempotency token is too long: {length} bytes > {TOKEN_MAX}"
        )),
    }
}

fn read_type(job: &Fields<'_>, problems: &mut Problems) -> Option<JobType> {
    let word = job.text("Type", problems);
    match word.trim() {
        "" => problems.add("missing job type"),
        "batch" => return Some(JobType::Batch),
        "service" => return Some(JobType::Service),
        "daemon" => return Some(JobType::Daemon),
        "ops" => return Some(JobType::Ops),
        other => problems.add(format!(
            "invalid job type: \"{other}\"; it must be batch, service, daemon or ops"
        )),
    }
    None
}

fn read_job(
    fields: &Fields<'_>,
    job_type: JobType,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Job {
    let name = fields.name("Name", problems);
    let namespace = fields.name("Namespace", problems);
    for (key, text) in [("Name", &name), ("Namespace", &namespace)] {
        if !text.is_empty() && text.trim().is_empty() {
            problems.add(format!("{} must not be blank", fields.at(key)));
        }
    }
    if name == ROUTE_WORD {
        problems.add(format!(
            "{} must not be \"{name}\": the route jobs/{name} is another one",
            fields.at("Name")
        ));
    }
    let namespace = namespace.trim().to_owned();
    if namespace == EVERY_NAMESPACE {
        problems.add(format!(
            "{} must not be \"{namespace}\", which stands for all of them in a list",
            fields.at("Namespace")
        ));
    }
    let mut tasks = fields.objects("Tasks", problems);
    let are_there = matches!(fields.get("Tasks"), Some(Json::List(items)) if !items.is_empty());
    if !are_there {
        problems.add("missing job tasks");
    }
    let mut read: Vec<_> = tasks.iter().map(|task| read_task(task, problems)).collect();
    if tasks.len() > 1 {
        warnings.push("only one task is supported per job".to_owned());
        tasks.truncate(1);
    }
    warn_of_server_fields(fields, problems, warnings);
    let mut meta = fields.text_map("Meta", problems);
    drop_reserved(&mut meta, warnings);
    Job {
        id: JobId::from(""),
        name,
        namespace: if namespace.is_empty() {
            "default".to_owned()
        } else {
            namespace
        },
        job_type,
        priority: fields.integer("Priority", problems).unwrap_or_default(),
        count: read_count(fields, job_type, problems),
        constraints: fields
            .objects("Constraints", problems)
            .iter()
            .map(|constraint| read_constraint(constraint, problems))
            .collect(),
        meta,
        labels: fields.text_map("Labels", problems),
        task: if read.is_empty() {
            crate::model::Task::default()
        } else {
            read.swap_remove(0)
        },
        state: JobState::Pending,
        state_message: String::new(),
        version: 0,
        revision: 0,
        created: None,
        modified: None,
        requester: NodeId::from(""),
    }
}

fn read_count(fields: &Fields<'_>, job_type: JobType, problems: &mut Problems) -> u32 {
    let count = fields.integer("Count", problems).unwrap_or(1);
    if count < 0 {
        problems.add(format!("the job count must be 0 or more, not {count}"));
    } else if count > 1 && job_type.is_on_every_node() {
        problems.add(format!(
            "the job count of a {} job must be 0 or 1, not {count}: it runs on every node that fits",
            job_type.word()
        ));
    } else if count > COUNT_MAX {
        problems.add(format!("the job count is too large: {count} > {COUNT_MAX}"));
    }
    if job_type.is_on_every_node() {
        return 0;
    }
    u32::try_from(count).unwrap_or_default()
}

fn read_constraint(fields: &Fields<'_>, problems: &mut Problems) -> Constraint {
    let constraint = Constraint {
        key: fields.name("Key", problems),
        operator: fields.text("Operator", problems),
        values: fields.texts("Values", problems),
    };
    let key = &constraint.key;
    if key.trim().is_empty() {
        problems.add(format!("{} is missing", fields.at("Key")));
    }
    let values = constraint.values.len();
    let wrong = match constraint.operator.as_str() {
        "in" | "notin" => (values == 0).then_some("needs at least one value"),
        "exists" | "!" => (values != 0).then_some("takes no value"),
        "=" | "==" | "!=" | "gt" | "lt" => (values != 1).then_some("needs exactly one value"),
        _ => Some("is unknown: use =, ==, !=, in, notin, exists, !, gt or lt"),
    };
    if let Some(wrong) = wrong {
        problems.add(format!(
            "constraint \"{key}\": operator \"{}\" {wrong}",
            constraint.operator
        ));
    }
    let must_count = matches!(constraint.operator.as_str(), "gt" | "lt");
    for value in constraint.values.iter().filter(|_| must_count) {
        if value.parse::<i64>().is_err() {
            problems.add(format!(
                "constraint \"{key}\": operator \"{}\" needs a whole number, not \"{value}\"",
                constraint.operator
            ));
        }
    }
    constraint
}

/// What a client may not set is left out with a word; the original does the same.
fn warn_of_server_fields(fields: &Fields<'_>, problems: &mut Problems, warnings: &mut Vec<String>) {
    if !fields.text("ID", problems).is_empty() {
        warnings.push("the job's ID is assigned by the server; yours was ignored".to_owned());
    }
    for key in ["Version", "Revision", "CreateTime", "ModifyTime"] {
        if fields.integer(key, problems).unwrap_or_default() != 0 {
            warnings.push(format!(
                "the job's {key} is kept by the server; yours was ignored"
            ));
        }
    }
    let state = fields
        .object("State", problems)
        .and_then(|state| state.get("StateType").cloned());
    let is_default = match &state {
        None => true,
        Some(Json::Text(word)) => word.is_empty() || word.eq_ignore_ascii_case("undefined"),
        Some(Json::Number(number)) => number.as_i64() == Some(0),
        Some(_) => false,
    };
    if !is_default {
        warnings.push("the job's State is kept by the server; yours was ignored".to_owned());
    }
}

/// What is kept running has no end to be late for (rest-api.md 4.8).
fn warn_of_timeouts(job: &Job, warnings: &mut Vec<String>) {
    let asked = job.task.timeouts;
    let ignored = [
        ("ExecutionTimeout", asked.execution_s, true),
        ("TotalTimeout", asked.total_s, true),
        (
            "QueueTimeout",
            asked.queue_s,
            job.job_type == JobType::Daemon,
        ),
    ];
    let is_kept = job.job_type.is_kept_running();
    for (key, _, _) in ignored
        .iter()
        .filter(|(_, seconds, of_it)| is_kept && *of_it && *seconds > 0)
    {
        warnings.push(format!(
            "a {} job has no {key}; yours was ignored",
            job.job_type.word()
        ));
    }
}

fn drop_reserved(meta: &mut BTreeMap<String, String>, warnings: &mut Vec<String>) {
    let before = meta.len();
    meta.retain(|key, _| !key.starts_with(RESERVED_META));
    if meta.len() < before {
        warnings.push(format!(
            "Meta keys that start with {RESERVED_META} are reserved; yours were ignored"
        ));
    }
}
