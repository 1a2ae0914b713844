//! Images that this node pulled, and how much of the disk they leave free.

use super::{DiskReading, UnixMs};
use minicbor::{Decode, Encode};

/// Images that are remembered: some GB of them; one more, and the one that was not used for longest goes.
pub const IMAGES_MAX: usize = 64;

/// Free disk below which they go unless given, as a share of the disk.
pub const IMAGE_LOW_WATER_PERCENT: u64 = 10;
/// And at most this much: on a large disk a tenth is more than any image needs.
pub const IMAGE_LOW_WATER_MOST: u64 = 2 << 30;

/// An image that this node has had pulled.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PulledImage {
    /// As the job names it.
    #[n(0)]
    pub name: String,
    /// What the engine called it then. Another one by that name is somebody else's.
    #[n(1)]
    pub id: String,
    /// Its size, as the engine tells it.
    #[n(2)]
    pub bytes: u64,
    /// When a job used it last, to the hour, if the clock was set.
    #[n(3)]
    pub used: Option<UnixMs>,
}

/// All of them, the one that was not used for longest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PulledImages {
    /// At most [`IMAGES_MAX`].
    #[n(0)]
    pub images: Vec<PulledImage>,
}

/// The free disk below which images go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageLowWater {
    /// A share of the disk, in percent, and at most so many bytes.
    Share {
        /// 1 to 99.
        percent: u64,
        /// Bytes.
        most: u64,
    },
    /// So many bytes; 0 for never.
    Bytes(u64),
}

impl ImageLowWater {
    /// Bytes on this disk.
    #[must_use]
    pub fn on(self, disk: &DiskReading) -> u64 {
        match self {
            Self::Share { percent, most } => (disk.size_bytes / 100 * percent).min(most),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl Default for ImageLowWater {
    fn default() -> Self {
        Self::Share {
            percent: IMAGE_LOW_WATER_PERCENT,
            most: IMAGE_LOW_WATER_MOST,
        }
    }
}

/// What became of an image that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageRemoval {
    /// It, or this name of it, is gone.
    Removed,
    /// It was not there any more, or another one has its name.
    NotOurs,
    /// A container has it, or the engine did not do it.
    Kept {
        /// Why.
        why: String,
    },
}
