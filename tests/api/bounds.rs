//! Clients that take too much, too long or leave: each bound holds, and the next client is served.

use super::support::{Client, JSON, TestServer, Then, recorded, until};
use super::world::{World, job_id, running};
use codling::api::{BindError, Limits, bind};
use codling::model::StoreAnswer;
use std::io::Write;
use std::time::{Duration, Instant};

const ALIVE: &str = "/api/v1/agent/alive";
const JOBS: &str = "/api/v1/orchestrator/jobs";

#[track_caller]
fn is_well(server: &TestServer) {
    assert_eq!(server.get(ALIVE).status, 200);
}

fn small() -> Limits {
    Limits {
        body_bytes: 10_000,
        bodies_bytes: 15_000,
        ..Limits::STANDARD
    }
}

#[test]
fn an_address_in_use_and_one_that_is_not_ours_are_told_apart() {
    let server = World::default().serve();
    match bind(server.addr) {
        Err(BindError::AddressInUse { addr }) => assert_eq!(addr, server.addr),
        other => panic!("{other:?}"),
    }
    // TEST-NET-1: no machine has it.
    let elsewhere = "192.0.2.1:0".parse().unwrap();
    assert!(matches!(
        bind(elsewhere),
        Err(BindError::NotAvailable { .. })
    ));
}

#[test]
fn a_head_that_is_too_large_is_431() {
    let server = World::default().serve();
    let mut client = server.client();
    client.raw(b"GET / HTTP/1.1\r\n");
    let line = format!("X-Filler: {}\r\n", "x".repeat(1_000));
    for _ in 0..17 {
        client.raw(line.as_bytes());
    }
    let message = client.reply("GET").refused(431, "BadRequest");
    assert!(message.contains("16384"), "{message}");
    let mut many = server.client();
    let fields: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    many.raw(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes());
    many.reply("GET").refused(431, "BadRequest");
    let mut endless = server.client();
    endless.raw(b"GET / HTTP/1.1\r\nX-Filler: ");
    until("the server says that it is enough", || {
        endless.stream.write_all(&[b'x'; 512]).is_err() || {
            endless.stream.set_nonblocking(true).unwrap();
            let answered = endless.stream.peek(&mut [0]).is_ok();
            endless.stream.set_nonblocking(false).unwrap();
            answered
        }
    });
    endless.reply("GET").refused(431, "BadRequest");
    endless.closed();
    is_well(&server);
}

#[test]
fn a_slow_head_is_408_and_an_idle_connection_is_closed_in_time() {
    let limits = Limits {
        head_time: Duration::from_millis(200),
        ..Limits::STANDARD
    };
    let server = World::default().serve_within(limits);
    let start = Instant::now();
    let mut slow = server.client();
    slow.raw(b"GET /api/v1/agent/alive HTTP/1.1\r\nHo");
    let mut silent = server.client();
    let mut idle = server.client();
    assert_eq!(idle.send("GET", ALIVE, &[], b"").status, 200);
    let message = slow.reply("GET").refused(408, "TimeOut");
    assert!(message.contains("head"), "{message}");
    slow.closed();
    silent.closed();
    idle.closed();
    assert!(start.elapsed() >= Duration::from_millis(200));
    is_well(&server);
}

#[test]
fn a_huge_declared_length_is_413_at_once_and_costs_nothing() {
    let server = World::default().serve();
    let mut client = server.client();
    client.raw(
        format!("PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 107374182400\r\n\r\n")
            .as_bytes(),
    );
    let message = client.reply("PUT").refused(413, "BadRequest");
    assert!(message.contains("10485760"), "{message}");
    let mut polite = server.client();
    polite.raw(
        format!("PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n")
            .as_bytes(),
    );
    polite.reply("PUT").refused(413, "BadRequest");
    assert_eq!(server.asked(), []);
    is_well(&server);
}

#[test]
fn a_client_that_sends_its_whole_refused_body_still_sees_the_refusal() {
    let server = World::default().serve_within(small());
    let body = vec![b'x'; 500_000];
    let reply = server.client().send("PUT", JOBS, &[JSON], &body);
    reply.refused(413, "BadRequest");
    is_well(&server);
}

#[test]
fn a_client_that_sends_twice_what_a_body_may_hold_sees_the_refusal_and_no_reset() {
    let limits = Limits {
        // A loaded machine may take its time.
        linger_time: Duration::from_secs(60),
        ..Limits::STANDARD
    };
    let server = World::default().serve_within(limits);
    let body = vec![b'x'; 2 * limits.body_bytes];
    let reply = server.client().send("PUT", JOBS, &[JSON], &body);
    reply.refused(413, "BadRequest");
    is_well(&server);
}

#[test]
fn a_chunked_body_is_counted_as_it_comes() {
    let server = World::default().serve_within(small());
    let mut client = server.client();
    client.raw(
        format!("PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            .as_bytes(),
    );
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    for _ in 0..10 {
        client.raw(chunk.as_bytes());
    }
    client.reply("PUT").refused(413, "BadRequest");
    // A good one is read.
    let body = recorded("submit-request");
    let mut client = server.client();
    client.raw(
        format!("PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
            .as_bytes(),
    );
    client.reply("PUT").ok();
}

#[test]
fn garbage_is_400_or_closed_and_harms_nobody() {
    let server = World::default().serve();
    let put =
        format!("PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    for garbage in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!("{put}Content-Length: -1\r\n\r\n"),
        format!("{put}Content-Length: 99999999999999999999\r\n\r\n"),
        format!("{put}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\nzz\r\nnonsense\r\n"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
        "\r\n".repeat(10_000),
    ] {
        let mut client = server.client();
        let _ = client.stream.write_all(garbage.as_bytes());
        client.shut_writing();
        if let Some(reply) = client.try_reply("GET") {
            assert!([400, 431].contains(&reply.status), "{garbage:?}: {reply:?}");
            reply.refused(reply.status, "BadRequest");
        }
    }
    assert_eq!(server.asked(), []);
    is_well(&server);
}

#[test]
fn what_never_became_a_request_is_refused_in_the_envelope_too() {
    let server = World::default().serve();
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(70_000));
    for (request, status) in [
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("G E T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (long.as_str(), 431),
    ] {
        let mut client = server.client();
        // The refusal may come while the rest is still being written.
        let _ = client.stream.write_all(request.as_bytes());
        client.reply("GET").refused(status, "BadRequest");
    }
    // After an answer on the same connection too.
    let mut client = server.client();
    client
        .raw(format!("GET {ALIVE} HTTP/1.1\r\nHost: localhost\r\n\r\nGARBAGE\r\n\r\n").as_bytes());
    assert_eq!(client.reply("GET").status, 200);
    client.reply("GET").refused(400, "BadRequest");
    client.closed();
    is_well(&server);
}

#[test]
fn deep_and_wide_documents_are_refused_not_followed() {
    let server = World::default().serve();
    for body in [
        "[".repeat(1_000_000),
        format!("[{}0]", "0,".repeat(1_000_000)),
    ] {
        server.put(JOBS, &body).refused(400, "BadRequest");
    }
    is_well(&server);
}

#[test]
fn a_body_that_comes_too_slowly_is_408() {
    let limits = Limits {
        body_time: Duration::from_millis(100),
        ..Limits::STANDARD
    };
    let server = World::default().serve_within(limits);
    let mut client = server.client();
    client.raw(
        format!("PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{")
            .as_bytes(),
    );
    client.reply("PUT").refused(408, "TimeOut");
}

#[test]
fn all_bodies_together_are_bounded_and_given_back() {
    let server = World::default().serve_within(small());
    let head = format!(
        "PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n"
    );
    let mut holding = server.client();
    holding.raw(head.as_bytes()).raw(&vec![b' '; 8_999]);
    let mut last = 0;
    until("the bodies are too many together", || {
        let reply = server
            .client()
            .send("PUT", JOBS, &[JSON], &vec![b' '; 9_000]);
        last = reply.status;
        last == 503
    });
    holding.raw(b" ");
    assert_eq!(holding.reply("PUT").status, 400, "only blanks are not JSON");
    assert_eq!(
        server
            .client()
            .send("PUT", JOBS, &[JSON], &vec![b' '; 9_000])
            .status,
        400,
        "there is room again"
    );
}

#[test]
fn three_hundred_connections_leave_room_for_the_next_one() {
    let server = World::default().serve();
    let mut clients: Vec<Client> = (0..300).map(|_| server.client()).collect();
    is_well(&server);
    let served = clients
        .iter_mut()
        .filter_map(|client| {
            let request = format!("GET {ALIVE} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            // The oldest were closed to make room; writing to them may fail.
            client.stream.write_all(request.as_bytes()).ok()?;
            client.try_reply("GET")
        })
        .filter(|reply| reply.status == 200)
        .count();
    assert!((200..=256).contains(&served), "{served}");
    is_well(&server);
}

#[test]
fn connections_in_the_middle_of_a_head_do_not_keep_others_out() {
    let limits = Limits {
        connections: 4,
        ..Limits::STANDARD
    };
    let server = World::default().serve_within(limits);
    let mut answered: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for client in &mut answered {
        assert_eq!(client.send("GET", ALIVE, &[], b"").status, 200);
        client.raw(b"GET / HT");
    }
    let start = Instant::now();
    is_well(&server);
    assert!(
        start.elapsed() < Limits::STANDARD.head_time,
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn when_all_connections_are_busy_the_next_client_waits_for_an_answer_not_for_ever() {
    let limits = Limits {
        connections: 2,
        answer_time: Duration::from_millis(300),
        ..Limits::STANDARD
    };
    let server = TestServer::with_limits(
        Box::new(|_| Then::Hold),
        Box::new(|_| StoreAnswer::Unavailable),
        limits,
    );
    let mut busy: Vec<Client> = (0..2).map(|_| server.client()).collect();
    for client in &mut busy {
        client.raw(b"GET /api/v1/agent/node HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    until("both are asked", || server.asked().len() == 2);
    is_well(&server);
    for client in &mut busy {
        client.reply("GET").refused(503, "ServiceUnavailable");
    }
}

#[test]
fn clients_that_vanish_lose_their_reply_and_nothing_else() {
    let server = World::default().with_live(running(1)).serve();
    let body = recorded("submit-request");
    for round in 0..100 {
        let mut client = server.client();
        client.raw(
            format!(
                "PUT {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )
            .as_bytes(),
        );
        if round % 2 == 0 {
            client.raw(body.as_bytes());
        }
    }
    until("the whole submissions reach the agent", || {
        server.asked().len() == 50
    });
    server.get(&format!("{JOBS}/{}", job_id(1))).ok();
}

#[test]
fn a_client_that_reads_nothing_is_cut() {
    let limits = Limits {
        connections: 1,
        write_time: Duration::from_millis(500),
        ..Limits::STANDARD
    };
    let world = (1..=200).fold(World::default(), |world, n| world.with_live(running(n)));
    let server = world.serve_within(limits);
    let mut deaf = server.client();
    deaf.stream
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let request = format!("GET {JOBS}?limit=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // Ask until the server no longer reads because its answers are not taken.
    until("the server stops reading", || {
        deaf.stream
            .write_all(request.repeat(100).as_bytes())
            .is_err()
    });
    is_well(&server);
}
