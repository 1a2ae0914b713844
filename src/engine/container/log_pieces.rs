//! The pieces that Docker cuts long lines into, and the line end that one of its log drivers loses.
//!
//! A line is stored in pieces of 16 KiB and a shorter last one, which may be empty. Docker 20.10's `local` driver leaves
//! out the line end of that last one. What follows it begins a line, so the line end is put back before it. Nothing
//! follows at the end of the output: whether a line end was lost there cannot be known, and none is made up.

use super::super::OutputStream;

/// Bytes of a piece that another one follows.
const PIECE: usize = 16 * 1024;

/// What the latest frames of both streams were.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    stdout: Latest,
    stderr: Latest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Latest {
    /// A line, or the last piece of one with its end.
    #[default]
    Line,
    /// The line goes on.
    Piece,
    /// The last piece, without its line end.
    Cut,
}

/// Whether a line end was lost before a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    Kept,
    Lost,
}

impl Pieces {
    fn latest(&mut self, stream: OutputStream) -> &mut Latest {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }

    /// A frame begins.
    pub(super) fn begin(&mut self, stream: OutputStream) -> LineEnd {
        let latest = self.latest(stream);
        match *latest {
            Latest::Cut => {
                *latest = Latest::Line;
                LineEnd::Lost
            }
            Latest::Line | Latest::Piece => LineEnd::Kept,
        }
    }

    /// A frame of this many bytes has ended; `last` is its last byte.
    pub(super) fn end(&mut self, stream: OutputStream, length: usize, last: Option<u8>) {
        let latest = self.latest(stream);
        *latest = match (*latest, last) {
            (_, Some(b'\n')) => Latest::Line,
            _ if length == PIECE => Latest::Piece,
            (Latest::Piece, _) => Latest::Cut,
            (Latest::Line | Latest::Cut, _) => Latest::Line,
        };
    }
}
