//! Following a job's output: the suite that holds on every engine, and what belongs to one of them.

mod broken;
mod cli;
mod many;
mod route;

use crate::support::jobs::shell;
use crate::support::stand::{Stand, on_every_engine};
use crate::support::wait;
use crate::support::websocket::{Log, LogSocket};

on_every_engine! {
    a_follower_of_a_new_job_gets_every_byte_of_both_streams_while_it_runs_and_close_1000_at_its_end,
    ten_megabytes_of_a_job_that_ends_at_once_reach_followers_that_came_before_and_after_its_end,
    a_line_that_never_ends_is_followed_whole,
    the_last_lines_are_counted_as_lines_however_long_and_what_comes_is_followed,
    a_job_that_is_stopped_ends_its_followers_with_all_that_it_printed,
}

/// 10 MB of lines of 100 bytes.
const MEGABYTES: &str = "yes 01234567890123456789012345678901234567890123456789012345678901234567890123456789\
                         0123456789012345678 | head -c 10000000";

fn a_follower_of_a_new_job_gets_every_byte_of_both_streams_while_it_runs_and_close_1000_at_its_end(
    on: &Stand,
) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    // It goes on when its file is there, so that what came before came while it ran.
    let line = r"printf 'a\r\nb\n\377\000\n'; printf 'oops\n' >&2; sleep 2; printf 'end'";
    let job = node.submit(&shell(line));
    let mut follower = LogSocket::open(node.api, &job, "follow=true&frames=binary");
    let mut log = Log::default();
    follower.gather(&mut log, |log| {
        log.stdout.len() >= 8 && log.stderr.len() >= 5
    });
    assert_eq!(log.stdout, b"a\r\nb\n\xff\0\n", "{log:?}");
    assert_eq!(log.stderr, b"oops\n");
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"a\r\nb\n\xff\0\nend");
    assert_eq!(log.close, Some(1000));
    assert_eq!((log.error, log.notices), (None, Vec::new()));
    assert!(log.begins.ends_with(" 0 0"), "{}", log.begins);
    // JSON cannot hold every byte; the others are as they were.
    let text = LogSocket::open(node.api, &job, "").whole();
    let expected = "a\r\nb\n\u{fffd}\0\nend".as_bytes();
    assert_eq!(text.stdout, expected, "{text:?}");
    assert_eq!((text.stderr, text.close), (b"oops\n".to_vec(), Some(1000)));
}

fn ten_megabytes_of_a_job_that_ends_at_once_reach_followers_that_came_before_and_after_its_end(
    on: &Stand,
) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let job = node.submit(&shell(MEGABYTES));
    let early = LogSocket::open(node.api, &job, "follow=true&frames=binary");
    let early = early.whole();
    assert_eq!(early.stdout.len(), 10_000_000, "{:?}", early.notices);
    assert_eq!((early.close, early.error), (Some(1000), None));
    node.ended(&job);
    let late = LogSocket::open(node.api, &job, "frames=binary").whole();
    assert!(late.stdout == early.stdout, "{} bytes", late.stdout.len());
    on.until_no_container_of(&node.id);
    let stored = LogSocket::open(node.api, &job, "follow=true&frames=binary").whole();
    assert!(stored.stdout == early.stdout[..2_048]);
    assert_eq!(stored.close, Some(1000));
    assert!(
        stored.notices[0].contains("cut: the container is removed"),
        "{:?}",
        stored.notices
    );
}

fn a_line_that_never_ends_is_followed_whole(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let job = node.submit(&shell("head -c 3000000 /dev/zero | tr '\\0' x"));
    let log = LogSocket::open(node.api, &job, "follow=true").whole();
    assert!(
        log.stdout == [b'x'; 3_000_000],
        "{} bytes, {:?}",
        log.stdout.len(),
        log.error
    );
    assert_eq!(log.close, Some(1000));
}

fn the_last_lines_are_counted_as_lines_however_long_and_what_comes_is_followed(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let line =
        "seq 1 20; head -c 10000 /dev/zero | tr '\\0' y; echo; echo end; sleep 4; echo later";
    let job = node.submit(&shell(line));
    wait::until("the line is printed", || {
        let log = LogSocket::open(node.api, &job, "follow=false").whole();
        if log.stdout.ends_with(b"\nend\n") {
            Ok(())
        } else {
            Err(log.error)
        }
    });
    let tail = LogSocket::open(node.api, &job, "follow=true&tail=true&frames=binary");
    let mut last = LogSocket::open(node.api, &job, "follow=true&lines=2&frames=binary");
    let mut log = Log::default();
    last.gather(&mut log, |log| log.stdout.len() >= 10_005);
    let two = [&[b'y'; 10_000][..], b"\nend\n"].concat();
    assert!(log.stdout == two, "{} bytes", log.stdout.len());
    last.gather(&mut log, |_| false);
    assert!(
        log.stdout == [&two[..], b"later\n"].concat(),
        "{} bytes",
        log.stdout.len()
    );
    assert!(log.begins.ends_with(" 51 0"), "{}", log.begins);
    let tail = tail.whole();
    assert!(tail.stdout == b"later\n", "{} bytes", tail.stdout.len());
    assert_eq!(tail.notices.len() + log.notices.len(), 0);
}

fn a_job_that_is_stopped_ends_its_followers_with_all_that_it_printed(on: &Stand) {
    let dir = tempfile::tempdir().unwrap();
    let node = on.node(dir.path());
    let job = node.submit(&shell(
        "trap 'echo stopped; exit 0' TERM; echo started; while :; do sleep 0.1; done",
    ));
    let mut follower = LogSocket::open(node.api, &job, "follow=true");
    let mut log = Log::default();
    follower.gather(&mut log, |log| !log.stdout.is_empty());
    node.call("DELETE", &format!("orchestrator/jobs/{job}"), None);
    follower.gather(&mut log, |_| false);
    assert_eq!(log.stdout, b"started\nstopped\n");
    assert_eq!((log.close, log.error), (Some(1000), None));
}
