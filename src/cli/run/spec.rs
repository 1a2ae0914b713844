//! The flags of `codling run` as the job of a submission (rest-api.md 8.1).

use super::super::commands::Run;
use crate::config::{ConfigError, Wrong, parse_duration};
use crate::model::{Origin, ResourcesConfig};
use serde_json::{Map, Value, json};

/// The most that a node takes.
const COUNT_MAX: u32 = 1_000;

/// The job.
pub(super) fn job(args: &Run) -> Result<Value, ConfigError> {
    let env = args
        .env
        .iter()
        .map(|entry| pair("env", entry).map(|_| Value::from(entry.as_str())))
        .collect::<Result<Vec<Value>, ConfigError>>()?;
    let mut labels = Map::new();
    for entry in &args.label {
        let (key, value) = pair("label", entry)?;
        labels.insert(key.to_owned(), Value::from(value));
    }
    let mut params = Map::new();
    params.insert("Image".to_owned(), Value::from(args.image.as_str()));
    params.insert("Parameters".to_owned(), json!(args.command));
    params.insert("EnvironmentVariables".to_owned(), Value::Array(env));
    if !args.entrypoint.is_empty() {
        params.insert("Entrypoint".to_owned(), json!(args.entrypoint));
    }
    if let Some(dir) = &args.workdir {
        if !dir.starts_with('/') {
            return Err(bad(
                "workdir",
                dir,
                Wrong::new(
                    "a path inside the container that starts with /",
                    "for instance /srv",
                ),
            ));
        }
        params.insert("WorkingDirectory".to_owned(), Value::from(dir.as_str()));
    }
    Ok(json!({
        "Name": args.name.clone().unwrap_or_default(),
        "Namespace": "default",
        "Type": "batch",
        "Count": count(args.count.as_deref())?,
        "Labels": labels,
        "Tasks": [{
            "Name": "main",
            "Engine": { "Type": "docker", "Params": params },
            "Publisher": { "Type": "" },
            "Resources": resources(args)?,
            "Timeouts": timeouts(args.timeout.as_deref())?,
        }],
    }))
}

fn count(text: Option<&str>) -> Result<u32, ConfigError> {
    let Some(text) = text else { return Ok(1) };
    text.parse()
        .ok()
        .filter(|count| (1..=COUNT_MAX).contains(count))
        .ok_or_else(|| {
            bad(
                "count",
                text,
                Wrong::new(
                    format!("a whole number from 1 to {COUNT_MAX}"),
                    "leave it out to run the job once",
                ),
            )
        })
}

/// Checked here, so that a slip exits 2 and no job fails for it; sent as typed.
fn resources(args: &Run) -> Result<Value, ConfigError> {
    let mut resources = Map::new();
    for (flag, key, text) in [
        ("cpu", "CPU", &args.cpu),
        ("memory", "Memory", &args.memory),
    ] {
        let Some(text) = text else { continue };
        let typed = text.to_ascii_lowercase().replace(' ', "");
        let mut config = ResourcesConfig::default();
        if flag == "cpu" {
            config.cpu = typed;
        } else {
            config.memory = typed;
        }
        let wrong = |allowed: String| {
            let hint = "leave it out to take the node's default";
            bad(flag, text, Wrong::new(allowed, hint))
        };
        let asked = config
            .parse()
            .map_err(|error| wrong(error.allowed.to_owned()))?;
        // To the API 0 is a quantity that was not named, so the node would take its default.
        if asked.cpu_millis == Some(0) || asked.memory_bytes == Some(0) {
            return Err(wrong("more than 0".to_owned()));
        }
        resources.insert(key.to_owned(), Value::from(text.as_str()));
    }
    Ok(Value::Object(resources))
}

/// Whole seconds on the wire, at least one: 0 would mean no limit.
fn timeouts(text: Option<&str>) -> Result<Value, ConfigError> {
    let Some(text) = text else {
        return Ok(json!({}));
    };
    let limit = parse_duration(text).map_err(|wrong| bad("timeout", text, wrong))?;
    let seconds = limit.as_secs();
    let wrong = |hint: String| Wrong::new("whole seconds, at least 1s", hint);
    if limit.subsec_nanos() > 0 {
        let hint = format!("write {}s", seconds.saturating_add(1));
        return Err(bad("timeout", text, wrong(hint)));
    }
    if seconds == 0 {
        let hint = "leave it out for no limit".to_owned();
        return Err(bad("timeout", text, wrong(hint)));
    }
    Ok(json!({ "ExecutionTimeout": seconds }))
}

fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), ConfigError> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(bad(
            flag,
            text,
            Wrong::new("KEY=VALUE", format!("for instance --{flag} STEP=1")),
        )),
    }
}

fn bad(flag: &str, value: &str, wrong: Wrong) -> ConfigError {
    ConfigError::BadValue {
        origin: Origin::Flag(flag.to_owned()),
        value: value.to_owned(),
        wrong,
    }
}
