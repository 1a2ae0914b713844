//! What changes on a board while a node runs: memory, pressure, temperature, power, disk.
//!
//! Where the sensors are is looked up once; a reading opens a handful of small files of the kernel and nothing else.

use super::error::read;
use crate::model::{
    BoardReading, DiskMode, DiskReading, Heat, MemoryPressure, MemoryReading, Throttle,
};
use std::fs;
use std::path::{Path, PathBuf};

/// Sensors that are looked at: a Jetson has a dozen.
const ZONES_MAX: usize = 32;
/// Trip points of one sensor (the kernel allows 12).
const TRIPS_MAX: usize = 12;
/// How far below the first point at which the kernel slows the board down no more work is taken.
const TRIP_MARGIN: i64 = 5_000;
/// The limit where the kernel names no such point: a Raspberry Pi slows itself down at 80 degrees, others later.
const LIMIT_PI: i64 = 80_000;
const LIMIT_OTHERS: i64 = 90_000;
/// Readings outside of this are of a sensor that is off or broken.
const BELIEVABLE: std::ops::RangeInclusive<i64> = -40_000..=150_000;
/// A sensor of the Jetson's power chip that always says 100 degrees.
const NOT_A_SENSOR: &str = "PMIC-Die";
/// Where the Raspberry Pi's firmware shows its throttle word.
const THROTTLED: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
/// Bits of that word (the firmware's documentation of `get_throttled`): under-voltage now; capped, throttled, or at the
/// soft temperature limit now.
const UNDER_VOLTAGE: u32 = 1;
const SLOWED: u32 = 0b1110;

/// Where this board shows how it is.
#[derive(Clone, Debug)]
pub struct Sensors {
    root: PathBuf,
    data_dir: PathBuf,
    image_dir: Option<PathBuf>,
    zones: Vec<Zone>,
    /// The alarm of the `rpi_volt` driver, where the firmware's word is not shown.
    volt_alarm: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct Zone {
    name: String,
    temperature: PathBuf,
    limit_millidegrees: i64,
}

impl Sensors {
    /// Looks up the sensors below `root`; the disk is that of `data_dir`.
    #[must_use]
    pub fn find(root: &Path, data_dir: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            data_dir: data_dir.to_path_buf(),
            image_dir: None,
            zones: zones(root),
            volt_alarm: volt_alarm(root),
        }
    }

    /// Looks at the disk of the engine's images from now on.
    pub fn watch_images(&mut self, dir: Option<&str>) {
        self.image_dir = dir.map(PathBuf::from);
    }

    /// One look. What cannot be read is absent.
    #[must_use]
    pub fn read(&self) -> BoardReading {
        BoardReading {
            memory: read(&self.root, "proc/meminfo")
                .ok()
                .and_then(|text| memory(&text)),
            pressure: read(&self.root, "proc/pressure/memory")
                .ok()
                .and_then(|text| pressure(&text)),
            heat: self.heat(),
            throttle: self.throttle(),
            disk: disk(&self.data_dir),
            images: self.image_dir.as_deref().and_then(disk),
        }
    }

    /// The sensor nearest to its limit.
    fn heat(&self) -> Option<Heat> {
        self.zones
            .iter()
            .filter_map(|zone| {
                let millidegrees = number(&zone.temperature)?;
                BELIEVABLE.contains(&millidegrees).then(|| Heat {
                    zone: zone.name.clone(),
                    millidegrees,
                    limit_millidegrees: zone.limit_millidegrees,
                })
            })
            .min_by_key(|heat| heat.limit_millidegrees - heat.millidegrees)
    }

    fn throttle(&self) -> Option<Throttle> {
        if let Ok(text) = read(&self.root, THROTTLED) {
            let word = text.trim().trim_start_matches("0x");
            let word = u32::from_str_radix(word, 16).ok()?;
            return Some(Throttle {
                under_voltage: word & UNDER_VOLTAGE != 0,
                slowed: word & SLOWED != 0,
            });
        }
        let alarm = number(self.volt_alarm.as_deref()?)?;
        Some(Throttle {
            under_voltage: alarm != 0,
            slowed: false,
        })
    }
}

/// The entries of a directory, by name; none if there is no such directory.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn number(path: &Path) -> Option<i64> {
    text(path)?.parse().ok()
}

fn zones(root: &Path) -> Vec<Zone> {
    let model = read(root, "proc/device-tree/model").unwrap_or_default();
    let fallback = if model.starts_with("Raspberry Pi") {
        LIMIT_PI
    } else {
        LIMIT_OTHERS
    };
    entries(&root.join("sys/class/thermal"))
        .into_iter()
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("thermal_zone"))
        })
        .take(ZONES_MAX)
        .filter_map(|path| {
            let name = text(&path.join("type"))?;
            (name != NOT_A_SENSOR).then(|| Zone {
                limit_millidegrees: first_passive_trip(&path)
                    .map_or(fallback, |trip| trip - TRIP_MARGIN),
                temperature: path.join("temp"),
                name,
            })
        })
        .collect()
}

/// The lowest temperature at which the kernel slows the board down.
fn first_passive_trip(zone: &Path) -> Option<i64> {
    (0..TRIPS_MAX)
        .filter(|point| {
            text(&zone.join(format!("trip_point_{point}_type"))).as_deref() == Some("passive")
        })
        .filter_map(|point| number(&zone.join(format!("trip_point_{point}_temp"))))
        .filter(|trip| *trip > 0)
        .min()
}

fn volt_alarm(root: &Path) -> Option<PathBuf> {
    entries(&root.join("sys/class/hwmon"))
        .into_iter()
        .find(|path| text(&path.join("name")).as_deref() == Some("rpi_volt"))
        .map(|path| path.join("in0_lcrit_alarm"))
}

/// `MemTotal:        3882756 kB`, where kB is 1024 bytes.
fn memory(meminfo: &str) -> Option<MemoryReading> {
    let bytes = |key: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim()
            .strip_suffix(" kB")?
            .trim()
            .parse::<u64>()
            .ok()?
            .checked_mul(1_024)
    };
    Some(MemoryReading {
        total_bytes: bytes("MemTotal:")?,
        available_bytes: bytes("MemAvailable:")?,
    })
}

/// `some avg10=0.00 avg60=0.12 avg300=0.05 total=1234`, and the same for `full`.
fn pressure(text: &str) -> Option<MemoryPressure> {
    let share = |line: &str, key: &str| {
        let line = text
            .lines()
            .find_map(|one| one.strip_prefix(line)?.strip_prefix(' '))?;
        let value = line
            .split(' ')
            .find_map(|field| field.strip_prefix(key)?.strip_prefix('='))?;
        let (whole, hundredths) = value.split_once('.')?;
        let whole: u32 = whole.parse().ok()?;
        whole
            .checked_mul(100)?
            .checked_add(hundredths.parse().ok()?)
    };
    Some(MemoryPressure {
        some_60s: share("some", "avg60")?,
        full_10s: share("full", "avg10")?,
    })
}

fn disk(dir: &Path) -> Option<DiskReading> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(DiskReading {
        size_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        mode: if stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
            DiskMode::ReadOnly
        } else {
            DiskMode::Writable
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn read_board(files: &[(&str, &str)]) -> BoardReading {
        let root = board(files);
        Sensors::find(root.path(), root.path()).read()
    }

    #[test]
    fn a_raspberry_pi_shows_its_memory_pressure_temperature_and_supply() {
        let reading = read_board(&[
            ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
            (
                "proc/meminfo",
                "MemTotal:        3882756 kB\nMemFree: 1 kB\nMemAvailable:    1000000 kB\n",
            ),
            (
                "proc/pressure/memory",
                "some avg10=1.00 avg60=12.34 avg300=0.00 total=9\nfull avg10=3.05 avg60=0.00 avg300=0.00 total=4\n",
            ),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "61322\n"),
            (
                "sys/devices/platform/soc/soc:firmware/get_throttled",
                "50005\n",
            ),
        ]);
        assert_eq!(
            reading.memory,
            Some(MemoryReading {
                total_bytes: 3_882_756 * 1_024,
                available_bytes: 1_000_000 * 1_024
            })
        );
        assert_eq!(
            reading.pressure,
            Some(MemoryPressure {
                some_60s: 1_234,
                full_10s: 305
            })
        );
        assert_eq!(
            reading.heat,
            Some(Heat {
                zone: "cpu-thermal".into(),
                millidegrees: 61_322,
                limit_millidegrees: LIMIT_PI
            })
        );
        let both = Throttle {
            under_voltage: true,
            slowed: true,
        };
        assert_eq!(reading.throttle, Some(both));
        assert!(reading.disk.is_some_and(|disk| disk.size_bytes > 0));
    }

    #[test]
    fn of_a_jetsons_sensors_the_one_nearest_to_its_limit_counts_and_the_broken_ones_do_not() {
        let reading = read_board(&[
            ("sys/class/thermal/thermal_zone0/type", "CPU-therm"),
            ("sys/class/thermal/thermal_zone0/temp", "70000"),
            (
                "sys/class/thermal/thermal_zone0/trip_point_0_type",
                "critical",
            ),
            ("sys/class/thermal/thermal_zone0/trip_point_0_temp", "60000"),
            (
                "sys/class/thermal/thermal_zone0/trip_point_1_type",
                "passive",
            ),
            ("sys/class/thermal/thermal_zone0/trip_point_1_temp", "99000"),
            ("sys/class/thermal/thermal_zone1/type", "GPU-therm"),
            ("sys/class/thermal/thermal_zone1/temp", "75000"),
            ("sys/class/thermal/thermal_zone2/type", "PMIC-Die"),
            ("sys/class/thermal/thermal_zone2/temp", "100000"),
            ("sys/class/thermal/thermal_zone3/type", "gated"),
            ("sys/class/thermal/thermal_zone3/temp", "-256000"),
            ("sys/class/thermal/cooling_device0/type", "fan"),
        ]);
        let heat = reading.heat.unwrap();
        assert_eq!(
            (heat.zone.as_str(), heat.limit_millidegrees),
            ("GPU-therm", LIMIT_OTHERS)
        );
    }

    #[test]
    fn the_voltage_alarm_is_read_where_the_firmware_shows_no_word() {
        for (alarm, under_voltage) in [("0\n", false), ("1\n", true)] {
            let reading = read_board(&[
                ("sys/class/hwmon/hwmon0/name", "cpu_thermal"),
                ("sys/class/hwmon/hwmon1/name", "rpi_volt"),
                ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm),
            ]);
            assert_eq!(
                reading.throttle.map(|throttle| throttle.under_voltage),
                Some(under_voltage)
            );
        }
    }

    #[test]
    fn a_board_that_shows_nothing_is_not_judged() {
        let reading = read_board(&[("proc/meminfo", "garbage"), ("proc/pressure/memory", "")]);
        assert_eq!(
            BoardReading {
                disk: None,
                ..reading
            },
            BoardReading::default()
        );
    }
}
