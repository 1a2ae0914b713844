//! The smallest HTTP client that a measurement needs: one request a connection, read to the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// No answer for this long is a failed measurement.
const PATIENCE: Duration = Duration::from_secs(30);

/// A status and a body (null when it is not JSON).
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// One request to an engine.
pub(super) fn unix(socket: &Path, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let stream =
        UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(stream, method, path, body)
        .map(Answer::of)
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// What an engine answers to a GET, head and all, as it comes.
pub(super) fn unix_stream(socket: &Path, path: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    stream
}

/// A connection that serves one request after the other.
#[derive(Debug)]
pub(super) struct KeptOpen(BufReader<TcpStream>);

impl KeptOpen {
    pub(super) fn to_loopback(port: u16) -> std::io::Result<Self> {
        to_loopback(port).map(BufReader::new).map(Self)
    }

    /// Sends a body and returns the answer's status once all of the answer is there.
    ///
    /// # Errors
    /// The node went away, or answers otherwise than with a `Content-Length`.
    pub(super) fn put(&mut self, path: &str, body: &str) -> std::io::Result<u16> {
        let length = body.len();
        let request = format!(
            "PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length) = (None, None);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(code) = line.strip_prefix("http/1.1 ") {
                status = code.split(' ').next().and_then(|code| code.parse().ok());
            } else if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.parse().ok();
            } else if line.is_empty() {
                break;
            }
        }
        let (Some(status), Some(length)) = (status, length) else {
            return Err(std::io::ErrorKind::InvalidData.into());
        };
        self.0.read_exact(&mut vec![0; length])?;
        Ok(status)
    }
}

/// One request to a node on loopback.
///
/// # Errors
/// The node does not listen, or went away.
pub(super) fn loopback(
    port: u16,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> std::io::Result<Answer> {
    exchange(to_loopback(port)?, method, path, body).map(Answer::of)
}

/// The same with the body as it came, for those who count the time until then.
///
/// # Errors
/// As [`loopback`].
pub(super) fn loopback_text(port: u16, method: &str, path: &str) -> std::io::Result<(u16, String)> {
    exchange(to_loopback(port)?, method, path, None)
}

fn to_loopback(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Answer {
    fn of((status, body): (u16, String)) -> Self {
        Self {
            status,
            body: serde_json::from_str(&body).unwrap_or(Value::Null),
        }
    }
}

/// HTTP/1.0, so that the answer is never chunked and ends with the connection.
fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> std::io::Result<(u16, String)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .ok_or(std::io::ErrorKind::InvalidData)?;
    Ok((status, body.to_owned()))
}
