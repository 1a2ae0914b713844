//! A follower of the tests' own: the handshake and the frames of RFC 6455, so that nothing of the server's libraries is on
//! both ends.

use super::wait;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The key of RFC 6455, 1.3, and the proof that belongs to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const PROOF: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// One message of the server.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Json(Value),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// With its code.
    Close(u16),
    /// The connection ended.
    End,
}

/// An open websocket.
#[derive(Debug)]
pub(crate) struct LogSocket {
    stream: TcpStream,
}

/// All that a log gave.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Log {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// Of `frames=binary`.
    pub(crate) notices: Vec<String>,
    /// The first message of `frames=binary`.
    pub(crate) begins: String,
    pub(crate) error: Option<String>,
    /// The code of the close frame; `None` when the connection broke off.
    pub(crate) close: Option<u16>,
}

impl LogSocket {
    /// Opens the log of a job with this query.
    #[track_caller]
    pub(crate) fn open(to: SocketAddr, job: &str, query: &str) -> Self {
        let mut stream = TcpStream::connect(to).expect("the node listens");
        stream.set_read_timeout(Some(wait::LONG)).unwrap();
        let request = format!(
            "GET /api/v1/orchestrator/jobs/{job}/logs?{query} HTTP/1.1\r\nHost: {to}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(PROOF), "{head}");
        Self { stream }
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Heard {
        let mut start = [0; 2];
        if self.stream.read_exact(&mut start).is_err() {
            return Heard::End;
        }
        assert_eq!(start[0] & 0x80, 0x80, "it is whole");
        assert_eq!(start[1] & 0x80, 0, "a server does not mask");
        let length = match start[1] {
            126 => u64::from(u16::from_be_bytes(self.exactly())),
            127 => u64::from_be_bytes(self.exactly()),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).expect("a whole frame");
        match start[0] & 0x0f {
            TEXT => Heard::Json(serde_json::from_slice(&payload).expect("JSON")),
            BINARY => Heard::Binary(payload),
            PONG => Heard::Pong(payload),
            CLOSE => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                self.say(CLOSE, &payload);
                Heard::Close(code)
            }
            other => panic!("opcode {other}"),
        }
    }

    fn exactly<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).expect("a whole frame");
        bytes
    }

    /// Sends a ping.
    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.say(PING, payload);
    }

    /// Sends a close frame with code 1000.
    pub(crate) fn close(&mut self) {
        self.say(CLOSE, &1000_u16.to_be_bytes());
    }

    /// A masked frame; a server that has closed does not hear it.
    fn say(&mut self, opcode: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        assert!(length < 126);
        let mask = [1, 2, 3, 4];
        let mut frame = vec![0x80 | opcode, 0x80 | length];
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
        let _ = self.stream.write_all(&frame);
    }

    /// Adds what comes to `log` until `enough` says so or the socket ends.
    #[track_caller]
    pub(crate) fn gather(&mut self, log: &mut Log, enough: impl Fn(&Log) -> bool) {
        while log.close.is_none() && !enough(log) {
            match self.next() {
                Heard::Json(message) => {
                    let line = message["value"]["Line"]
                        .as_str()
                        .expect("a line")
                        .as_bytes();
                    match message["value"]["Type"].as_u64() {
                        Some(1) => log.stdout.extend_from_slice(line),
                        Some(2) => log.stderr.extend_from_slice(line),
                        _ => log.error = message["error"].as_str().map(str::to_owned),
                    }
                }
                Heard::Binary(message) => {
                    let (kind, rest) = message.split_first().expect("a kind");
                    let text = || String::from_utf8(rest.to_vec()).unwrap();
                    match kind {
                        0 => log.begins = text(),
                        1 => log.stdout.extend_from_slice(rest),
                        2 => log.stderr.extend_from_slice(rest),
                        3 => log.notices.push(text()),
                        other => panic!("kind {other}"),
                    }
                }
                Heard::Close(code) => log.close = Some(code),
                Heard::Pong(_) => {}
                Heard::End => return,
            }
        }
    }

    /// Everything to the end.
    #[track_caller]
    pub(crate) fn whole(mut self) -> Log {
        let mut log = Log::default();
        self.gather(&mut log, |_| false);
        log
    }
}
