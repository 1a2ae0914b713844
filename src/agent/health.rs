//! What is not as it should be, decided from facts: what the board shows, what engine, store and peers do.
//!
//! ```text
//!   Fact, Now --> note --> table of conditions --> what began, what ended   (for the log)
//!                             '--> conditions(now)                          (for the API, metrics, the bundle)
//! ```
//! A machine of its own beside the agent, because it outlives one: a commit that fails ends an agent, and the store's
//! failure is a condition. It needs no timer: a condition is judged when a fact comes in and when it is asked for.

use super::pressure::{disk_kept, is_pressed, memory_kept, too_hot};
use crate::model::{
    BoardReading, Condition, ConditionChange, ConditionKind, DiskMode, EngineFacts, ImageLowWater,
    MemoryController, MemoryLimits, NodeId, Now, StoreRoom, UnixMs,
};
use std::collections::BTreeMap;

/// Peers that a condition names; the others are counted.
const PEERS_NAMED_MAX: usize = 3;
/// Peers that are remembered as lost: as many as are kept connected.
const PEERS_MAX: usize = 64;
/// Letters of a reason that somebody else wrote.
const REASON_CHARS_MAX: usize = 512;

/// What frees most of a disk that engines share.
const IMAGES_HINT: &str =
    "images that are not used take most: podman image prune -a, docker image prune -a";

/// What is known once, at the start.
#[derive(Clone, Debug, Default)]
pub struct HealthConfig {
    /// Whether this kernel limits memory.
    pub memory_controller: MemoryController,
    /// What happens to jobs if it does not.
    pub memory_limits: MemoryLimits,
    /// The free disk below which images go.
    pub image_low_water: ImageLowWater,
    /// What gets an engine running on this board.
    pub engine_hint: String,
    /// The records that are kept in memory, if some are, such as `jobs`.
    pub kept_in_memory: Option<String>,
    /// Damaged store files that were moved aside, and are still there.
    pub damaged: Vec<String>,
    /// The store's files.
    pub store_files: Vec<String>,
    /// What the process before this one left when it crashed: one line, and the file.
    pub crash: Option<Crash>,
}

/// The report of a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// What happened, in one line.
    pub line: String,
    /// Where the rest is.
    pub file: String,
}

/// Something that bears on a node's health.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The board was read.
    Board(BoardReading),
    /// The engine answers.
    EngineFound(EngineFacts),
    /// No engine answers.
    EngineAway {
        /// What was tried.
        why: String,
        /// How to be let in, if it is there and this user may not use it.
        permission: Option<String>,
    },
    /// A commit failed.
    StoreFailed {
        /// Why.
        why: String,
    },
    /// The store is open again.
    StoreBack,
    /// What the store has room for.
    StoreRoom(StoreRoom),
    /// A peer that should be connected is not.
    PeerLost {
        /// Which.
        peer: NodeId,
        /// Why.
        why: String,
    },
    /// It is connected.
    PeerBack {
        /// Which.
        peer: NodeId,
    },
}

/// The machine. See the module's text.
#[derive(Debug)]
pub struct Health {
    config: HealthConfig,
    standing: BTreeMap<ConditionKind, Standing>,
    lost: BTreeMap<NodeId, String>,
}

#[derive(Debug)]
struct Standing {
    since: Now,
    text: String,
    hint: String,
}

/// Conditions of one look, to be compared with those that stand.
type Verdict = Option<(String, String)>;

impl Health {
    /// A node that starts.
    #[must_use]
    pub fn new(config: HealthConfig, now: Now) -> Self {
        let mut health = Self {
            config,
            standing: BTreeMap::new(),
            lost: BTreeMap::new(),
        };
        let in_memory = health.config.kept_in_memory.as_ref().map(|what| {
            (
                format!("{what} are kept in memory and gone with this process"),
                "leave out the store type inmemory to keep them on disk".to_owned(),
            )
        });
        let crashed = health.config.crash.as_ref().map(|crash| {
            (
                format!("an earlier process crashed: {}", crash.line),
                format!(
                    "report it with the file that codling debug makes; removing \"{}\" clears this",
                    crash.file
                ),
            )
        });
        let rebuilt = (!health.config.damaged.is_empty()).then(|| {
            (
                format!(
                    "a store file was damaged and a new one made: {}",
                    health.config.damaged.join(", ")
                ),
                "check the disk or card; removing these files clears this".to_owned(),
            )
        });
        let mut changes = Vec::new();
        health.judge(ConditionKind::StoreRebuilt, rebuilt, now, &mut changes);
        health.judge(ConditionKind::StoreInMemory, in_memory, now, &mut changes);
        health.judge(ConditionKind::CrashedBefore, crashed, now, &mut changes);
        health.judge_clock(now, &mut changes);
        health
    }

    /// Takes a fact in; returns what began or ended with it.
    pub fn note(&mut self, fact: Fact, now: Now) -> Vec<ConditionChange> {
        let mut changes = Vec::new();
        match fact {
            Fact::Board(reading) => self.judge_board(&reading, now, &mut changes),
            Fact::EngineFound(facts) => {
                self.judge(ConditionKind::EngineAway, None, now, &mut changes);
                let verdict = (!facts.enforces_memory).then(|| self.limits_off(&facts));
                self.judge(ConditionKind::MemoryLimitsOff, verdict, now, &mut changes);
            }
            Fact::EngineAway { why, permission } => {
                let hint = permission.unwrap_or_else(|| self.config.engine_hint.clone());
                let verdict = Some((bounded(&why), hint));
                self.judge(ConditionKind::EngineAway, verdict, now, &mut changes);
            }
            Fact::StoreFailed { why } => {
                let verdict = Some((
                    format!("the store cannot be written: {}", bounded(&why)),
                    "free space or repair the disk; running containers go on, and the store is opened again by itself"
                        .to_owned(),
                ));
                self.judge(ConditionKind::StoreFailed, verdict, now, &mut changes);
            }
            Fact::StoreBack => self.judge(ConditionKind::StoreFailed, None, now, &mut changes),
            Fact::StoreRoom(room) => {
                let verdict = (room == StoreRoom::EndsOnly).then(|| self.store_full());
                self.judge(ConditionKind::StoreFull, verdict, now, &mut changes);
            }
            Fact::PeerLost { peer, why } => {
                if self.lost.len() < PEERS_MAX || self.lost.contains_key(&peer) {
                    self.lost.insert(peer, bounded(&why));
                }
                self.judge_peers(now, &mut changes);
            }
            Fact::PeerBack { peer } => {
                self.lost.remove(&peer);
                self.judge_peers(now, &mut changes);
            }
        }
        self.judge_clock(now, &mut changes);
        changes
    }

    /// What is not as it should be now, in the order of [`ConditionKind::ALL`].
    #[must_use]
    pub fn conditions(&self, now: Now) -> Vec<Condition> {
        self.standing
            .iter()
            .filter(|(kind, _)| **kind != ConditionKind::ClockUnset || now.wall.is_none())
            .map(|(kind, standing)| standing.shown(*kind, now))
            .collect()
    }

    /// Begins, changes or ends one condition. Its beginning stays as long as it lasts.
    fn judge(
        &mut self,
        kind: ConditionKind,
        verdict: Verdict,
        now: Now,
        changes: &mut Vec<ConditionChange>,
    ) {
        match (verdict, self.standing.get_mut(&kind)) {
            (Some((text, hint)), Some(standing)) => {
                standing.text = text;
                standing.hint = hint;
            }
            (Some((text, hint)), None) => {
                let standing = Standing {
                    since: now,
                    text,
                    hint,
                };
                changes.push(ConditionChange::Began(standing.shown(kind, now)));
                self.standing.insert(kind, standing);
            }
            (None, Some(_)) => {
                self.standing.remove(&kind);
                changes.push(ConditionChange::Ended(kind));
            }
            (None, None) => {}
        }
    }

    fn judge_clock(&mut self, now: Now, changes: &mut Vec<ConditionChange>) {
        let verdict = now.wall.is_none().then(|| {
            (
                "the wall clock is not set: it shows a time before this system was made".to_owned(),
                "set it, best by a time service (systemd: timedatectl set-ntp true; else ntpd or chrony); until then nothing has a date".to_owned(),
            )
        });
        self.judge(ConditionKind::ClockUnset, verdict, now, changes);
    }

    fn judge_peers(&mut self, now: Now, changes: &mut Vec<ConditionChange>) {
        let verdict = (!self.lost.is_empty()).then(|| {
            let mut named: Vec<String> = self
                .lost
                .iter()
                .take(PEERS_NAMED_MAX)
                .map(|(peer, why)| format!("{peer} ({why})"))
                .collect();
            if self.lost.len() > PEERS_NAMED_MAX {
                named.push(format!("{} more", self.lost.len() - PEERS_NAMED_MAX));
            }
            (
                format!("cannot reach {}", named.join(", ")),
                "check that it runs and that its --peer address is right; it is dialled again by itself"
                    .to_owned(),
            )
        });
        self.judge(ConditionKind::PeersUnreachable, verdict, now, changes);
    }

    fn judge_board(
        &mut self,
        reading: &BoardReading,
        now: Now,
        changes: &mut Vec<ConditionChange>,
    ) {
        let memory = reading.memory.as_ref().and_then(|memory| {
            let kept = memory_kept(memory);
            (memory.available_bytes < kept).then(|| {
                (
                    format!(
                        "{} MB of memory available, {} MB are kept free: no job is taken",
                        mb(memory.available_bytes),
                        mb(kept)
                    ),
                    "stop something on this board".to_owned(),
                )
            })
        });
        let pressed = is_pressed(reading).then(|| {
            (
                "what runs here waits for memory: no job is taken".to_owned(),
                "stop something on this board; cat /proc/pressure/memory shows how it develops"
                    .to_owned(),
            )
        });
        let hot = too_hot(reading).map(|heat| {
            (
                format!(
                    "{} shows {} degrees, the limit is {}: no job is taken",
                    heat.zone,
                    heat.millidegrees / 1_000,
                    heat.limit_millidegrees / 1_000
                ),
                "cool this board: a heat sink, a fan, more air".to_owned(),
            )
        });
        let throttle = reading.throttle.unwrap_or_default();
        let weak = throttle.under_voltage.then(|| {
            (
                "the power supply is too weak: no job is taken".to_owned(),
                "use the supply that this board asks for, and a short cable".to_owned(),
            )
        });
        let slowed = throttle.slowed.then(|| {
            (
                "the firmware has slowed this board down".to_owned(),
                "cool it, and check its power supply; vcgencmd get_throttled tells which"
                    .to_owned(),
            )
        });
        let read_only = reading
            .disk
            .is_some_and(|disk| disk.mode == DiskMode::ReadOnly);
        let read_only = read_only.then(|| {
            (
                "the disk of the data directory cannot be written".to_owned(),
                "look for I/O errors with dmesg, and mount it writable".to_owned(),
            )
        });
        let full = reading.disk.as_ref().and_then(|disk| {
            let kept = disk_kept(disk);
            (disk.available_bytes < kept).then(|| {
                (
                    format!(
                        "{} MB of disk available, {} MB are kept free: no job is taken",
                        mb(disk.available_bytes),
                        mb(kept)
                    ),
                    format!("free space on the disk of the data directory; {IMAGES_HINT}"),
                )
            })
        });
        let images = reading.images.as_ref().and_then(|disk| {
            let kept = self.config.image_low_water.on(disk);
            (disk.available_bytes < kept).then(|| {
                (
                    format!(
                        "{} MB of disk available for images, {} MB are to be free (--image-low-water): those that were pulled for jobs go",
                        mb(disk.available_bytes),
                        mb(kept)
                    ),
                    IMAGES_HINT.to_owned(),
                )
            })
        });
        for (kind, verdict) in [
            (ConditionKind::MemoryLow, memory),
            (ConditionKind::MemoryPressure, pressed),
            (ConditionKind::TooHot, hot),
            (ConditionKind::UnderVoltage, weak),
            (ConditionKind::Throttled, slowed),
            (ConditionKind::DiskReadOnly, read_only),
            (ConditionKind::DiskLow, full),
            (ConditionKind::ImageDiskLow, images),
        ] {
            self.judge(kind, verdict, now, changes);
        }
    }

    fn store_full(&self) -> (String, String) {
        (
            "there is no space for the store: only how jobs end is stored, new ones get 507"
                .to_owned(),
            format!(
                "free space on the disk of {}; within seconds jobs are taken again",
                self.config.store_files.join(" and of ")
            ),
        )
    }

    fn limits_off(&self, engine: &EngineFacts) -> (String, String) {
        let effect = match self.config.memory_limits {
            MemoryLimits::Preferred => "one job runs at a time",
            MemoryLimits::Required => "no job is taken (--require-memory-limits)",
        };
        let text = format!(
            "{} cannot limit the memory of containers here: {effect}",
            engine.name
        );
        let hint = match &self.config.memory_controller {
            MemoryController::Off {
                cmdline: Some(file),
            } => format!(
                "append to the one line in {file}, and reboot: cgroup_enable=memory  (sudo sed -i '1s/$/ cgroup_enable=memory/' {file})"
            ),
            MemoryController::Off { cmdline: None } => {
                "boot the kernel with: cgroup_enable=memory".to_owned()
            }
            MemoryController::On | MemoryController::Unknown => {
                "the kernel can, this engine is not allowed to: run it as root, or boot with systemd.unified_cgroup_hierarchy=1"
                    .to_owned()
            }
        };
        (text, hint)
    }
}

impl Standing {
    fn shown(&self, kind: ConditionKind, now: Now) -> Condition {
        let lasts_ms = self.since.until(&now);
        Condition {
            kind,
            // A clock that was set meanwhile tells when it began, too.
            since: now.wall.map(|wall| UnixMs(wall.0.saturating_sub(lasts_ms))),
            lasts_ms,
            text: self.text.clone(),
            hint: self.hint.clone(),
        }
    }
}

fn mb(bytes: u64) -> u64 {
    bytes / 1_000_000
}

fn bounded(why: &str) -> String {
    why.chars().take(REASON_CHARS_MAX).collect()
}
