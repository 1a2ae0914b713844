//! Ports that are taken, machines that are full, strangers that are hostile, readers that are slow.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use codling::swarm::{BindError, HostEvent, bind, parse_peer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::support::{Home, block_on, connected, event, peers_until};

#[test]
fn a_port_that_another_program_has_is_a_typed_error_naming_the_address() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = taken.local_addr().unwrap();
    let wildcard = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), at.port());
    for wanted in [at, wildcard] {
        let error = bind(wanted).unwrap_err();
        assert!(
            matches!(error, BindError::AddressInUse { addr } if addr == wanted),
            "{error}"
        );
        assert!(error.to_string().contains(&wanted.to_string()), "{error}");
    }
}

#[test]
fn a_wildcard_is_refused_when_only_its_ipv6_half_is_taken() {
    // Without IPv6 there is no such half.
    let Ok(taken) = bind((Ipv6Addr::LOCALHOST, 0).into()) else {
        return;
    };
    let port = taken.addresses().next().unwrap().port();
    let error = bind((Ipv4Addr::UNSPECIFIED, port).into()).unwrap_err();
    assert!(
        matches!(error, BindError::AddressInUse { addr } if addr.is_ipv6()),
        "{error}"
    );
}

#[test]
fn two_nodes_never_share_a_port_though_dials_leave_from_it() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let second = two.start(
            &executor,
            "127.0.0.1:0",
            vec![one.address(first.bound()[0])],
        );
        let from = connected(&first, &second).await;
        let at = second.bound()[0];
        assert_eq!(from, format!("/ip4/127.0.0.1/tcp/{}", at.port()));
        let error = bind(at).unwrap_err();
        assert!(matches!(error, BindError::AddressInUse { .. }), "{error}");
    });
}

#[test]
fn an_address_of_another_machine_is_a_typed_error() {
    let error = bind("192.0.2.7:0".parse().unwrap()).unwrap_err();
    assert!(matches!(error, BindError::AddressNotHere { .. }), "{error}");
}

/// A stranger that says `text` and then nothing.
fn stranger(at: SocketAddr, text: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(text).unwrap();
    stream
}

#[test]
fn garbage_and_half_open_connections_keep_nobody_out() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let at = first.bound()[0];
        let http = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n";
        let header = b"\x13/multistream/1.0.0\n";
        let endless = [0xff; 70_000];
        let mut strangers = Vec::new();
        for text in [
            &b""[..],
            http,
            header,
            b"\x00",
            &endless[..10],
            &header[..7],
        ] {
            strangers.extend([(); 3].map(|()| stranger(at, text)));
        }
        for _ in 0..40 {
            drop(stranger(at, http));
        }
        let second = two.start(&executor, "127.0.0.1:0", vec![one.address(at)]);
        connected(&first, &second).await;
        peers_until(&first, |peers| {
            peers.iter().all(|peer| peer.round_trip.is_some())
        })
        .await;
        drop(strangers);
    });
}

#[test]
fn more_half_open_connections_than_there_is_room_for_only_delay_a_peer() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let at = first.bound()[0];
        let strangers: Vec<TcpStream> = (0..100).map(|_| stranger(at, b"")).collect();
        let second = two.start(&executor, "127.0.0.1:0", vec![one.address(at)]);
        connected(&first, &second).await;
        // Those without room were closed at once, the others in time: none is left.
        for mut stream in strangers {
            // A reset is as good an end as a close.
            let _ = stream.read(&mut [0]);
        }
    });
}

#[test]
fn a_reader_that_is_slow_loses_no_event() {
    const ROUNDS: usize = 40;
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let at = one.address(first.bound()[0]);
        let rounds = executor.spawn({
            let executor = executor.clone();
            let first_id = first.node_id().clone();
            async move {
                for _ in 0..ROUNDS {
                    let second = two.start(&executor, "127.0.0.1:0", vec![at.clone()]);
                    event(&second, |event| match event {
                        HostEvent::PeerConnected { peer, .. } => (*peer == first_id).then_some(()),
                        _ => None,
                    })
                    .await;
                    second.stop().await;
                }
            }
        });
        let events = first.events();
        while !events.is_full() {
            futures_lite::future::yield_now().await;
        }
        let (mut came, mut went) = (0, 0);
        while came < ROUNDS || went < ROUNDS {
            let (one, other) = event(&first, |event| match event {
                HostEvent::PeerConnected { .. } => Some((1, 0)),
                HostEvent::PeerDisconnected { .. } => Some((0, 1)),
                _ => None,
            })
            .await;
            came += one;
            went += other;
            assert!(went <= came, "{came} connected, {went} disconnected");
        }
        rounds.await;
    });
}

/// Set for the process that fills its own file table, so that the other tests keep theirs.
const CHILD: &str = "CODLING_TEST_FULL_FILE_TABLE";
/// Begins the lines of that process that are meant for its parent.
const SAYS: &str = "child says ";

#[test]
fn a_listener_survives_a_full_file_table() {
    if std::env::var_os(CHILD).is_some() {
        return child_with_a_full_file_table();
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "swarm::faults::a_listener_survives_a_full_file_table",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| meet(&mut child)));
    let _ = child.kill();
    child.wait().unwrap();
    outcome.unwrap();
}

/// The parent's part: knocks while the child has no room, then lets it have room and comes in.
fn meet(child: &mut Child) {
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = |beginning: &str| loop {
        let line = lines.next().expect("the child ended").unwrap();
        // The test runner leaves its own words on the same line.
        let Some((_, words)) = line.split_once(SAYS) else {
            continue;
        };
        if let Some(rest) = words.strip_prefix(beginning) {
            return rest.to_owned();
        }
    };
    let at: SocketAddr = said("full at ").parse().unwrap();
    let id = said("node ");
    let knocking = TcpStream::connect(at).unwrap();
    said("no room to accept peers");

    stdin.write_all(b"free\n").unwrap();
    block_on(|executor| async move {
        let home = Home::new();
        let peer = parse_peer(&format!("/ip4/{}/tcp/{}/p2p/{id}", at.ip(), at.port())).unwrap();
        let host = home.start(&executor, "127.0.0.1:0", vec![peer]);
        event(&host, |event| match event {
            HostEvent::PeerConnected { .. } => Some(()),
            HostEvent::PeerUnreachable { reason, .. } => panic!("{reason}"),
            _ => None,
        })
        .await;
    });
    drop(knocking);
}

/// The child's part: a node whose process has no file left, until its parent says `free`.
fn child_with_a_full_file_table() {
    log::set_logger(&SayWarnings).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let (freed, free) = async_channel::bounded(1);
    let parent = move || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        freed.send_blocking(()).unwrap();
    };
    let parent = std::thread::Builder::new().spawn(parent).unwrap();
    block_on(|executor| async move {
        let home = Home::new();
        let host = home.start(&executor, "127.0.0.1:0", vec![]);
        event(&host, |event| {
            matches!(event, HostEvent::Listening { .. }).then_some(())
        })
        .await;

        let limit = Rlimit {
            current: Some(64),
            ..getrlimit(Resource::Nofile)
        };
        setrlimit(Resource::Nofile, limit).unwrap();
        let mut files = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        say(format_args!("full at {}", host.bound()[0]));
        say(format_args!("node {}", host.node_id()));
        free.recv().await.unwrap();
        drop(files);
        // Lives until the parent has what it wants and kills it.
        std::future::pending::<()>().await;
    });
    parent.join().unwrap();
}

fn say(words: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{SAYS}{words}").unwrap();
    out.flush().unwrap();
}

/// Lets the parent read what the node warns of.
struct SayWarnings;

impl log::Log for SayWarnings {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            say(*record.args());
        }
    }

    fn flush(&self) {}
}
