//! Images: those that are here, and those that come from an archive.

use super::super::{EngineError, ImageFacts, Platform};
use super::ContainerEngine;
use super::bounds::{BODY_MAX, LINE_MAX, LOADED_MAX, PROGRESS_MAX};
use super::http::{Call, Reply, encoded, words};
use super::outgoing::Outgoing;
use super::wire::{ImageInspect, ProgressLine};
use crate::model::ImageRemoval;
use bytes::{Buf, BytesMut};
use futures_lite::AsyncRead;
use hyper::Method;
use std::pin::Pin;

const LOAD: &str = "load the image";
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
            Ok(Some(ImageFacts {
                id: found.id,
                platform: Platform::new(
                    &words(&found.os),
                    &words(&found.architecture),
                    &words(&found.variant),
                ),
                size_bytes: found.size,
            }))
        }
        Err(EngineError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a name of an image, and the image with its last name.
pub(super) async fn remove(
    engine: &ContainerEngine,
    name: &str,
    id: &str,
) -> Result<ImageRemoval, EngineError> {
    match image(engine, name).await? {
        Some(found) if found.id == id => {}
        _ => return Ok(ImageRemoval::NotOurs),
    }
    let call = Call::new(
        "remove the image",
        Method::DELETE,
        format!("/images/{}", encoded(name)),
        engine.patience.change,
    );
    match engine.call(call).await {
        Ok(_) => Ok(ImageRemoval::Removed),
        Err(EngineError::Refused { status: 404, .. }) => Ok(ImageRemoval::NotOurs),
        Err(EngineError::Refused { message, .. }) => Ok(ImageRemoval::Kept { why: message }),
        Err(error) => Err(error),
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
        if !line.failure().is_empty() {
            return Err(EngineError::LoadFailed {
                message: words(line.failure()),
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
pub(super) struct Lines {
    call: &'static str,
    reply: Reply,
    buffer: BytesMut,
    total: u64,
}

impl Lines {
    pub(super) fn new(call: &'static str, reply: Reply) -> Self {
        Self {
            call,
            reply,
            buffer: BytesMut::new(),
            total: 0,
        }
    }

    /// The next line that is not blank.
    pub(super) async fn next(&mut self) -> Result<Option<ProgressLine>, EngineError> {
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
