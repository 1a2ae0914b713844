//! What a seed stands for: a fleet, its clients, and what befalls them until the world heals.
//!
//! Most seeds are small: one or two nodes, one or two jobs, one or two kinds of fault. Each kind of fault is absent from
//! most seeds, so that what is left can be understood when a seed fails.

use super::disk::StoreFile;
use crate::support::seed::Seed;
use codling::model::{JobType, NodeRole, NodeRoles, Resources};

/// When the last fault happens at the latest; afterwards links, engines and disks are well for ever.
const HEAL_MS: [u64; 4] = [5_000, 30_000, 120_000, 1_200_000];

/// Which jobs there are: a client of a batch job sees all that a job can come to.
const TYPES: [JobType; 8] = [
    JobType::Batch,
    JobType::Batch,
    JobType::Batch,
    JobType::Batch,
    JobType::Service,
    JobType::Service,
    JobType::Daemon,
    JobType::Ops,
];

/// A seed, unfolded.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) hosts: Vec<HostPlan>,
    pub(super) nodes: Vec<NodePlan>,
    pub(super) liar: Liar,
    pub(super) clients: Vec<ClientPlan>,
    pub(super) faults: Vec<(u64, Fault)>,
    pub(super) heal_ms: u64,
    pub(super) odds: Odds,
}

/// Whether a dishonest node takes part, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liar {
    None,
    /// It only speaks.
    Stranger,
    /// Requesters believe that it computes.
    Compute,
}

#[derive(Clone, Debug)]
pub(super) struct HostPlan {
    /// Whether the kernel holds containers to their memory limits.
    pub(super) enforces_memory: bool,
    /// Whether containers run on while the engine restarts.
    pub(super) runs_on: bool,
    /// Whether ended containers are still there after a reboot.
    pub(super) keeps_over_reboot: bool,
}

#[derive(Clone, Debug)]
pub(super) struct NodePlan {
    pub(super) roles: NodeRoles,
    pub(super) host: usize,
    pub(super) total: Resources,
    pub(super) wall_off_ms: Option<i64>,
}

/// One client: one submission, reads of it, perhaps a stop.
#[derive(Clone, Debug)]
pub(super) struct ClientPlan {
    pub(super) node: usize,
    pub(super) at_ms: u64,
    /// Clients with the same token bring the same job.
    pub(super) token: Option<String>,
    pub(super) job: JobPlan,
    /// So long after it was taken, it is to have a further version.
    pub(super) next_after_ms: Option<(u64, NextVersion)>,
    /// So long after that.
    pub(super) stop_after_ms: Option<u64>,
    pub(super) reads: u64,
    /// Does not wait for the reply to its submission.
    pub(super) vanishes: bool,
}

/// How a job comes to its second version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextVersion {
    /// Another spec comes under its name.
    Update,
    Rerun,
}

#[derive(Clone, Debug)]
pub(super) struct JobPlan {
    pub(super) name: String,
    pub(super) job_type: JobType,
    pub(super) image: &'static str,
    /// `None`: for ever.
    pub(super) run_ms: Option<u64>,
    pub(super) code: i64,
    pub(super) count: u32,
    pub(super) cpu: &'static str,
    pub(super) publisher: &'static str,
    pub(super) queue_s: u64,
    pub(super) execution_s: u64,
    pub(super) total_s: u64,
}

/// What befalls the fleet at one moment.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// kill -9, after so many further steps of that node.
    Kill {
        node: usize,
        steps: u64,
        down_ms: u64,
    },
    /// SIGTERM.
    Stop {
        node: usize,
        down_ms: u64,
    },
    /// Power loss, with what the wall clock shows afterwards.
    Reboot {
        host: usize,
        down_ms: u64,
        wall_off_ms: Option<i64>,
    },
    LinkDown {
        a: usize,
        b: usize,
        ms: u64,
    },
    /// The engine does not answer for a while.
    EngineAway {
        host: usize,
        ms: u64,
    },
    /// It restarts: replies under way are lost.
    EngineRestart {
        host: usize,
        ms: u64,
    },
    /// Somebody removes a container.
    Vanish {
        host: usize,
    },
    WallStep {
        node: usize,
        wall_off_ms: Option<i64>,
    },
    /// jobs.db or executions.db is lost (moved aside, say) while its node restarts.
    StoreLost {
        node: usize,
        file: StoreFile,
        down_ms: u64,
    },
    /// Every commit fails for a while.
    DiskBad {
        node: usize,
        ms: u64,
    },
}

/// One in so many; 0 is never.
#[derive(Clone, Debug)]
pub(super) struct Odds {
    pub(super) commit_fails: u64,
    pub(super) commit_ms_max: u64,
    pub(super) message_lost: u64,
    pub(super) message_repeated: u64,
    pub(super) message_ms_max: u64,
    pub(super) progress_late: u64,
    pub(super) engine_ms_max: u64,
    pub(super) call_fails: u64,
    pub(super) publish_fails: u64,
}

impl Scenario {
    pub(super) fn of(number: u64) -> Self {
        let seed = &mut Seed::new(number ^ 0x5ce0_a410_5ce0_a410);
        let node_count = *seed.pick(&[1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5]);
        let host_count = seed.below(node_count) + 1;
        let hosts = (0..host_count).map(|_| HostPlan {
            enforces_memory: !seed.once_in(6),
            runs_on: seed.once_in(2),
            keeps_over_reboot: !seed.once_in(4),
        });
        let hosts: Vec<HostPlan> = hosts.collect();
        let mut nodes: Vec<NodePlan> = (0..node_count)
            .map(|number| NodePlan {
                roles: *seed.pick(&[
                    NodeRoles::Both,
                    NodeRoles::Both,
                    NodeRoles::Requester,
                    NodeRoles::Compute,
                ]),
                host: index(number % host_count),
                total: Resources {
                    cpu_millis: *seed.pick(&[1_000, 2_000, 4_000]),
                    memory_bytes: *seed.pick(&[128 << 20, 512 << 20, 4 << 30]),
                    disk_bytes: 10 << 30,
                    gpus: 0,
                },
                wall_off_ms: wall(seed),
            })
            .collect();
        if !nodes.iter().any(|node| node.roles.has(NodeRole::Requester))
            || !nodes.iter().any(|node| node.roles.has(NodeRole::Compute))
        {
            nodes[0].roles = NodeRoles::Both;
        }
        let spans = if seed.once_in(8) { 4 } else { 3 };
        let heal_ms = *seed.pick(&HEAL_MS[..spans]);
        let liar = match seed.below(12) {
            0 => Liar::Stranger,
            1 => Liar::Compute,
            _ => Liar::None,
        };
        let mut clients = clients(seed, &nodes, heal_ms);
        let faults = faults(seed, &nodes, hosts.len(), heal_ms);
        let loses = |(_, fault): &(u64, Fault)| matches!(fault, Fault::StoreLost { .. });
        if faults.iter().any(loses) {
            // Nobody is left who could stop a job that is lost.
            for client in &mut clients {
                client.job.run_ms.get_or_insert(90_000);
            }
        }
        let mut odds = Odds {
            commit_fails: *seed.pick(&[0, 0, 0, 0, 40, 10, 4]),
            commit_ms_max: *seed.pick(&[1, 20, 20, 500]),
            message_lost: *seed.pick(&[0, 0, 20, 3]),
            message_repeated: *seed.pick(&[0, 0, 10, 3]),
            message_ms_max: *seed.pick(&[2, 50, 50, 3_000]),
            progress_late: *seed.pick(&[0, 0, 0, 3]),
            engine_ms_max: *seed.pick(&[2, 50, 50, 3_000]),
            call_fails: *seed.pick(&[0, 0, 0, 0, 20, 6]),
            publish_fails: *seed.pick(&[0, 0, 5]),
        };
        let mut faults = faults;
        if seed.once_in(5) {
            // An engine at its limit, and a supervisor that restarts at once.
            odds.engine_ms_max = 6_000;
            odds.call_fails = 5;
            for (_, fault) in &mut faults {
                if let Fault::Kill { down_ms, .. } = fault {
                    *down_ms %= 30;
                }
            }
        }
        Self {
            hosts,
            nodes,
            liar,
            clients,
            faults,
            heal_ms,
            odds,
        }
    }

    /// One node, one job, nothing that goes wrong.
    pub(super) fn quiet() -> Self {
        let mut scenario = Self::of(0);
        scenario.hosts = vec![HostPlan {
            enforces_memory: true,
            runs_on: true,
            keeps_over_reboot: true,
        }];
        scenario.nodes = vec![NodePlan {
            roles: NodeRoles::Both,
            host: 0,
            total: Resources {
                cpu_millis: 4_000,
                memory_bytes: 4 << 30,
                disk_bytes: 10 << 30,
                gpus: 0,
            },
            wall_off_ms: Some(0),
        }];
        scenario.liar = Liar::None;
        scenario.clients = vec![ClientPlan {
            node: 0,
            at_ms: 1_000,
            token: None,
            job: JobPlan {
                name: "quiet".to_owned(),
                job_type: JobType::Batch,
                image: "here",
                run_ms: Some(700),
                code: 3,
                count: 1,
                cpu: "",
                publisher: "",
                queue_s: 0,
                execution_s: 0,
                total_s: 0,
            },
            next_after_ms: None,
            stop_after_ms: None,
            reads: 0,
            vanishes: false,
        }];
        scenario.faults = Vec::new();
        scenario.odds = Odds {
            commit_fails: 0,
            commit_ms_max: 5,
            message_lost: 0,
            message_repeated: 0,
            message_ms_max: 2,
            progress_late: 0,
            engine_ms_max: 20,
            call_fails: 0,
            publish_fails: 0,
        };
        scenario
    }
}

pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// One of these words.
pub(super) fn word(seed: &mut Seed, words: &[&'static str]) -> &'static str {
    words[index(seed.below(words.len() as u64))]
}

fn wall(seed: &mut Seed) -> Option<i64> {
    *seed.pick(&[Some(0), Some(0), Some(3_000), Some(-40_000_000), None])
}

fn clients(seed: &mut Seed, nodes: &[NodePlan], heal_ms: u64) -> Vec<ClientPlan> {
    let requesters: Vec<usize> = (0..nodes.len())
        .filter(|node| nodes[*node].roles.has(NodeRole::Requester))
        .collect();
    let mut clients: Vec<ClientPlan> = Vec::new();
    for number in 0..*seed.pick(&[1, 1, 2, 2, 3, 5]) {
        let at_ms = seed.below(heal_ms.min(20_000));
        let repeats = clients.iter().rfind(|client| client.token.is_some());
        if let Some(client) = repeats.filter(|_| seed.once_in(4)) {
            let client = ClientPlan {
                at_ms,
                next_after_ms: None,
                stop_after_ms: None,
                ..client.clone()
            };
            clients.push(client);
            continue;
        }
        let forever = seed.once_in(10);
        let stop_after_ms = seed.once_in(4).then(|| seed.below(8_000));
        let token = seed.once_in(2).then(|| format!("token-{number}"));
        let vanishes = seed.once_in(8);
        // A job that runs for ever has a client that will stop it, whatever happens, or a time-out.
        let will_stop = stop_after_ms.is_some() && token.is_some() && !vanishes;
        let bounded = seed.once_in(8) || forever && !will_stop;
        let (execution_s, total_s) = match (bounded, seed.once_in(2)) {
            (false, _) => (0, 0),
            (true, true) => (1 + seed.below(40), 0),
            (true, false) => (0, 5 + seed.below(200)),
        };
        clients.push(ClientPlan {
            node: *seed.pick(&requesters),
            at_ms,
            token,
            job: JobPlan {
                name: format!("job-{number}"),
                job_type: *seed.pick(&TYPES),
                image: word(
                    seed,
                    &[
                        "here",
                        "here",
                        "here",
                        "here",
                        "here",
                        "here",
                        "pulled",
                        "pulled",
                        "absent",
                        "refused",
                        "unstartable",
                    ],
                ),
                run_ms: (!forever).then(|| match seed.below(4) {
                    0 => 0,
                    1 => seed.below(100),
                    2 => seed.below(5_000),
                    _ => seed.below(60_000),
                }),
                code: *seed.pick(&[0, 0, 1, 42]),
                count: *seed.pick(&[1, 1, 1, 1, 2, 3]),
                cpu: word(seed, &["", "", "0.5", "1", "2", "8"]),
                publisher: word(seed, &["", "", "", "noop"]),
                queue_s: *seed.pick(&[0, 0, 10, 300]),
                execution_s,
                total_s,
            },
            next_after_ms: seed.once_in(3).then(|| {
                let how =
                    *seed.pick(&[NextVersion::Update, NextVersion::Update, NextVersion::Rerun]);
                (seed.below(20_000), how)
            }),
            stop_after_ms,
            reads: seed.below(4),
            vanishes,
        });
    }
    clients
}

fn faults(seed: &mut Seed, nodes: &[NodePlan], hosts: usize, heal_ms: u64) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    let node = |seed: &mut Seed| index(seed.below(nodes.len() as u64));
    let host = |seed: &mut Seed| index(seed.below(hosts as u64));
    let pause = |seed: &mut Seed| match seed.below(4) {
        0 => seed.below(50),
        1 => seed.below(1_000),
        2 => seed.below(10_000),
        _ => seed.below(400_000),
    };
    for kind in 0..11 {
        if !seed.once_in(3) {
            continue;
        }
        for _ in 0..*seed.pick(&[1, 1, 2, 4]) {
            // Most faults fall into the first seconds, where the jobs are.
            let until_ms = if seed.once_in(3) {
                heal_ms
            } else {
                heal_ms.min(20_000)
            };
            let at = seed.below(until_ms);
            let fault = match kind {
                0 => Fault::Kill {
                    node: node(seed),
                    steps: seed.below(12),
                    down_ms: pause(seed),
                },
                1 => Fault::Kill {
                    node: node(seed),
                    steps: seed.below(60),
                    down_ms: pause(seed),
                },
                2 => Fault::Stop {
                    node: node(seed),
                    down_ms: pause(seed),
                },
                3 => Fault::Reboot {
                    host: host(seed),
                    down_ms: pause(seed),
                    wall_off_ms: wall(seed),
                },
                4 if nodes.len() > 1 => {
                    let a = node(seed);
                    let b = (a + 1 + index(seed.below(nodes.len() as u64 - 1))) % nodes.len();
                    Fault::LinkDown {
                        a,
                        b,
                        ms: pause(seed),
                    }
                }
                5 => Fault::EngineAway {
                    host: host(seed),
                    ms: pause(seed),
                },
                6 => Fault::EngineRestart {
                    host: host(seed),
                    ms: pause(seed) / 8,
                },
                7 => Fault::Vanish { host: host(seed) },
                9 if seed.once_in(3) => Fault::StoreLost {
                    node: node(seed),
                    file: *seed.pick(&[StoreFile::Jobs, StoreFile::Executions]),
                    down_ms: pause(seed),
                },
                8 => Fault::DiskBad {
                    node: node(seed),
                    ms: pause(seed) / 8,
                },
                _ => Fault::WallStep {
                    node: node(seed),
                    wall_off_ms: wall(seed),
                },
            };
            faults.push((at, fault));
        }
    }
    faults
}
