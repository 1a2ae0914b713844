//! How far the pull of an image has come.

use minicbor::{Decode, Encode};
use std::fmt;

/// News of one pull, as they stand in a job's history.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PullNews {
    /// As the job names it.
    #[n(0)]
    pub image: String,
    /// Where the pull is.
    #[n(1)]
    pub stage: PullStage,
}

/// Where a pull is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PullStage {
    /// The registry was asked.
    #[n(0)]
    Began,
    /// Some of it is here.
    #[n(1)]
    Underway(#[n(0)] PullProgress),
    /// The image is here.
    #[n(2)]
    Ended,
}

/// What of an image has arrived. Engines tell of layers one by one, so the totals grow with what they have named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PullProgress {
    /// Layers that are here.
    #[n(0)]
    pub layers_done: u32,
    /// Layers named so far.
    #[n(1)]
    pub layers: u32,
    /// Bytes that arrived, of the layers whose size is known.
    #[n(2)]
    pub bytes: u64,
    /// Bytes of those layers.
    #[n(3)]
    pub bytes_total: u64,
}

impl fmt::Display for PullNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = &self.image;
        match &self.stage {
            PullStage::Began => write!(f, "Pulling image {image}"),
            PullStage::Underway(progress) => write!(f, "Pulling image {image}: {progress}"),
            PullStage::Ended => write!(f, "Pulled image {image}"),
        }
    }
}

impl fmt::Display for PullProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} layers", self.layers_done, self.layers)?;
        if self.bytes_total == 0 {
            return Ok(());
        }
        write!(
            f,
            ", {} of {} MB",
            Megabytes(self.bytes),
            Megabytes(self.bytes_total)
        )
    }
}

/// Bytes as megabytes with one digit.
struct Megabytes(u64);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0 / 100_000;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_read_as_a_person_would_say_them() {
        let news = |stage| {
            let image = "r.io/a:1".to_owned();
            PullNews { image, stage }.to_string()
        };
        let progress = PullProgress {
            layers_done: 2,
            layers: 5,
            bytes: 12_190_000,
            bytes_total: 40_200_000,
        };
        assert_eq!(news(PullStage::Began), "Pulling image r.io/a:1");
        assert_eq!(
            news(PullStage::Underway(progress)),
            "Pulling image r.io/a:1: 2 of 5 layers, 12.1 of 40.2 MB"
        );
        assert_eq!(news(PullStage::Ended), "Pulled image r.io/a:1");
        let unsized_layers = PullProgress {
            bytes_total: 0,
            ..progress
        };
        assert_eq!(unsized_layers.to_string(), "2 of 5 layers");
    }
}
