//! Output as websocket messages.
//!
//! **JSON**, as the original: text messages `{"value":{"Type":1,"Line":"..."}}`, 1 for stdout and 2 for stderr. A line is a
//! piece of text and not always a line; invalid UTF-8 is replaced, a character that two pieces share is not. What is to be
//! known about the output comes as a line of stderr that begins with `codling: `.
//!
//! **Binary** (`frames=binary`): messages whose first byte says what follows. `0`: execution id and the bytes of stdout and
//! stderr that lie before, as text with blanks between them; the first message. `1`, `2`: bytes of stdout, stderr, as they
//! are. `3`: something to be known, as text.
//!
//! What ends a log early is a text message in both: `{"error":"...","value":{"Type":0,"Line":""}}`.

use crate::api::wire::Json;
use crate::model::{ExecutionId, LogBytes, OutputStream};
use async_tungstenite::tungstenite::Message;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Json,
    Binary,
}

const BEGINS: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const NOTICE: u8 = 3;

/// Makes messages of one log.
#[derive(Debug)]
pub(super) struct Frames {
    wire: Wire,
    /// The first bytes of a character whose rest has not come, by stream.
    begun: [Vec<u8>; 2],
}

impl Frames {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            begun: Default::default(),
        }
    }

    /// Which log this is and where in it the output begins.
    pub(super) fn begins(&self, execution: &ExecutionId, place: LogBytes) -> Option<Message> {
        let LogBytes { stdout, stderr } = place;
        let text = format!("{execution} {stdout} {stderr}");
        (self.wire == Wire::Binary).then(|| binary(BEGINS, text.as_bytes()))
    }

    /// Output; `None` when it is only the beginning of a character.
    pub(super) fn output(&mut self, stream: OutputStream, bytes: &[u8]) -> Option<Message> {
        let kind = number(stream);
        match self.wire {
            Wire::Binary => Some(binary(kind, bytes)),
            Wire::Json => {
                let begun = self.begun_of(stream);
                let mut whole = std::mem::take(begun);
                whole.extend_from_slice(bytes);
                *begun = whole.split_off(whole.len() - unfinished(&whole));
                (!whole.is_empty()).then(|| line(kind, &String::from_utf8_lossy(&whole)))
            }
        }
    }

    /// What is left of a stream whose last character never came whole.
    pub(super) fn rest(&mut self, stream: OutputStream) -> Option<Message> {
        let rest = std::mem::take(self.begun_of(stream));
        (!rest.is_empty()).then(|| line(number(stream), &String::from_utf8_lossy(&rest)))
    }

    /// Something to be known about the output.
    pub(super) fn notice(&self, text: &str) -> Message {
        match self.wire {
            Wire::Binary => binary(NOTICE, text.as_bytes()),
            Wire::Json => line(STDERR, &format!("codling: {text}\n")),
        }
    }

    fn begun_of(&mut self, stream: OutputStream) -> &mut Vec<u8> {
        &mut self.begun[usize::from(stream == OutputStream::Stderr)]
    }
}

/// Why there is no more.
pub(super) fn error(text: &str) -> Message {
    let nothing = Json::object().with("Type", 0_u64).with("Line", "");
    message(&Json::object().with("error", text).with("value", nothing))
}

fn line(kind: u8, text: &str) -> Message {
    let value = Json::object()
        .with("Type", u64::from(kind))
        .with("Line", text);
    message(&Json::object().with("value", value))
}

fn message(json: &Json) -> Message {
    // Encoding into memory cannot fail: every key is text and every number finite.
    Message::text(serde_json::to_string(json).unwrap_or_default())
}

fn binary(kind: u8, bytes: &[u8]) -> Message {
    let mut message = Vec::with_capacity(1 + bytes.len());
    message.push(kind);
    message.extend_from_slice(bytes);
    Message::binary(message)
}

fn number(stream: OutputStream) -> u8 {
    match stream {
        OutputStream::Stdout => STDOUT,
        OutputStream::Stderr => STDERR,
    }
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let is_beginning = |tail: &[u8]| {
        std::str::from_utf8(tail)
            .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=bytes.len().min(3))
        .find(|length| is_beginning(&bytes[bytes.len() - length..]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use OutputStream::Stdout;

    fn lines(pieces: &[&[u8]]) -> String {
        let mut frames = Frames::new(Wire::Json);
        let mut messages: Vec<Message> = pieces
            .iter()
            .filter_map(|piece| frames.output(Stdout, piece))
            .collect();
        messages.extend(frames.rest(Stdout));
        messages
            .iter()
            .map(|message| {
                let json: serde_json::Value =
                    serde_json::from_str(message.to_text().unwrap()).unwrap();
                json["value"]["Line"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    #[test]
    fn a_text_is_the_same_wherever_it_is_cut_and_only_invalid_bytes_are_replaced() {
        let text = "a\u{e4}\u{20ac}\u{1f41f}\r\n".as_bytes();
        let broken = [text, &[0xff, b'b', 0xc3, b'\n', 0xf0, 0x9f]].concat();
        let whole = String::from_utf8_lossy(&broken).into_owned();
        for cut in 0..=broken.len() {
            assert_eq!(lines(&[&broken[..cut], &broken[cut..]]), whole, "at {cut}");
        }
        let bytes: Vec<&[u8]> = broken.chunks(1).collect();
        assert_eq!(lines(&bytes), whole);
    }

    #[test]
    fn binary_messages_hold_the_bytes_as_they_are() {
        let mut frames = Frames::new(Wire::Binary);
        let message = frames.output(OutputStream::Stderr, &[0xff, 0]).unwrap();
        assert_eq!(message, Message::binary(vec![2, 0xff, 0]));
        assert_eq!(frames.rest(Stdout), None);
    }
}
