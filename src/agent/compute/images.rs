//! Which images go when the disk of the engine's store runs low: those that this node had pulled, the one that was not used
//! for longest first, one at a time, until there is enough room again.
//!
//! A pull that found no room has all of them go that no job needs, for how much it needs is not known, and is tried again
//! then: as often as something could go, so at most as often as there are images.
//!
//! What somebody else brought is never touched: an image is ours only while the engine has it under the name and the id
//! that it had when it was pulled for a job. An image that a job here needs stays, whatever the disk is like.
//!
//! DECISION: a pull is stored as a promise, for a crash would make it somebody else's image for ever; its uses ride along,
//! to the hour, so that they cost a job nothing.

use crate::model::{
    BoardReading, IMAGES_MAX, ImageLowWater, ImageRemoval, Now, PulledImage, PulledImages,
    WriteKind,
};
use std::collections::BTreeMap;

/// How exactly it is stored when an image was used: more would be a row more for most jobs.
const USED_GRAIN_MS: u64 = 60 * 60 * 1_000;
/// When an image that could not be removed is tried again.
const AGAIN_MS: u64 = 10 * 60 * 1_000;

/// Whether all go that no job needs, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    /// Only what the disk asks for goes.
    No,
    /// An operator asked for it.
    ForOperator,
    /// A pull found no room: what is to be prepared waits for it.
    ForPull,
}

/// The images. Plain: no clock, no engine.
#[derive(Debug)]
pub(super) struct Images {
    low_water: ImageLowWater,
    /// The one that was not used for longest first.
    pulled: Vec<PulledImage>,
    /// On the boot clock, when a use was stored last.
    noted_ms: BTreeMap<String, u64>,
    /// On the boot clock, when those may be tried that could not be removed.
    again_ms: BTreeMap<String, u64>,
    /// The one that is being removed.
    removing: Option<String>,
    drain: Drain,
    changed: Option<WriteKind>,
}

impl Images {
    pub(super) fn new(low_water: ImageLowWater) -> Self {
        Self {
            low_water,
            pulled: Vec::new(),
            noted_ms: BTreeMap::new(),
            again_ms: BTreeMap::new(),
            removing: None,
            drain: Drain::No,
            changed: None,
        }
    }

    /// Takes over what the store holds.
    pub(super) fn recover(&mut self, stored: PulledImages) {
        self.pulled = stored.images;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pulled.is_empty()
    }

    /// An image was pulled for a job.
    pub(super) fn pulled(&mut self, name: String, id: String, bytes: u64, now: Now) {
        self.pulled.retain(|image| image.name != name);
        self.noted_ms.insert(name.clone(), now.boot_ms);
        self.pulled.push(PulledImage {
            name,
            id,
            bytes,
            used: now.wall,
        });
        self.changed = Some(WriteKind::Promise);
    }

    /// A job uses an image, by this name.
    pub(super) fn used(&mut self, name: &str, now: Now) {
        let Some(at) = self.pulled.iter().position(|image| image.name == name) else {
            return;
        };
        let mut image = self.pulled.remove(at);
        image.used = now.wall.or(image.used);
        self.pulled.push(image);
        let noted = self.noted_ms.get(name);
        if noted.is_none_or(|noted| now.boot_ms.saturating_sub(*noted) >= USED_GRAIN_MS) {
            self.noted_ms.insert(name.to_owned(), now.boot_ms);
            self.changed = self.changed.max(Some(WriteKind::RideAlong));
        }
    }

    /// The image that goes now, if one has to: the disk is too full by this reading, or there are too many.
    pub(super) fn due(
        &mut self,
        board: &BoardReading,
        now: Now,
        is_needed: impl Fn(&str) -> bool,
    ) -> Option<PulledImage> {
        if self.removing.is_some() {
            return None;
        }
        let is_low = board
            .images
            .is_some_and(|disk| disk.available_bytes < self.low_water.on(&disk));
        if !is_low && self.drain == Drain::No && self.pulled.len() <= IMAGES_MAX {
            return None;
        }
        let Some(image) = self.next(now, is_needed).cloned() else {
            self.drain = Drain::No;
            return None;
        };
        self.removing = Some(image.name.clone());
        Some(image)
    }

    /// The one that goes next when one has to.
    fn next(&mut self, now: Now, is_needed: impl Fn(&str) -> bool) -> Option<&PulledImage> {
        self.again_ms.retain(|_, at| *at > now.boot_ms);
        self.pulled
            .iter()
            .find(|image| !self.again_ms.contains_key(&image.name) && !is_needed(&image.name))
    }

    /// A pull found no room: whether images go for it, so that it is worth another try when `drains_for_pull` is over.
    pub(super) fn clear(&mut self, now: Now, is_needed: impl Fn(&str) -> bool) -> bool {
        let is_allowed = self.low_water != ImageLowWater::Bytes(0);
        let clears = is_allowed && self.next(now, is_needed).is_some();
        if clears {
            self.drain = Drain::ForPull;
        }
        clears
    }

    /// Whether images go for a pull now.
    pub(super) fn drains_for_pull(&self) -> bool {
        self.drain == Drain::ForPull
    }

    /// Those that no job needs.
    pub(super) fn idle(&self, is_needed: impl Fn(&str) -> bool) -> Vec<PulledImage> {
        let idle = self.pulled.iter().filter(|image| !is_needed(&image.name));
        idle.cloned().collect()
    }

    /// Has all of them go, one after the other.
    pub(super) fn drain(&mut self) {
        if self.drain == Drain::No {
            self.drain = Drain::ForOperator;
        }
    }

    /// What became of it.
    pub(super) fn removed(&mut self, name: &str, removal: &ImageRemoval, now: Now) {
        if self.removing.as_deref() == Some(name) {
            self.removing = None;
        }
        match removal {
            ImageRemoval::Removed | ImageRemoval::NotOurs => {
                self.pulled.retain(|image| image.name != name);
                self.noted_ms.remove(name);
                self.changed = self.changed.max(Some(WriteKind::RideAlong));
            }
            ImageRemoval::Kept { .. } => {
                let again = now.boot_ms.saturating_add(AGAIN_MS);
                self.again_ms.insert(name.to_owned(), again);
            }
        }
    }

    /// What is to be stored with this turn.
    pub(super) fn take_write(&mut self) -> Option<(WriteKind, PulledImages)> {
        let kind = self.changed.take()?;
        let images = self.pulled.clone();
        Some((kind, PulledImages { images }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BootId, DiskMode, DiskReading, UnixMs};

    fn at(ms: u64) -> Now {
        Now {
            boot: BootId([0; 16]),
            boot_ms: ms,
            wall: Some(UnixMs(ms)),
        }
    }

    fn board(available: u64) -> BoardReading {
        BoardReading {
            images: Some(DiskReading {
                size_bytes: 1_000,
                available_bytes: available,
                mode: DiskMode::Writable,
            }),
            ..BoardReading::default()
        }
    }

    /// These images, pulled in this order.
    fn holding(names: &[&str]) -> Images {
        let mut images = Images::new(ImageLowWater::default());
        for (at_ms, name) in (1..).zip(names) {
            images.pulled((*name).to_owned(), format!("id of {name}"), 10, at(at_ms));
        }
        images.take_write();
        images
    }

    fn due(images: &mut Images, available: u64) -> Option<String> {
        let image = images.due(&board(available), at(100), |name| name == "needed");
        image.map(|image| image.name)
    }

    #[test]
    fn below_the_mark_the_image_that_was_not_used_for_longest_goes_and_one_at_a_time() {
        let mut images = holding(&["a", "needed", "b", "c"]);
        images.used("a", at(50));
        assert_eq!(due(&mut images, 100), None, "that is a tenth");
        assert_eq!(due(&mut images, 99), Some("b".to_owned()));
        assert_eq!(due(&mut images, 0), None, "one at a time");
        images.removed("b", &ImageRemoval::Removed, at(100));
        assert_eq!(due(&mut images, 99), Some("c".to_owned()));
        images.removed("c", &ImageRemoval::NotOurs, at(100));
        assert_eq!(due(&mut images, 99), Some("a".to_owned()));
        images.removed("a", &ImageRemoval::Removed, at(100));
        assert_eq!(due(&mut images, 0), None, "a job needs what is left");
        let (kind, stored) = images.take_write().unwrap();
        assert_eq!(kind, WriteKind::RideAlong);
        assert_eq!(stored.images.len(), 1);
    }

    #[test]
    fn an_image_that_could_not_be_removed_lets_the_others_go_first_and_is_tried_again_later() {
        let mut images = holding(&["a", "b"]);
        let why = "a container has it".to_owned();
        assert_eq!(due(&mut images, 0), Some("a".to_owned()));
        images.removed("a", &ImageRemoval::Kept { why: why.clone() }, at(100));
        assert_eq!(due(&mut images, 0), Some("b".to_owned()));
        images.removed("b", &ImageRemoval::Kept { why }, at(100));
        assert_eq!(due(&mut images, 0), None);
        let later = images.due(&board(0), at(100 + AGAIN_MS), |_| false);
        assert_eq!(later.unwrap().name, "a");
    }

    #[test]
    fn a_pull_is_a_promise_and_its_uses_are_stored_once_an_hour() {
        let mut images = holding(&["a"]);
        images.pulled("b".to_owned(), "id".to_owned(), 10, at(10));
        assert_eq!(images.take_write().unwrap().0, WriteKind::Promise);
        images.used("a", at(20));
        images.used("of somebody else", at(20));
        assert_eq!(images.take_write(), None);
        images.used("a", at(1 + USED_GRAIN_MS));
        let (kind, stored) = images.take_write().unwrap();
        assert_eq!(kind, WriteKind::RideAlong);
        let names: Vec<&str> = stored.images.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(stored.images[1].used, Some(UnixMs(1 + USED_GRAIN_MS)));
    }

    #[test]
    fn one_image_too_many_goes_however_much_room_there_is_and_without_a_reading_nothing_else_does()
    {
        let names: Vec<String> = (0..=IMAGES_MAX)
            .map(|number| format!("i{number}"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut images = holding(&names);
        assert_eq!(due(&mut images, 999), Some("i0".to_owned()));
        images.removed("i0", &ImageRemoval::Removed, at(100));
        assert_eq!(due(&mut images, 999), None);
        let blind = images.due(&BoardReading::default(), at(100), |_| false);
        assert_eq!(blind, None);
    }

    #[test]
    fn for_a_pull_without_room_all_go_that_no_job_needs_and_those_that_stay_are_no_reason_to_try_again()
     {
        let mut images = holding(&["a", "needed", "b"]);
        let is_needed = |name: &str| name == "needed";
        assert_eq!(due(&mut images, 999), None);
        assert!(images.clear(at(100), is_needed));
        for name in ["a", "b"] {
            assert!(images.drains_for_pull());
            assert_eq!(due(&mut images, 999).as_deref(), Some(name));
            let why = "a container has it".to_owned();
            images.removed(name, &ImageRemoval::Kept { why }, at(100));
        }
        assert_eq!(due(&mut images, 999), None);
        assert!(!images.drains_for_pull());
        assert!(!images.clear(at(100), is_needed));
        assert!(images.clear(at(100 + AGAIN_MS), is_needed));
    }

    #[test]
    fn zero_bytes_is_never() {
        let mut images = Images::new(ImageLowWater::Bytes(0));
        images.pulled("a".to_owned(), "id".to_owned(), 10, at(1));
        assert_eq!(due(&mut images, 0), None);
        assert!(!images.clear(at(100), |_| false));
    }
}
