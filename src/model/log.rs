//! A job's log: what a follower asks for, and the pieces that it is given.

use super::ExecutionId;
use bytes::Bytes;
use std::collections::VecDeque;

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of what a container printed. Order is kept within a stream, not between the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// Which stream.
    pub stream: OutputStream,
    /// At least one byte, at most what one read brought; not cut at lines.
    pub bytes: Bytes,
}

/// A number of bytes of each stream: a place in a log, or its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogBytes {
    /// Of standard output.
    pub stdout: u64,
    /// Of standard error.
    pub stderr: u64,
}

impl LogBytes {
    /// The one of a stream.
    #[must_use]
    pub fn of(self, stream: OutputStream) -> u64 {
        match stream {
            OutputStream::Stdout => self.stdout,
            OutputStream::Stderr => self.stderr,
        }
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, stream: OutputStream) -> &mut u64 {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }

    /// Takes the bytes that are to be passed over from the front of `chunk`; `None` when nothing is left of it.
    pub fn pass_over(&mut self, chunk: LogChunk) -> Option<LogChunk> {
        let LogChunk { stream, mut bytes } = chunk;
        let left = self.of_mut(stream);
        let passed = usize::try_from(*left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        *left -= passed as u64;
        let rest = bytes.split_off(passed);
        (!rest.is_empty()).then_some(LogChunk {
            stream,
            bytes: rest,
        })
    }
}

/// How far a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogExtent {
    /// What it has now.
    Present,
    /// That, and what comes until the container's end.
    ToTheEnd,
}

/// Where in a log a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogStart {
    /// After so many bytes of each stream; zeros are the beginning.
    At(LogBytes),
    /// With the last so many lines that it has now, of both streams together; 0 is nothing but what comes.
    Last(usize),
}

/// The most lines of [`LogStart::Last`]: a place is remembered for each.
pub const LAST_LINES_MAX: usize = 10_000;

/// Finds where the last lines of a log begin, in one pass and without keeping them.
#[derive(Debug)]
pub struct LastLines {
    wanted: usize,
    starts: VecDeque<(OutputStream, u64)>,
    length: LogBytes,
    inside: [bool; 2],
}

impl LastLines {
    /// Looks for the last `wanted` lines, at most [`LAST_LINES_MAX`].
    #[must_use]
    pub fn new(wanted: usize) -> Self {
        Self {
            wanted: wanted.min(LAST_LINES_MAX),
            starts: VecDeque::new(),
            length: LogBytes::default(),
            inside: [false; 2],
        }
    }

    /// The next bytes of a stream.
    pub fn see(&mut self, stream: OutputStream, bytes: &[u8]) {
        let inside = usize::from(stream == OutputStream::Stderr);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.inside[inside] && self.wanted > 0 {
                if self.starts.len() == self.wanted {
                    self.starts.pop_front();
                }
                self.starts.push_back((stream, self.length.of(stream)));
            }
            self.inside[inside] = !line.ends_with(b"\n");
            *self.length.of_mut(stream) += line.len() as u64;
        }
    }

    /// Where they begin; a stream without a line among them begins at its end.
    #[must_use]
    pub fn place(&self) -> LogBytes {
        let mut place = self.length;
        for (stream, start) in self.starts.iter().rev() {
            *place.of_mut(*stream) = *start;
        }
        place
    }
}

/// The log of one execution on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// Whose.
    pub execution: ExecutionId,
    /// From where.
    pub start: LogStart,
    /// How far.
    pub extent: LogExtent,
}

/// What a follower is given, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// The first item unless there is no container: where in the log the output begins. Comes again when the log lost
    /// what was given out, with the place in what it has now.
    Begins(LogBytes),
    /// Output.
    Chunk(LogChunk),
    /// Something that the follower should know about the output, as a sentence.
    Notice(String),
    /// The last item: why there is no more although there may be.
    Broken(LogBreak),
}

/// Why a log ends before its time, or does not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogBreak {
    /// There is no started container: not yet, or not any more.
    NoContainer,
    /// The engine cannot be asked now.
    Away {
        /// In its words.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use OutputStream::{Stderr, Stdout};

    fn place(wanted: usize, pieces: &[(OutputStream, &str)]) -> (u64, u64) {
        let mut lines = LastLines::new(wanted);
        for (stream, text) in pieces {
            lines.see(*stream, text.as_bytes());
        }
        let place = lines.place();
        (place.stdout, place.stderr)
    }

    #[test]
    fn the_last_lines_are_counted_over_both_streams_and_a_line_in_pieces_is_one() {
        let log = [
            (Stdout, "a\nbb"),
            (Stderr, "e1\n"),
            (Stdout, "b\nc\n"),
            (Stderr, "e2"),
        ];
        assert_eq!(place(0, &log), (8, 5));
        assert_eq!(place(1, &log), (8, 3));
        assert_eq!(place(2, &log), (6, 3));
        assert_eq!(place(3, &log), (6, 0));
        assert_eq!(place(4, &log), (2, 0));
        assert_eq!(place(9, &log), (0, 0));
    }

    #[test]
    fn bytes_are_passed_over_across_chunks_of_their_stream_only() {
        let mut past = LogBytes {
            stdout: 5,
            stderr: 0,
        };
        let chunk = |stream, text: &'static str| LogChunk {
            stream,
            bytes: Bytes::from_static(text.as_bytes()),
        };
        assert_eq!(past.pass_over(chunk(Stdout, "abc")), None);
        assert_eq!(
            past.pass_over(chunk(Stderr, "abc")),
            Some(chunk(Stderr, "abc"))
        );
        assert_eq!(
            past.pass_over(chunk(Stdout, "defg")),
            Some(chunk(Stdout, "fg"))
        );
        assert_eq!(past, LogBytes::default());
    }
}
