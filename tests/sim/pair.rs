//! One requester and one compute node on hosts of their own, with a bad link between them that is down for days.

use super::scenario::{Fault, HostPlan, Liar, NodePlan, Scenario};
use crate::support::seed::Seed;
use codling::model::{NodeRoles, Resources};

const HOUR_MS: u64 = 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * HOUR_MS;

const REQUESTER: usize = 0;
const COMPUTE: usize = 1;

impl Scenario {
    /// The jobs of a fleet's seed, on a pair.
    pub(super) fn pair(number: u64) -> Self {
        let seed = &mut Seed::new(number ^ 0x9a12_9a12_9a12_9a12);
        let mut scenario = Self::of(number);
        scenario.hosts.truncate(1);
        scenario.hosts.push(HostPlan {
            enforces_memory: true,
            runs_on: seed.once_in(2),
            keeps_over_reboot: !seed.once_in(4),
        });
        let roles = [NodeRoles::Requester, NodeRoles::Compute];
        let nodes = roles.into_iter().enumerate().map(|(host, roles)| NodePlan {
            roles,
            host,
            total: Resources {
                cpu_millis: 2_000,
                memory_bytes: 4 << 30,
                disk_bytes: 10 << 30,
                gpus: 0,
            },
            wall_off_ms: *seed.pick(&[Some(0), Some(0), Some(-40_000_000), None]),
        });
        scenario.nodes = nodes.collect();
        scenario.liar = Liar::None;
        for client in &mut scenario.clients {
            client.node = REQUESTER;
        }
        // A day takes as long to play as an hour of ten other seeds.
        scenario.heal_ms = match seed.below(64) {
            0 => 3 * DAY_MS,
            1..=3 => DAY_MS + 6 * HOUR_MS,
            _ => HOUR_MS,
        };
        scenario.faults = faults(seed, scenario.heal_ms);
        scenario.odds.message_lost = *seed.pick(&[0, 20, 3, 2]);
        scenario.odds.message_repeated = *seed.pick(&[0, 10, 2]);
        scenario.odds.message_ms_max = *seed.pick(&[50, 3_000, 60_000]);
        scenario
    }

    /// Whether a partition lasts longer than a day.
    pub(super) fn is_apart_for_a_day(&self) -> bool {
        let is_long = |fault: &Fault| matches!(fault, Fault::LinkDown { ms, .. } if *ms > DAY_MS);
        self.faults.iter().any(|(_, fault)| is_long(fault))
    }
}

/// Partitions in every run; crashes, power cuts, an engine that is away and clocks that step in most.
fn faults(seed: &mut Seed, heal_ms: u64) -> Vec<(u64, Fault)> {
    let either = |seed: &mut Seed| *seed.pick(&[REQUESTER, COMPUTE]);
    let mut faults = Vec::new();
    for kind in [0, 0, 1, 1, 1, 2, 3, 4, 5] {
        if kind != 0 && seed.once_in(2) {
            continue;
        }
        // Most fall where the jobs are.
        let until_ms = *seed.pick(&[5_000, 60_000, 60_000, heal_ms]);
        let at_ms = seed.below(until_ms);
        // All of it is over when the world heals.
        let longest_ms = (heal_ms - at_ms).max(1);
        let long = |seed: &mut Seed| match seed.below(4) {
            0 => seed.below(1_000).min(longest_ms),
            1 => seed.below(HOUR_MS).min(longest_ms),
            _ => seed.below(longest_ms),
        };
        let fault = match kind {
            // Those that have days are apart for most of them.
            0 if heal_ms > DAY_MS && faults.is_empty() => Fault::LinkDown {
                a: REQUESTER,
                b: COMPUTE,
                ms: longest_ms - seed.below(longest_ms / 4 + 1),
            },
            0 => Fault::LinkDown {
                a: REQUESTER,
                b: COMPUTE,
                ms: long(seed),
            },
            1 => Fault::Kill {
                node: either(seed),
                steps: seed.below(60),
                // It may come late, after so many steps.
                down_ms: long(seed).min(3 * HOUR_MS),
            },
            2 => Fault::Stop {
                node: either(seed),
                down_ms: long(seed),
            },
            3 => Fault::Reboot {
                host: either(seed),
                down_ms: long(seed),
                wall_off_ms: *seed.pick(&[Some(0), None, Some(-1_800_000_000_000)]),
            },
            4 => Fault::EngineAway {
                host: COMPUTE,
                ms: long(seed),
            },
            _ => Fault::WallStep {
                node: either(seed),
                wall_off_ms: *seed.pick(&[Some(0), None, Some(400_000_000)]),
            },
        };
        faults.push((at_ms, fault));
    }
    faults
}
