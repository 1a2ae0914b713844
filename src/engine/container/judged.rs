//! Our few wire types judged against the full models that are generated from Docker's own API description: what we send
//! is a whole of theirs, and what they write is read here with nothing lost.

use super::create;
use super::wire::{CreateReply, ImageInspect, Info, Inspect, ListItem, ProgressLine};
use crate::engine::{
    ApiVersion, ContainerSpec, EngineKind, EngineProfile, HardLimits, LABEL_EXECUTION, Platform,
};
use crate::model::{Capability, DockerSpec, JOB_OUTPUT_MAX_DEFAULT, Resources};
use bollard_stubs::models;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;

/// What `theirs` writes, as `Ours` reads it.
fn read<Ours: DeserializeOwned>(theirs: impl Serialize) -> Ours {
    serde_json::from_value(serde_json::to_value(theirs).unwrap()).unwrap()
}

fn profile(kind: EngineKind) -> EngineProfile {
    EngineProfile {
        kind,
        version: "20.10.24".into(),
        api_version: ApiVersion {
            major: 1,
            minor: 41,
        },
        socket: "/run/engine.sock".into(),
        socket_origin: "default".into(),
        skipped: Vec::new(),
        cores: 4,
        memory_bytes: 1 << 30,
        enforces_memory: true,
        enforces_cpu: true,
        enforces_pids: true,
        cgroup_version: 2,
        rootless: false,
        platform: Platform::new("linux", "amd64", ""),
        hard_limits: HardLimits {
            nofile: 4_096,
            nproc: 4_096,
        },
        image_dir: None,
    }
}

/// Every key of `ours` is in `theirs` with the same value.
#[track_caller]
fn assert_kept(ours: &Value, theirs: &Value, path: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                let path = format!("{path}.{key}");
                let kept = theirs.get(key);
                assert_kept(
                    value,
                    kept.unwrap_or_else(|| panic!("{path} is lost")),
                    &path,
                );
            }
        }
        _ => assert_eq!(ours, theirs, "{path}"),
    }
}

#[test]
fn every_field_of_our_create_is_one_of_the_api_with_its_type() {
    let spec = ContainerSpec {
        node: "n-1".into(),
        job: "j-1".into(),
        execution: "e-1".into(),
        run: DockerSpec {
            image: "a".into(),
            entrypoint: vec!["/bin/sh".into()],
            parameters: vec!["-c".into(), "true".into()],
            environment: vec!["A=1".into()],
            working_directory: "/tmp".into(),
        },
        environment: vec!["B=2".into()],
        limits: Resources {
            cpu_millis: 500,
            memory_bytes: 64 << 20,
            disk_bytes: 0,
            gpus: 0,
        },
        capabilities: vec![Capability::parse("CHOWN").unwrap()],
        output_max_bytes: JOB_OUTPUT_MAX_DEFAULT,
    };
    for kind in [EngineKind::Podman, EngineKind::Docker] {
        let ours = serde_json::to_value(create::body(&spec, &profile(kind))).unwrap();
        // HostConfig stands beside the container's own configuration.
        let theirs: models::ContainerCreateBody = serde_json::from_value(ours.clone()).unwrap();
        let host = theirs.host_config.clone().unwrap();
        assert_eq!(host.memory_swap, host.memory, "{kind:?}");
        assert_eq!(host.cap_add, Some(vec!["CHOWN".into()]), "{kind:?}");
        assert_kept(&ours, &serde_json::to_value(theirs).unwrap(), "create");
    }
}

#[test]
fn an_inspect_is_read_with_nothing_lost() {
    let labels = HashMap::from([(LABEL_EXECUTION.to_owned(), "e-1".to_owned())]);
    let inspect: Inspect = read(models::ContainerInspectResponse {
        id: Some("c1".into()),
        image: Some("sha256:1".into()),
        log_path: Some("/log".into()),
        state: Some(models::ContainerState {
            status: Some(models::ContainerStateStatusEnum::EXITED),
            pid: Some(7),
            exit_code: Some(137),
            oom_killed: Some(true),
            error: Some("words".into()),
            started_at: Some("2026-11-24T23:33:11.5Z".into()),
            ..Default::default()
        }),
        config: Some(models::ContainerConfig {
            image: Some("a:1".into()),
            labels: Some(labels),
            ..Default::default()
        }),
        host_config: Some(models::HostConfig {
            memory: Some(5),
            ..Default::default()
        }),
        ..Default::default()
    });
    assert_eq!(
        (inspect.id.as_str(), inspect.log_path.as_str()),
        ("c1", "/log")
    );
    assert_eq!(
        (inspect.image.as_str(), inspect.config.image.as_str()),
        ("sha256:1", "a:1")
    );
    assert_eq!(inspect.state.status, "exited");
    assert_eq!((inspect.state.pid, inspect.state.exit_code), (7, 137));
    assert!(inspect.state.oom_killed);
    assert_eq!(inspect.state.error, "words");
    assert_eq!(inspect.state.started_at, "2026-11-24T23:33:11.5Z");
    assert_eq!(inspect.config.labels[LABEL_EXECUTION], "e-1");
    assert_eq!(inspect.host_config.memory, 5);
}

#[test]
fn what_an_engine_says_of_itself_and_of_an_image_is_read_with_nothing_lost() {
    let info: Info = read(models::SystemInfo {
        ncpu: Some(4),
        mem_total: Some(1 << 30),
        memory_limit: Some(true),
        cpu_cfs_quota: Some(true),
        pids_limit: Some(true),
        cgroup_version: Some(models::SystemInfoCgroupVersionEnum::_2),
        os_type: Some("linux".into()),
        architecture: Some("aarch64".into()),
        server_version: Some("29.0.0".into()),
        security_options: Some(vec!["name=rootless".into()]),
        live_restore_enabled: Some(true),
        ..Default::default()
    });
    assert_eq!((info.ncpu, info.mem_total), (4, 1 << 30));
    assert!(info.memory_limit && info.cpu_cfs_quota && info.pids_limit);
    assert!(info.live_restore_enabled);
    assert_eq!(info.cgroup_version, "2");
    assert_eq!(
        (info.os_type.as_str(), info.architecture.as_str()),
        ("linux", "aarch64")
    );
    assert_eq!(info.server_version, "29.0.0");
    assert_eq!(info.security_options, ["name=rootless"]);

    let image: ImageInspect = read(models::ImageInspect {
        id: Some("sha256:1".into()),
        os: Some("linux".into()),
        architecture: Some("arm".into()),
        variant: Some("v7".into()),
        size: Some(9),
        ..Default::default()
    });
    assert_eq!(
        (image.id.as_str(), image.os.as_str()),
        ("sha256:1", "linux")
    );
    assert_eq!(
        (image.architecture.as_str(), image.variant.as_str()),
        ("arm", "v7")
    );
    assert_eq!(image.size, 9);
}

#[test]
fn lists_creations_and_progress_are_read_with_nothing_lost() {
    let item: ListItem = read(models::ContainerSummary {
        id: Some("c1".into()),
        labels: Some(HashMap::from([("a".into(), "b".into())])),
        ..Default::default()
    });
    assert_eq!((item.id.as_str(), item.labels["a"].as_str()), ("c1", "b"));
    let made: CreateReply = read(models::ContainerCreateResponse {
        id: "c1".into(),
        warnings: vec!["words".into()],
    });
    assert_eq!((made.id.as_str(), made.warnings.len()), ("c1", 1));
    let line: ProgressLine = read(models::CreateImageInfo {
        id: Some("layer".into()),
        status: Some("Downloading".into()),
        progress_detail: Some(models::ProgressDetail {
            current: Some(5),
            total: Some(10),
        }),
        error_detail: Some(models::ErrorDetail {
            message: Some("denied".into()),
            ..Default::default()
        }),
    });
    assert_eq!(
        (line.id.as_str(), line.status.as_str()),
        ("layer", "Downloading")
    );
    assert_eq!(
        (line.progress_detail.current, line.progress_detail.total),
        (5, 10)
    );
    assert_eq!(line.failure(), "denied");
}
