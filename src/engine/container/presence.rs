//! When the engine was away last, and what it may have missed.
//!
//! Docker's daemon writes the logs of its containers itself: when it comes back, the pipe of a container that has ended
//! meanwhile is gone with all that was in it. Podman's monitors write theirs whatever becomes of the service.

use std::time::SystemTime;

/// What the calls to an engine tell of it, on the wall clock, which is the engine's too.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// When the last call was made that it answered.
    heard: Option<SystemTime>,
    /// From when on it may have been away, and when it answered again, the last time.
    away: Option<(SystemTime, Option<SystemTime>)>,
}

impl Presence {
    /// It answered a call that was made at `asked`.
    pub(super) fn answered(&mut self, asked: SystemTime) {
        if let Some((_, back @ None)) = &mut self.away {
            *back = Some(now());
        }
        self.heard = Some(asked);
    }

    /// A call found it away, or its process has ended.
    pub(super) fn vanished(&mut self) {
        if let (Some(heard), None | Some((_, Some(_)))) = (self.heard, &self.away) {
            self.away = Some((heard, None));
        }
    }

    /// Whether it may have been away at that time.
    pub(super) fn missed(&self, time: SystemTime) -> bool {
        self.away
            .is_some_and(|(from, back)| time >= from && back.is_none_or(|back| time <= back))
    }
}

/// The time that stands beside those that the engine gives.
// What an engine said is dated here, beside the decisions.
#[allow(clippy::disallowed_methods)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_engine_misses_what_happens_between_its_last_answer_and_its_next() {
        let start = now() - Duration::from_secs(100);
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.vanished();
        assert!(!presence.missed(at(1)), "it was never here");
        presence.answered(at(10));
        presence.answered(at(20));
        assert!(!presence.missed(at(21)));
        presence.vanished();
        presence.vanished();
        assert!(!presence.missed(at(19)) && presence.missed(at(21)));
        presence.answered(at(30));
        let later = now() + Duration::from_secs(100);
        assert!(presence.missed(at(25)) && !presence.missed(later));
        presence.vanished();
        assert!(!presence.missed(at(25)) && presence.missed(later));
    }
}
