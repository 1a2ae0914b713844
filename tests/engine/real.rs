//! The client on the real engines, set up by `scripts/engine`: each case on each.

use super::run;
use crate::support::engines::{Real, image_archive, on_real_engines};
use crate::support::jobs::IMAGE;
use codling::engine::{
    ContainerEngine, ContainerSpec, ContainerState, EndWatch, Engine, EngineError, EngineKind,
    LogRotation, PullCause, SocketSearch, StopCause,
};
use codling::model::{
    ContainerId, DockerSpec, JOB_OUTPUT_MAX_DEFAULT, JOB_OUTPUT_MAX_LEAST, LogExtent, Resources,
};
use futures_lite::StreamExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

on_real_engines! {
    a_real_engine_says_what_it_is,
    exit_codes_and_every_byte_of_both_streams_come_back,
    long_output_is_cut_at_its_first_bytes_and_marked,
    lines_longer_than_an_engines_pieces_keep_their_ends,
    a_log_that_was_rotated_marks_both_streams_even_if_little_is_left,
    the_restrictions_hold_inside_the_container,
    environment_command_and_working_directory_arrive,
    a_job_beyond_its_memory_is_recognised,
    a_missing_image_and_a_missing_command_are_typed,
    creating_twice_is_creating_once_on_a_real_engine,
    a_container_that_was_not_started_tells_the_image_that_it_was_made_from,
    a_new_life_of_the_program_finds_its_containers_and_only_those,
    the_end_is_known_soon_after_it_happens,
    without_a_pidfd_the_end_comes_from_the_engine_with_the_same_code_and_every_byte,
    a_container_that_ignores_the_request_to_end_is_ended_by_force,
    a_running_container_is_removed_at_once_and_leaves_nothing,
    an_archive_is_loaded_and_named,
    of_200_mb_of_output_the_tail_that_the_engine_kept_is_exact_and_called_truncated,
    a_stream_that_is_closed_early_is_kept_and_the_end_is_still_awaited,
    two_interleaved_streams_keep_their_own_order,
}

fn engine(on: Real) -> ContainerEngine {
    ContainerEngine::new(&SocketSearch::only(on.socket()))
}

/// The first bytes of a stream, and whether it was cut.
type First = (Vec<u8>, bool);

/// A node of its own per test, so that tests that run at once do not see each other. Removes its containers.
struct Bench {
    engine: ContainerEngine,
    node: String,
    made: AtomicU32,
}

impl Bench {
    fn new(on: Real, test: &str) -> Self {
        Self {
            engine: engine(on),
            node: format!("n-{test}-{}", std::process::id()),
            made: AtomicU32::new(0),
        }
    }

    /// A container that runs `script` in a shell.
    fn spec(&self, script: &str) -> ContainerSpec {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        ContainerSpec {
            node: self.node.as_str().into(),
            job: "j-1".into(),
            execution: format!("e-{}-{number}", self.node).as_str().into(),
            run: DockerSpec {
                image: IMAGE.into(),
                parameters: ["sh", "-c", script].map(str::to_owned).to_vec(),
                ..DockerSpec::default()
            },
            environment: Vec::new(),
            limits: Resources {
                cpu_millis: 500,
                memory_bytes: 64 << 20,
                disk_bytes: 0,
                gpus: 0,
            },
            capabilities: Vec::new(),
            output_max_bytes: JOB_OUTPUT_MAX_DEFAULT,
        }
    }

    async fn start(&self, spec: &ContainerSpec) -> ContainerId {
        let id = self.engine.create(spec).await.unwrap().id;
        self.engine.start(&id).await.unwrap();
        id
    }

    /// Runs `script` to its end: exit code, then both streams with whether they were cut.
    fn play(&self, script: &str) -> (i64, First, First) {
        self.play_spec(&self.spec(script))
    }

    /// What the log holds of both streams.
    async fn log(&self, id: &ContainerId, extent: LogExtent) -> Vec<u8> {
        let mut held = Vec::new();
        let mut log = self.engine.logs(id, extent).await.unwrap();
        while let Some(chunk) = log.next().await {
            held.extend_from_slice(&chunk.unwrap().bytes);
        }
        held
    }

    fn play_spec(&self, spec: &ContainerSpec) -> (i64, First, First) {
        run(async {
            let id = self.start(spec).await;
            let end = self.engine.await_end(&id).await.unwrap();
            let output = self.engine.output(&id, end.log_rotation).await.unwrap();
            let (out, err) = (output.stdout, output.stderr);
            (
                end.exit_code,
                (out.bytes.to_vec(), out.truncated),
                (err.bytes.to_vec(), err.truncated),
            )
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        run(async {
            for container in self.engine.found(&self.node.as_str().into()).await.unwrap() {
                self.engine.remove(&container.id).await.unwrap();
            }
        });
    }
}

fn a_real_engine_says_what_it_is(on: Real) {
    let profile = run(engine(on).connect()).unwrap();
    let kind = match on {
        Real::Podman => EngineKind::Podman,
        Real::Docker => EngineKind::Docker,
    };
    assert_eq!(profile.kind, kind);
    assert!(profile.cores > 0 && profile.memory_bytes > 0);
    assert!(matches!(profile.cgroup_version, 1 | 2));
}

fn exit_codes_and_every_byte_of_both_streams_come_back(on: Real) {
    let bench = Bench::new(on, "bytes");
    let (code, out, err) = bench.play("printf '\\377\\000x'; printf 'no newline' >&2; exit 42");
    assert_eq!(code, 42);
    assert_eq!(out, (b"\xff\0x".to_vec(), false));
    assert_eq!(err, (b"no newline".to_vec(), false));
    assert_eq!(bench.play("true"), (0, (vec![], false), (vec![], false)));
}

fn long_output_is_cut_at_its_first_bytes_and_marked(on: Real) {
    let bench = Bench::new(on, "long");
    let (_, out, err) = bench
        .play("head -c 100000 /dev/zero | tr '\\0' a; head -c 2048 /dev/zero | tr '\\0' b >&2");
    assert_eq!(out, (vec![b'a'; 2_048], true));
    assert_eq!(err, (vec![b'b'; 2_048], false));
}

fn lines_longer_than_an_engines_pieces_keep_their_ends(on: Real) {
    let bench = Bench::new(on, "pieces");
    // Pieces are of 16 KiB: one line ends inside of one, one at its end.
    let script = "head -c 40000 /dev/zero; echo; head -c 32768 /dev/zero; echo; printf end";
    let wanted = [&[0; 40_000][..], b"\n", &[0; 32_768], b"\nend"].concat();
    run(async {
        let id = bench.start(&bench.spec(script)).await;
        bench.engine.await_end(&id).await.unwrap();
        for extent in [LogExtent::Present, LogExtent::ToTheEnd] {
            let log = bench.log(&id, extent).await;
            assert_eq!(log.len(), wanted.len(), "{extent:?}");
            assert!(log == wanted, "{extent:?}");
        }
    });
}

fn a_log_that_was_rotated_marks_both_streams_even_if_little_is_left(on: Real) {
    let bench = Bench::new(on, "rotated");
    // The pause lets the container be known as started before the first rotation.
    let mut spec = bench.spec(
        "echo early >&2; sleep 0.5; yes 0123456789012345678901234567890123456789 | head -n 2000",
    );
    spec.output_max_bytes = JOB_OUTPUT_MAX_LEAST;
    let (_, out, err) = bench.play_spec(&spec);
    assert!(out.1 && err.1, "{out:?} {err:?}");
    spec.execution = format!("{}-b", spec.execution).as_str().into();
    spec.run.parameters = ["sh", "-c", "sleep 0.5; echo little; echo err >&2"]
        .map(str::to_owned)
        .to_vec();
    let (_, out, err) = bench.play_spec(&spec);
    assert_eq!(
        (out, err),
        ((b"little\n".to_vec(), false), (b"err\n".to_vec(), false))
    );
}

fn the_restrictions_hold_inside_the_container(on: Real) {
    let bench = Bench::new(on, "limits");
    let script = "grep -E '^(CapEff|CapBnd|NoNewPrivs):' /proc/self/status; ls /sys/class/net; ulimit -Hn; \
                  cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max \
                  /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null";
    let (_, out, _) = bench.play(script);
    let text = String::from_utf8(out.0).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(text.contains("CapEff:\t0000000000000000"), "{text}");
    assert!(text.contains("CapBnd:\t0000000000000000"), "{text}");
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    assert!(
        lines.contains(&"67108864") && lines.contains(&"512"),
        "{text}"
    );
    assert!(lines.contains(&"lo") && !text.contains("eth"), "{text}");
}

fn environment_command_and_working_directory_arrive(on: Real) {
    let bench = Bench::new(on, "env");
    let mut spec = bench.spec("");
    spec.environment = vec!["A=1".into(), "B=first".into()];
    spec.run.environment = vec!["B=a b=c".into()];
    spec.run.entrypoint = vec!["/bin/sh".into(), "-c".into()];
    spec.run.parameters = vec!["echo $A $B; pwd".into()];
    spec.run.working_directory = "/tmp".into();
    let (code, out, _) = bench.play_spec(&spec);
    assert_eq!(
        (code, String::from_utf8(out.0).unwrap().as_str()),
        (0, "1 a b=c\n/tmp\n")
    );
}

fn a_job_beyond_its_memory_is_recognised(on: Real) {
    let bench = Bench::new(on, "memory");
    let mut spec = bench.spec("x=a; while true; do x=$x$x; done");
    spec.limits.memory_bytes = 16 << 20;
    let end = run(async {
        let id = bench.start(&spec).await;
        bench.engine.await_end(&id).await.unwrap()
    });
    assert_eq!((end.exit_code, end.memory_limit_bytes), (137, 16 << 20));
    assert!(end.is_out_of_memory(StopCause::Itself));
}

fn a_missing_image_and_a_missing_command_are_typed(on: Real) {
    let bench = Bench::new(on, "missing");
    run(async {
        assert_eq!(
            bench
                .engine
                .image("localhost/codling-absent:latest")
                .await
                .unwrap(),
            None
        );
        assert!(
            bench
                .engine
                .image(IMAGE)
                .await
                .unwrap()
                .is_some_and(|image| image.id.len() > 10)
        );
        let mut absent = bench.spec("true");
        absent.run.image = "localhost/codling-absent:latest".into();
        let error = bench.engine.create(&absent).await.unwrap_err();
        assert!(matches!(error, EngineError::NoSuchImage { .. }), "{error}");
        // Nothing listens on port 1, so no registry is asked.
        let error = bench
            .engine
            .pull("127.0.0.1:1/absent", &mut |_| {})
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                EngineError::PullFailed {
                    cause: PullCause::NoNetwork,
                    ..
                }
            ),
            "{error}"
        );
        for command in ["/nope", "nope", "/etc/passwd", "/tmp"] {
            let mut spec = bench.spec("true");
            spec.run.parameters = vec![command.into()];
            let id = bench.engine.create(&spec).await.unwrap().id;
            let error = bench.engine.start(&id).await.unwrap_err();
            assert!(
                matches!(error, EngineError::BadCommand { .. }),
                "{command}: {error}"
            );
        }
    });
}

fn creating_twice_is_creating_once_on_a_real_engine(on: Real) {
    let bench = Bench::new(on, "twice");
    let spec = bench.spec("sleep 100");
    run(async {
        let first = bench.engine.create(&spec).await.unwrap().id;
        assert_eq!(bench.engine.create(&spec).await.unwrap().id, first);
        bench.engine.start(&first).await.unwrap();
        let error = bench.engine.create(&spec).await.unwrap_err();
        assert!(matches!(error, EngineError::NameInUse { .. }), "{error}");
        bench.engine.start(&first).await.unwrap();
    });
}

fn a_container_that_was_not_started_tells_the_image_that_it_was_made_from(on: Real) {
    let bench = Bench::new(on, "origin");
    let spec = bench.spec("true");
    run(async {
        let id = bench.engine.create(&spec).await.unwrap().id;
        let made_from = bench.engine.image_of(&id).await.unwrap();
        assert_eq!(made_from.name, IMAGE);
        let by_name = bench.engine.image(IMAGE).await.unwrap();
        let by_id = bench.engine.image(&made_from.id).await.unwrap();
        assert!(by_id.is_some());
        assert_eq!(by_id, by_name);
    });
}

fn a_new_life_of_the_program_finds_its_containers_and_only_those(on: Real) {
    let bench = Bench::new(on, "adopt");
    let other = Bench::new(on, "adopt-other");
    run(async {
        let running = bench
            .start(&bench.spec("trap 'echo done; exit 6' TERM; while true; do sleep 0.1; done"))
            .await;
        let ended = bench.start(&bench.spec("exit 3")).await;
        bench.engine.await_end(&ended).await.unwrap();
        bench.engine.create(&bench.spec("true")).await.unwrap();
        other.start(&other.spec("sleep 100")).await;

        let second_life = engine(on);
        let found = second_life
            .found(&bench.node.as_str().into())
            .await
            .unwrap();
        assert_eq!(found.len(), 3);
        let state = |id: &ContainerId| {
            found
                .iter()
                .find(|c| c.id == *id)
                .map(|c| c.state.clone())
                .unwrap()
        };
        assert!(matches!(
            state(&running),
            ContainerState::Running { pid: Some(_) }
        ));
        assert!(matches!(state(&ended), ContainerState::Exited(end) if end.exit_code == 3));
        assert!(found.iter().all(|c| {
            c.execution
                .as_ref()
                .is_some_and(|e| e.as_str().contains(&bench.node))
        }));
        bench
            .engine
            .stop(&running, Duration::from_secs(30))
            .await
            .unwrap();
        let end = second_life.await_end(&running).await.unwrap();
        assert_eq!(end.exit_code, 6);
        assert_eq!(
            second_life
                .output(&running, end.log_rotation)
                .await
                .unwrap()
                .stdout
                .bytes
                .as_slice(),
            b"done\n"
        );
    });
}

fn the_end_is_known_soon_after_it_happens(on: Real) {
    let bench = Bench::new(on, "soon");
    run(async {
        let id = bench
            .start(&bench.spec("sleep 1; date +%s.%N 2>/dev/null; exit 4"))
            .await;
        let began = Instant::now();
        assert_eq!(bench.engine.await_end(&id).await.unwrap().exit_code, 4);
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
    });
}

fn without_a_pidfd_the_end_comes_from_the_engine_with_the_same_code_and_every_byte(on: Real) {
    let mut bench = Bench::new(on, "wait");
    bench.engine = engine(on).watching_ends_by(EndWatch::Wait);
    let words = "echo begun; sleep 1; printf '\\377\\000x'; echo oops >&2; exit 6";
    let (code, out, err) = bench.play(words);
    assert_eq!(code, 6);
    assert_eq!(out, (b"begun\n\xff\0x".to_vec(), false));
    assert_eq!(err, (b"oops\n".to_vec(), false));
    // Many have ended before the engine is asked to wait: none is made anew, as an attach would on Podman.
    for _ in 0..10 {
        assert_eq!(bench.play("exit 3").0, 3);
    }
    // Nothing is printed and both streams are closed long before the end.
    assert_eq!(bench.play("exec 1>&- 2>&-; sleep 1; exit 4").0, 4);
}

fn a_container_that_ignores_the_request_to_end_is_ended_by_force(on: Real) {
    let bench = Bench::new(on, "stop");
    run(async {
        let id = bench
            .start(&bench.spec("trap '' TERM; while true; do sleep 0.1; done"))
            .await;
        bench
            .engine
            .stop(&id, Duration::from_secs(1))
            .await
            .unwrap();
        assert_eq!(bench.engine.await_end(&id).await.unwrap().exit_code, 137);
        bench
            .engine
            .stop(&id, Duration::from_secs(1))
            .await
            .unwrap();
        bench.engine.kill(&id).await.unwrap();
        let polite = bench
            .start(&bench.spec("trap 'exit 9' TERM; echo ready; while true; do sleep 0.1; done"))
            .await;
        // Until its trap is set, the first process of a container does not hear what it is asked.
        let mut said = Vec::new();
        while said.is_empty() {
            let output = bench
                .engine
                .output(&polite, LogRotation::Never)
                .await
                .unwrap();
            said.extend_from_slice(&output.stdout.bytes);
        }
        bench
            .engine
            .stop(&polite, Duration::from_secs(10))
            .await
            .unwrap();
        assert_eq!(bench.engine.await_end(&polite).await.unwrap().exit_code, 9);
    });
}

fn a_running_container_is_removed_at_once_and_leaves_nothing(on: Real) {
    let bench = Bench::new(on, "remove");
    run(async {
        let id = bench.start(&bench.spec("sleep 1000")).await;
        let began = Instant::now();
        bench.engine.remove(&id).await.unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{:?}",
            began.elapsed()
        );
        bench.engine.remove(&id).await.unwrap();
        assert!(matches!(
            bench.engine.await_end(&id).await,
            Err(EngineError::NoSuchContainer { .. })
        ));
        assert_eq!(
            bench
                .engine
                .found(&bench.node.as_str().into())
                .await
                .unwrap(),
            []
        );
    });
}

fn an_archive_is_loaded_and_named(on: Real) {
    let dir = tempfile::tempdir().unwrap();
    let archive: PathBuf = dir.path().join("image.tar");
    image_archive(&archive);
    let bytes = std::fs::read(&archive).unwrap();
    assert!(bytes.len() > 1_000_000);
    let names = run(engine(on).load_image(Box::pin(futures_lite::io::Cursor::new(bytes)))).unwrap();
    assert_eq!(names, [IMAGE]);
    let error = run(engine(on).load_image(Box::pin(futures_lite::io::Cursor::new(vec![1; 5_000]))))
        .unwrap_err();
    assert!(matches!(error, EngineError::LoadFailed { .. }), "{error}");
}

fn of_200_mb_of_output_the_tail_that_the_engine_kept_is_exact_and_called_truncated(on: Real) {
    // Numbers of 999 digits and a newline each.
    const LAST: usize = 200_000;
    let bench = Bench::new(on, "much");
    let mut spec = bench.spec(&format!(
        "echo early >&2; exec awk 'BEGIN {{ for (i = 1; i <= {LAST}; i++) printf \"%0999d\\n\", i }}'"
    ));
    spec.output_max_bytes = 4 << 20;
    spec.limits.cpu_millis = 2_000;
    run(async {
        let id = bench.start(&spec).await;
        let end = bench.engine.await_end(&id).await.unwrap();
        assert_eq!(end.exit_code, 0);
        let first = bench.engine.output(&id, end.log_rotation).await.unwrap();
        assert!(first.stdout.truncated && first.stderr.truncated);
        assert_eq!(first.stdout.bytes.len(), 2_048);
        let kept = bench.log(&id, LogExtent::Present).await;
        assert!(
            kept.starts_with(&first.stdout.bytes),
            "the first bytes that the log still holds"
        );
        let text = String::from_utf8(kept).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // Rotation is between lines: every one of them is whole, none is missing between the first and the last.
        let from = LAST + 1 - lines.len();
        for (number, line) in (from..=LAST).zip(&lines) {
            assert_eq!(*line, format!("{number:0999}"));
        }
        assert!(lines.len() > 1, "{} lines", lines.len());
    });
}

fn a_stream_that_is_closed_early_is_kept_and_the_end_is_still_awaited(on: Real) {
    let bench = Bench::new(on, "closed");
    let (code, out, err) = bench.play(
        "echo first; exec 1>&-; sleep 1; printf 'still here' >&2; exec 2>&-; sleep 1; exit 6",
    );
    assert_eq!(code, 6);
    assert_eq!(out, (b"first\n".to_vec(), false));
    assert_eq!(err, (b"still here".to_vec(), false));
}

fn two_interleaved_streams_keep_their_own_order(on: Real) {
    let bench = Bench::new(on, "both");
    let (_, out, err) =
        bench.play("i=0; while [ $i -lt 100 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done");
    let expected = |letter: &str| {
        let lines: Vec<String> = (0..100).map(|i| format!("{letter}{i}\n")).collect();
        (lines.concat().into_bytes(), false)
    };
    assert_eq!((out, err), (expected("o"), expected("e")));
}
