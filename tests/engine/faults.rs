//! Every call against every fault, through the real HTTP client: it ends in time, with the right error, and the client
//! is as good as new afterwards.

use super::{run, spec};
use crate::support::engine::{Endpoint, Fault, Play, ScriptedEngine, Times};
use crate::support::wait;
use codling::engine::{ContainerEngine, Engine, EngineError};
use codling::model::{ContainerId, LogExtent};
use std::time::{Duration, Instant};

/// Calls `endpoint` once through the client.
async fn call(
    client: &ContainerEngine,
    endpoint: Endpoint,
    id: &ContainerId,
) -> Result<(), EngineError> {
    match endpoint {
        Endpoint::Ping | Endpoint::Info => client.connect().await.map(drop),
        Endpoint::Image => client.image("a").await.map(drop),
        Endpoint::Pull => client.pull("far", &mut |_| {}).await,
        Endpoint::Load => {
            let archive = futures_lite::io::Cursor::new(vec![0_u8; 1_000]);
            client.load_image(Box::pin(archive)).await.map(drop)
        }
        Endpoint::List => client.found(&"n-1".into()).await.map(drop),
        Endpoint::Create => client.create(&spec("new", "a")).await.map(drop),
        Endpoint::Inspect => client.inspect(id).await.map(drop),
        Endpoint::Start => client.start(id).await,
        Endpoint::Kill => client.kill(id).await,
        Endpoint::Remove => client.remove(id).await,
        Endpoint::Logs => {
            let mut log = client.logs(id, LogExtent::Present).await?;
            while let Some(chunk) = futures_lite::StreamExt::next(&mut log).await {
                chunk?;
            }
            Ok(())
        }
        other => panic!("{other:?} is tested elsewhere"),
    }
}

const ALL: [Endpoint; 12] = [
    Endpoint::Ping,
    Endpoint::Info,
    Endpoint::Image,
    Endpoint::Pull,
    Endpoint::Load,
    Endpoint::List,
    Endpoint::Create,
    Endpoint::Inspect,
    Endpoint::Start,
    Endpoint::Kill,
    Endpoint::Remove,
    Endpoint::Logs,
];

/// Makes each of `endpoints` go wrong once, each on its own engine and thread, and passes the error on; the same call
/// must work afterwards.
fn each(endpoints: &[Endpoint], fault: &Fault, judge: impl Fn(Endpoint, EngineError) + Sync) {
    std::thread::scope(|scope| {
        for &endpoint in endpoints {
            scope.spawn({
                let judge = &judge;
                move || one(endpoint, fault, judge)
            });
        }
    });
}

fn one(endpoint: Endpoint, fault: &Fault, judge: impl Fn(Endpoint, EngineError)) {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    engine.pullable("far", Play::default());
    let client = engine.client();
    let id = run(engine.client().create(&spec("1", "a"))).unwrap().id;
    engine.fault(endpoint, fault.clone(), Times::Once);
    let began = Instant::now();
    match run(call(&client, endpoint, &id)) {
        Ok(()) => panic!("{endpoint:?} with {fault:?} worked"),
        Err(error) => judge(endpoint, error),
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "{endpoint:?} took {took:?}");
    engine.heal();
    let again = run(call(&client, endpoint, &id));
    assert!(again.is_ok(), "{endpoint:?} after {fault:?}: {again:?}");
}

#[test]
fn a_call_that_hangs_times_out_and_names_itself() {
    each(&ALL, &Fault::Hang, |endpoint, error| {
        assert!(
            matches!(error, EngineError::TimedOut { .. }),
            "{endpoint:?}: {error}"
        );
        assert!(error.is_away());
    });
}

#[test]
fn a_connection_that_is_closed_without_a_reply_is_told_from_a_refusal() {
    each(&ALL, &Fault::Close, |endpoint, error| {
        assert!(
            matches!(error, EngineError::Vanished { .. }),
            "{endpoint:?}: {error}"
        );
    });
}

#[test]
fn half_a_reply_is_not_taken_for_a_whole_one() {
    let with_body: Vec<Endpoint> = ALL
        .into_iter()
        .filter(|e| !matches!(e, Endpoint::Start | Endpoint::Kill | Endpoint::Remove))
        .collect();
    each(&with_body, &Fault::HalfReply, |endpoint, error| {
        // A log's first bytes are no frame; everything else ends early.
        let fits = matches!(error, EngineError::Vanished { .. })
            || endpoint == Endpoint::Logs && matches!(error, EngineError::Garbage { .. });
        assert!(fits, "{endpoint:?}: {error}");
    });
}

#[test]
fn bytes_that_are_not_http_are_garbage() {
    each(&ALL, &Fault::Garbage, |endpoint, error| {
        assert!(
            matches!(error, EngineError::Garbage { .. }),
            "{endpoint:?}: {error}"
        );
    });
}

#[test]
fn a_header_without_end_is_cut_off() {
    each(&ALL, &Fault::HugeHeader, |endpoint, error| {
        assert!(
            matches!(
                error,
                EngineError::TooLarge {
                    what: "the header",
                    ..
                }
            ),
            "{endpoint:?}: {error}"
        );
    });
}

#[test]
fn a_body_without_end_is_cut_off() {
    let with_body = [
        Endpoint::Info,
        Endpoint::Image,
        Endpoint::Pull,
        Endpoint::Load,
        Endpoint::List,
        Endpoint::Create,
        Endpoint::Inspect,
    ];
    each(&with_body, &Fault::EndlessBody, |endpoint, error| {
        assert!(
            matches!(error, EngineError::TooLarge { .. }),
            "{endpoint:?}: {error}"
        );
    });
}

#[test]
fn a_body_that_trickles_takes_no_longer_than_one_that_does_not_come() {
    let bounded = [
        Endpoint::Info,
        Endpoint::Image,
        Endpoint::List,
        Endpoint::Create,
        Endpoint::Inspect,
    ];
    each(
        &bounded,
        &Fault::Trickle(Duration::from_millis(50)),
        |endpoint, error| {
            assert!(
                matches!(error, EngineError::TimedOut { .. }),
                "{endpoint:?}: {error}"
            );
        },
    );
}

#[test]
fn json_of_the_wrong_shape_is_garbage_at_any_depth() {
    let endpoints = [
        Endpoint::Info,
        Endpoint::Image,
        Endpoint::List,
        Endpoint::Create,
        Endpoint::Inspect,
    ];
    let deep = [b"{\"State\":".repeat(50_000), b"1".to_vec()].concat();
    for body in [
        b"{\"Id\": 7}".to_vec(),
        b"<html>".to_vec(),
        b"[[[".repeat(100_000),
        deep,
        Vec::new(),
    ] {
        // An object where a list is wanted, and the reverse.
        let fits: Vec<Endpoint> = endpoints
            .into_iter()
            .filter(|e| *e != Endpoint::Info || !body.starts_with(b"{\"Id"))
            .collect();
        each(&fits, &Fault::Body(body), |endpoint, error| {
            assert!(
                matches!(error, EngineError::Garbage { .. }),
                "{endpoint:?}: {error}"
            );
        });
    }
}

#[test]
fn a_refusal_carries_the_engines_words_on_one_bounded_line() {
    let endpoints = [
        Endpoint::Info,
        Endpoint::Image,
        Endpoint::List,
        Endpoint::Create,
        Endpoint::Inspect,
        Endpoint::Start,
    ];
    each(
        &endpoints,
        &Fault::Status(500, "database\nis locked \x1b[31m"),
        |endpoint, error| match error {
            EngineError::Refused {
                status: 500,
                message,
                ..
            } => {
                assert_eq!(message, "database is locked  [31m", "{endpoint:?}");
            }
            other => panic!("{endpoint:?}: {other}"),
        },
    );
}

/// What Podman 4.3 says of a container that another call removes meanwhile.
const VANISHED: Fault = Fault::Status(
    500,
    "container 748a3f6a does not exist in database: no such container",
);

#[test]
fn a_container_that_is_removed_during_a_call_is_missing_and_the_engine_is_not_away() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    let client = engine.client();
    let id = run(client.create(&spec("1", "a"))).unwrap().id;
    engine.fault(Endpoint::Inspect, VANISHED, Times::Once);
    assert_eq!(run(client.found(&"n-1".into())).unwrap(), []);
    engine.fault(Endpoint::Inspect, VANISHED, Times::Once);
    let error = run(client.await_end(&id)).unwrap_err();
    assert!(
        matches!(error, EngineError::NoSuchContainer { .. }),
        "{error}"
    );
    engine.fault(Endpoint::Kill, VANISHED, Times::Once);
    run(client.kill(&id)).unwrap();
    engine.fault(Endpoint::Remove, VANISHED, Times::Once);
    run(client.remove(&id)).unwrap();
}

#[test]
fn an_id_that_is_a_path_reaches_no_engine() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    for id in [
        "",
        "../images",
        "a/b",
        "a?force=1",
        ".hidden",
        "a b",
        "x\r\nHost: y",
    ] {
        let error = run(client.inspect(&id.into())).unwrap_err();
        assert!(
            matches!(error, EngineError::NoSuchContainer { .. }),
            "{id}: {error}"
        );
    }
    assert_eq!(engine.calls().len(), 0);
}

#[test]
fn an_id_from_an_engine_that_is_none_is_garbage() {
    let engine = ScriptedEngine::start();
    engine.image("a", Play::default());
    engine.fault(
        Endpoint::Create,
        Fault::Body(b"{\"Id\":\"../x\"}".to_vec()),
        Times::Once,
    );
    let error = run(engine.client().create(&spec("1", "a"))).unwrap_err();
    assert!(matches!(error, EngineError::Garbage { .. }), "{error}");
}

#[test]
fn an_archive_that_breaks_off_is_not_the_engines_fault() {
    struct Broken;
    impl futures_lite::AsyncRead for Broken {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut [u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::task::Poll::Ready(Err(std::io::Error::other("the card was pulled out")))
        }
    }
    let engine = ScriptedEngine::start();
    let error = run(engine.client().load_image(Box::pin(Broken))).unwrap_err();
    assert!(matches!(error, EngineError::Source(_)), "{error}");
}

#[test]
fn a_dropped_read_closes_its_connection() {
    let engine = ScriptedEngine::start();
    let client = engine.client();
    engine.fault(Endpoint::List, Fault::Hang, Times::Once);
    let node = "n-1".into();
    let mut found = client.found(&node);
    wait::until("the list is asked for", || {
        run(futures_lite::future::poll_once(&mut found));
        let asked = engine.count(Endpoint::List);
        if asked == 1 { Ok(()) } else { Err(asked) }
    });
    assert_eq!(engine.open_connections(), 1);
    drop(found);
    engine.until("the connection is gone", |e| e.open_connections() == 0);
}
