//! The clocks of a board: one that never steps, one that may not be set, and the id of this boot.

use super::error::read;
use crate::model::{BootId, Now, UnixMs};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// 2026-01-01T00:00:00Z. A wall clock before this date has not been set: boards without a battery start in 1970 or at the
/// date of their image. A constant, not the date of the build, so that the same source makes the same binary; releases
/// move it forward.
pub const EARLIEST_WALL: UnixMs = UnixMs(1_767_225_600_000);

/// A system's image carries its own date as the time of this file (systemd, "System clock epoch"). It is the newer one on
/// a board whose image was made after this program.
const IMAGE_EPOCH: &str = "usr/lib/clock-epoch";

/// Reads [`Now`]. Cheap to copy; one system call for each clock.
#[derive(Clone, Copy, Debug)]
pub struct BootClock {
    boot: BootId,
    /// A wall clock before this has not been set.
    earliest: UnixMs,
}

impl BootClock {
    /// Takes the kernel's boot id below `root`. Where there is none (no /proc in a sandbox), every start counts as a boot
    /// of its own: then stored timers go by the wall clock or stand still, which is what an unknown past deserves.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let boot = read(root, "proc/sys/kernel/random/boot_id")
            .ok()
            .and_then(|text| boot_id(&text))
            .unwrap_or_else(random_boot_id);
        let image = std::fs::metadata(root.join(IMAGE_EPOCH))
            .and_then(|meta| meta.modified())
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .and_then(|time| u64::try_from(time.as_millis()).ok());
        Self {
            boot,
            earliest: EARLIEST_WALL.max(UnixMs(image.unwrap_or(0))),
        }
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = UnixMs(millis(clock_gettime(ClockId::Realtime)));
        Now {
            boot: self.boot,
            boot_ms: millis(clock_gettime(ClockId::Boottime)),
            wall: (wall >= self.earliest).then_some(wall),
        }
    }
}

/// A clock before its epoch reads 0.
fn millis(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000)
        .saturating_add(nanos / 1_000_000)
}

/// A UUID in text: 32 hex digits and dashes.
fn boot_id(text: &str) -> Option<BootId> {
    let hex: String = text.trim().chars().filter(|c| *c != '-').collect();
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(hex.as_bytes())
        .ok()?;
    bytes.try_into().ok().map(BootId)
}

fn random_boot_id() -> BootId {
    let mut bytes = [0; 16];
    // Without randomness either, a constant: two such boots look like one, and CLOCK_BOOTTIME decides.
    let _ = getrandom::fill(&mut bytes);
    BootId(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_read_as_the_kernel_writes_it() {
        assert_eq!(
            boot_id("00112233-4455-6677-8899-aabbccddeeff\n"),
            Some(BootId([
                0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
                0xee, 0xff
            ]))
        );
        assert_eq!(boot_id("0011"), None);
    }

    #[test]
    fn the_boot_clock_does_not_run_backwards_and_keeps_its_boot() {
        let clock = BootClock::read(Path::new("/"));
        let (first, second) = (clock.now(), clock.now());
        assert_eq!(first.boot, second.boot);
        assert!(first.boot_ms <= second.boot_ms);
        assert_eq!(BootClock::read(Path::new("/")).now().boot, first.boot);
    }

    #[test]
    fn without_a_boot_id_each_start_is_a_boot_of_its_own() {
        let nowhere = Path::new("/nonexistent");
        assert_ne!(
            BootClock::read(nowhere).now().boot,
            BootClock::read(nowhere).now().boot
        );
    }
}
