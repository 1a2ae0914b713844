//! `/metrics` of the real node, read by a parser that forgives nothing.

use crate::support::engine::{Endpoint, Play, ScriptedEngine};
use crate::support::http;
use crate::support::jobs::command;
use crate::support::node::TestNode;
use crate::support::wait;
use std::collections::{BTreeMap, BTreeSet};

/// A sample: its name with its labels as written, and its value.
type Samples = BTreeMap<String, f64>;

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|letter: char| letter.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Labels as written between braces, each once.
fn labels(text: &str) -> Vec<(&str, &str)> {
    let pairs: Vec<(&str, &str)> = text
        .split(',')
        .map(|pair| {
            let (name, value) = pair.split_once('=').expect(text);
            let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            (name, value.expect(text))
        })
        .collect();
    let names: BTreeSet<&str> = pairs.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), pairs.len(), "a label twice: {text}");
    assert!(names.iter().all(|name| is_name(name)), "{text}");
    pairs
}

/// Reads a page of format 0.0.4: every family has HELP, TYPE and then its samples, all together and once; names follow the
/// conventions; histograms are cumulative, end with +Inf and agree with their count.
fn parsed(page: &str) -> Samples {
    assert!(page.ends_with('\n'), "the last line has no end");
    let mut samples = Samples::new();
    let mut families = BTreeSet::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line
            .strip_prefix("# HELP ")
            .and_then(|rest| rest.split_once(' '))
            .unwrap_or_else(|| panic!("a family begins with HELP, not with: {line}"));
        assert!(is_name(name) && name.starts_with("codling_"), "{name}");
        assert!(help.ends_with('.'), "{line}");
        assert!(families.insert(name), "{name} twice");
        let kind = lines
            .next()
            .and_then(|line| line.strip_prefix(&format!("# TYPE {name} ")))
            .unwrap_or_else(|| panic!("{name} has no TYPE"));
        assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
        assert_eq!(
            kind == "counter",
            name.ends_with("_total"),
            "{name} is a {kind}"
        );
        let mut own = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect(line);
            let value: f64 = value.parse().expect(line);
            assert!(value >= 0.0, "{line}");
            let base = match series.split_once('{') {
                Some((base, rest)) => {
                    labels(rest.strip_suffix('}').expect(line));
                    base
                }
                None => series,
            };
            let suffixes: &[&str] = match kind {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(
                suffixes
                    .iter()
                    .any(|suffix| base == format!("{name}{suffix}")),
                "{line} stands under {name}"
            );
            assert!(
                samples.insert(series.to_owned(), value).is_none(),
                "{series} twice"
            );
            own += 1;
        }
        assert!(own > 0, "{name} has no sample");
        if kind == "histogram" {
            cumulative(name, &samples);
        }
    }
    samples
}

/// The buckets of each file grow with their bounds, and the last is the count.
fn cumulative(name: &str, samples: &Samples) {
    for file in ["jobs", "executions"] {
        let prefix = format!("{name}_bucket{{file=\"{file}\",le=\"");
        let mut buckets: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|(series, value)| {
                let bound = series.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                let bound = if bound == "+Inf" {
                    f64::INFINITY
                } else {
                    bound.parse().unwrap()
                };
                Some((bound, *value))
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
        let (last, count) = *buckets.last().expect(name);
        assert!(last.is_infinite(), "{name} does not end with +Inf");
        assert_eq!(samples[&format!("{name}_count{{file=\"{file}\"}}")], count);
    }
}

fn page(node: &TestNode) -> String {
    let (status, head, body) = http::text(node.api, "/metrics").unwrap();
    assert_eq!(status, 200, "{body}");
    let is_text = |line: &str| line == "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(head.lines().any(is_text), "{head}");
    body
}

#[test]
fn a_job_is_counted_where_it_happens_and_the_page_is_flawless() {
    let (dir, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
    engine.image("a", Play::default());
    let node = TestNode::start_on(dir.path(), &engine);
    let before = parsed(&page(&node));
    assert_eq!(before["codling_store_commits_total{file=\"jobs\"}"], 0.0);
    let job = node.submit(&command("a", &["go"]));
    node.ended(&job);
    let after = wait::until("the outcome is acknowledged", || {
        let after = parsed(&page(&node));
        if after["codling_outbox_outcomes"] == 0.0 && after["codling_jobs{state=\"ending\"}"] == 0.0
        {
            Ok(after)
        } else {
            Err(after)
        }
    });
    for (series, at_least) in [
        ("codling_store_commits_total{file=\"jobs\"}", 2.0),
        ("codling_store_commits_total{file=\"executions\"}", 2.0),
        ("codling_store_commit_seconds_count{file=\"jobs\"}", 2.0),
        ("codling_store_sync_seconds_count{file=\"executions\"}", 2.0),
        ("codling_store_written_bytes_total{file=\"jobs\"}", 1_000.0),
        ("codling_executions_ended_total{outcome=\"completed\"}", 1.0),
        ("codling_engine_state{state=\"here\"}", 1.0),
        ("codling_agent_up", 1.0),
        ("codling_http_requests_total{status=\"2xx\"}", 3.0),
        ("codling_http_connections_open", 1.0),
        ("codling_process_resident_memory_bytes", 1_000_000.0),
        ("codling_process_threads", 2.0),
    ] {
        assert!(after[series] >= at_least, "{series}: {}", after[series]);
    }
    assert_eq!(
        after["codling_executions_ended_total{outcome=\"failed\"}"],
        0.0
    );
    assert_eq!(after["codling_engine_state{state=\"away\"}"], 0.0);
    assert!(
        after["codling_uptime_seconds"] >= before["codling_uptime_seconds"],
        "time passes"
    );
}

#[test]
fn refusals_and_an_engine_that_went_away_are_counted() {
    let (dir, engine) = (tempfile::tempdir().unwrap(), ScriptedEngine::start());
    let node = TestNode::start_on(dir.path(), &engine);
    engine.until("the node has looked", |engine| {
        engine.count(Endpoint::List) > 0
    });
    engine.go_away();
    assert_eq!(node.call("GET", "nothing", None).status, 404);
    // It waits for the engine, which is asked for it.
    node.submit(&command("a", &["go"]));
    wait::until("the engine is seen to be away", || {
        let page = parsed(&page(&node));
        let away = page["codling_engine_state{state=\"away\"}"] == 1.0
            && page["codling_condition{code=\"engine_away\"}"] == 1.0
            && page["codling_http_requests_total{status=\"4xx\"}"] == 1.0;
        if away { Ok(()) } else { Err(page) }
    });
}
