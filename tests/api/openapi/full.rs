//! Records in which every field is set, so that every field of an answer is seen.

use super::super::world;
use codling::model::{
    BoardReading, Bundle, Condition, ConditionKind, ConnectedNode, Constraint, DialledBy, DiskMode,
    DiskReading, Heat, InputSource, JobRecord, MemoryPressure, MemoryReading, Metrics, Network,
    NetworkKind, NodeId, NodeInfo, Origin, Overdue, Params, Port, Prunable, PulledImage,
    ResourcesConfig, ResultPath, SpecConfig, Throttle, Timeouts, UnixMs,
};
use std::collections::BTreeMap;

fn spec(kind: &str) -> SpecConfig {
    SpecConfig {
        kind: kind.into(),
        params: Params(serde_json::from_str(r#"{"URL":"http://192.0.2.1/x"}"#).unwrap()),
    }
}

/// A running job that uses everything that a job can have.
pub(super) fn running(n: u32) -> JobRecord {
    fill(world::running(n))
}

/// The same when it has completed.
pub(super) fn completed(n: u32) -> JobRecord {
    fill(world::completed(n))
}

fn fill(mut record: JobRecord) -> JobRecord {
    let job = &mut record.job;
    job.state_message = "as it is".into();
    job.constraints = vec![Constraint {
        key: "room".into(),
        operator: "in".into(),
        values: vec!["kitchen".into()],
    }];
    let task = &mut job.task;
    task.env = BTreeMap::from([("STEP".into(), "1".into())]);
    task.meta = BTreeMap::from([("note".into(), "x".into())]);
    task.publisher = spec("s3");
    task.input_sources = vec![InputSource {
        source: spec("urlDownload"),
        alias: "in".into(),
        target: "/inputs".into(),
    }];
    task.result_paths = vec![ResultPath {
        name: "out".into(),
        path: "/outputs".into(),
    }];
    task.resources = ResourcesConfig {
        cpu: "1".into(),
        memory: "1gb".into(),
        disk: "1gb".into(),
        gpu: "1".into(),
    };
    task.network = Network {
        kind: NetworkKind::Bridge,
        domains: vec!["example.org".into()],
        ports: vec![Port {
            name: "web".into(),
            fixed: 8080,
            target: 80,
            host_network: "127.0.0.1".into(),
        }],
    };
    task.timeouts = Timeouts {
        execution_s: 1,
        queue_s: 2,
        total_s: 3,
    };
    let execution = &mut record.executions[0];
    execution.state_message = "as it is".into();
    execution.desired_message = "as it should be".into();
    execution.published = spec("s3");
    execution.partition = 1;
    execution.allocated.disk_bytes = 1;
    execution.allocated.gpus = 1;
    record
}

fn condition() -> Condition {
    Condition {
        kind: ConditionKind::StoreFailed,
        since: Some(UnixMs(1_748_779_200_123)),
        lasts_ms: 1_000,
        text: "the disk is full".into(),
        hint: "make room".into(),
    }
}

/// This node, with a condition.
pub(super) fn node() -> NodeInfo {
    let mut node = world::node_info();
    node.conditions = vec![condition()];
    node
}

/// A peer of which everything is known.
pub(super) fn peer() -> ConnectedNode {
    ConnectedNode {
        id: NodeId::from("12D3KooWPeer"),
        address: "/ip4/192.0.2.7/tcp/1235".into(),
        dialled_by: DialledBy::Us,
        agent: Some("codling/0.1.0".into()),
        round_trip_ms: Some(3),
        since: None,
        heard: None,
    }
}

/// Something of everything that a node may have no use for.
pub(super) fn prunable() -> Prunable {
    let overdue = Overdue { count: 3, bytes: 9 };
    Prunable {
        jobs: overdue,
        executions: overdue,
        images: vec![PulledImage {
            name: "busybox".into(),
            id: "sha256:00".into(),
            bytes: 7,
            used: Some(UnixMs(1)),
        }],
        containers: vec![world::execution_id(1)],
    }
}

/// What `agent/debug` shows, with a board that shows everything and no engine.
pub(super) fn bundle() -> Bundle {
    Bundle {
        node: NodeId::from(world::NODE),
        settings: vec![("port", "1235".into(), Origin::Default)],
        conditions: vec![condition()],
        events: vec!["started".into()],
        board: BoardReading {
            memory: Some(MemoryReading {
                total_bytes: 2,
                available_bytes: 1,
            }),
            pressure: Some(MemoryPressure {
                some_60s: 1,
                full_10s: 1,
            }),
            heat: Some(Heat {
                zone: "cpu".into(),
                millidegrees: 50_000,
                limit_millidegrees: 80_000,
            }),
            throttle: Some(Throttle {
                under_voltage: true,
                slowed: false,
            }),
            disk: Some(DiskReading {
                size_bytes: 2,
                available_bytes: 1,
                mode: DiskMode::ReadOnly,
            }),
            images: None,
        },
        engine: Some(Err("no socket".into())),
        metrics: Metrics::default(),
        crash: Some("panicked".into()),
    }
}
