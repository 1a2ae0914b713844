//! An image from its registry.
//!
//! The reply's status is sent before the work is done, so errors come in its lines. Dropping the call closes the
//! connection, and both engines then give up the pull; layers that were complete may stay with the engine.

use super::super::EngineError;
use super::super::PullCause;
use super::ContainerEngine;
use super::bounds::LAYERS_MAX;
use super::http::{Call, encoded, words};
use super::images::{self, Lines};
use super::pull_cause::pull_cause;
use super::wire::ProgressLine;
use crate::model::PullProgress;
use hyper::Method;
use std::collections::BTreeMap;

const PULL: &str = "pull the image";
/// Hex digits of an image id.
const ID_DIGITS: usize = 64;

/// Fetches the image from its registry.
pub(super) async fn pull(
    engine: &ContainerEngine,
    image: &str,
    progress: &mut (dyn FnMut(PullProgress) + Send),
) -> Result<(), EngineError> {
    let failed = |message: &str, cause| EngineError::PullFailed {
        image: image.to_owned(),
        message: words(message),
        cause,
    };
    let told = |message: &str| failed(message, pull_cause(image, message));
    if is_id(image) {
        let message = "it is an image's id, which no registry knows, and it is not here";
        return Err(failed(message, PullCause::Absent));
    }
    let path = format!("/images/create?fromImage={}", encoded(&with_tag(image)));
    let call = Call::new(PULL, Method::POST, path, engine.patience.pull_silence);
    let mut lines = match engine.call(call).await {
        Ok(reply) => Lines::new(PULL, reply),
        // Docker fails so before there is progress.
        Err(EngineError::Refused { message, .. }) => return Err(told(&message)),
        Err(error) => return Err(error),
    };
    let mut layers = Layers::default();
    while let Some(line) = engine.note(lines.next().await)? {
        if !line.failure().is_empty() {
            return Err(told(line.failure()));
        }
        if layers.take(&line) {
            progress(layers.progress());
        }
    }
    match images::image(engine, image).await? {
        Some(_) => Ok(()),
        None => Err(failed(
            "the engine reported no error, but the image is not there",
            PullCause::Other,
        )),
    }
}

/// Whether `image` is an image's whole id, with or without its algorithm.
fn is_id(image: &str) -> bool {
    let digits = image.strip_prefix("sha256:").unwrap_or(image);
    digits.len() == ID_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Without tag and digest the API pulls every tag that there is.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) {
        image.to_owned()
    } else {
        format!("{image}:latest")
    }
}

/// What has arrived, layer by layer.
#[derive(Debug, Default)]
struct Layers(BTreeMap<String, Layer>);

#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    bytes: u64,
    bytes_total: u64,
    is_done: bool,
}

impl Layers {
    /// Takes in a line; whether it was about a layer.
    fn take(&mut self, line: &ProgressLine) -> bool {
        let is_done = match line.status.as_str() {
            "Pulling fs layer" | "Waiting" | "Downloading" | "Retrying" => false,
            "Verifying Checksum" | "Download complete" | "Extracting" | "Pull complete"
            | "Already exists" => true,
            // About the image as a whole.
            _ => return false,
        };
        if self.0.len() >= LAYERS_MAX && !self.0.contains_key(&line.id) {
            return false;
        }
        let layer = self.0.entry(line.id.clone()).or_default();
        // Extracting counts anew; what matters is what came over the network.
        if line.status == "Downloading" {
            let detail = &line.progress_detail;
            layer.bytes_total = detail.total.max(detail.current);
            layer.bytes = detail.current;
        }
        if is_done {
            layer.is_done = true;
            layer.bytes = layer.bytes_total;
        }
        true
    }

    fn progress(&self) -> PullProgress {
        let layers = self.0.values();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        PullProgress {
            layers_done: count(layers.clone().filter(|layer| layer.is_done).count()),
            layers: count(self.0.len()),
            bytes: layers
                .clone()
                .fold(0, |sum, layer| layer.bytes.saturating_add(sum)),
            bytes_total: layers.fold(0, |sum, layer| layer.bytes_total.saturating_add(sum)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_means_one_tag_not_all() {
        for (name, asked) in [
            ("busybox", "busybox:latest"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
            ("a:1", "a:1"),
            ("a@sha256:00", "a@sha256:00"),
        ] {
            assert_eq!(with_tag(name), asked);
        }
    }

    #[test]
    fn a_whole_id_is_no_name() {
        let id = "0123456789abcdef".repeat(4);
        assert!(is_id(&id) && is_id(&format!("sha256:{id}")));
        for name in ["0123456789ab", "busybox", &format!("a@sha256:{id}")] {
            assert!(!is_id(name), "{name}");
        }
    }

    #[test]
    fn layers_are_counted_once_however_often_an_engine_speaks_of_them() {
        let mut layers = Layers::default();
        let mut say = |text: &str| {
            layers.take(&serde_json::from_str(text).unwrap());
            layers.progress()
        };
        say(r#"{"status":"Pulling from a","id":"latest"}"#);
        say(r#"{"status":"Already exists","id":"aa"}"#);
        say(r#"{"status":"Pulling fs layer","id":"bb"}"#);
        let half =
            r#"{"status":"Downloading","id":"bb","progressDetail":{"current":5,"total":10}}"#;
        let halfway = PullProgress {
            layers_done: 1,
            layers: 2,
            bytes: 5,
            bytes_total: 10,
        };
        assert_eq!(say(half), halfway);
        say(r#"{"status":"Download complete","id":"bb"}"#);
        let unpacked =
            say(r#"{"status":"Extracting","id":"bb","progressDetail":{"current":1,"total":30}}"#);
        let all = PullProgress {
            layers_done: 2,
            bytes: 10,
            ..halfway
        };
        assert_eq!(unpacked, all);
    }
}
