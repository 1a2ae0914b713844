//! When which wanted peer is dialled. Pure: time comes in as what has passed since the host started.
//!
//! ```text
//!            due                    connected
//!   Waiting ------> Dialing ------------------> Connected
//!      ^               |                            |
//!      `--- failed ----'                            |
//!      `------------- disconnected -----------------'
//! ```
//!
//! The wait grows from 1 s to 5 min and starts again at 1 s after a connection that held for [`HELD_FOR`]. A connection
//! that ends sooner counts as a failure: a peer that accepts and hangs up (it is full, or broken) would otherwise cost
//! both sides a handshake a second for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::PeerId;

/// Wait after the first failure or a lost connection.
const WAIT_FIRST: Duration = Duration::from_secs(1);

/// Longest wait: how late a peer that was away for long is found again at worst.
const WAIT_MAX: Duration = Duration::from_secs(5 * 60);

/// A connection that held this long was a success.
const HELD_FOR: Duration = Duration::from_secs(10);

/// Dials under way at once: a board that starts with many peers does not do all handshakes in the same second.
const DIALING_MAX: usize = 8;

/// What an event meant for a wanted peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Not a wanted peer, or nothing new.
    None,
    /// The connection ended; so many attempts have failed in a row, this one included.
    Lost { failures: u32 },
    /// A dial failed; so many attempts have failed in a row, this one included.
    Failed { failures: u32 },
    /// Connected after so many failures in a row.
    Connected { failures: u32 },
}

#[derive(Debug)]
enum State {
    Waiting { until: Duration },
    Dialing,
    Connected { since: Duration },
}

#[derive(Debug)]
struct Wanted {
    state: State,
    failures: u32,
}

/// The wanted peers of one node.
#[derive(Debug)]
pub(super) struct Redial {
    wanted: BTreeMap<PeerId, Wanted>,
    /// State of the generator that spreads the waits of a fleet which lost its peer at the same moment.
    jitter: u64,
}

impl Redial {
    /// All peers are due at once. Nodes with different seeds spread their waits differently.
    pub(super) fn new(peers: impl IntoIterator<Item = PeerId>, seed: u64) -> Redial {
        let fresh = || Wanted {
            state: State::Waiting {
                until: Duration::ZERO,
            },
            failures: 0,
        };
        Redial {
            wanted: peers.into_iter().map(|peer| (peer, fresh())).collect(),
            jitter: seed,
        }
    }

    /// The peers to dial now; each is under way until `failed` or `connected` says otherwise.
    pub(super) fn due(&mut self, now: Duration) -> Vec<PeerId> {
        let room = DIALING_MAX.saturating_sub(self.dialing());
        let mut due = Vec::new();
        for (peer, wanted) in &mut self.wanted {
            match wanted.state {
                State::Waiting { until } if until <= now && due.len() < room => {
                    wanted.state = State::Dialing;
                    due.push(*peer);
                }
                _ => {}
            }
        }
        due
    }

    /// When to call [`Redial::due`] next; `None` while nothing waits, or while no further dial may begin.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        if self.dialing() >= DIALING_MAX {
            return None;
        }
        let waiting = |wanted: &Wanted| match wanted.state {
            State::Waiting { until } => Some(until),
            State::Dialing | State::Connected { .. } => None,
        };
        self.wanted.values().filter_map(waiting).min()
    }

    /// There is a connection to `peer`, whoever dialled.
    pub(super) fn connected(&mut self, peer: &PeerId, now: Duration) -> Effect {
        let Some(wanted) = self.wanted.get_mut(peer) else {
            return Effect::None;
        };
        if matches!(wanted.state, State::Connected { .. }) {
            return Effect::None;
        }
        wanted.state = State::Connected { since: now };
        Effect::Connected {
            failures: wanted.failures,
        }
    }

    /// The last connection to `peer` ended.
    pub(super) fn disconnected(&mut self, peer: &PeerId, now: Duration) -> Effect {
        let Some(wanted) = self.wanted.get_mut(peer) else {
            return Effect::None;
        };
        if let State::Connected { since } = wanted.state
            && now.saturating_sub(since) >= HELD_FOR
        {
            wanted.failures = 0;
        }
        self.wait(peer, now)
            .map_or(Effect::None, |failures| Effect::Lost { failures })
    }

    /// A dial to `peer` failed. Ignored while a connection exists: two dials may cross.
    pub(super) fn failed(&mut self, peer: &PeerId, now: Duration) -> Effect {
        let failures = match self.wanted.get(peer) {
            Some(Wanted {
                state: State::Dialing,
                ..
            }) => self.wait(peer, now),
            _ => None,
        };
        failures.map_or(Effect::None, |failures| Effect::Failed { failures })
    }

    /// Puts the peer off; how many attempts have failed in a row now.
    fn wait(&mut self, peer: &PeerId, now: Duration) -> Option<u32> {
        let jitter = next_jitter(&mut self.jitter);
        let wanted = self.wanted.get_mut(peer)?;
        // 2^9 s is beyond the longest wait already.
        let longest = (WAIT_FIRST * (1 << wanted.failures.min(9))).min(WAIT_MAX);
        // Between three quarters and all of it.
        let until = now + longest * 3 / 4 + longest * u32::from(jitter) / (4 * 256);
        wanted.state = State::Waiting { until };
        wanted.failures = wanted.failures.saturating_add(1);
        Some(wanted.failures)
    }

    fn dialing(&self) -> usize {
        self.wanted
            .values()
            .filter(|wanted| matches!(wanted.state, State::Dialing))
            .count()
    }
}

/// One step of splitmix64, of which one byte is enough here.
fn next_jitter(state: &mut u64) -> u8 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let [.., low] = (mixed ^ (mixed >> 31)).to_be_bytes();
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn one(seed: u64) -> (PeerId, Redial) {
        let peer = PeerId::random();
        (peer, Redial::new([peer], seed))
    }

    #[test]
    fn the_wait_grows_from_a_second_to_five_minutes_and_never_beyond() {
        let (peer, mut redial) = one(7);
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for _ in 0..20 {
            assert_eq!(redial.due(now), [peer]);
            redial.failed(&peer, now);
            let until = redial.next_deadline().unwrap_or_default();
            waits.push(until - now);
            now = until;
        }
        assert!(
            waits[0] >= seconds(1) * 3 / 4 && waits[0] <= seconds(1),
            "{waits:?}"
        );
        assert!(
            waits
                .windows(2)
                .all(|pair| pair[1] > pair[0] || pair[1] >= WAIT_MAX * 3 / 4),
            "{waits:?}"
        );
        assert!(
            waits[19] >= WAIT_MAX * 3 / 4 && waits[19] <= WAIT_MAX,
            "{waits:?}"
        );
    }

    #[test]
    fn a_connection_that_held_starts_again_at_a_second_and_one_that_did_not_goes_on() {
        let (peer, mut redial) = one(7);
        for _ in 0..5 {
            redial.due(seconds(10_000));
            redial.failed(&peer, seconds(0));
        }
        assert_eq!(
            redial.connected(&peer, seconds(100)),
            Effect::Connected { failures: 5 }
        );
        assert_eq!(redial.next_deadline(), None);
        redial.disconnected(&peer, seconds(101));
        assert!(
            redial.next_deadline() >= Some(seconds(101) + seconds(24)),
            "32 s less a quarter"
        );
        redial.connected(&peer, seconds(200));
        assert_eq!(
            redial.disconnected(&peer, seconds(210)),
            Effect::Lost { failures: 1 }
        );
        assert!(redial.next_deadline() <= Some(seconds(211)));
    }

    #[test]
    fn a_failed_dial_that_crossed_a_connection_changes_nothing() {
        let (peer, mut redial) = one(7);
        redial.due(seconds(0));
        redial.connected(&peer, seconds(1));
        assert_eq!(redial.failed(&peer, seconds(2)), Effect::None);
        assert_eq!(
            redial.connected(&peer, seconds(2)),
            Effect::None,
            "a second connection"
        );
        assert_eq!(redial.next_deadline(), None);
    }

    #[test]
    fn only_so_many_dials_are_under_way_and_waiting_for_one_to_end_is_no_deadline() {
        let peers: Vec<PeerId> = (0..DIALING_MAX + 3).map(|_| PeerId::random()).collect();
        let mut redial = Redial::new(peers, 7);
        let first = redial.due(seconds(0));
        assert_eq!(first.len(), DIALING_MAX);
        assert!(redial.due(seconds(0)).is_empty());
        assert_eq!(redial.next_deadline(), None);
        redial.connected(&first[0], seconds(1));
        assert_eq!(redial.due(seconds(1)).len(), 1);
    }

    #[test]
    fn a_stranger_is_never_dialled() {
        let (_, mut redial) = one(7);
        let stranger = PeerId::random();
        for effect in [
            redial.connected(&stranger, seconds(0)),
            redial.disconnected(&stranger, seconds(0)),
            redial.failed(&stranger, seconds(0)),
        ] {
            assert_eq!(effect, Effect::None);
        }
    }

    #[test]
    fn nodes_with_different_seeds_do_not_wait_alike() {
        let waits = |seed| {
            let (peer, mut redial) = one(seed);
            redial.due(seconds(0));
            redial.failed(&peer, seconds(0));
            redial.next_deadline()
        };
        assert_ne!(waits(1), waits(2));
    }
}
