//! What an operator says about containers: capabilities, and how much they may print.

use super::{Shown, Surroundings, Wrong, nearest};
use crate::model::{
    Capability, ImageLowWater, JOB_OUTPUT_MAX_LEAST, JOB_OUTPUT_MAX_MOST, bytes_of,
};

/// What containers get beside nothing, each once, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub Vec<Capability>);

impl Shown for Capabilities {
    fn shown(&self) -> Option<String> {
        let names: Vec<String> = self.0.iter().map(|name| name.to_string()).collect();
        names.shown()
    }
}

/// Names as Docker and Podman write them; `none` is none of them.
pub(super) fn capabilities(text: &str, _: &Surroundings) -> Result<Capabilities, Wrong> {
    let mut capabilities = Capabilities::default();
    let names = text.split(',').map(str::trim);
    for name in names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("none")) {
        let capability = Capability::parse(name).ok_or_else(|| unknown(name))?;
        if !capabilities.0.contains(&capability) {
            capabilities.0.push(capability);
        }
    }
    Ok(capabilities)
}

fn unknown(name: &str) -> Wrong {
    let known: Vec<&str> = Capability::names().collect();
    let hint = if name.eq_ignore_ascii_case("all") {
        "all of them at once make a job root on this board: name those that jobs need".to_owned()
    } else {
        let upper = name.to_ascii_uppercase();
        let guess = nearest(&upper, known.iter().copied())
            .map_or_else(String::new, |guess| format!("; did you mean {guess}?"));
        format!("\"{name}\" is none of them{guess}")
    };
    Wrong::new(format!("Linux capabilities: {}", known.join(",")), hint)
}

/// Bytes that the engine keeps of what a container prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputMax(pub u64);

impl Shown for OutputMax {
    fn shown(&self) -> Option<String> {
        Some(format!("{} bytes", self.0))
    }
}

pub(super) fn output_max(text: &str, _: &Surroundings) -> Result<OutputMax, Wrong> {
    bytes_of(text)
        .filter(|bytes| (JOB_OUTPUT_MAX_LEAST..=JOB_OUTPUT_MAX_MOST).contains(bytes))
        .map(OutputMax)
        .ok_or_else(|| {
            Wrong::new(
                format!(
                    "from {}KiB to {}GiB, such as 16MiB",
                    JOB_OUTPUT_MAX_LEAST >> 10,
                    JOB_OUTPUT_MAX_MOST >> 30
                ),
                "each running job may take that much of the disk; beyond it the oldest output is dropped",
            )
        })
}

/// Free disk below which pulled images go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowWater(pub ImageLowWater);

impl Shown for LowWater {
    fn shown(&self) -> Option<String> {
        match self.0 {
            default if default == ImageLowWater::default() => None,
            ImageLowWater::Share { percent, .. } => Some(format!("{percent}% of the disk")),
            ImageLowWater::Bytes(bytes) => Some(format!("{bytes} bytes")),
        }
    }
}

pub(super) fn low_water(text: &str, _: &Surroundings) -> Result<LowWater, Wrong> {
    if text.is_empty() {
        return Ok(LowWater(ImageLowWater::default()));
    }
    let share = text.strip_suffix('%').map(|percent| {
        let percent = percent.trim().parse().ok();
        percent
            .filter(|percent| (1..=99).contains(percent))
            .map(|percent| ImageLowWater::Share {
                percent,
                most: u64::MAX,
            })
    });
    share
        .unwrap_or_else(|| bytes_of(text).map(ImageLowWater::Bytes))
        .map(LowWater)
        .ok_or_else(|| {
            Wrong::new(
                "a size such as 2GiB, a part of the disk from 1% to 99%, or 0 for never",
                "only images that were pulled for jobs go, the one that was not used for longest first",
            )
        })
}
