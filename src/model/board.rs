//! What a board is like at a moment: what changes while a node runs, read when it matters.

/// One look at the board. What this board does not show is `None`, and judged by nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardReading {
    /// Memory, of /proc/meminfo.
    pub memory: Option<MemoryReading>,
    /// How much work waits for memory, of /proc/pressure/memory.
    pub pressure: Option<MemoryPressure>,
    /// The sensor that is nearest to its limit.
    pub heat: Option<Heat>,
    /// What the firmware says of the power supply and of the clock speed.
    pub throttle: Option<Throttle>,
    /// The filesystem of the data directory.
    pub disk: Option<DiskReading>,
    /// That of the engine's images, where it is seen from here.
    pub images: Option<DiskReading>,
}

/// Memory at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryReading {
    /// MemTotal in bytes.
    pub total_bytes: u64,
    /// MemAvailable in bytes.
    pub available_bytes: u64,
}

/// Shares of time in which work waited for memory, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPressure {
    /// Some of it, over the last minute.
    pub some_60s: u32,
    /// All of it, over the last ten seconds.
    pub full_10s: u32,
}

/// A temperature and where it is too high.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heat {
    /// What the sensor is called.
    pub zone: String,
    /// Thousandths of a degree Celsius.
    pub millidegrees: i64,
    /// The same, at which no more work is taken.
    pub limit_millidegrees: i64,
}

/// What a Raspberry Pi's firmware says of this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// The supply is below what the board needs.
    pub under_voltage: bool,
    /// The cores run slower than they could, for heat or for the supply.
    pub slowed: bool,
}

/// A filesystem at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskReading {
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Bytes that we may still write.
    pub available_bytes: u64,
    /// Whether it can be written at all.
    pub mode: DiskMode,
}

/// Whether a filesystem can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskMode {
    /// It can.
    Writable,
    /// It cannot, often since an I/O error.
    ReadOnly,
}

/// Whether the kernel limits the memory of groups of processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MemoryController {
    /// It does.
    On,
    /// It does not, as on a Raspberry Pi as shipped.
    Off {
        /// The file with the kernel's command line, where the firmware reads it.
        cmdline: Option<String>,
    },
    /// Neither is seen.
    #[default]
    Unknown,
}
