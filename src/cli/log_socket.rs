//! The websocket on which a node sends a job's output (rest-api.md 6), blocking.

use super::client::{Client, ClientError, refusal};
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::handshake::HandshakeError;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{WebSocket, WebSocketConfig};
use async_tungstenite::tungstenite::{Error, Message, client};
use serde::Deserialize;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long the node may take to accept and to answer the handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A job may be silent for days; when the node's machine is gone the kernel tells after about this.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The largest message that is read; a node's own have some 100 kB at most.
const MESSAGE_MAX: usize = 4 << 20;

/// One thing that the node sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Which execution's output follows, and how many bytes of stdout and stderr lie before it.
    Begins {
        execution: String,
        stdout: u64,
        stderr: u64,
    },
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    /// Something to be known about the output.
    Notice(String),
}

/// An open log.
#[derive(Debug)]
pub(super) struct LogSocket<'a> {
    client: &'a Client,
    socket: WebSocket<TcpStream>,
}

/// A text message, as the original sends all of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Text {
    error: String,
    value: Line,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Line {
    #[serde(rename = "Type")]
    kind: u8,
    line: String,
}

impl<'a> LogSocket<'a> {
    /// Opens the log at `path` below the orchestrator.
    ///
    /// # Errors
    /// The node is not there, or does not have this route.
    pub(super) fn open(client: &'a Client, path: &str) -> Result<Self, ClientError> {
        let stream = connect(client.address()).map_err(|error| client.failed(error.into()))?;
        let socket = SockRef::from(&stream);
        // Without it a lost machine is noticed late, no more.
        let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let url = client.url(path).replacen("http://", "ws://", 1);
        let mut request = url
            .into_client_request()
            .map_err(|error| failed(client, error))?;
        if let Some(token) = client.authorization()
            && let Ok(token) = token.parse()
        {
            request.headers_mut().insert("Authorization", token);
        }
        let handshake = client::client_with_config(request, stream, Some(config));
        let (socket, _) = handshake.map_err(|error| match error {
            HandshakeError::Failure(error) => failed(client, error),
            HandshakeError::Interrupted(_) => {
                client.failed(io::Error::from(io::ErrorKind::TimedOut).into())
            }
        })?;
        socket
            .get_ref()
            .set_read_timeout(None)
            .map_err(|error| client.failed(error.into()))?;
        Ok(Self { client, socket })
    }

    /// What comes next; `None` once the node has said that this was all.
    ///
    /// # Errors
    /// The node refuses, or the connection broke off.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, ClientError> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return self.text(text.as_str()).map(Some),
                Ok(Message::Binary(bytes)) => {
                    // A kind of a later release is passed over.
                    if let Some(piece) = binary(&bytes) {
                        return Ok(Some(piece));
                    }
                }
                Ok(Message::Close(Some(frame))) if frame.code == CloseCode::Normal => {
                    return Ok(None);
                }
                Ok(Message::Close(_)) => {
                    let cut = io::Error::new(io::ErrorKind::ConnectionReset, "the log was cut off");
                    return Err(self.client.failed(cut.into()));
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Err(error) => return Err(failed(self.client, error)),
            }
        }
    }

    fn text(&self, text: &str) -> Result<Piece, ClientError> {
        let text: Text =
            serde_json::from_str(text).map_err(|error| self.client.garbled(error.to_string()))?;
        if !text.error.is_empty() {
            return Err(ClientError::LogRefused {
                message: text.error,
            });
        }
        let bytes = text.value.line.into_bytes();
        Ok(match text.value.kind {
            2 => Piece::Stderr(bytes),
            _ => Piece::Stdout(bytes),
        })
    }
}

fn binary(message: &[u8]) -> Option<Piece> {
    let (kind, rest) = message.split_first()?;
    match kind {
        0 => {
            let text = std::str::from_utf8(rest).ok()?;
            let mut words = text.split(' ');
            Some(Piece::Begins {
                execution: words.next()?.to_owned(),
                stdout: words.next()?.parse().ok()?,
                stderr: words.next()?.parse().ok()?,
            })
        }
        1 => Some(Piece::Stdout(rest.to_vec())),
        2 => Some(Piece::Stderr(rest.to_vec())),
        3 => Some(Piece::Notice(String::from_utf8_lossy(rest).into_owned())),
        _ => None,
    }
}

fn connect(address: (String, u16)) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, HANDSHAKE_MAX) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(HANDSHAKE_MAX))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn failed(client: &Client, error: Error) -> ClientError {
    match error {
        Error::Io(error) => client.failed(error.into()),
        Error::ConnectionClosed | Error::AlreadyClosed => {
            client.failed(io::Error::from(io::ErrorKind::ConnectionReset).into())
        }
        Error::Protocol(_) => {
            client.failed(io::Error::new(io::ErrorKind::ConnectionReset, error.to_string()).into())
        }
        Error::Http(response) => {
            let status = response.status().as_u16();
            let body = response.into_body().unwrap_or_default();
            refusal(status, &body, client.base_url())
        }
        other => client.garbled(other.to_string()),
    }
}
