//! What is not as it should be with a node, for as long as it lasts.

use super::UnixMs;

/// A condition, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which.
    pub kind: ConditionKind,
    /// When it began, if the clock is set.
    pub since: Option<UnixMs>,
    /// How long it has lasted, in milliseconds; exact within one boot.
    pub lasts_ms: u64,
    /// What is wrong, with names and values; no full stop.
    pub text: String,
    /// What the operator can do.
    pub hint: String,
}

/// Kinds of condition, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionKind {
    /// The store cannot be written; it is opened again by itself.
    StoreFailed,
    /// The disk of a store file is full: only how jobs end is stored.
    StoreFull,
    /// A damaged store file was moved aside.
    StoreRebuilt,
    /// Records are kept in memory and gone with the process.
    StoreInMemory,
    /// No container engine answers.
    EngineAway,
    /// The kernel does not hold containers to their memory limits.
    MemoryLimitsOff,
    /// Too little memory is available to start more.
    MemoryLow,
    /// Work waits for memory.
    MemoryPressure,
    /// Too little room on the disk of the data directory.
    DiskLow,
    /// Too little room on the disk of the engine's images.
    ImageDiskLow,
    /// The disk of the data directory cannot be written.
    DiskReadOnly,
    /// A sensor is at its limit.
    TooHot,
    /// The power supply is too weak.
    UnderVoltage,
    /// The firmware slows the cores down.
    Throttled,
    /// The wall clock is not set.
    ClockUnset,
    /// Peers that should be connected are not.
    PeersUnreachable,
    /// The process before this one crashed.
    CrashedBefore,
}

impl ConditionKind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::StoreFailed,
        Self::StoreFull,
        Self::StoreRebuilt,
        Self::StoreInMemory,
        Self::EngineAway,
        Self::MemoryLimitsOff,
        Self::MemoryLow,
        Self::MemoryPressure,
        Self::DiskLow,
        Self::ImageDiskLow,
        Self::DiskReadOnly,
        Self::TooHot,
        Self::UnderVoltage,
        Self::Throttled,
        Self::ClockUnset,
        Self::PeersUnreachable,
        Self::CrashedBefore,
    ];

    /// Its name in the API and in metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::StoreFailed => "store_failed",
            Self::StoreFull => "store_full",
            Self::StoreRebuilt => "store_rebuilt",
            Self::StoreInMemory => "store_in_memory",
            Self::EngineAway => "engine_away",
            Self::MemoryLimitsOff => "memory_limits_off",
            Self::MemoryLow => "memory_low",
            Self::MemoryPressure => "memory_pressure",
            Self::DiskLow => "disk_low",
            Self::ImageDiskLow => "image_disk_low",
            Self::DiskReadOnly => "disk_read_only",
            Self::TooHot => "too_hot",
            Self::UnderVoltage => "under_voltage",
            Self::Throttled => "throttled",
            Self::ClockUnset => "clock_unset",
            Self::PeersUnreachable => "peers_unreachable",
            Self::CrashedBefore => "crashed_before",
        }
    }
}

/// A condition began, changed or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConditionChange {
    /// It holds from now on.
    Began(Condition),
    /// It does not hold any more.
    Ended(ConditionKind),
}
