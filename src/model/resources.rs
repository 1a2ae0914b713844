//! Quantities of a board: CPU, memory, disk, GPUs, and the grammar that jobs write them in (rest-api.md 4.7).

use minicbor::{Decode, Encode};
use std::fmt;
use thiserror::Error;

/// The least memory that a container can be held to; Docker refuses less.
pub const MEMORY_BYTES_LEAST: u64 = 6 << 20;

/// The least of a core that a container can be held to; Docker refuses less.
pub const CPU_MILLIS_LEAST: u64 = 10;

/// Resolved quantities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Resources {
    /// Thousandths of a core.
    #[n(0)]
    pub cpu_millis: u64,
    /// Bytes.
    #[n(1)]
    pub memory_bytes: u64,
    /// Bytes.
    #[n(2)]
    pub disk_bytes: u64,
    /// Whole GPUs.
    #[n(3)]
    pub gpus: u64,
}

/// One of the four quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Dimension {
    /// Thousandths of a core.
    #[n(0)]
    Cpu,
    /// Bytes of memory.
    #[n(1)]
    Memory,
    /// Bytes of disk.
    #[n(2)]
    Disk,
    /// GPUs.
    #[n(3)]
    Gpu,
}

impl Dimension {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Memory, Self::Disk, Self::Gpu];
}

impl Dimension {
    /// A quantity of this as people say it: `1.500 cores`, `512 MB of memory`.
    #[must_use]
    pub fn amount(self, quantity: u64) -> Amount {
        Amount {
            dimension: self,
            quantity,
        }
    }
}

/// So much of one dimension, to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    dimension: Dimension,
    quantity: u64,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantity = self.quantity;
        match self.dimension {
            Dimension::Cpu => write!(f, "{}.{:03} cores", quantity / 1_000, quantity % 1_000),
            Dimension::Memory => write!(f, "{} of memory", Bytes(quantity)),
            Dimension::Disk => write!(f, "{} of disk", Bytes(quantity)),
            Dimension::Gpu => write!(f, "{quantity} GPUs"),
        }
    }
}

/// Whole megabytes, as in the start report; what is not even one as it is.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            few @ 0..MEGABYTE => write!(f, "{few} bytes"),
            many => write!(f, "{} MB", many / MEGABYTE),
        }
    }
}

const MEGABYTE: u64 = 1_000_000;

impl Resources {
    /// The quantity of one dimension.
    #[must_use]
    pub fn get(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Cpu => self.cpu_millis,
            Dimension::Memory => self.memory_bytes,
            Dimension::Disk => self.disk_bytes,
            Dimension::Gpu => self.gpus,
        }
    }

    /// The sum, dimension by dimension; `None` on overflow.
    #[must_use]
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        Some(Self {
            cpu_millis: self.cpu_millis.checked_add(other.cpu_millis)?,
            memory_bytes: self.memory_bytes.checked_add(other.memory_bytes)?,
            disk_bytes: self.disk_bytes.checked_add(other.disk_bytes)?,
            gpus: self.gpus.checked_add(other.gpus)?,
        })
    }

    /// The difference, dimension by dimension; `None` if any would be negative.
    #[must_use]
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        Some(Self {
            cpu_millis: self.cpu_millis.checked_sub(other.cpu_millis)?,
            memory_bytes: self.memory_bytes.checked_sub(other.memory_bytes)?,
            disk_bytes: self.disk_bytes.checked_sub(other.disk_bytes)?,
            gpus: self.gpus.checked_sub(other.gpus)?,
        })
    }

    /// The first dimension in which `self` is more than `limit`.
    #[must_use]
    pub fn exceeds(&self, limit: &Self) -> Option<Dimension> {
        Dimension::ALL
            .into_iter()
            .find(|dimension| self.get(*dimension) > limit.get(*dimension))
    }
}

/// Quantities as a job writes them: text, lower-cased, without blanks; empty is not given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ResourcesConfig {
    /// Cores (`0.5`) or thousandths (`500m`).
    #[n(0)]
    pub cpu: String,
    /// Bytes with an optional unit: `512mb` is 10^6, `512mib` 2^20.
    #[n(1)]
    pub memory: String,
    /// As memory.
    #[n(2)]
    pub disk: String,
    /// A whole number.
    #[n(3)]
    pub gpu: String,
}

/// What a job asks for, each quantity `None` when it names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    /// Thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// Bytes.
    pub disk_bytes: Option<u64>,
    /// Whole GPUs.
    pub gpus: Option<u64>,
}

/// A quantity that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid {what} value \"{value}\": use {allowed}")]
pub struct ResourceError {
    /// `CPU`, `memory`, `disk` or `GPU`.
    pub what: &'static str,
    /// What was written.
    pub value: String,
    /// What may be written.
    pub allowed: &'static str,
}

impl ResourcesConfig {
    /// Parses all four quantities.
    ///
    /// # Errors
    /// Names the first one that does not parse.
    pub fn parse(&self) -> Result<Requested, ResourceError> {
        Ok(Requested {
            cpu_millis: given(&self.cpu, "CPU", CPU_ALLOWED, cpu_millis)?,
            memory_bytes: given(&self.memory, "memory", BYTES_ALLOWED, bytes)?,
            disk_bytes: given(&self.disk, "disk", BYTES_ALLOWED, bytes)?,
            gpus: given(&self.gpu, "GPU", GPU_ALLOWED, |text| text.parse().ok())?,
        })
    }
}

const CPU_ALLOWED: &str = "cores such as 0.5 or 2, or thousandths such as 500m";
const BYTES_ALLOWED: &str = "bytes with an optional unit such as 512mb, 1.5gb or 512mib";
const GPU_ALLOWED: &str = "a whole number such as 1";

fn given(
    text: &str,
    what: &'static str,
    allowed: &'static str,
    parse: impl Fn(&str) -> Option<u64>,
) -> Result<Option<u64>, ResourceError> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).ok_or_else(|| ResourceError {
        what,
        value: text.to_owned(),
        allowed,
    })
}

fn cpu_millis(text: &str) -> Option<u64> {
    if let Some(millis) = text.strip_suffix('m') {
        return millis
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| millis.parse().ok())
            .flatten();
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    whole(text.parse::<f64>().ok()? * 1_000.0)
}

/// Reads bytes as jobs write them, in any case and with blanks: `16MiB`, `1.5 GB`, `65536`.
#[must_use]
pub fn bytes_of(text: &str) -> Option<u64> {
    let mut plain = text.to_ascii_lowercase();
    plain.retain(|c| !c.is_whitespace());
    bytes(&plain)
}

fn bytes(text: &str) -> Option<u64> {
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = unit_factor(unit)?;
    let number = number.replace(',', "");
    if let Ok(integer) = number.parse::<u64>() {
        return integer.checked_mul(factor);
    }
    #[allow(clippy::cast_precision_loss)] // a fraction of a unit is approximate by nature
    whole(number.parse::<f64>().ok()? * factor as f64)
}

fn unit_factor(unit: &str) -> Option<u64> {
    let letter = match unit {
        "" | "b" => return Some(1),
        other => other.chars().next()?,
    };
    let power = u32::try_from("kmgtpe".find(letter)?).ok()? + 1;
    match &unit[1..] {
        "" | "b" => Some(1_000_u64.pow(power)),
        "i" | "ib" => Some(1_024_u64.pow(power)),
        _ => None,
    }
}

fn whole(value: f64) -> Option<u64> {
    // Beyond 2^53 a float no longer holds every integer; no board has that much of anything.
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    if !value.is_finite() || !(0.0..LIMIT).contains(&value) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // range checked above, fraction dropped on purpose
    Some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_reads_cores_and_thousandths_and_refuses_the_rest() {
        for (text, expected) in [
            ("500m", 500),
            ("0.5", 500),
            ("2000m", 2_000),
            ("1e3", 1_000_000),
            ("2", 2_000),
        ] {
            assert_eq!(cpu_millis(text), Some(expected), "{text}");
        }
        for text in ["1k", "abc", "-1", "0.5m", "inf", "nan", "m", "+1"] {
            assert_eq!(cpu_millis(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_read_decimal_and_binary_units_and_refuse_the_rest() {
        let good = [
            ("512mb", 512_000_000),
            ("512mi", 536_870_912),
            ("1.5gb", 1_500_000_000),
            ("1gi", 1_073_741_824),
            ("1,024", 1_024),
            ("0", 0),
            ("7e", 7_000_000_000_000_000_000),
        ];
        for (text, expected) in good {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["-1", "1e3", "x", "mb", "1xb", "99e", "1.2.3"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_told_as_people_say_them() {
        for (dimension, quantity, expected) in [
            (Dimension::Cpu, 99_000, "99.000 cores"),
            (Dimension::Cpu, 1_500, "1.500 cores"),
            (Dimension::Memory, 18_941_476_864, "18941 MB of memory"),
            (Dimension::Memory, 999_999, "999999 bytes of memory"),
            (Dimension::Disk, 1_000_000, "1 MB of disk"),
            (Dimension::Gpu, 3, "3 GPUs"),
        ] {
            assert_eq!(dimension.amount(quantity).to_string(), expected);
        }
    }

    #[test]
    fn exceeds_names_the_dimension_that_does_not_fit() {
        let limit = Resources {
            cpu_millis: 1,
            memory_bytes: 1,
            disk_bytes: 1,
            gpus: 0,
        };
        assert_eq!(
            Resources {
                disk_bytes: 2,
                ..limit
            }
            .exceeds(&limit),
            Some(Dimension::Disk)
        );
        assert_eq!(limit.exceeds(&limit), None);
    }
}
