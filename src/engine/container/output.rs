//! What a container printed: the engine's log is its spool while the container exists, and is read once at the end.

use super::super::{
    EngineError, EngineKind, FirstBytes, FirstOutput, LABEL_OUTPUT_MAX, LogChunk, LogExtent,
    LogRotation, LogStream, OutputStream,
};
use super::http::{Call, Reply};
use super::log_frames::{CALL, LogFrames};
use super::wire::Inspect;
use super::{ContainerEngine, container_path};
use crate::model::{
    ContainerId, JOB_OUTPUT_MAX_DEFAULT, JOB_OUTPUT_MAX_LEAST, JOB_OUTPUT_MAX_MOST, RUN_OUTPUT_MAX,
};
use async_io::Timer;
use bytes::Bytes;
use futures_lite::StreamExt;
use futures_lite::future::yield_now;
use hyper::Method;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What Docker's `local` driver and Podman's `k8s-file` store around one line, at most: time, stream, lengths.
const LINE_OVERHEAD: u64 = 64;
/// How often a log that breaks off is read before what there is will do; the second read is for an engine that was
/// restarted during the first, the others for one that is slow to come back.
const LOG_TRIES: u32 = 4;
/// How much is read before others have their turn: some tenths of a millisecond. After each piece it would be a turn of
/// the loop for every line, since Docker sends them one by one, and a follower's message for every line too.
const UNBROKEN_MAX: usize = 64 * 1024;
/// What a piece costs besides its bytes, in bytes.
const PIECE_COST: usize = 256;

/// Before each of Docker's frames.
const STAMPS: &str = "&timestamps=true";

/// Opens the log and returns its pieces.
pub(super) async fn logs(
    engine: &ContainerEngine,
    id: &ContainerId,
    extent: LogExtent,
) -> Result<LogStream, EngineError> {
    let follow = match extent {
        LogExtent::Present => "",
        LogExtent::ToTheEnd => "&follow=true",
    };
    let (stamps, frames) = match (engine.profile().await?.kind, extent) {
        (EngineKind::Podman, _) => ("", LogFrames::default()),
        (EngineKind::Docker, LogExtent::Present) => (STAMPS, LogFrames::stamped()),
        (EngineKind::Docker, LogExtent::ToTheEnd) => (STAMPS, LogFrames::followed()),
    };
    let path = container_path(
        id,
        &format!("/logs?stdout=true&stderr=true{follow}{stamps}"),
    )?;
    let reply = engine
        .call(Call::new(
            CALL,
            Method::GET,
            path,
            engine.patience.log_silence,
        ))
        .await;
    let mut reply = reply.map_err(|e| super::missing_container(e, id))?;
    let mut left = JOB_OUTPUT_MAX_MOST;
    if extent == LogExtent::ToTheEnd {
        reply.allow_silence();
        left = u64::MAX;
    }
    let spool = Spool {
        reply,
        frames,
        input: Bytes::new(),
        left,
        unbroken: 0,
    };
    let pieces = futures_lite::stream::try_unfold(Box::new(spool), |mut spool| async move {
        let chunk = spool.next().await?;
        Ok(chunk.map(|chunk| (chunk, spool)))
    });
    Ok(Box::pin(pieces))
}

/// A log that is being read.
struct Spool {
    reply: Reply,
    frames: LogFrames,
    input: Bytes,
    /// How many bytes more are taken.
    left: u64,
    /// How much was read since others had their turn.
    unbroken: usize,
}

impl Spool {
    async fn next(&mut self) -> Result<Option<LogChunk>, EngineError> {
        loop {
            if let Some(chunk) = self.frames.next(&mut self.input)? {
                self.left = self.left.checked_sub(chunk.bytes.len() as u64).ok_or(
                    EngineError::TooLarge {
                        call: CALL,
                        what: "the log",
                        limit: JOB_OUTPUT_MAX_MOST,
                    },
                )?;
                return Ok(Some(chunk));
            }
            match self.reply.chunk().await? {
                Some(bytes) => {
                    self.unbroken += bytes.len() + PIECE_COST;
                    self.input = bytes;
                    // A log that is all there already must not hold up the node's only thread.
                    if self.unbroken >= UNBROKEN_MAX {
                        self.unbroken = 0;
                        yield_now().await;
                    }
                }
                None if self.frames.may_end() => return Ok(None),
                None => {
                    return Err(EngineError::Vanished {
                        call: CALL,
                        detail: "inside a frame".to_owned(),
                    });
                }
            }
        }
    }
}

/// The first bytes of both streams, and whether there was more.
///
/// An engine that is away is asked again with growing pauses. A log that is there but cannot be read through, in
/// `LOG_TRIES` tries, must not cost the job its outcome: what was read is returned, marked as truncated.
pub(super) async fn first(
    engine: &ContainerEngine,
    id: &ContainerId,
    rotation: LogRotation,
) -> Result<FirstOutput, EngineError> {
    let mut pause = engine.patience.away;
    let mut tries = 0;
    loop {
        let mut output = FirstOutput::default();
        let error = match read_first(engine, id, rotation, &mut output).await {
            Ok(()) => return Ok(output),
            Err(EngineError::NoSuchContainer { id }) => {
                return Err(EngineError::NoSuchContainer { id });
            }
            Err(error) => error,
        };
        if matches!(
            error,
            EngineError::Garbage { .. }
                | EngineError::TooLarge { .. }
                | EngineError::TimedOut { .. }
                | EngineError::Vanished { .. }
                | EngineError::Refused { .. }
        ) {
            tries += 1;
        }
        if tries >= LOG_TRIES {
            log::warn!("the log of container \"{id}\" cannot be read through: {error}");
            output.rotated = true;
            output.stdout.truncated = true;
            output.stderr.truncated = true;
            return Ok(output);
        }
        log::debug!("the log of container \"{id}\" is read again, since {error}");
        Timer::after(pause).await;
        pause = (pause * 2).min(engine.patience.away_most);
    }
}

async fn read_first(
    engine: &ContainerEngine,
    id: &ContainerId,
    rotation: LogRotation,
    output: &mut FirstOutput,
) -> Result<(), EngineError> {
    let mut stored = 0_u64;
    let mut log = logs(engine, id, LogExtent::Present).await?;
    while let Some(chunk) = log.next().await {
        let chunk = chunk?;
        stored = stored.saturating_add(chunk.bytes.len() as u64 + LINE_OVERHEAD);
        match chunk.stream {
            OutputStream::Stdout => keep_first(&mut output.stdout, &chunk.bytes),
            OutputStream::Stderr => keep_first(&mut output.stderr, &chunk.bytes),
        }
    }
    if rotation.may_have_happened(stored) {
        output.rotated = true;
        output.stdout.truncated = true;
        output.stderr.truncated = true;
    }
    Ok(())
}

fn keep_first(first: &mut FirstBytes, bytes: &[u8]) {
    let room = RUN_OUTPUT_MAX - first.bytes.len();
    let kept = bytes.len().min(room);
    // The part fits: it is at most the room.
    let _ = first.bytes.extend_from_slice(&bytes[..kept]);
    first.truncated |= kept < bytes.len();
    first.log_bytes += bytes.len() as u64;
}

/// What an ended container's inspection, and its log's file, tell of rotation. Neither engine says it.
///
/// Podman starts an empty file, so the size says nothing; but that file was made after the container started, and the
/// first one before. Where the file cannot be seen (foreign mount namespace, other user, no birth time), size is what is
/// left, and on Docker always: driver `local`, which our containers get there, shows no path.
///
/// DECISION: the file's birth is compared rather than its inode, since it needs nothing remembered across a restart of
/// this program. What it misses: a wall clock set back between start and rotation.
pub(super) fn rotation_of(seen: &Inspect) -> LogRotation {
    match log_birth(&seen.log_path).zip(instant(&seen.state.started_at)) {
        Some((birth, started)) if birth > started => LogRotation::Happened,
        Some(_) => LogRotation::Never,
        None => {
            let cap = seen.config.labels.get(LABEL_OUTPUT_MAX);
            LogRotation::ByLength {
                cap_bytes: cap
                    .and_then(|cap| cap.parse().ok())
                    .unwrap_or(JOB_OUTPUT_MAX_DEFAULT)
                    .max(JOB_OUTPUT_MAX_LEAST),
            }
        }
    }
}

fn log_birth(path: &str) -> Option<SystemTime> {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BTIME).ok()?;
    let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    let since_epoch = Duration::new(
        found.stx_btime.tv_sec.try_into().ok()?,
        found.stx_btime.tv_nsec,
    );
    has_birth.then(|| UNIX_EPOCH + since_epoch)
}

/// Reads `2026-11-24T23:33:11.317508155Z`, also with an offset such as `+01:00` (Go's RFC 3339).
fn instant(text: &str) -> Option<SystemTime> {
    let offset_start = text.len().checked_sub("+00:00".len())?;
    let (plain, offset) = match text.get(offset_start..)? {
        offset if offset.starts_with(['+', '-']) => (text.get(..offset_start)?, offset),
        _ => (text.strip_suffix('Z')?, "+00:00"),
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let shift =
        Duration::from_secs(hours.parse::<u64>().ok()? * 3_600 + minutes.parse::<u64>().ok()? * 60);
    let local = humantime::parse_rfc3339(&format!("{plain}Z")).ok()?;
    if offset.starts_with('-') {
        local.checked_add(shift)
    } else {
        local.checked_sub(shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_an_offset_are_the_same_instant() {
        let utc = instant("2026-11-24T23:33:11.5Z").unwrap();
        assert_eq!(instant("2026-11-25T00:33:11.5+01:00"), Some(utc));
        assert_eq!(instant("2026-11-24T18:03:11.5-05:30"), Some(utc));
        for bad in ["", "Z", "2026", "+00:00", "2026-11-24T23:33:11.5+aa:00"] {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_bytes_are_exact_and_say_when_there_was_more() {
        let mut first = FirstBytes::default();
        keep_first(&mut first, &[1; RUN_OUTPUT_MAX - 1]);
        keep_first(&mut first, &[2]);
        assert!(!first.truncated);
        assert_eq!(first.bytes.len(), RUN_OUTPUT_MAX);
        keep_first(&mut first, &[3]);
        assert!(first.truncated);
        assert_eq!(first.bytes.last(), Some(&2));
    }
}
