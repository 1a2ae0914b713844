//! Clients that vanish at every point: nothing half is decided, and the next client is served.

use super::support::{TestServer, recorded, until};
use super::world::{World, job_id, running};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ALIVE: &str = "/api/v1/agent/alive";
const JOBS: &str = "/api/v1/orchestrator/jobs";

/// How a client leaves.
#[derive(Clone, Copy)]
enum Leaves {
    /// With a word: FIN.
    Politely,
    /// With a reset.
    Rudely,
}

impl Leaves {
    fn of(turn: usize) -> Self {
        if turn.is_multiple_of(2) {
            Self::Politely
        } else {
            Self::Rudely
        }
    }

    fn leave(self, stream: TcpStream) {
        if matches!(self, Self::Rudely) {
            SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
        }
        drop(stream);
    }
}

fn is_well(server: &TestServer) {
    assert_eq!(server.get(ALIVE).status, 200);
}

#[test]
fn a_client_that_vanishes_at_any_byte_of_a_submission_submits_nothing() {
    let server = World::default().serve();
    let body = recorded("submit-request");
    let request = format!(
        "PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for cut in 0..request.len() {
        let mut stream = TcpStream::connect(server.addr).unwrap();
        stream.write_all(&request.as_bytes()[..cut]).unwrap();
        Leaves::of(cut).leave(stream);
    }
    is_well(&server);
    assert_eq!(server.asked(), [], "half a submission is none");
    let mut whole = server.client();
    whole.raw(request.as_bytes());
    whole.reply("PUT").ok();
}

#[test]
fn a_client_that_vanishes_before_during_or_after_its_answer_harms_nobody() {
    let world = (1..=100).fold(World::default(), |world, n| world.with_live(running(n)));
    let server = world.serve();
    let request = format!("GET {JOBS}?limit=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for turn in 0..100 {
        let mut stream = TcpStream::connect(server.addr).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        // 0: not a byte of the answer is read; then ever more of it.
        let mut some = vec![0; turn * 700];
        if turn > 0 {
            let _ = stream.read(&mut some).unwrap();
        }
        Leaves::of(turn).leave(stream);
    }
    is_well(&server);
    server.get(&format!("{JOBS}/{}", job_id(1))).ok();
}

#[test]
fn a_client_that_vanishes_while_the_agent_decides_loses_the_reply_not_the_decision() {
    let server = World::default().with_live(running(1)).serve();
    let body = recorded("submit-request");
    for turn in 0..20 {
        let mut stream = TcpStream::connect(server.addr).unwrap();
        let head = format!(
            "PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        until("the agent is asked", || server.asked().len() > turn);
        Leaves::of(turn).leave(stream);
    }
    is_well(&server);
    assert_eq!(server.asked().len(), 20);
}
