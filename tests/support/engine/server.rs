//! The socket: a thread that accepts, a thread per connection, one request each.

use super::container::{self, OnFollow};
use super::faults::{self, Fault};
use super::routes::{self, Answer, Request};
use super::{Kind, Shared, State};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// What is being served.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// Counts up with every stop, so that what belongs to an earlier life ends.
    life: u64,
    accepts: bool,
    connections: Vec<UnixStream>,
    pub(super) open: usize,
}

/// Listens on the socket, with a thread.
pub(super) fn serve(shared: &Arc<Shared>) {
    let listener = UnixListener::bind(&shared.socket).unwrap();
    let life = {
        let mut state = shared.lock();
        state.serving.accepts = true;
        state.serving.life
    };
    let shared = Arc::clone(shared);
    let accept = move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let mut state = shared.lock();
            if !state.serving.accepts || state.serving.life != life {
                return;
            }
            state.serving.connections.push(stream.try_clone().unwrap());
            let shared = Arc::clone(&shared);
            // A client that hangs up is no news here.
            let talk = move || {
                let socket = stream.try_clone().unwrap();
                drop(converse(&shared, stream, life));
                // Not only closed: `connections` holds another handle of it.
                let _ = socket.shutdown(Shutdown::Both);
                shared.lock().serving.open -= 1;
                shared.changed.notify_all();
            };
            state.serving.open += 1;
            std::thread::Builder::new()
                .name("scripted engine call".into())
                .spawn(talk)
                .unwrap();
        }
    };
    std::thread::Builder::new()
        .name("scripted engine".into())
        .spawn(accept)
        .unwrap();
}

/// Closes the socket and all connections.
pub(super) fn stop(shared: &Arc<Shared>) {
    let connections = {
        let mut state = shared.lock();
        if !state.serving.accepts {
            return;
        }
        state.serving.accepts = false;
        state.serving.life += 1;
        std::mem::take(&mut state.serving.connections)
    };
    // Wakes the accepting thread.
    drop(UnixStream::connect(&shared.socket));
    let _ = std::fs::remove_file(&shared.socket);
    for connection in connections {
        let _ = connection.shutdown(Shutdown::Both);
    }
    shared.changed.notify_all();
}

/// Waits until `condition` holds or the engine's life ends.
fn wait_until(
    shared: &Shared,
    life: u64,
    condition: impl Fn(&State) -> bool,
) -> MutexGuard<'_, State> {
    let mut state = shared.lock();
    while state.serving.life == life && !condition(&state) {
        state = shared.changed.wait(state).unwrap();
    }
    state
}

fn converse(shared: &Arc<Shared>, mut stream: UnixStream, life: u64) -> std::io::Result<()> {
    let Some(request) = read_request(&mut stream)? else {
        return Ok(());
    };
    let endpoint = request.endpoint();
    let (fault, kind, api_version) = {
        let mut state = shared.lock();
        state
            .calls
            .push((endpoint, format!("{} {}", request.method, request.target)));
        let fault = faults::take(&mut state.faults, endpoint);
        (fault, state.kind, state.api_version.clone())
    };
    shared.changed.notify_all();
    let answer = || {
        let answer = routes::answer(shared, &request);
        shared.changed.notify_all();
        answer
    };
    let headers = headers(kind, &api_version);
    match fault {
        None => send(shared, &mut stream, life, &headers, answer()),
        Some(Fault::Hang) => hang(&mut stream),
        Some(Fault::DoAndHang) => {
            answer();
            hang(&mut stream)
        }
        Some(Fault::Held) => {
            let answer = answer();
            drop(wait_until(shared, life, |state| state.held_replies_go));
            send(shared, &mut stream, life, &headers, answer)
        }
        Some(Fault::Close) => Ok(()),
        Some(Fault::DoAndClose) => {
            answer();
            Ok(())
        }
        Some(Fault::HalfReply) => {
            stream.write_all(
                format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 1000\r\n\r\n{{\"Id\": ")
                    .as_bytes(),
            )?;
            stream.shutdown(Shutdown::Write)?;
            hang(&mut stream)
        }
        Some(Fault::Garbage) => stream.write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n"),
        Some(Fault::Body(body)) => send(
            shared,
            &mut stream,
            life,
            &headers,
            Answer::Bytes(200, body),
        ),
        Some(Fault::HugeHeader) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX-Huge: ")?;
            loop {
                stream.write_all(&[b'x'; 4096])?;
            }
        }
        Some(Fault::EndlessBody) => {
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{headers}\r\n[").as_bytes())?;
            loop {
                stream.write_all(&[b' '; 65_536])?;
            }
        }
        Some(Fault::Trickle(pause)) => {
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes())?;
            loop {
                stream.write_all(b" ")?;
                drop(shared.changed.wait_timeout(shared.lock(), pause).unwrap());
            }
        }
        Some(Fault::Status(status, message)) => send(
            shared,
            &mut stream,
            life,
            &headers,
            Answer::error(status, message),
        ),
    }
}

/// Sends a log as it grows.
fn follow(
    shared: &Shared,
    stream: &mut UnixStream,
    life: u64,
    id: &str,
    on_follow: OnFollow,
) -> std::io::Result<()> {
    let most = match on_follow {
        OnFollow::EndsAfter(bytes) => bytes,
        OnFollow::EndsWithTheContainer | OnFollow::StaysOpen | OnFollow::Slowly(_) => usize::MAX,
    };
    let (at_once, pause) = match on_follow {
        OnFollow::Slowly(pause) => (6, pause),
        _ => (usize::MAX, Duration::ZERO),
    };
    let mut sent = [0; 2];
    loop {
        let mut state = shared.lock();
        let Some(container) = state.containers.get(id) else {
            return Ok(());
        };
        let is_over = !container.runs() && on_follow != OnFollow::StaysOpen;
        let mut more = Vec::new();
        for number in [1, 2] {
            let which = usize::from(number - 1);
            let mut new = container.printed_after(number, sent[which]);
            new.truncate(at_once.min(most - sent[0] - sent[1]));
            sent[which] += new.len();
            more.extend(container::frames(number, &new));
        }
        if state.serving.life != life {
            return Ok(());
        }
        if !more.is_empty() {
            drop(state);
            stream.write_all(&more)?;
            pass(shared, pause);
        } else if is_over || sent[0] + sent[1] == most {
            return Ok(());
        } else {
            // A command that prints by itself does not signal.
            let pause = Duration::from_millis(20);
            (state, _) = shared.changed.wait_timeout(state, pause).unwrap();
            drop(state);
            if has_left(stream) {
                return Ok(());
            }
        }
    }
}

/// Lets this much time go by.
fn pass(shared: &Shared, pause: Duration) {
    let until = Instant::now() + pause;
    while let left = until.saturating_duration_since(Instant::now())
        && !left.is_zero()
    {
        drop(shared.changed.wait_timeout(shared.lock(), left).unwrap());
    }
}

/// Whether the client has closed its side; it says nothing while it reads.
fn has_left(stream: &UnixStream) -> bool {
    use rustix::net::{RecvFlags, recv};
    let mut byte = [0; 1];
    matches!(
        recv(stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT),
        Ok((0, _))
    )
}

/// Until the client goes away, or the engine.
fn hang(stream: &mut UnixStream) -> std::io::Result<()> {
    let mut rest = [0; 1024];
    while stream.read(&mut rest)? > 0 {}
    Ok(())
}

fn headers(kind: Kind, api_version: &str) -> String {
    let server = match kind {
        Kind::Podman => "Libpod-Api-Version: 4.3.1\r\nServer: Libpod/4.3.1 (linux)\r\n",
        Kind::Docker => "Ostype: linux\r\nServer: Docker/29.0.0 (linux)\r\n",
    };
    format!("Api-Version: {api_version}\r\n{server}")
}

fn send(
    shared: &Arc<Shared>,
    stream: &mut UnixStream,
    life: u64,
    headers: &str,
    answer: Answer,
) -> std::io::Result<()> {
    match answer {
        Answer::Bytes(status @ (204 | 304), _) => {
            stream.write_all(format!("HTTP/1.1 {status} Done\r\n{headers}\r\n").as_bytes())
        }
        Answer::Bytes(status, body) => {
            let length = body.len();
            stream.write_all(
                format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\n\r\n")
                    .as_bytes(),
            )?;
            stream.write_all(&body)
        }
        // Both engines send it chunked, a frame a chunk.
        Answer::Log(log) => {
            let head = "HTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n";
            let mut body = format!("{head}{headers}\r\n").into_bytes();
            let mut rest = log.as_slice();
            while let Some(length) = rest.get(4..8) {
                let length = u32::from_be_bytes(length.try_into().unwrap());
                let (frame, after) = rest.split_at(8 + usize::try_from(length).unwrap());
                body.extend(format!("{:x}\r\n", frame.len()).as_bytes());
                body.extend(frame);
                body.extend(b"\r\n");
                rest = after;
            }
            body.extend(b"0\r\n\r\n");
            stream.write_all(&body)
        }
        Answer::WhenEnded(id, grace) => {
            let deadline = Instant::now() + grace;
            let runs = |state: &State| state.containers.get(&id).is_some_and(|c| c.runs());
            let mut state = shared.lock();
            while state.serving.life == life && runs(&state) {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero()
                    && let Some(container) = state.containers.get_mut(&id)
                {
                    container.kill();
                }
                let pause = left.max(Duration::from_millis(10));
                state = shared.changed.wait_timeout(state, pause).unwrap().0;
            }
            drop(state);
            send(
                shared,
                stream,
                life,
                headers,
                Answer::Bytes(204, Vec::new()),
            )
        }
        Answer::Follow(id, on_follow) => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n")?;
            follow(shared, stream, life, &id, on_follow)
        }
        Answer::UntilEnded(id) => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
            )?;
            drop(wait_until(shared, life, |state| {
                state.containers.get(&id).is_none_or(|c| !c.runs())
            }));
            Ok(())
        }
    }
}

/// The request with its whole body; `None` if the client went away before.
fn read_request(stream: &mut UnixStream) -> std::io::Result<Option<Request>> {
    // A client that stays silent must not keep the thread for ever.
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut data = Vec::new();
    let mut chunk = [0; 16_384];
    let head_end = loop {
        if let Some(end) = data.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            length => data.extend_from_slice(&chunk[..length]),
        }
    };
    let head = String::from_utf8_lossy(&data[..head_end]).into_owned();
    let mut body = data.split_off(head_end);
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let done = |body: &[u8]| match header("Content-Length") {
        Some(length) => body.len() >= length.parse::<usize>().unwrap(),
        None if header("Transfer-Encoding").is_some() => body.ends_with(b"0\r\n\r\n"),
        None => true,
    };
    while !done(&body) {
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            length => body.extend_from_slice(&chunk[..length]),
        }
    }
    stream.set_read_timeout(None)?;
    let mut words = head.split(' ');
    let (method, target) = (
        words.next().unwrap().to_owned(),
        words.next().unwrap().to_owned(),
    );
    Ok(Some(Request {
        method,
        target,
        body,
    }))
}
