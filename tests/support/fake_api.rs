//! A REST API that says what a test wants, on a real socket, and remembers what it was asked.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What to answer.
#[derive(Debug)]
pub(crate) enum Say {
    /// A status and a JSON body.
    Json(u16, Value),
    /// A status and any bytes.
    Raw(u16, Vec<u8>),
    /// Close the connection without a word.
    HangUp,
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct FakeApi {
    pub(crate) addr: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeApi {
    /// Answers every request by `say`, one after the other, a connection each.
    pub(crate) fn start(mut say: impl FnMut(&Asked) -> Say + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let addr = listener.local_addr().expect("it has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (log, end) = (Arc::clone(&asked), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let Some((stream, request)) = stream.ok().and_then(read) else {
                    continue;
                };
                log.lock()
                    .expect("no test panics in it")
                    .push(request.clone());
                write(stream, say(&request));
            }
        });
        Self {
            addr,
            asked,
            ended,
            thread: Some(thread),
        }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics in it").clone()
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the accept.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An error envelope (rest-api.md 1.5).
pub(crate) fn refusal(status: u16, message: &str, hint: &str) -> Say {
    let body = json!({
        "Status": status, "Message": message, "RequestID": "", "Code": "BadRequest",
        "Component": "APIServer", "Hint": hint,
    });
    Say::Json(status, body)
}

fn read(stream: TcpStream) -> Option<(TcpStream, Asked)> {
    stream.set_read_timeout(Some(super::wait::LONG)).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some((reader.into_inner(), Asked { method, path, body }))
}

fn write(mut stream: TcpStream, say: Say) {
    let (status, body) = match say {
        Say::Json(status, value) => (status, value.to_string().into_bytes()),
        Say::Raw(status, bytes) => (status, bytes),
        Say::HangUp => return,
    };
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body);
}
