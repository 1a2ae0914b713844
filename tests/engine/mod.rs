//! The engine client against scripted engines and the real ones.

mod create;
mod end;
mod faults;
mod lifecycle;
mod real;
mod search;
mod whole_node;

use crate::support::wait::run;
use codling::engine::ContainerSpec;
use codling::model::{DockerSpec, JOB_OUTPUT_MAX_DEFAULT, Resources};

/// A container of `image` for the execution `e-<name>` of node `n-1`.
fn spec(name: &str, image: &str) -> ContainerSpec {
    ContainerSpec {
        node: "n-1".into(),
        job: "j-1".into(),
        execution: format!("e-{name}").as_str().into(),
        run: DockerSpec {
            image: image.to_owned(),
            ..DockerSpec::default()
        },
        environment: Vec::new(),
        limits: Resources {
            cpu_millis: 500,
            memory_bytes: 64 << 20,
            disk_bytes: 1 << 20,
            gpus: 0,
        },
        capabilities: Vec::new(),
        output_max_bytes: JOB_OUTPUT_MAX_DEFAULT,
    }
}
