//! The flags of `codling run` as the JSON of a submission (rest-api.md 8.1).

use super::super::commands::Run;
use crate::config::{ConfigError, Wrong, parse_duration};
use crate::model::{Origin, ResourcesConfig};
use serde_json::{Map, Value, json};

/// Bytes of randomness in an idempotency token: as unlikely to repeat as a UUID.
const TOKEN_BYTES: usize = 16;

/// The body of the `PUT`.
pub(super) fn submission(args: &Run) -> Result<Vec<u8>, ConfigError> {
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
    let body = json!({
        "IdempotencyToken": token(),
        "Job": {
            "Name": args.name.clone().unwrap_or_default(),
            "Namespace": "default",
            "Type": "batch",
            "Count": 1,
            "Labels": labels,
            "Tasks": [{
                "Name": "main",
                "Engine": {
                    "Type": "docker",
                    "Params": {
                        "Image": args.image,
                        "Parameters": args.command,
                        "EnvironmentVariables": env,
                    },
                },
                "Publisher": { "Type": "" },
                "Resources": resources(args)?,
                "Timeouts": timeouts(args.timeout.as_deref())?,
            }],
        },
    });
    Ok(body.to_string().into_bytes())
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
        config.parse().map_err(|error| {
            bad(
                flag,
                text,
                Wrong::new(error.allowed, "leave it out to take the node's default"),
            )
        })?;
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
    let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
    if seconds == 0 {
        return Err(bad(
            "timeout",
            text,
            Wrong::new("a duration of at least 1s", "leave it out for no limit"),
        ));
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

/// Without randomness there is no token, and a lost reply may submit twice: better than no job.
fn token() -> String {
    let mut bytes = [0; TOKEN_BYTES];
    match getrandom::fill(&mut bytes) {
        Ok(()) => data_encoding::HEXLOWER.encode(&bytes),
        Err(_) => String::new(),
    }
}
