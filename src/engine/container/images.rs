//! Images: here, from a registry, from an archive.

use super::super::{EngineError, ImageFacts, PullProgress};
use super::ContainerEngine;
use super::bounds::{BODY_MAX, LINE_MAX, LOADED_MAX, PROGRESS_MAX};
use super::http::{Call, Reply, encoded, words};
use super::outgoing::Outgoing;
use super::wire::{ImageInspect, ProgressLine};
use bytes::{Buf, BytesMut};
use futures_lite::AsyncRead;
use hyper::Method;
use std::pin::Pin;

const PULL: &str = "pull the image";
const LOAD: &str = "load the image";
/// What a registry says when it was reached and has no such image.
const ABSENT_WORDS: [&str; 4] = [
    "manifest unknown",
    "not found",
    "does not exist",
    "name unknown",
];

/// The image in the engine's own store.
pub(super) async fn image(
    engine: &ContainerEngine,
    image: &str,
) -> Result<Option<ImageFacts>, EngineError> {
    let path = format!("/images/{}/json", encoded(image));
    let call = Call::new(
        "look for the image",
        Method::GET,
        path,
        engine.patience.read,
    );
    match engine.call(call).await {
        Ok(reply) => {
            let found: ImageInspect = engine.note(reply.json(BODY_MAX).await)?;
            let architecture = words(&found.architecture);
            Ok(Some(ImageFacts {
                id: found.id,
                architecture,
                size_bytes: found.size,
            }))
        }
        Err(EngineError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Fetches the image from its registry.
pub(super) async fn pull(
    engine: &ContainerEngine,
    image: &str,
    progress: &mut (dyn FnMut(PullProgress) + Send),
) -> Result<(), EngineError> {
    let failed = |message: &str| {
        let message = words(message);
        let absent = ABSENT_WORDS
            .iter()
            .any(|word| message.to_lowercase().contains(word));
        EngineError::PullFailed {
            image: image.to_owned(),
            message,
            absent,
        }
    };
    let path = format!("/images/create?fromImage={}", encoded(&with_tag(image)));
    let call = Call::new(PULL, Method::POST, path, engine.patience.pull_silence);
    let mut lines = match engine.call(call).await {
        Ok(reply) => Lines::new(PULL, reply),
        // Podman answers so when it fails before there is progress, Docker when the registry has no such image.
        Err(EngineError::Refused { message, .. }) => return Err(failed(&message)),
        Err(error) => return Err(error),
    };
    while let Some(line) = engine.note(lines.next().await)? {
        if !line.error.is_empty() {
            return Err(failed(&line.error));
        }
        progress(PullProgress {
            status: words(&format!("{} {} {}", line.id, line.status, line.stream)),
            current_bytes: line.progress_detail.current,
            total_bytes: line.progress_detail.total,
        });
    }
    // The status is sent before the work is done, so its end proves nothing.
    match self::image(engine, image).await? {
        Some(_) => Ok(()),
        None => Err(failed(
            "the engine reported no error, but the image is not there",
        )),
    }
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

/// Gives the engine an archive and returns the names in it.
pub(super) async fn load(
    engine: &ContainerEngine,
    archive: Pin<Box<dyn AsyncRead + Send>>,
) -> Result<Vec<String>, EngineError> {
    let call = Call::new(
        LOAD,
        Method::POST,
        "/images/load?quiet=true".to_owned(),
        engine.patience.pull_silence,
    );
    let mut lines = match engine
        .call(call.with_body(Outgoing::Archive(archive)))
        .await
    {
        Ok(reply) => Lines::new(LOAD, reply),
        Err(EngineError::Refused { message, .. }) => {
            return Err(EngineError::LoadFailed { message });
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    while let Some(line) = engine.note(lines.next().await)? {
        if !line.error.is_empty() {
            return Err(EngineError::LoadFailed {
                message: words(&line.error),
            });
        }
        // "Loaded image: NAME" or "Loaded image ID: sha256:..."; Podman lists several behind one prefix.
        if let Some((_, listed)) = line.stream.split_once(": ") {
            let listed = listed.split(',').map(words).filter(|name| !name.is_empty());
            names.extend(listed.take(LOADED_MAX.saturating_sub(names.len())));
        }
    }
    Ok(names)
}

/// The JSON lines of a reply.
struct Lines {
    call: &'static str,
    reply: Reply,
    buffer: BytesMut,
    total: u64,
}

impl Lines {
    fn new(call: &'static str, reply: Reply) -> Self {
        Self {
            call,
            reply,
            buffer: BytesMut::new(),
            total: 0,
        }
    }

    /// The next line that is not blank.
    async fn next(&mut self) -> Result<Option<ProgressLine>, EngineError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                if !line.trim_ascii().is_empty() {
                    return self.parse(&line).map(Some);
                }
                continue;
            }
            if self.buffer.len() > LINE_MAX {
                return Err(EngineError::TooLarge {
                    call: self.call,
                    what: "a line",
                    limit: LINE_MAX as u64,
                });
            }
            let Some(chunk) = self.reply.chunk().await? else {
                let rest = self.buffer.split();
                return if rest.trim_ascii().is_empty() {
                    Ok(None)
                } else {
                    self.parse(&rest).map(Some)
                };
            };
            self.total += chunk.len() as u64;
            if self.total > PROGRESS_MAX {
                return Err(EngineError::TooLarge {
                    call: self.call,
                    what: "the progress",
                    limit: PROGRESS_MAX,
                });
            }
            self.buffer.extend_from_slice(&chunk);
        }
    }

    fn parse(&self, line: &[u8]) -> Result<ProgressLine, EngineError> {
        serde_json::from_slice(line).map_err(|e| EngineError::Garbage {
            call: self.call,
            detail: e.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::with_tag;

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
}
