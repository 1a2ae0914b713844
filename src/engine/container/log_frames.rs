//! The frames of the log stream: 8 bytes of header (stream, three zeros, length in network order), then the payload.
//! Payloads are handed on as they come, so a frame of any length takes no memory.

use super::super::{EngineError, LogChunk, OutputStream};
use super::log_pieces::{LineEnd, Pieces};
use super::log_stamps::{self, STAMP_MAX, Stamps, Verdict};
use crate::model::JOB_OUTPUT_MAX_MOST;
use bytes::{Buf, Bytes};

/// For messages.
pub(super) const CALL: &str = "read the log";
const HEADER_LENGTH: usize = 8;

/// Whether each frame begins with a stamp, and what for.
#[derive(Debug, Default)]
enum Stamped {
    #[default]
    No,
    /// So that empty frames come too: without one, Docker leaves them out.
    ForEmptyFrames,
    /// Also to pass over frames that come again.
    ForRepeats(Stamps),
}

/// Whether a payload begins with what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HasBegun {
    Yes,
    No,
}

/// Where in the stream we are.
#[derive(Debug, Default)]
pub(super) struct LogFrames {
    header: heapless::Vec<u8, HEADER_LENGTH>,
    /// Whose the payload is; `None` where it is passed over.
    stream: Option<OutputStream>,
    /// Bytes of this frame's payload, once it has begun, and how many of them are to come.
    length: usize,
    left: usize,
    /// Where long lines come in pieces.
    pieces: Option<Pieces>,
    stamps: Stamped,
    /// That of this frame, as far as it has come; `None` once it is read.
    stamp: Option<heapless::Vec<u8, STAMP_MAX>>,
}

impl LogFrames {
    /// Docker's, each with its time.
    pub(super) fn stamped() -> Self {
        Self {
            pieces: Some(Pieces::default()),
            stamps: Stamped::ForEmptyFrames,
            ..Self::default()
        }
    }

    /// Docker's, each with its time, of a log that is followed: frames that come again are passed over.
    pub(super) fn followed() -> Self {
        Self {
            stamps: Stamped::ForRepeats(Stamps::default()),
            ..Self::stamped()
        }
    }

    /// Takes the next piece of payload from the front of `input`; `None` when `input` is used up. Frames of no stream
    /// that we know (0, standard input) are passed over.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<LogChunk>, EngineError> {
        while !input.is_empty() {
            let has_begun = match (self.left, &self.stamp) {
                (0, _) => self.read_header(input)?,
                (_, Some(_)) => self.read_stamp(input)?,
                (_, None) => {
                    let bytes = input.split_to(self.left.min(input.len()));
                    self.left -= bytes.len();
                    self.note_end(bytes.last().copied());
                    if let Some(stream) = self.stream {
                        return Ok(Some(LogChunk { stream, bytes }));
                    }
                    continue;
                }
            };
            if has_begun == HasBegun::Yes
                && let Some(line_end) = self.begin()
            {
                return Ok(Some(line_end));
            }
        }
        Ok(None)
    }

    /// The payload begins. Returns a line end that belongs before it.
    fn begin(&mut self) -> Option<LogChunk> {
        self.length = self.left;
        let stream = self.stream?;
        let line_end = self.pieces.as_mut()?.begin(stream);
        self.note_end(None);
        (line_end == LineEnd::Lost).then(|| LogChunk {
            stream,
            bytes: Bytes::from_static(b"\n"),
        })
    }

    /// After a part of the payload, whose last byte this is.
    fn note_end(&mut self, last: Option<u8>) {
        if let (0, Some(pieces), Some(stream)) = (self.left, &mut self.pieces, self.stream) {
            pieces.end(stream, self.length, last);
        }
    }

    fn read_header(&mut self, input: &mut Bytes) -> Result<HasBegun, EngineError> {
        let wanted = HEADER_LENGTH - self.header.len();
        let part = input.split_to(wanted.min(input.len()));
        // The part fits: it is at most what is wanted.
        let _ = self.header.extend_from_slice(&part);
        if self.header.len() < HEADER_LENGTH {
            return Ok(HasBegun::No);
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
        match self.stamps {
            Stamped::No => Ok(HasBegun::Yes),
            Stamped::ForEmptyFrames | Stamped::ForRepeats(_) => {
                self.stamp = Some(heapless::Vec::new());
                Ok(HasBegun::No)
            }
        }
    }

    /// Reads up to the blank behind the stamp, and passes the frame over if it came before.
    fn read_stamp(&mut self, input: &mut Bytes) -> Result<HasBegun, EngineError> {
        let garbage = || EngineError::Garbage {
            call: CALL,
            detail: "a frame without the time that was asked for".to_owned(),
        };
        let Some(stamp) = &mut self.stamp else {
            return Ok(HasBegun::Yes);
        };
        while self.left > 0 && !input.is_empty() {
            let byte = input.get_u8();
            self.left -= 1;
            if byte != b' ' {
                stamp.push(byte).map_err(|_| garbage())?;
                continue;
            }
            let nanos = log_stamps::parse(stamp).ok_or_else(garbage)?;
            if let Stamped::ForRepeats(stamps) = &mut self.stamps {
                let is_new = |stream: &OutputStream| stamps.judge(*stream, nanos) == Verdict::New;
                self.stream = self.stream.filter(is_new);
            }
            self.stamp = None;
            return Ok(HasBegun::Yes);
        }
        match self.left {
            0 => Err(garbage()),
            _ => Ok(HasBegun::No),
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

    /// Both streams of what comes in these parts.
    fn played(mut frames: LogFrames, parts: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        for part in parts {
            let mut input = Bytes::copy_from_slice(part);
            while let Some(chunk) = frames.next(&mut input).unwrap() {
                match chunk.stream {
                    OutputStream::Stdout => out.extend_from_slice(&chunk.bytes),
                    OutputStream::Stderr => err.extend_from_slice(&chunk.bytes),
                }
            }
        }
        assert!(frames.may_end());
        (out, err)
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
            let (out, err) = played(LogFrames::default(), &[&whole[..cut], &whole[cut..]]);
            assert_eq!(
                (&out[..], &err[..]),
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
            let (out, _) = played(LogFrames::followed(), &[&whole[..cut], &whole[cut..]]);
            assert_eq!(out, b"one\ntwo\nthree", "cut at {cut}");
        }
        for bad in [frame(1, b"no stamp"), frame(1, &[b'x'; 50])] {
            let mut input = Bytes::from(bad);
            let error = LogFrames::followed().next(&mut input);
            assert!(
                matches!(error, Err(EngineError::Garbage { .. })),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_line_end_that_was_lost_behind_a_long_line_is_put_back_before_what_follows() {
        let long = "x".repeat(16 * 1024);
        let of = |frames: LogFrames, texts: &[(u8, &str)]| {
            let texts = texts.iter();
            let whole = texts.map(|(stream, text)| {
                frame(
                    *stream,
                    format!("1970-01-01T00:00:01.000000000Z {text}").as_bytes(),
                )
            });
            played(frames, &[&whole.collect::<Vec<_>>().concat()])
        };
        let lost = [
            (1, &long[..]),
            (2, "err\n"),
            (1, "end"),
            (2, "err\n"),
            (1, "next\n"),
        ];
        let wanted = (format!("{long}end\nnext\n").into(), b"err\nerr\n".into());
        assert_eq!(of(LogFrames::stamped(), &lost), wanted);
        assert_eq!(of(LogFrames::followed(), &lost), wanted);
        let stdout = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| (1, *text)).collect();
            String::from_utf8(of(LogFrames::stamped(), &texts).0).unwrap()
        };
        assert_eq!(stdout(&[&long, "", "next"]), format!("{long}\nnext"));
        assert_eq!(
            stdout(&[&long, "end\n", "next"]),
            format!("{long}end\nnext")
        );
        assert_eq!(
            stdout(&[&long, "end"]),
            format!("{long}end"),
            "none is made up"
        );
        assert_eq!(stdout(&["a", "b"]), "ab", "no pieces of a long line");
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
