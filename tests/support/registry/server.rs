//! The part of the Registry v2 API that a pull uses.

use super::{Answers, Shared};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two pieces of a reply that trickles.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes of a piece: the whole of a layer takes longer than any test waits.
const PIECE: usize = 256;

pub(super) fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.ends.load(Ordering::SeqCst) {
            return;
        }
        let (Ok(connection), shared) = (connection, Arc::clone(shared)) else {
            continue;
        };
        std::thread::spawn(move || {
            // An engine may hang up at any time.
            let _ = answer(connection, &shared);
        });
    }
}

/// One request; the connection ends with its reply.
fn answer(mut connection: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let mut reply = Reply {
        connection: &mut connection,
        with_body: method == "GET",
    };
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (repository, kind, reference) = match parts[..] {
        ["v2"] => return reply.send(200, "application/json", b"{}"),
        ["v2", repository, kind, reference] => (repository, kind, reference),
        _ => return reply.refuse(404, "NAME_UNKNOWN", "repository name not known to registry"),
    };
    let found = {
        let mut state = shared.state.lock().unwrap();
        state.requests.push(format!("{method} {path}"));
        state.repositories.get(repository).cloned()
    };
    let (answers, image) = match found {
        Some((Answers::Refusal(status, code, message), _)) => {
            return reply.refuse(status, code, message);
        }
        Some((answers, Some(image))) => (answers, image),
        _ => return reply.refuse(404, "NAME_UNKNOWN", "repository name not known to registry"),
    };
    match kind {
        "manifests" if reference == "latest" || reference == image.manifest.digest => {
            let media_type = "application/vnd.oci.image.manifest.v1+json";
            reply.send(200, media_type, &image.manifest.bytes)
        }
        "blobs" => match image.blobs.iter().position(|blob| blob.digest == reference) {
            Some(index) => {
                let bytes = &image.blobs[index].bytes;
                let is_new = index + 1 == image.blobs.len();
                if is_new && matches!(answers, Answers::Trickling) {
                    reply.trickle(bytes, shared)
                } else {
                    reply.send(200, "application/octet-stream", bytes)
                }
            }
            None => reply.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry"),
        },
        _ => reply.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    }
}

struct Reply<'a> {
    connection: &'a mut TcpStream,
    with_body: bool,
}

impl Reply<'_> {
    fn head(&mut self, status: u16, media_type: &str, length: usize) -> std::io::Result<()> {
        // Podman asks again for two minutes when it is told to slow down, unless it is told for how long.
        let retry = if status == 429 {
            "Retry-After: 1\r\n"
        } else {
            ""
        };
        let asks = if status == 401 {
            "WWW-Authenticate: Basic realm=\"tests\"\r\n"
        } else {
            ""
        };
        let head = format!(
            "HTTP/1.1 {status} scripted\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\
             Docker-Distribution-Api-Version: registry/2.0\r\n{retry}{asks}Connection: close\r\n\r\n"
        );
        self.connection.write_all(head.as_bytes())
    }

    fn send(&mut self, status: u16, media_type: &str, body: &[u8]) -> std::io::Result<()> {
        self.head(status, media_type, body.len())?;
        if self.with_body {
            self.connection.write_all(body)?;
        }
        Ok(())
    }

    fn refuse(&mut self, status: u16, code: &str, message: &str) -> std::io::Result<()> {
        let body = json!({ "errors": [{ "code": code, "message": message }] }).to_string();
        self.send(status, "application/json", body.as_bytes())
    }

    /// The body in small pieces, and the rest at once when it is released.
    fn trickle(&mut self, body: &[u8], shared: &Shared) -> std::io::Result<()> {
        self.head(200, "application/octet-stream", body.len())?;
        self.connection.set_read_timeout(Some(LOOK))?;
        let mut pieces = body.chunks(PIECE);
        let mut sent = 0;
        shared.state.lock().unwrap().trickling += 1;
        let is_given_up = loop {
            let piece = match shared.state.lock().unwrap().released {
                true => &body[sent..],
                false => pieces.next().unwrap_or_default(),
            };
            if self.connection.write_all(piece).is_err() {
                break true;
            }
            sent += piece.len();
            if sent == body.len() || shared.ends.load(Ordering::SeqCst) {
                break false;
            }
            // The engine says nothing more; the end of its side is that it hung up. This is the pause, too.
            match self.connection.read(&mut [0; 1]) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(1) => {}
                Ok(_) | Err(_) => break true,
            }
        };
        let mut state = shared.state.lock().unwrap();
        state.trickling -= 1;
        state.given_up += usize::from(is_given_up);
        Ok(())
    }
}
