//! What a board can spare at a moment: which readings are too bad to take more work, and from which on a condition is
//! shown. The same limits for both.

use crate::model::{
    BoardReading, DiskMode, DiskReading, Heat, MemoryReading, RejectReason, Resources,
};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Memory that is kept available: what the kernel, the engine and this node need to go on, and 8 % on larger boards.
const MEMORY_KEPT_LEAST: u64 = 48 * MIB;
const MEMORY_KEPT_PERCENT: u64 = 8;
/// Disk that is kept available: a twentieth, within bounds; a quarter of a tiny partition.
const DISK_KEPT_LEAST: u64 = 64 * MIB;
const DISK_KEPT_MOST: u64 = GIB;
const DISK_KEPT_PART: u64 = 20;
const DISK_KEPT_PART_TINY: u64 = 4;
/// From here on work waits for memory more than it works: 40 % of a minute for some, 10 % of ten seconds for all, in
/// hundredths of a percent.
const PRESSURE_SOME_60S: u32 = 4_000;
const PRESSURE_FULL_10S: u32 = 1_000;

/// How long a reading counts: a burst of submissions reads the board once.
pub(super) const READING_FRESH_MS: u64 = 1_000;

/// Bytes of memory that stay available.
pub(super) fn memory_kept(memory: &MemoryReading) -> u64 {
    MEMORY_KEPT_LEAST.max(memory.total_bytes / 100 * MEMORY_KEPT_PERCENT)
}

/// Bytes of disk that stay available.
pub(super) fn disk_kept(disk: &DiskReading) -> u64 {
    (disk.size_bytes / DISK_KEPT_PART)
        .clamp(DISK_KEPT_LEAST, DISK_KEPT_MOST)
        .min(disk.size_bytes / DISK_KEPT_PART_TINY)
}

/// Whether work waits for memory too much. A kernel that does not tell is not judged.
pub(super) fn is_pressed(reading: &BoardReading) -> bool {
    reading.pressure.is_some_and(|pressure| {
        pressure.some_60s >= PRESSURE_SOME_60S || pressure.full_10s >= PRESSURE_FULL_10S
    })
}

/// The sensor that is at its limit, if one is.
pub(super) fn too_hot(reading: &BoardReading) -> Option<&Heat> {
    reading
        .heat
        .as_ref()
        .filter(|heat| heat.millidegrees >= heat.limit_millidegrees)
}

/// Why a job of these resources is not taken now. Never a reason for ever.
pub(super) fn check(reading: &BoardReading, asked: &Resources) -> Result<(), RejectReason> {
    if let Some(memory) = &reading.memory {
        let reserve = memory_kept(memory);
        if memory.available_bytes < asked.memory_bytes.saturating_add(reserve) {
            return Err(RejectReason::MemoryLow {
                available: memory.available_bytes,
                asked: asked.memory_bytes,
                reserve,
            });
        }
    }
    if is_pressed(reading) {
        return Err(RejectReason::MemoryPressure);
    }
    if let Some(heat) = too_hot(reading) {
        return Err(RejectReason::TooHot {
            zone: heat.zone.clone(),
            millidegrees: heat.millidegrees,
            limit: heat.limit_millidegrees,
        });
    }
    if reading
        .throttle
        .is_some_and(|throttle| throttle.under_voltage)
    {
        return Err(RejectReason::UnderVoltage);
    }
    match &reading.disk {
        Some(disk) if disk.mode == DiskMode::ReadOnly => Err(RejectReason::DiskReadOnly),
        Some(disk) if disk.available_bytes < asked.disk_bytes.saturating_add(disk_kept(disk)) => {
            Err(RejectReason::DiskLow {
                available: disk.available_bytes,
                asked: asked.disk_bytes,
                reserve: disk_kept(disk),
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MemoryPressure, Throttle};

    fn easy() -> BoardReading {
        BoardReading {
            memory: Some(MemoryReading {
                total_bytes: 1_000 * MIB,
                available_bytes: 500 * MIB,
            }),
            pressure: Some(MemoryPressure {
                some_60s: 3_999,
                full_10s: 999,
            }),
            heat: Some(Heat {
                zone: "cpu".into(),
                millidegrees: 79_999,
                limit_millidegrees: 80_000,
            }),
            throttle: Some(Throttle {
                under_voltage: false,
                slowed: true,
            }),
            disk: Some(DiskReading {
                size_bytes: 20 * GIB,
                available_bytes: 2 * GIB,
                mode: DiskMode::Writable,
            }),
            images: None,
        }
    }

    const ASKED: Resources = Resources {
        cpu_millis: 100,
        memory_bytes: 420 * MIB,
        disk_bytes: GIB,
        gpus: 0,
    };

    #[test]
    fn a_board_at_the_edge_of_each_limit_still_takes_the_job_and_one_step_over_each_does_not() {
        assert_eq!(check(&easy(), &ASKED), Ok(()));
        let refused = |change: fn(&mut BoardReading)| {
            let mut reading = easy();
            change(&mut reading);
            let reason = check(&reading, &ASKED).unwrap_err();
            assert!(reason.is_transient(), "{reason}");
            reason.to_string()
        };
        assert_eq!(
            refused(|reading| reading.memory.as_mut().unwrap().available_bytes -= 1),
            "does not have the memory now: 524 MB available, 440 MB asked, 83 MB are kept free"
        );
        for change in [
            |reading: &mut BoardReading| reading.pressure.as_mut().unwrap().some_60s += 1,
            |reading: &mut BoardReading| reading.pressure.as_mut().unwrap().full_10s += 1,
        ] {
            assert!(refused(change).contains("waits for memory"));
        }
        assert_eq!(
            refused(|reading| reading.heat.as_mut().unwrap().millidegrees += 1),
            "does not take work while it is too hot: cpu at 80 of 80 degrees"
        );
        assert!(
            refused(|reading| reading.throttle.as_mut().unwrap().under_voltage = true)
                .contains("power supply")
        );
        assert_eq!(
            refused(|reading| reading.disk.as_mut().unwrap().available_bytes -= 1),
            "does not have the disk now: 2147 MB available, 1073 MB asked, 1073 MB are kept free"
        );
        assert!(
            refused(|reading| reading.disk.as_mut().unwrap().mode = DiskMode::ReadOnly)
                .contains("cannot be written")
        );
    }

    #[test]
    fn what_a_board_does_not_show_is_not_held_against_it() {
        assert_eq!(check(&BoardReading::default(), &ASKED), Ok(()));
    }

    #[test]
    fn a_tiny_partition_keeps_a_quarter_and_a_large_disk_a_gibibyte() {
        for (size, kept) in [
            (40 * MIB, 10 * MIB),
            (1 << 30, 64 * MIB),
            (10 * GIB, GIB / 2),
            (1_000 * GIB, GIB),
        ] {
            let disk = DiskReading {
                size_bytes: size,
                available_bytes: 0,
                mode: DiskMode::Writable,
            };
            assert_eq!(disk_kept(&disk), kept, "{size}");
        }
    }
}
