//! Counts and times as Prometheus reads them: its text format, version 0.0.4.

use crate::api::server::Counters;
use crate::model::{ConditionKind, EngineState, FileCost, Histogram, Metrics};
use std::fmt::{Display, Write as _};

/// The content type of the format.
pub(in crate::api) const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families, each with its HELP and TYPE. Labels are words of our own and hex digits, so nothing needs escaping.
pub(in crate::api) fn metrics(metrics: &Metrics, server: &Counters) -> String {
    let mut text = Text(String::with_capacity(8 * 1024));
    text.family("codling_build_info", "gauge", "What this build is.");
    text.sample(
        "codling_build_info",
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("build_id", metrics.build_id.as_deref().unwrap_or_default()),
        ],
        1,
    );
    text.one(
        "codling_uptime_seconds",
        "gauge",
        "How long the node has run.",
        seconds(metrics.uptime_ms.saturating_mul(1_000)),
    );
    store(&mut text, metrics);
    agent(&mut text, metrics);
    text.family(
        "codling_http_requests_total",
        "counter",
        "Requests answered, by class of status.",
    );
    for (class, count) in server.answers() {
        text.sample("codling_http_requests_total", &[("status", class)], count);
    }
    text.one(
        "codling_http_connections_total",
        "counter",
        "Connections accepted.",
        server.accepted(),
    );
    text.one(
        "codling_http_connections_open",
        "gauge",
        "Connections that are open.",
        server.open(),
    );
    text.one(
        "codling_swarm_peers_connected",
        "gauge",
        "Nodes that are connected.",
        metrics.peers,
    );
    text.family(
        "codling_log_lines_total",
        "counter",
        "Lines of the log: written, folded into an equal one, cut at the longest line, dropped.",
    );
    for (fate, count) in [
        ("written", metrics.log.written),
        ("folded", metrics.log.folded),
        ("cut", metrics.log.cut),
        ("dropped", metrics.log.dropped),
    ] {
        text.sample("codling_log_lines_total", &[("fate", fate)], count);
    }
    process(&mut text, metrics);
    text.0
}

/// Reads one count off what a file has cost, or one histogram.
type Count = fn(&FileCost) -> u64;
type Times = fn(&FileCost) -> &Histogram;

fn store(text: &mut Text, metrics: &Metrics) {
    let counters: [(_, _, Count); 3] = [
        (
            "codling_store_commits_total",
            "Durable commits of records.",
            |cost| cost.commits,
        ),
        (
            "codling_store_written_bytes_total",
            "Bytes handed to the files of the store.",
            |cost| cost.bytes_written,
        ),
        (
            "codling_store_syncs_total",
            "Flushes to the medium.",
            |cost| cost.syncs,
        ),
    ];
    for (name, help, count) in counters {
        text.family(name, "counter", help);
        for cost in &metrics.files {
            text.sample(name, &[("file", cost.file)], count(cost));
        }
    }
    let histograms: [(_, _, Times); 2] = [
        (
            "codling_store_commit_seconds",
            "How long commits took, flush included.",
            |cost| &cost.commit_times,
        ),
        (
            "codling_store_sync_seconds",
            "How long flushes took.",
            |cost| &cost.sync_times,
        ),
    ];
    for (name, help, times) in histograms {
        text.family(name, "histogram", help);
        for cost in &metrics.files {
            text.histogram(name, ("file", cost.file), times(cost));
        }
    }
}

fn agent(text: &mut Text, metrics: &Metrics) {
    text.one(
        "codling_agent_up",
        "gauge",
        "Whether jobs are decided on: 0 while the store is opened again after a failure.",
        u64::from(metrics.census.is_some()),
    );
    if let Some(census) = &metrics.census {
        for (name, kind, help, label, counts) in [
            (
                "codling_jobs",
                "gauge",
                "Unfinished jobs, by state.",
                "state",
                &census.jobs,
            ),
            (
                "codling_executions",
                "gauge",
                "Executions held, by what this node does for them.",
                "state",
                &census.executions,
            ),
            (
                "codling_executions_ended_total",
                "counter",
                "Executions that ended on this node, by outcome.",
                "outcome",
                &census.ended,
            ),
        ] {
            text.family(name, kind, help);
            for (state, count) in counts {
                text.sample(name, &[(label, state)], count);
            }
        }
        text.one(
            "codling_outbox_outcomes",
            "gauge",
            "Outcomes that their requesters have not acknowledged.",
            census.outbox,
        );
    }
    text.family(
        "codling_engine_state",
        "gauge",
        "1 for the state that the container engine is in.",
    );
    for (name, state) in [
        ("unknown", EngineState::Unknown),
        ("here", EngineState::Here),
        ("away", EngineState::Away),
    ] {
        let is_so = u64::from(metrics.engine == state);
        text.sample("codling_engine_state", &[("state", name)], is_so);
    }
    text.family(
        "codling_condition",
        "gauge",
        "1 for what is not as it should be.",
    );
    for kind in ConditionKind::ALL {
        let holds = u64::from(metrics.conditions.contains(&kind));
        text.sample("codling_condition", &[("code", kind.code())], holds);
    }
}

fn process(text: &mut Text, metrics: &Metrics) {
    let process = &metrics.process;
    for (name, help, value) in [
        (
            "codling_process_resident_memory_bytes",
            "Memory in RAM.",
            process.resident_bytes,
        ),
        (
            "codling_process_proportional_memory_bytes",
            "Memory in RAM, what is shared counted in part.",
            process.proportional_bytes,
        ),
        ("codling_process_threads", "Threads.", process.threads),
        (
            "codling_process_open_fds",
            "Open descriptors.",
            process.descriptors,
        ),
    ] {
        text.one(name, "gauge", help, value);
    }
    text.one(
        "codling_process_cpu_seconds_total",
        "counter",
        "Processor time.",
        seconds(process.cpu_ms.saturating_mul(1_000)),
    );
    text.one(
        "codling_process_written_bytes_total",
        "counter",
        "Bytes that this process had written to disks.",
        process.written_bytes,
    );
}

/// Microseconds as seconds.
fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// The page so far. Writing into a string cannot fail.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let opens = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{opens}{label}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, label: (&str, &str), times: &Histogram) {
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        for (bound_us, in_bucket) in &times.buckets {
            count += in_bucket;
            self.sample(&bucket, &[label, ("le", &seconds(*bound_us))], count);
        }
        count += times.above;
        self.sample(&bucket, &[label, ("le", "+Inf")], count);
        self.sample(&format!("{name}_sum"), &[label], seconds(times.sum_us));
        self.sample(&format!("{name}_count"), &[label], count);
    }
}
