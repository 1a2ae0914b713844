//! Which flags the help shows together, in which order.

/// Title and names; every flag stands in exactly one group.
pub const FLAG_GROUPS: &[(&str, &[&str])] = &[
    ("This node", &["name", "labels", "node-type", "data-dir"]),
    (
        "REST API",
        &[
            "api-host",
            "api-port",
            "api-token-file",
            "api-allow-host",
            "api-open",
        ],
    ),
    ("Other nodes", &["peer", "port", "swarm-host"]),
    (
        "Containers",
        &[
            "engine-socket",
            "image-pull",
            "image-low-water",
            "container-caps",
            "job-output-max",
            "require-memory-limits",
        ],
    ),
    (
        "Log and stores",
        &[
            "log-level",
            "log-format",
            "compute-execution-store-type",
            "compute-execution-store-path",
            "requester-job-store-type",
            "requester-job-store-path",
            "store-damaged",
            "retain-age",
            "retain-records",
            "retain-bytes",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FLAGS;

    #[test]
    fn every_flag_stands_in_one_group_and_no_group_names_another() {
        let mut grouped: Vec<&str> = FLAG_GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let mut flags: Vec<&str> = FLAGS.iter().map(|spec| spec.name).collect();
        grouped.sort_unstable();
        flags.sort_unstable();
        assert_eq!(grouped, flags);
    }
}
