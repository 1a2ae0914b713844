//! What an operator's flags do to containers, seen from inside them and on the disk of real engines.

use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::{command, shell};
use crate::support::node::TestNode;
use crate::support::registry::{Answers, Built, Registry};
use crate::support::wait;

on_real_engines! {
    a_container_has_the_capabilities_of_container_caps_and_no_others,
    job_output_max_bounds_what_a_jobs_output_takes_of_the_disk,
    a_volume_that_an_image_asks_for_goes_with_its_container,
}

/// A node whose engine is `on`, with a flag.
fn node(on: Real, dir: &tempfile::TempDir, flag: (&str, &str)) -> TestNode {
    let socket = on.socket().display().to_string();
    TestNode::start(dir.path(), &[("engine-socket", &socket), flag])
}

fn a_container_has_the_capabilities_of_container_caps_and_no_others(on: Real) {
    // The numbers of capability.h: CHOWN is 0, NET_BIND_SERVICE 10.
    for (caps, bits) in [
        ("none", "0000000000000000"),
        ("CHOWN,CAP_NET_BIND_SERVICE", "0000000000000401"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let node = node(on, &dir, ("container-caps", caps));
        let job = node.submit(&shell("grep -E '^Cap(Eff|Bnd):' /proc/self/status"));
        let ended = node.ended(&job);
        let printed = &ended["Executions"]["Items"][0]["RunOutput"]["Stdout"];
        let expected = format!("CapEff:\t{bits}\nCapBnd:\t{bits}\n");
        assert_eq!(printed, expected.as_str(), "{caps}: {ended:#}");
    }
}

fn job_output_max_bounds_what_a_jobs_output_takes_of_the_disk(on: Real) {
    const PRINTED: u64 = 5_000_000;
    for (flag, least, most) in [("16MiB", PRINTED, 16 << 20), ("1MiB", 0, 1 << 20)] {
        let dir = tempfile::tempdir().unwrap();
        let node = node(on, &dir, ("job-output-max", flag));
        let line = format!(
            "yes 0123456789012345678901234567890123456789 | head -c {PRINTED}; exec sleep 1000"
        );
        let job = node.submit(&shell(&line));
        node.running(&job);
        wait::until("all is printed and kept", || {
            let kept = on.log_bytes_of(&node.id);
            assert!(kept <= most, "{flag}: {kept} bytes of log");
            // Its shell becomes the sleep when all is printed.
            let processes = on.command(&["top", &on.ids_of(&node.id)[0]]);
            if processes.contains("sh -c") || kept < least {
                Err((kept, processes))
            } else {
                Ok(())
            }
        });
        let path = format!("orchestrator/jobs/{job}");
        assert_eq!(node.call("DELETE", &path, None).status, 200);
        on.until_no_container_of(&node.id);
    }
}

fn a_volume_that_an_image_asks_for_goes_with_its_container(on: Real) {
    let registry = Registry::start();
    registry.serve("keeps", Answers::Image(Built::WithVolume));
    let image = registry.name("keeps");
    let dir = tempfile::tempdir().unwrap();
    let node = node(on, &dir, ("image-low-water", "0"));
    let job = node.submit(&command(
        &image,
        &["sh", "-c", "echo kept >/data/file; exec sleep 1000"],
    ));
    node.running(&job);
    let format = "{{range .Mounts}}{{.Name}}{{end}}";
    let volume = on.command(&["inspect", "--format", format, &on.ids_of(&node.id)[0]]);
    let volume = volume.trim().to_owned();
    let volumes = || on.command(&["volume", "ls", "--quiet"]);
    assert!(
        !volume.is_empty() && volumes().contains(&volume),
        "{volume}"
    );
    let path = format!("orchestrator/jobs/{job}");
    assert_eq!(node.call("DELETE", &path, None).status, 200);
    on.until_no_container_of(&node.id);
    wait::until("the volume is gone", || match volumes() {
        left if left.contains(&volume) => Err(left),
        _ => Ok(()),
    });
    node.stop().unwrap();
    on.command(&["rmi", &image]);
}
