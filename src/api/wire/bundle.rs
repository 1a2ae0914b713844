//! A node's part of the bundle that `codling debug` makes.

use super::json::Json;
use super::node::condition;
use super::version::build_version;
use crate::model::{BoardReading, Bundle, DiskMode};

/// The whole of it. `metrics` is the page that Prometheus reads.
pub(in crate::api) fn bundle(bundle: &Bundle, metrics: &str) -> Json {
    let texts =
        |lines: &[String]| Json::List(lines.iter().map(|line| line.as_str().into()).collect());
    let settings = bundle.settings.iter().map(|(name, value, origin)| {
        Json::object()
            .with("Name", *name)
            .with("Value", value.as_str())
            .with("Origin", origin.to_string())
    });
    let engine = match &bundle.engine {
        None => Json::object().with("Error", "it has not answered yet"),
        Some(Err(why)) => Json::object().with("Error", why.as_str()),
        Some(Ok(facts)) => Json::object()
            .with("Name", facts.name.as_str())
            .with("Socket", facts.socket.as_str())
            .with("EnforcesMemory", facts.enforces_memory),
    };
    Json::object()
        .with("NodeID", bundle.node.as_str())
        .with("Version", build_version())
        .with(
            "BuildID",
            bundle.metrics.build_id.as_deref().unwrap_or_default(),
        )
        .with("UptimeSeconds", bundle.metrics.uptime_ms / 1_000)
        .with("Settings", Json::List(settings.collect()))
        .with(
            "Conditions",
            Json::List(bundle.conditions.iter().map(condition).collect()),
        )
        .with("Events", texts(&bundle.events))
        .with("Board", board(&bundle.board))
        .with("Engine", engine)
        .with(
            "Metrics",
            Json::List(
                metrics
                    .lines()
                    .filter(|line| !line.starts_with('#'))
                    .map(Json::from)
                    .collect(),
            ),
        )
        .with(
            "Crash",
            bundle.crash.as_deref().map_or(Json::Null, |text| {
                Json::List(text.lines().map(Json::from).collect())
            }),
        )
}

/// What the board shows; what it does not show is null.
fn board(reading: &BoardReading) -> Json {
    let memory = reading.memory.map_or(Json::Null, |memory| {
        Json::object()
            .with("TotalBytes", memory.total_bytes)
            .with("AvailableBytes", memory.available_bytes)
    });
    let pressure = reading.pressure.map_or(Json::Null, |pressure| {
        Json::object()
            .with("SomeIn60sCentiPercent", u64::from(pressure.some_60s))
            .with("FullIn10sCentiPercent", u64::from(pressure.full_10s))
    });
    let heat = reading.heat.as_ref().map_or(Json::Null, |heat| {
        Json::object()
            .with("Zone", heat.zone.as_str())
            .with("Millidegrees", Json::Number(heat.millidegrees.into()))
            .with(
                "LimitMillidegrees",
                Json::Number(heat.limit_millidegrees.into()),
            )
    });
    let throttle = reading.throttle.map_or(Json::Null, |throttle| {
        Json::object()
            .with("UnderVoltage", throttle.under_voltage)
            .with("Slowed", throttle.slowed)
    });
    let disk = reading.disk.map_or(Json::Null, |disk| {
        Json::object()
            .with("SizeBytes", disk.size_bytes)
            .with("AvailableBytes", disk.available_bytes)
            .with("ReadOnly", disk.mode == DiskMode::ReadOnly)
    });
    Json::object()
        .with("Memory", memory)
        .with("MemoryPressure", pressure)
        .with("Heat", heat)
        .with("Throttle", throttle)
        .with("Disk", disk)
}
