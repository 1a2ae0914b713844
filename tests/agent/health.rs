//! What is not as it should be, fact by fact.

use codling::agent::{Crash, Fact, Health, HealthConfig};
use codling::model::*;

fn at(boot_ms: u64, wall: Option<u64>) -> Now {
    Now {
        boot: BootId([1; 16]),
        boot_ms,
        wall: wall.map(UnixMs),
    }
}

fn health(config: HealthConfig) -> Health {
    Health::new(config, at(0, Some(1_000_000)))
}

fn codes(health: &Health, now: Now) -> Vec<&'static str> {
    let conditions = health.conditions(now);
    conditions.iter().map(|one| one.kind.code()).collect()
}

const ENGINE: EngineFacts = EngineFacts {
    name: String::new(),
    socket: String::new(),
    enforces_memory: true,
    image_dir: None,
};

fn engine() -> Fact {
    Fact::EngineFound(ENGINE)
}

fn engine_without_limits() -> Fact {
    Fact::EngineFound(EngineFacts {
        name: "Podman 4.3.1".to_owned(),
        enforces_memory: false,
        image_dir: None,
        ..ENGINE
    })
}

#[test]
fn an_absent_engine_is_told_since_when_it_has_been_away_not_since_the_last_look() {
    let mut health = health(HealthConfig {
        engine_hint: "start it".to_owned(),
        ..HealthConfig::default()
    });
    let away = |why: &str| Fact::EngineAway {
        why: why.to_owned(),
        permission: None,
    };
    let began = health.note(away("nobody listens"), at(1_000, Some(1_001_000)));
    assert!(
        matches!(began.as_slice(), [ConditionChange::Began(one)] if one.kind == ConditionKind::EngineAway)
    );
    let again = health.note(away("no such file"), at(31_000, Some(1_031_000)));
    assert_eq!(again, [], "it was told already");
    let now = at(61_000, Some(1_061_000));
    let condition = &health.conditions(now)[0];
    assert_eq!(condition.since, Some(UnixMs(1_001_000)));
    assert_eq!(condition.lasts_ms, 60_000);
    assert_eq!(condition.text, "no such file", "the latest news");
    assert_eq!(condition.hint, "start it");
    let ended = health.note(engine(), now);
    assert_eq!(ended, [ConditionChange::Ended(ConditionKind::EngineAway)]);
    assert_eq!(codes(&health, now), [""; 0]);
}

#[test]
fn a_full_disk_of_a_store_is_told_with_its_files_and_ends_with_the_room() {
    let mut health = health(HealthConfig {
        store_files: vec!["/data/jobs.db".to_owned(), "/sd/executions.db".to_owned()],
        ..HealthConfig::default()
    });
    let now = at(0, Some(1_000_000));
    health.note(Fact::StoreRoom(StoreRoom::EndsOnly), now);
    let condition = &health.conditions(now)[0];
    assert_eq!(condition.kind, ConditionKind::StoreFull);
    assert!(
        condition
            .hint
            .contains("/data/jobs.db and of /sd/executions.db"),
        "{}",
        condition.hint
    );
    let changes = health.note(Fact::StoreRoom(StoreRoom::Enough), now);
    assert_eq!(changes, [ConditionChange::Ended(ConditionKind::StoreFull)]);
}

#[test]
fn a_clock_that_is_set_later_ends_its_condition_and_dates_the_others() {
    let unset = at(5_000, None);
    let mut health = Health::new(HealthConfig::default(), unset);
    health.note(
        Fact::EngineAway {
            why: "x".to_owned(),
            permission: None,
        },
        unset,
    );
    let conditions = health.conditions(unset);
    assert_eq!(codes(&health, unset), ["engine_away", "clock_unset"]);
    assert_eq!((conditions[0].since, conditions[0].lasts_ms), (None, 0));
    let set = at(65_000, Some(2_000_000));
    assert_eq!(codes(&health, set), ["engine_away"], "even before any fact");
    assert_eq!(
        health.conditions(set)[0].since,
        Some(UnixMs(1_940_000)),
        "one minute ago, in the time that is known now"
    );
    let changes = health.note(Fact::StoreBack, set);
    assert_eq!(changes, [ConditionChange::Ended(ConditionKind::ClockUnset)]);
}

#[test]
fn a_board_that_cannot_limit_memory_shows_the_exact_line_that_switches_it_on() {
    let now = at(0, Some(1_000_000));
    let hint = |memory_controller, memory_limits| {
        let mut health = health(HealthConfig {
            memory_controller,
            memory_limits,
            ..HealthConfig::default()
        });
        health.note(engine_without_limits(), now);
        let condition = health.conditions(now).remove(0);
        assert_eq!(condition.kind, ConditionKind::MemoryLimitsOff);
        (condition.text, condition.hint)
    };
    let cmdline = Some("/boot/firmware/cmdline.txt".to_owned());
    let (text, hint_pi) = hint(MemoryController::Off { cmdline }, MemoryLimits::Preferred);
    assert!(text.contains("one job runs at a time"), "{text}");
    assert!(
        hint_pi.contains("sudo sed -i '1s/$/ cgroup_enable=memory/' /boot/firmware/cmdline.txt"),
        "{hint_pi}"
    );
    let (text, hint_rootless) = hint(MemoryController::On, MemoryLimits::Required);
    assert!(text.contains("no job is taken"), "{text}");
    assert!(!hint_rootless.contains("cmdline"), "{hint_rootless}");
}

#[test]
fn lost_peers_are_one_condition_that_ends_with_the_last_of_them() {
    let mut health = health(HealthConfig::default());
    let now = at(0, Some(1_000_000));
    let lost = |peer: &str| Fact::PeerLost {
        peer: NodeId::from(peer),
        why: "connection refused".to_owned(),
    };
    for peer in ["a", "b", "c", "d", "e"] {
        health.note(lost(peer), now);
    }
    let text = health.conditions(now).remove(0).text;
    assert!(
        text.starts_with("cannot reach a (connection refused), b") && text.ends_with(", 2 more"),
        "{text}"
    );
    for peer in ["a", "b", "c", "d"] {
        let back = Fact::PeerBack {
            peer: NodeId::from(peer),
        };
        assert_eq!(health.note(back, now), []);
    }
    let back = Fact::PeerBack {
        peer: NodeId::from("e"),
    };
    assert_eq!(
        health.note(back, now),
        [ConditionChange::Ended(ConditionKind::PeersUnreachable)]
    );
}

#[test]
fn every_trouble_of_the_board_is_a_condition_while_it_lasts() {
    let mut health = health(HealthConfig::default());
    let now = at(0, Some(1_000_000));
    let bad = BoardReading {
        memory: Some(MemoryReading {
            total_bytes: 1_000_000_000,
            available_bytes: 79_000_000,
        }),
        pressure: Some(MemoryPressure {
            some_60s: 4_000,
            full_10s: 0,
        }),
        heat: Some(Heat {
            zone: "cpu-thermal".to_owned(),
            millidegrees: 80_500,
            limit_millidegrees: 80_000,
        }),
        throttle: Some(Throttle {
            under_voltage: true,
            slowed: true,
        }),
        disk: Some(DiskReading {
            size_bytes: 10_000_000_000,
            available_bytes: 1_000_000,
            mode: DiskMode::ReadOnly,
        }),
        images: Some(DiskReading {
            size_bytes: 10_000_000_000,
            available_bytes: 999_999_999,
            mode: DiskMode::Writable,
        }),
    };
    health.note(Fact::Board(bad), now);
    assert_eq!(
        codes(&health, now),
        [
            "memory_low",
            "memory_pressure",
            "disk_low",
            "image_disk_low",
            "disk_read_only",
            "too_hot",
            "under_voltage",
            "throttled"
        ]
    );
    for condition in health.conditions(now) {
        assert!(!condition.hint.is_empty(), "{condition:?}");
    }
    let changes = health.note(Fact::Board(BoardReading::default()), now);
    assert_eq!(changes.len(), 8);
    assert_eq!(codes(&health, now), [""; 0]);
}

#[test]
fn what_was_known_at_the_start_stays() {
    let health = health(HealthConfig {
        kept_in_memory: Some("jobs".to_owned()),
        crash: Some(Crash {
            line: "index out of bounds".to_owned(),
            file: "/data/crash.txt".to_owned(),
        }),
        ..HealthConfig::default()
    });
    let now = at(9, Some(1_000_009));
    assert_eq!(codes(&health, now), ["store_in_memory", "crashed_before"]);
    assert!(health.conditions(now)[1].hint.contains("/data/crash.txt"));
}

#[test]
fn no_two_conditions_share_a_name() {
    let mut codes: Vec<_> = ConditionKind::ALL.iter().map(|kind| kind.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), ConditionKind::ALL.len());
}
