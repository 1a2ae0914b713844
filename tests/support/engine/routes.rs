//! The calls of the Docker API that are spoken.

use super::container::{Container, OnFollow, OnStart, Runs};
use super::{Kind, Shared, State};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

/// Before the paths of Podman's own API.
const LIBPOD: &str = "/libpod";

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, with the version.
    pub(super) target: String,
    pub(super) body: Vec<u8>,
}

/// Which call a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    Ping,
    Info,
    Image,
    RemoveImage,
    Pull,
    Load,
    List,
    Create,
    Inspect,
    Start,
    Wait,
    Logs,
    Stop,
    Kill,
    Remove,
    Unknown,
}

/// What is answered.
pub(super) enum Answer {
    /// Status and body.
    Bytes(u16, Vec<u8>),
    /// A log as it is.
    Log(Vec<u8>),
    /// This container's log as it grows.
    Follow(String, OnFollow),
    /// An open stream that ends with this container.
    UntilEnded(String),
    /// 204 as soon as this container has ended, which it is made to after this time.
    WhenEnded(String, Duration),
}

impl Answer {
    fn json(status: u16, value: &Value) -> Self {
        Self::Bytes(status, value.to_string().into_bytes())
    }

    fn status(status: u16) -> Self {
        Self::Bytes(status, Vec::new())
    }

    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(
            status,
            &json!({ "message": message, "cause": "scripted", "response": status }),
        )
    }
}

impl Request {
    /// Path without version and query.
    fn path(&self) -> &str {
        let path = self.target.split('?').next().unwrap();
        match path.strip_prefix("/v1.") {
            Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => path,
        }
    }

    fn version(&self) -> Option<&str> {
        self.target.strip_prefix("/v")?.split('/').next()
    }

    fn query(&self, key: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name == key).then(|| decoded(value))
        })
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        let parts: Vec<&str> = self.path().split('/').skip(1).collect();
        match (self.method.as_str(), parts.as_slice()) {
            ("GET", ["_ping"]) => Endpoint::Ping,
            ("GET", ["info"]) => Endpoint::Info,
            ("POST", ["images", "create"]) => Endpoint::Pull,
            ("POST", ["images", "load"]) => Endpoint::Load,
            ("GET", ["images", .., "json"]) => Endpoint::Image,
            ("DELETE", ["images", _]) => Endpoint::RemoveImage,
            ("GET", ["containers", "json"]) => Endpoint::List,
            ("POST", ["containers", "create"]) => Endpoint::Create,
            ("GET", ["containers", _, "json"]) => Endpoint::Inspect,
            ("POST", ["containers", _, "start"]) => Endpoint::Start,
            ("POST", ["containers", _, "wait"] | ["libpod", "containers", _, "wait"]) => {
                Endpoint::Wait
            }
            ("GET", ["containers", _, "logs"]) => Endpoint::Logs,
            ("POST", ["containers", _, "stop"]) => Endpoint::Stop,
            ("POST", ["containers", _, "kill"]) => Endpoint::Kill,
            ("DELETE", ["containers", _]) => Endpoint::Remove,
            _ => Endpoint::Unknown,
        }
    }

    /// The part of the path that names the object.
    fn name(&self) -> String {
        let path = self.path();
        let path = path.strip_prefix(LIBPOD).unwrap_or(path);
        decoded(path.split('/').nth(2).unwrap_or_default())
    }
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// Does what is asked and says what came of it.
pub(super) fn answer(shared: &Arc<Shared>, request: &Request) -> Answer {
    let mut state = shared.lock();
    if let (Some(version), newest) = (request.version(), state.api_version.clone())
        && version != newest
        && minor(version) > minor(&newest)
    {
        return Answer::error(
            400,
            &format!("client version {version} is too new. Maximum supported is {newest}"),
        );
    }
    match request.endpoint() {
        Endpoint::Ping => Answer::Bytes(200, b"OK".to_vec()),
        Endpoint::Info => Answer::json(200, &state.info),
        Endpoint::Image => match state.plays.contains_key(&request.name()) {
            true => Answer::json(
                200,
                &json!({ "Id": "sha256:00", "Architecture": "arm64", "Size": 12 }),
            ),
            false => Answer::error(404, "no such image"),
        },
        Endpoint::RemoveImage => remove_image(&mut state, &request.name()),
        Endpoint::Pull => pull(&mut state, request),
        Endpoint::Load => {
            state.loaded_bytes += request.body.len();
            Answer::Bytes(
                200,
                b"{\"stream\":\"Loaded image: localhost/a:1,localhost/b:2\"}\n".to_vec(),
            )
        }
        Endpoint::List => list(&state, request),
        Endpoint::Create => create(&mut state, request),
        Endpoint::Unknown => Answer::error(404, "page not found"),
        about_one => {
            let (name, kind) = (request.name(), state.kind);
            let Some(container) = state
                .containers
                .values_mut()
                .find(|c| c.id == name || c.name == name)
            else {
                return Answer::error(404, "no such container");
            };
            match about_one {
                Endpoint::Inspect => Answer::json(200, &container.inspect()),
                Endpoint::Start => start(container, kind, shared),
                Endpoint::Logs if request.query("follow").is_some() => {
                    Answer::Follow(container.id.clone(), container.play.on_follow)
                }
                Endpoint::Logs => Answer::Log(container.log()),
                // Docker has no other; that of Podman would burn a core.
                Endpoint::Wait if (kind == Kind::Podman) != request.path().starts_with(LIBPOD) => {
                    Answer::error(404, "page not found")
                }
                Endpoint::Wait => Answer::UntilEnded(container.id.clone()),
                Endpoint::Stop if container.runs() => match container.stop() {
                    true => {
                        let grace = request.query("t").and_then(|t| t.parse().ok());
                        let grace = Duration::from_secs(grace.unwrap_or(10));
                        Answer::WhenEnded(container.id.clone(), grace)
                    }
                    false => Answer::status(204),
                },
                Endpoint::Stop => Answer::status(304),
                Endpoint::Kill if container.runs() => {
                    container.kill();
                    Answer::status(204)
                }
                Endpoint::Kill => Answer::error(500, "can only kill running containers"),
                _ => {
                    let id = container.id.clone();
                    container.kill();
                    state.containers.remove(&id);
                    Answer::status(204)
                }
            }
        }
    }
}

fn minor(version: &str) -> u32 {
    version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(0)
}

fn pull(state: &mut State, request: &Request) -> Answer {
    let image = request.query("fromImage").unwrap();
    let bare = image.trim_end_matches(":latest");
    let Some(play) = state
        .pullable
        .get(&image)
        .or_else(|| state.pullable.get(bare))
        .cloned()
    else {
        let failure =
            format!("{{\"status\":\"Pulling\"}}\n{{\"error\":\"manifest unknown: {image}\"}}\n");
        return Answer::Bytes(200, failure.into_bytes());
    };
    state.plays.insert(image.clone(), play.clone());
    state.plays.insert(bare.to_owned(), play);
    let layer = json!({ "status": "Downloading", "id": "aa", "progressDetail": { "current": 5, "total": 10 } });
    Answer::Bytes(
        200,
        format!(
            "{layer}\n{{\"status\":\"Download complete\",\"id\":\"aa\",\"progressDetail\":{{}}}}\n"
        )
        .into_bytes(),
    )
}

fn remove_image(state: &mut State, name: &str) -> Answer {
    let has_it = |container: &Container| container.body["Image"] == name;
    if state.containers.values().any(has_it) {
        return Answer::error(409, "image is in use by a container");
    }
    match state.plays.remove(name) {
        Some(_) => Answer::json(200, &json!([{ "Untagged": name }])),
        None => Answer::error(404, "no such image"),
    }
}

fn list(state: &State, request: &Request) -> Answer {
    let filters: Value = request
        .query("filters")
        .map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let wanted: Vec<(String, String)> = filters["label"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|label| {
            label
                .as_str()?
                .split_once('=')
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
        })
        .collect();
    let fits = |container: &&Container| {
        wanted
            .iter()
            .all(|(key, value)| container.label(key) == Some(value))
    };
    let items: Vec<Value> = state
        .containers
        .values()
        .filter(fits)
        .map(|c| json!({ "Id": c.id, "Names": [format!("/{}", c.name)], "Labels": c.body["Labels"] }))
        .collect();
    Answer::json(200, &items.into())
}

fn create(state: &mut State, request: &Request) -> Answer {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let name = request.query("name").unwrap();
    let Some(play) = body["Image"]
        .as_str()
        .and_then(|image| state.plays.get(image))
        .cloned()
    else {
        return Answer::error(404, "no such image");
    };
    if state.containers.values().any(|c| c.name == name) {
        let message = format!("the container name \"{name}\" is already in use");
        let status = if state.kind == Kind::Podman { 500 } else { 409 };
        return Answer::error(status, &message);
    }
    let id = state.next_id();
    state
        .containers
        .insert(id.clone(), Container::new(id.clone(), name, body, play));
    Answer::json(201, &json!({ "Id": id, "Warnings": [] }))
}

/// Whether the first word of a command can be executed.
fn is_program(command: &[String]) -> bool {
    let Some(first) = command.first() else {
        return false;
    };
    let places: &[&str] = if first.contains('/') {
        &[""]
    } else {
        &["/bin/", "/usr/bin/"]
    };
    places.iter().any(|place| {
        std::fs::metadata(format!("{place}{first}"))
            .is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
    })
}

fn start(container: &mut Container, kind: Kind, shared: &Arc<Shared>) -> Answer {
    if container.was_started() {
        return Answer::status(304);
    }
    if matches!(container.play.runs, Runs::AsTold) && !is_program(&container.command()) {
        let command = container.command().join(" ");
        return match kind {
            Kind::Podman => Answer::error(
                500,
                &format!(
                    "runc: runc create failed: unable to start container process: exec: \"{command}\": no such file or directory: OCI runtime attempted to invoke a command that was not found"
                ),
            ),
            Kind::Docker => Answer::error(
                400,
                &format!(
                    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"{command}\": executable file not found in $PATH: unknown"
                ),
            ),
        };
    }
    if container.play.on_start == OnStart::NoCommand {
        let message = "runc: runc create failed: unable to start container process: exec: \"/nope\": stat /nope: no \
                       such file or directory: OCI runtime attempted to invoke a command that was not found";
        return Answer::error(500, message);
    }
    container.start(shared);
    shared
        .started
        .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    Answer::status(204)
}
