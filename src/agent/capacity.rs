//! What this board offers, and who has it. Never over-committed, everything returned.

use crate::model::{
    BoardFacts, CPU_MILLIS_LEAST, Dimension, ExecutionId, MEMORY_BYTES_LEAST, Requested, Resources,
};
use std::collections::BTreeMap;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What a job that names no CPU asks for (serve.md 3.4).
const DEFAULT_CPU_MILLIS: u64 = 100;
/// What a job that names no memory asks for, on a board that has plenty.
const DEFAULT_MEMORY_BYTES: u64 = 100 * MIB;
/// The least that a job that names no memory asks for.
const DEFAULT_MEMORY_BYTES_MIN: u64 = 32 * MIB;
/// What a job that names no disk asks for: room for its outputs.
const DEFAULT_DISK_BYTES: u64 = 64 * MIB;

/// Totals, the per-job limit, and reservations by execution.
#[derive(Clone, Debug)]
pub struct Capacity {
    total: Resources,
    reserved: BTreeMap<ExecutionId, Resources>,
    used: Resources,
}

/// Why nothing was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReserved {
    /// There is too little of this now.
    Short(Dimension),
}

impl Capacity {
    /// Offers `total`.
    #[must_use]
    pub fn new(total: Resources) -> Self {
        Self {
            total,
            reserved: BTreeMap::new(),
            used: Resources::default(),
        }
    }

    /// What a board offers when nothing is configured (serve.md 3.4): three quarters of its cores, a share of its
    /// memory by tier, and half of the available disk but never its last tenth or GiB. Stable across restarts but for
    /// the disk.
    #[must_use]
    pub fn by_rule(board: &BoardFacts) -> Resources {
        let percent = match board.memory_bytes {
            bytes if bytes < 640 * MIB => 50,
            bytes if bytes < GIB + GIB / 2 => 60,
            bytes if bytes < 6 * GIB => 70,
            _ => 75,
        };
        let floor = GIB.max(board.disk_size_bytes / 10);
        let disk =
            (board.disk_available_bytes / 2).min(board.disk_available_bytes.saturating_sub(floor));
        Resources {
            cpu_millis: (board.cores * 750 / 100 * 100).max(100),
            memory_bytes: down_to(board.memory_bytes / 100 * percent, 16 * MIB),
            disk_bytes: down_to(disk, 64 * MIB),
            gpus: 0,
        }
    }

    /// What is offered in all. A job may have all of it.
    #[must_use]
    pub fn total(&self) -> Resources {
        self.total
    }

    /// What a job asks for, with the defaults for what it does not name. A default never exceeds the limit.
    #[must_use]
    pub fn resolve(&self, requested: &Requested) -> Resources {
        let default_memory = down_to(self.total.memory_bytes / 4, 16 * MIB)
            .clamp(DEFAULT_MEMORY_BYTES_MIN, DEFAULT_MEMORY_BYTES);
        // Nothing of these is not enough to run with, so it is not given; a sliver is what the engine makes of it.
        let of = |asked: Option<u64>, least: u64, default: u64| match asked {
            None | Some(0) => default,
            Some(asked) => asked.max(least),
        };
        Resources {
            cpu_millis: of(
                requested.cpu_millis,
                CPU_MILLIS_LEAST,
                DEFAULT_CPU_MILLIS.min(self.total.cpu_millis),
            ),
            memory_bytes: of(
                requested.memory_bytes,
                MEMORY_BYTES_LEAST,
                default_memory.min(self.total.memory_bytes),
            ),
            disk_bytes: of(
                requested.disk_bytes,
                0,
                DEFAULT_DISK_BYTES.min(self.total.disk_bytes),
            ),
            gpus: requested.gpus.unwrap_or(0),
        }
    }

    /// Sets `resources` aside for an execution; again for the same one is already so.
    ///
    /// # Errors
    /// Names the first dimension of which too little is free; nothing is set aside then.
    pub fn reserve(
        &mut self,
        execution: &ExecutionId,
        resources: Resources,
    ) -> Result<(), NotReserved> {
        if self.reserved.contains_key(execution) {
            return Ok(());
        }
        if let Some(short) = resources.exceeds(&self.free()) {
            return Err(NotReserved::Short(short));
        }
        self.adopt(execution, resources);
        Ok(())
    }

    /// Sets aside what an execution that already runs has, even if the board offers less than at its start.
    pub fn adopt(&mut self, execution: &ExecutionId, resources: Resources) {
        if self.reserved.contains_key(execution) {
            return;
        }
        // Only adopted containers can reach the sum's end; then nothing is free, which is what saturation says.
        self.used = self.used.checked_add(&resources).unwrap_or(self.total);
        self.reserved.insert(execution.clone(), resources);
    }

    /// Gives back what an execution had; nothing if it had nothing.
    pub fn release(&mut self, execution: &ExecutionId) {
        if self.reserved.remove(execution).is_some() {
            self.used = self
                .reserved
                .values()
                .try_fold(Resources::default(), |sum, resources| {
                    sum.checked_add(resources)
                })
                .unwrap_or(self.total);
        }
    }

    /// What is free now.
    #[must_use]
    pub fn free(&self) -> Resources {
        Resources {
            cpu_millis: self.total.cpu_millis.saturating_sub(self.used.cpu_millis),
            memory_bytes: self
                .total
                .memory_bytes
                .saturating_sub(self.used.memory_bytes),
            disk_bytes: self.total.disk_bytes.saturating_sub(self.used.disk_bytes),
            gpus: self.total.gpus.saturating_sub(self.used.gpus),
        }
    }

    /// How many executions hold something.
    #[must_use]
    pub fn holders(&self) -> usize {
        self.reserved.len()
    }
}

fn down_to(value: u64, step: u64) -> u64 {
    value / step * step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(memory_mib: u64, cores: u64) -> BoardFacts {
        BoardFacts {
            cores,
            memory_bytes: memory_mib * MIB,
            disk_available_bytes: 20 * GIB,
            disk_size_bytes: 30 * GIB,
        }
    }

    #[test]
    fn the_rule_gives_the_documented_figures_for_the_boards_of_the_table() {
        for (memory, expected) in [(420, 208), (920, 544), (3_800, 2_656), (8_050, 6_032)] {
            assert_eq!(
                Capacity::by_rule(&board(memory, 4)).memory_bytes,
                expected * MIB,
                "{memory}"
            );
        }
        assert_eq!(Capacity::by_rule(&board(920, 4)).cpu_millis, 3_000);
        assert_eq!(Capacity::by_rule(&board(920, 6)).cpu_millis, 4_500);
        assert_eq!(Capacity::by_rule(&board(920, 4)).disk_bytes, 10 * GIB);
    }

    #[test]
    fn a_full_disk_offers_no_disk() {
        let facts = BoardFacts {
            disk_available_bytes: GIB,
            ..board(920, 4)
        };
        assert_eq!(Capacity::by_rule(&facts).disk_bytes, 0);
    }

    #[test]
    fn a_job_that_names_nothing_never_asks_for_more_than_the_board_offers() {
        for memory in [64, 420, 920, 8_050] {
            let capacity = Capacity::new(Capacity::by_rule(&board(memory, 1)));
            assert_eq!(
                capacity
                    .resolve(&Requested::default())
                    .exceeds(&capacity.total()),
                None,
                "{memory}"
            );
        }
    }

    #[test]
    fn a_job_that_asks_for_nothing_or_a_sliver_is_set_aside_what_its_container_gets() {
        let capacity = Capacity::new(Capacity::by_rule(&board(920, 4)));
        let zero = Requested {
            cpu_millis: Some(0),
            memory_bytes: Some(0),
            disk_bytes: Some(0),
            gpus: Some(0),
        };
        let default = capacity.resolve(&Requested::default());
        assert_eq!(capacity.resolve(&zero), default);
        let sliver = Requested {
            cpu_millis: Some(1),
            memory_bytes: Some(1),
            disk_bytes: Some(1),
            gpus: None,
        };
        let resolved = capacity.resolve(&sliver);
        assert_eq!(resolved.cpu_millis, CPU_MILLIS_LEAST);
        assert_eq!(resolved.memory_bytes, MEMORY_BYTES_LEAST);
        assert_eq!(resolved.disk_bytes, 1);
    }

    /// A number from a counter: SplitMix64.
    fn drawn(state: &mut u64, below: u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    #[test]
    fn in_a_million_steps_nothing_is_over_committed_and_everything_is_returned() {
        const STEPS: u32 = 1_000_000;
        let total = Resources {
            cpu_millis: 1_000,
            memory_bytes: 1_000,
            disk_bytes: 1_000,
            gpus: 2,
        };
        let mut capacity = Capacity::new(total);
        let mut model: BTreeMap<u64, Resources> = BTreeMap::new();
        let mut state = 7;
        for step in 0..STEPS {
            let number = drawn(&mut state, 16);
            let id = ExecutionId(format!("e-{number}"));
            if drawn(&mut state, 2) == 0 {
                capacity.release(&id);
                model.remove(&number);
            } else {
                let asked = Resources {
                    cpu_millis: drawn(&mut state, 600),
                    memory_bytes: drawn(&mut state, 600),
                    disk_bytes: drawn(&mut state, 600),
                    gpus: drawn(&mut state, 3),
                };
                let fits = model.contains_key(&number) || asked.exceeds(&capacity.free()).is_none();
                assert_eq!(capacity.reserve(&id, asked).is_ok(), fits, "step {step}");
                if fits {
                    model.entry(number).or_insert(asked);
                }
            }
            let used = model.values().fold(Resources::default(), |sum, held| {
                sum.checked_add(held).unwrap()
            });
            assert_eq!(used.exceeds(&total), None, "step {step}: over-committed");
            assert_eq!(
                Some(capacity.free()),
                total.checked_sub(&used),
                "step {step}"
            );
            assert_eq!(capacity.holders(), model.len(), "step {step}");
        }
        for number in 0..16 {
            capacity.release(&ExecutionId(format!("e-{number}")));
        }
        assert_eq!((capacity.free(), capacity.holders()), (total, 0));
    }
}
