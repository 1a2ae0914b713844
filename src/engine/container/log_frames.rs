//! The frames of the log stream: 8 bytes of header (stream, three zeros, length in network order), then the payload.
//! Payloads are handed on as they come, so a frame of any length takes no memory.

use super::super::{EngineError, LogChunk, OutputStream};
use super::log_stamps::{self, STAMP_MAX, Stamps, Verdict};
use crate::model::JOB_OUTPUT_MAX_MOST;
use bytes::{Buf, Bytes};

/// For messages.
pub(super) const CALL: &str = "read the log";
const HEADER_LENGTH: usize = 8;

/// Where in the stream we are.
#[derive(Debug, Default)]
pub(super) struct LogFrames {
    header: heapless::Vec<u8, HEADER_LENGTH>,
    stream: Option<OutputStream>,
    left: usize,
    /// Where each frame begins with a stamp.
    stamps: Option<Stamps>,
    /// That of this frame, as far as it has come; `None` once it is read.
    stamp: Option<heapless::Vec<u8, STAMP_MAX>>,
}

impl LogFrames {
    /// Frames of which each begins with a stamp; those that come again are passed over.
    pub(super) fn stamped() -> Self {
        Self {
            stamps: Some(Stamps::default()),
            ..Self::default()
        }
    }

    /// Takes the next piece of payload from the front of `input`; `None` when `input` is used up. Frames of no stream
    /// that we know (0, standard input) are passed over.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<LogChunk>, EngineError> {
        while !input.is_empty() {
            if self.left == 0 {
                self.read_header(input)?;
                continue;
            }
            if self.stamp.is_some() {
                self.read_stamp(input)?;
                continue;
            }
            let bytes = input.split_to(self.left.min(input.len()));
            self.left -= bytes.len();
            if let Some(stream) = self.stream {
                return Ok(Some(LogChunk { stream, bytes }));
            }
        }
        Ok(None)
    }

    fn read_header(&mut self, input: &mut Bytes) -> Result<(), EngineError> {
        let wanted = HEADER_LENGTH - self.header.len();
        let part = input.split_to(wanted.min(input.len()));
        // The part fits: it is at most what is wanted.
        let _ = self.header.extend_from_slice(&part);
        if self.header.len() < HEADER_LENGTH {
            return Ok(());
        }
        let mut header = self.header.as_slice();
        let (stream, zeros) = (header.get_u8(), header.get_uint(3));
        let length = header.get_u32();
        self.header.clear();
        self.stream = match (stream, zeros) {
            (0, 0) => None,
            (1, 0) => Some(OutputStream::Stdout),
            (2, 0) => Some(OutputStream::Stderr),
            _ => {
                let detail =
                    format!("a frame of stream {stream} with {zeros:#x} where zeros belong");
                return Err(EngineError::Garbage { call: CALL, detail });
            }
        };
        if u64::from(length) > JOB_OUTPUT_MAX_MOST {
            return Err(EngineError::TooLarge {
                call: CALL,
                what: "a frame",
                limit: JOB_OUTPUT_MAX_MOST,
            });
        }
        self.left = usize::try_from(length).unwrap_or(usize::MAX);
        self.stamp = self.stamps.as_ref().map(|_| heapless::Vec::new());
        Ok(())
    }

    /// Reads up to the blank behind the stamp, and passes the frame over if it came before.
    fn read_stamp(&mut self, input: &mut Bytes) -> Result<(), EngineError> {
        let garbage = || EngineError::Garbage {
            call: CALL,
            detail: "a frame without the time that was asked for".to_owned(),
        };
        let (Some(stamps), Some(stamp)) = (&mut self.stamps, &mut self.stamp) else {
            return Ok(());
        };
        while self.left > 0 && !input.is_empty() {
            let byte = input.get_u8();
            self.left -= 1;
            if byte != b' ' {
                stamp.push(byte).map_err(|_| garbage())?;
                continue;
            }
            let nanos = log_stamps::parse(stamp).ok_or_else(garbage)?;
            self.stamp = None;
            self.stream = self
                .stream
                .filter(|stream| stamps.judge(*stream, nanos) == Verdict::New);
            return Ok(());
        }
        match self.left {
            0 => Err(garbage()),
            _ => Ok(()),
        }
    }

    /// Whether the stream may end here: not inside a frame.
    pub(super) fn may_end(&self) -> bool {
        self.left == 0 && self.header.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        [&[stream, 0, 0, 0], &length.to_be_bytes()[..], payload].concat()
    }

    #[test]
    fn frames_cut_anywhere_give_the_same_bytes() {
        let whole = [
            frame(1, b"hello"),
            frame(2, b""),
            frame(0, b"in"),
            frame(2, &[0xff, 0]),
            frame(1, b"!"),
        ]
        .concat();
        for cut in 0..=whole.len() {
            let mut frames = LogFrames::default();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            for part in [&whole[..cut], &whole[cut..]] {
                let mut input = Bytes::copy_from_slice(part);
                while let Some(chunk) = frames.next(&mut input).unwrap() {
                    match chunk.stream {
                        OutputStream::Stdout => out.extend_from_slice(&chunk.bytes),
                        OutputStream::Stderr => err.extend_from_slice(&chunk.bytes),
                    }
                }
            }
            assert!(frames.may_end(), "cut at {cut}");
            assert_eq!(
                (out.as_slice(), err.as_slice()),
                (&b"hello!"[..], &[0xff, 0][..]),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn stamps_cut_anywhere_are_no_part_of_the_output_and_what_comes_again_is_passed_over() {
        let stamped = |second: u8, text: &str| {
            frame(
                1,
                format!("1970-01-01T00:00:0{second}.000000000Z {text}").as_bytes(),
            )
        };
        let whole = [
            stamped(1, "one\n"),
            stamped(2, "two\n"),
            stamped(3, ""),
            stamped(2, "two\n"),
            stamped(3, ""),
            stamped(4, "three"),
        ]
        .concat();
        for cut in 0..=whole.len() {
            let mut frames = LogFrames::stamped();
            let mut out = Vec::new();
            for part in [&whole[..cut], &whole[cut..]] {
                let mut input = Bytes::copy_from_slice(part);
                while let Some(chunk) = frames.next(&mut input).unwrap() {
                    out.extend_from_slice(&chunk.bytes);
                }
            }
            assert!(frames.may_end(), "cut at {cut}");
            assert_eq!(out, b"one\ntwo\nthree", "cut at {cut}");
        }
        for bad in [frame(1, b"no stamp"), frame(1, &[b'x'; 50])] {
            let mut input = Bytes::from(bad);
            let error = LogFrames::stamped().next(&mut input);
            assert!(
                matches!(error, Err(EngineError::Garbage { .. })),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_frame_longer_than_any_log_is_refused_before_it_is_read() {
        let mut input = Bytes::from_static(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'x']);
        assert!(matches!(
            LogFrames::default().next(&mut input),
            Err(EngineError::TooLarge { .. })
        ));
    }

    #[test]
    fn bytes_that_are_no_frame_are_garbage() {
        let mut input = Bytes::from_static(b"plain text of a terminal");
        assert!(matches!(
            LogFrames::default().next(&mut input),
            Err(EngineError::Garbage { .. })
        ));
    }

    #[test]
    fn a_stream_does_not_end_inside_a_frame() {
        let mut frames = LogFrames::default();
        let mut input = Bytes::from_static(&[1, 0, 0, 0, 0, 0, 0, 2, b'x']);
        while frames.next(&mut input).unwrap().is_some() {}
        assert!(!frames.may_end());
    }
}
