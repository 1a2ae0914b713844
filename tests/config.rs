//! Every rule of the settings: precedence, each bad value, homes, ports, the loopback.

use codling::config::{
    ApiAccess, ClientTarget, Config, ConfigError, FLAGS, ImagePull, Raw, StoreKind, Surroundings,
};
use codling::model::{DiskMode, DiskReading, ImageLowWater, NodeRoles, Origin};
use std::path::{Path, PathBuf};

/// A user with a home, in `/work`.
fn around(variables: &[(&str, &str)]) -> Surroundings {
    let mut around = Surroundings {
        working_dir: PathBuf::from("/srv/here"),
        uid: 1_000,
        passwd_home: Some(PathBuf::from("/home/pi")),
        ..Surroundings::default()
    };
    for (name, value) in variables {
        around
            .variables
            .insert((*name).to_owned(), (*value).to_owned());
    }
    around
}

fn raw(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Raw {
    Raw {
        flags: flags
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        around: around(variables),
    }
}

fn resolve(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Config {
    Config::resolve(&raw(flags, variables)).unwrap()
}

#[track_caller]
fn refuse(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> ConfigError {
    Config::resolve(&raw(flags, variables)).unwrap_err()
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = resolve(&[], &[("HOME", "/home/pi")]);
    assert_eq!(config.api_host.value.to_string(), "127.0.0.1");
    assert_eq!(config.api_port.value, 1234);
    assert_eq!(config.port.value, 1235);
    assert_eq!(config.swarm_host.value, None);
    assert_eq!(config.node_type.value, NodeRoles::Both);
    assert_eq!(config.data_dir.value, Path::new("/home/pi/.bacalhau"));
    assert_eq!(config.engine_socket.value, None);
    assert_eq!(config.image_pull.value, ImagePull::Missing);
    assert_eq!(config.log_level.value, log::LevelFilter::Info);
    assert_eq!(
        config.compute_execution_store_type.value,
        StoreKind::Embedded
    );
    assert_eq!(config.requester_job_store_path.value, None);
    assert_eq!(config.runtime_dir, Path::new("/run/user/1000"));
    assert_eq!(config.retain_age.value.0.as_secs(), 7 * 24 * 3_600);
    assert_eq!(config.retain_records.value, 1_000);
    assert_eq!(config.retain_bytes.value.0, 8 << 20);
    assert_eq!(config.image_low_water.value.0, ImageLowWater::default());
    assert!(config.peer.value.is_empty());
    assert!(config.notes.is_empty(), "{:?}", config.notes);
}

#[test]
fn the_mark_below_which_images_go_is_a_tenth_of_the_disk_or_two_gibibytes_unless_it_is_given() {
    let disk = |size_bytes| DiskReading {
        size_bytes,
        available_bytes: 0,
        mode: DiskMode::Writable,
    };
    for (given, small, large) in [
        ("", 1_000_000_000, 2 << 30),
        ("30%", 3_000_000_000, 30_000_000_000),
        ("512MiB", 512 << 20, 512 << 20),
        ("0", 0, 0),
    ] {
        let flag = [("image-low-water", given)];
        let flags = if given.is_empty() { &[] } else { &flag[..] };
        let mark = resolve(flags, &[]).image_low_water.value.0;
        assert_eq!(mark.on(&disk(10_000_000_000)), small, "{given}");
        assert_eq!(mark.on(&disk(100_000_000_000)), large, "{given}");
    }
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_beats_the_default() {
    let both = resolve(&[("api-port", "1")], &[("CODLING_API_PORT", "2")]);
    assert_eq!(both.api_port.value, 1);
    assert_eq!(both.api_port.origin, Origin::Flag("api-port".to_owned()));
    let variable = resolve(&[], &[("CODLING_API_PORT", "2")]);
    assert_eq!(variable.api_port.value, 2);
    assert_eq!(
        variable.api_port.origin,
        Origin::Variable("CODLING_API_PORT".to_owned())
    );
    assert_eq!(resolve(&[], &[]).api_port.origin, Origin::Default);
}

#[test]
fn our_variable_beats_the_upstream_name_of_the_same_setting() {
    let config = resolve(
        &[],
        &[("BACALHAU_API_PORT", "7"), ("CODLING_API_PORT", "8")],
    );
    assert_eq!(config.api_port.value, 8);
    assert_eq!(
        resolve(&[], &[("BACALHAU_API_PORT", "7")]).api_port.value,
        7
    );
}

#[test]
fn an_empty_variable_is_unset() {
    let config = resolve(&[], &[("CODLING_API_PORT", ""), ("BACALHAU_API_PORT", "7")]);
    assert_eq!(config.api_port.value, 7);
    assert_eq!(
        resolve(&[], &[("CODLING_API_PORT", "")]).api_port.origin,
        Origin::Default
    );
}

#[test]
fn every_flag_has_a_variable_of_its_own_name() {
    for spec in FLAGS {
        let expected = format!(
            "CODLING_{}",
            spec.name.to_ascii_uppercase().replace('-', "_")
        );
        assert_eq!(spec.all_variables().next(), Some(expected));
    }
}

#[test]
fn no_two_flags_share_a_spelling_or_a_variable() {
    let mut spellings: Vec<&str> = FLAGS
        .iter()
        .flat_map(|spec| std::iter::once(spec.name).chain(spec.synonyms.iter().copied()))
        .collect();
    let mut variables: Vec<String> = FLAGS.iter().flat_map(|spec| spec.all_variables()).collect();
    let (count, variable_count) = (spellings.len(), variables.len());
    spellings.sort_unstable();
    spellings.dedup();
    variables.sort_unstable();
    variables.dedup();
    assert_eq!((spellings.len(), variables.len()), (count, variable_count));
}

#[test]
fn documented_upstream_variables_are_read() {
    let config = resolve(
        &[],
        &[
            ("BACALHAU_DIR", "/srv/node"),
            ("BACALHAU_API_HOST", "::1"),
            ("BACALHAU_COMPUTE_STORE_TYPE", "inmemory"),
            ("BACALHAU_JOB_STORE_TYPE", " BoltDB "),
            ("BACALHAU_JOB_STORE_PATH", "/srv/jobs.db"),
            ("DOCKER_HOST", "unix:///run/podman/podman.sock"),
            ("LOG_LEVEL", "FATAL"),
        ],
    );
    assert_eq!(config.data_dir.value, Path::new("/srv/node"));
    assert_eq!(config.api_host.value.to_string(), "::1");
    assert_eq!(config.compute_execution_store_type.value, StoreKind::Memory);
    assert_eq!(config.requester_job_store_type.value, StoreKind::Embedded);
    assert_eq!(
        config.requester_job_store_path.value,
        Some(PathBuf::from("/srv/jobs.db"))
    );
    assert_eq!(
        config.engine_socket.value,
        Some(PathBuf::from("/run/podman/podman.sock"))
    );
    assert_eq!(config.log_level.value, log::LevelFilter::Error);
}

#[test]
fn a_synonym_is_the_same_flag_and_is_named_as_typed() {
    let config = resolve(&[("swarm-port", "4"), ("repo", "/r")], &[]);
    assert_eq!(config.port.value, 4);
    assert_eq!(config.port.origin, Origin::Flag("swarm-port".to_owned()));
    assert_eq!(config.data_dir.value, Path::new("/r"));
    assert_eq!(
        refuse(&[("swarm-port", "4"), ("port", "5")], &[]),
        ConfigError::GivenTwice {
            name: "port",
            first: "4".to_owned(),
            second: "5".to_owned()
        }
    );
}

#[test]
fn every_bad_value_names_its_flag_the_value_what_is_allowed_and_a_hint() {
    let long = "x".repeat(64);
    let bad = [
        ("api-host", "pi.local", "an IP address"),
        ("api-host", "http://127.0.0.1", "an IP address"),
        ("api-host", "", "an IP address"),
        ("api-port", "abc", "a port from 0 to 65535"),
        ("api-port", "65536", "a port from 0 to 65535"),
        ("api-port", "-1", "a port from 0 to 65535"),
        ("api-port", "+1", "a port from 0 to 65535"),
        ("api-port", "", "a port from 0 to 65535"),
        ("api-open", "maybe", "true or false"),
        ("api-allow-host", "http://pi", "host names"),
        ("api-allow-host", "pi:1234", "host names"),
        ("port", "1 2", "a port from 0 to 65535"),
        ("swarm-host", "eth0", "an IP address"),
        ("peer", "192.0.2.1:1235", "multiaddrs such as"),
        ("peer", "/ip4/192.0.2.1/tcp/1,env", "multiaddrs such as"),
        ("node-type", "both", "requester, compute"),
        ("node-type", "", "requester, compute"),
        ("name", "my pi", "letters, digits"),
        ("name", &long, "letters, digits"),
        ("labels", "kitchen", "KEY=VALUE"),
        ("labels", "=x", "KEY=VALUE"),
        ("labels", "a=b c", "KEY=VALUE"),
        ("labels", "a=1,a=2", "each key once"),
        ("data-dir", "~/x", "a path written in full"),
        ("data-dir", "$HOME/x", "a path written in full"),
        ("data-dir", "/", "a path below /"),
        ("data-dir", "/srv/..", "a path below /"),
        ("engine-socket", "tcp://127.0.0.1:2375", "a Unix socket"),
        ("engine-socket", "ssh://pi", "a Unix socket"),
        ("engine-socket", "unix://run/x.sock", "a Unix socket"),
        ("image-pull", "always", "missing or never"),
        ("image-low-water", "100%", "from 1% to 99%"),
        ("image-low-water", "0%", "from 1% to 99%"),
        ("image-low-water", "some", "from 1% to 99%"),
        ("log-level", "loud", "off, error, warn"),
        ("store-damaged", "ignore", "set-aside or refuse"),
        ("retain-age", "7", "a duration such as"),
        ("retain-age", "59s", "at least 60 s"),
        ("retain-records", "0", "a number from 1 to 16384"),
        ("retain-records", "16385", "a number from 1 to 16384"),
        ("retain-records", "+1", "a number from 1 to 16384"),
        ("retain-bytes", "1KiB", "from 64KiB to 1GiB"),
        ("retain-bytes", "8", "from 64KiB to 1GiB"),
        (
            "compute-execution-store-type",
            "sqlite",
            "boltdb or inmemory",
        ),
        ("requester-job-store-type", "", "boltdb or inmemory"),
        (
            "compute-execution-store-path",
            "~/x.db",
            "a path written in full",
        ),
        ("requester-job-store-path", "/", "a path below /"),
    ];
    for (flag, value, allowed) in bad {
        let error = refuse(&[(flag, value)], &[]);
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("flag --{flag}: \"{value}\" is not valid; use ")),
            "{text}"
        );
        assert!(text.contains(allowed), "{text}");
        assert!(!error.hint().is_empty(), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn a_bad_value_from_a_variable_names_the_variable() {
    for spec in FLAGS {
        for variable in spec.all_variables() {
            let error = refuse(&[], &[(&variable, "\u{1}")]);
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("variable {variable}: ")),
                "{error}"
            );
        }
    }
}

#[test]
fn a_docker_host_that_is_no_unix_socket_is_refused_by_its_name() {
    let error = refuse(&[], &[("DOCKER_HOST", "tcp://10.0.0.1:2375")]);
    assert!(error.to_string().starts_with("variable DOCKER_HOST:"));
    assert!(error.hint().contains("--engine-socket"));
}

#[test]
fn a_flag_hides_a_bad_variable() {
    let config = resolve(
        &[("engine-socket", "/run/x.sock")],
        &[("DOCKER_HOST", "tcp://10.0.0.1:2375")],
    );
    assert_eq!(
        config.engine_socket.value,
        Some(PathBuf::from("/run/x.sock"))
    );
}

#[test]
fn equal_ports_are_refused_and_both_are_named() {
    assert_eq!(
        refuse(&[("port", "1234")], &[]).to_string(),
        "--api-port and --port are both 1234 (default; flag --port)"
    );
    assert_eq!(
        refuse(&[("swarm-port", "9000")], &[("BACALHAU_API_PORT", "9000")]).to_string(),
        "--api-port and --port are both 9000 (variable BACALHAU_API_PORT; flag --swarm-port)"
    );
}

#[test]
fn one_file_for_jobs_and_executions_is_refused_before_anything_is_written() {
    let compute = ("compute-execution-store-path", "/srv/store.db");
    let jobs = ("requester-job-store-path", "/srv/store.db");
    let error = refuse(&[compute, jobs], &[]).to_string();
    assert!(
        error.starts_with("flag --requester-job-store-path: \"/srv/store.db\""),
        "{error}"
    );
    let memory = ("requester-job-store-type", "inmemory");
    assert!(Config::resolve(&raw(&[compute, jobs, memory], &[("HOME", "/home/pi")])).is_ok());
}

#[test]
fn both_ports_may_be_any_free_one() {
    let config = resolve(&[("port", "0"), ("api-port", "0")], &[]);
    assert_eq!((config.port.value, config.api_port.value), (0, 0));
}

#[test]
fn the_rest_api_leaves_the_loopback_only_with_a_token_or_api_open() {
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let error = refuse(&[("api-host", host)], &[]);
        assert!(
            error
                .to_string()
                .contains("add --api-token-file FILE or --api-open"),
            "{host}: {error}"
        );
        assert!(error.to_string().contains("flag --api-host"), "{error}");
        let open = resolve(&[("api-host", host), ("api-open", "true")], &[]);
        assert_eq!(open.api_open.value, ApiAccess::Open);
        let guarded = resolve(&[("api-host", host), ("api-token-file", "token")], &[]);
        assert_eq!(guarded.api_token_file.value, Some("/srv/here/token".into()));
        let both = resolve(
            &[
                ("api-host", host),
                ("api-open", "true"),
                ("api-token-file", "/t"),
            ],
            &[],
        );
        assert!(
            both.notes
                .iter()
                .any(|note| note.contains("--api-open changes nothing")),
            "{:?}",
            both.notes
        );
    }
    for host in [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "[::1]",
        "localhost",
        "LOCALHOST",
    ] {
        resolve(&[("api-host", host)], &[]);
    }
    refuse(
        &[("api-host", "0.0.0.0"), ("api-open", "false")],
        &[("CODLING_API_OPEN", "true")],
    );
}

#[test]
fn peers_come_from_repeated_flags_and_comma_lists_without_none_or_duplicates() {
    let config = resolve(
        &[
            ("peer", "/ip4/192.0.2.1/tcp/1, /ip4/192.0.2.2/tcp/1"),
            ("peer", "none"),
            ("peer", "/ip4/192.0.2.1/tcp/1"),
        ],
        &[],
    );
    assert_eq!(
        config.peer.value,
        ["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"]
    );
    let too_many: Vec<String> = (0..65).map(|i| format!("/ip4/192.0.2.1/tcp/{i}")).collect();
    let error = refuse(&[("peer", &too_many.join(","))], &[]);
    assert!(error.to_string().contains("at most 64 peers"), "{error}");
}

#[test]
fn labels_are_pairs_and_a_value_may_be_empty() {
    let config = resolve(
        &[("labels", "room=kitchen"), ("labels", "gpu=, a=b/c")],
        &[],
    );
    let labels: Vec<(&str, &str)> = config
        .labels
        .value
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(labels, [("a", "b/c"), ("gpu", ""), ("room", "kitchen")]);
}

#[test]
fn roles_come_in_any_order_and_case() {
    for (text, roles) in [
        ("compute", NodeRoles::Compute),
        ("Requester", NodeRoles::Requester),
        ("compute, requester", NodeRoles::Both),
    ] {
        assert_eq!(resolve(&[("node-type", text)], &[]).node_type.value, roles);
    }
}

#[test]
fn a_relative_path_is_taken_from_the_working_directory() {
    let config = resolve(
        &[("data-dir", "./scratch/"), ("engine-socket", "unix:///a/b")],
        &[],
    );
    assert_eq!(config.data_dir.value, Path::new("/srv/here/scratch"));
    assert_eq!(config.engine_socket.value, Some(PathBuf::from("/a/b")));
}

#[test]
fn a_users_data_dir_is_in_home_else_in_the_passwd_home() {
    let config = resolve(&[], &[("HOME", "/somewhere")]);
    assert_eq!(config.data_dir.value, Path::new("/somewhere/.bacalhau"));
    assert!(matches!(config.data_dir.origin, Origin::Rule(_)));
    for home in ["", "/", "relative"] {
        let config = resolve(&[], &[("HOME", home)]);
        assert_eq!(
            config.data_dir.value,
            Path::new("/home/pi/.bacalhau"),
            "{home}"
        );
    }
}

#[test]
fn without_any_home_a_user_is_asked_for_a_data_dir() {
    let mut homeless = raw(&[], &[]);
    homeless.around.passwd_home = Some(PathBuf::from("/"));
    assert_eq!(Config::resolve(&homeless).unwrap_err(), ConfigError::NoHome);
    assert!(ConfigError::NoHome.hint().contains("--data-dir"));
    homeless
        .flags
        .push(("data-dir".to_owned(), "/d".to_owned()));
    assert_eq!(
        Config::resolve(&homeless).unwrap().data_dir.value,
        Path::new("/d")
    );
}

#[test]
fn root_without_a_writable_home_keeps_its_data_in_var_lib() {
    let mut root = raw(&[], &[("HOME", "/root")]);
    root.around.uid = 0;
    root.around.passwd_home = Some(PathBuf::from("/root"));
    let config = Config::resolve(&root).unwrap();
    assert_eq!(config.data_dir.value, Path::new("/var/lib/codling"));
    root.around.variables.remove("HOME");
    root.around.passwd_home = None;
    assert_eq!(
        Config::resolve(&root).unwrap().data_dir.value,
        Path::new("/var/lib/codling")
    );
    root.around.passwd_home = Some(PathBuf::from("/root"));
    root.around.writable_homes.insert(PathBuf::from("/root"));
    assert_eq!(
        Config::resolve(&root).unwrap().data_dir.value,
        Path::new("/root/.bacalhau")
    );
}

#[test]
fn the_start_report_has_a_line_for_every_flag_with_value_and_origin() {
    let config = resolve(&[("api-port", "9")], &[("LOG_LEVEL", "debug")]);
    let lines = config.lines();
    assert_eq!(
        lines.iter().map(|line| line.name).collect::<Vec<_>>(),
        FLAGS.iter().map(|spec| spec.name).collect::<Vec<_>>()
    );
    let line = |name: &str| {
        let line = lines.iter().find(|line| line.name == name).unwrap();
        format!("{} = {} ({})", line.name, line.value, line.origin)
    };
    assert_eq!(line("api-port"), "api-port = 9 (flag --api-port)");
    assert_eq!(line("log-level"), "log-level = debug (variable LOG_LEVEL)");
    assert_eq!(line("swarm-host"), "swarm-host = all interfaces (default)");
    assert_eq!(line("peer"), "peer = none (default)");
    assert_eq!(line("api-open"), "api-open = no (default)");
}

#[test]
fn a_path_beside_a_memory_store_is_noted_not_refused() {
    let config = resolve(
        &[
            ("requester-job-store-type", "inmemory"),
            ("requester-job-store-path", "/x.db"),
        ],
        &[],
    );
    assert_eq!(config.notes.len(), 1);
    assert!(config.notes[0].starts_with("--requester-job-store-path is ignored"));
}

#[test]
fn a_mistyped_variable_of_ours_is_noted_with_the_nearest() {
    let config = resolve(&[], &[("CODLING_API_PROT", "9"), ("OTHER", "x")]);
    assert_eq!(
        config.notes,
        ["variable CODLING_API_PROT is not known and was ignored; did you mean CODLING_API_PORT?"]
    );
}

#[test]
fn a_client_reaches_a_wildcard_listener_on_the_loopback_and_takes_urls() {
    let target = |flags: &[(&str, &str)], variables: &[(&str, &str)]| {
        ClientTarget::resolve(&raw(flags, variables))
            .unwrap()
            .base_url()
    };
    assert_eq!(target(&[], &[]), "http://127.0.0.1:1234");
    assert_eq!(
        target(&[("api-host", "0.0.0.0"), ("api-port", "9")], &[]),
        "http://127.0.0.1:9"
    );
    assert_eq!(target(&[("api-host", "::")], &[]), "http://[::1]:1234");
    assert_eq!(
        target(&[], &[("BACALHAU_API_HOST", "http://pi.local:99/")]),
        "http://pi.local:99"
    );
    assert_eq!(
        target(
            &[("api-host", "pi.local:99"), ("api-port", "5")],
            &[("CODLING_API_HOST", "other")]
        ),
        "http://pi.local:5"
    );
    assert_eq!(target(&[("api-host", "[::1]")], &[]), "http://[::1]:1234");
    for bad in ["https://pi", "pi/path", "pi:x", "a b", "[pi]", "[::1"] {
        ClientTarget::resolve(&raw(&[("api-host", bad)], &[])).unwrap_err();
    }
}

#[test]
fn a_capability_is_named_in_any_case_with_or_without_its_prefix_and_once() {
    let flags = [
        ("container-caps", "chown,CAP_NET_RAW"),
        ("container-caps", "Chown"),
    ];
    let config = resolve(&flags, &[]);
    let names: Vec<&str> = config
        .container_caps
        .value
        .0
        .iter()
        .map(|c| c.as_str())
        .collect();
    assert_eq!(names, ["CHOWN", "NET_RAW"]);
    for none in ["", "none"] {
        let config = resolve(&[("container-caps", none)], &[]);
        assert_eq!(config.container_caps.value.0, [], "{none}");
    }
    assert_eq!(resolve(&[], &[]).container_caps.value.0, []);
}

#[test]
fn a_capability_that_is_none_is_named_with_the_known_ones_and_the_nearest() {
    let error = refuse(&[("container-caps", "CHOWN,NET_ADMN")], &[]);
    let told = format!("{error}");
    assert!(told.contains("--container-caps"), "{told}");
    assert!(
        told.contains("DAC_OVERRIDE") && told.contains("CHECKPOINT_RESTORE"),
        "{told}"
    );
    let hint = error.hint();
    assert!(
        hint.contains("\"NET_ADMN\"") && hint.contains("NET_ADMIN"),
        "{hint}"
    );
    let hint = refuse(&[("container-caps", "ALL")], &[]).hint();
    assert!(hint.contains("name those that jobs need"), "{hint}");
}

#[test]
fn the_most_output_of_a_job_is_bytes_within_bounds_that_a_refusal_names() {
    let bytes = |text| {
        resolve(&[("job-output-max", text)], &[])
            .job_output_max
            .value
            .0
    };
    assert_eq!(resolve(&[], &[]).job_output_max.value.0, 16 << 20);
    for (text, expected) in [
        ("64KiB", 64 << 10),
        ("1 GiB", 1 << 30),
        ("1.5MB", 1_500_000),
        ("70000", 70_000),
    ] {
        assert_eq!(bytes(text), expected, "{text}");
    }
    for text in ["0", "65535", "1.1GiB", "-1", "much", "16 parsecs"] {
        let told = refuse(&[("job-output-max", text)], &[]).to_string();
        let names = ["--job-output-max", "64KiB", "1GiB", text];
        assert!(names.iter().all(|name| told.contains(name)), "{told}");
    }
}
