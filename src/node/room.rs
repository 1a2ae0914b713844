//! What the store has room for, as the loop saw it last, and when a full disk is looked at again.

use crate::model::{Now, StoreRoom};

/// How soon a full disk is looked at again: one `statvfs` for each ballast that is missing, and nothing while none is.
const PACE_MS: u64 = 2_000;

/// See the module's text.
#[derive(Debug)]
pub(super) struct RoomWatch {
    seen: StoreRoom,
    look: Look,
}

/// The next look. At most one is told to the store at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// There is room.
    Never,
    /// At this time of the boot clock.
    At { ms: u64 },
    /// Its report has not come.
    UnderWay,
}

impl Default for RoomWatch {
    fn default() -> Self {
        Self {
            seen: StoreRoom::Enough,
            look: Look::Never,
        }
    }
}

impl RoomWatch {
    /// Takes in what the store has room for now; what to tell of it, if it is news.
    pub(super) fn see(&mut self, room: StoreRoom, now: Now) -> Option<StoreRoom> {
        self.look = match (self.look, room) {
            (Look::UnderWay, _) => Look::UnderWay,
            (_, StoreRoom::Enough) => Look::Never,
            (Look::At { ms }, StoreRoom::EndsOnly) => Look::At { ms },
            (Look::Never, StoreRoom::EndsOnly) => Look::At {
                ms: now.boot_ms + PACE_MS,
            },
        };
        (std::mem::replace(&mut self.seen, room) != room).then_some(room)
    }

    /// When to look.
    pub(super) fn look_at_ms(&self) -> Option<u64> {
        match self.look {
            Look::At { ms } => Some(ms),
            Look::Never | Look::UnderWay => None,
        }
    }

    /// A look was told to the store.
    pub(super) fn looks(&mut self) {
        self.look = Look::UnderWay;
    }

    /// Its report has come.
    pub(super) fn looked(&mut self) {
        self.look = Look::Never;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BootId;

    fn at(boot_ms: u64) -> Now {
        Now {
            boot: BootId([1; 16]),
            boot_ms,
            wall: None,
        }
    }

    #[test]
    fn a_full_disk_is_looked_at_every_two_seconds_however_much_is_stored_meanwhile() {
        let mut watch = RoomWatch::default();
        assert_eq!(watch.see(StoreRoom::Enough, at(0)), None);
        assert_eq!(watch.look_at_ms(), None);
        let full = StoreRoom::EndsOnly;
        assert_eq!(watch.see(full, at(10)), Some(full));
        for later in 11..2_010 {
            assert_eq!(watch.see(full, at(later)), None);
            assert_eq!(watch.look_at_ms(), Some(2_010));
        }
        watch.looks();
        assert_eq!(watch.see(full, at(5_000)), None);
        assert_eq!(watch.look_at_ms(), None, "one at a time");
        watch.looked();
        assert_eq!(watch.see(full, at(6_000)), None);
        assert_eq!(watch.look_at_ms(), Some(8_000));
        let enough = StoreRoom::Enough;
        assert_eq!(watch.see(enough, at(7_000)), Some(enough));
        assert_eq!(watch.look_at_ms(), None);
    }
}
