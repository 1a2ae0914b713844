//! The numbers of stored variants, written down: a number that changes fails here, before it is in a fleet.

use codling::model::*;
use minicbor::Encode;

pub(super) const FAILURE_KINDS: [(FailureKind, u64); 20] = [
    (FailureKind::ImageNotFound, 0),
    (FailureKind::ImagePull, 1),
    (FailureKind::Entrypoint, 2),
    (FailureKind::EngineRefused, 3),
    (FailureKind::EngineAway, 4),
    (FailureKind::OutOfMemory, 5),
    (FailureKind::Timeout, 6),
    (FailureKind::ContainerLost, 7),
    (FailureKind::QueueTimeout, 8),
    (FailureKind::BadSpec, 9),
    (FailureKind::StoreLost, 10),
    (FailureKind::NoAnswer, 11),
    (FailureKind::ImageDenied, 20),
    (FailureKind::ImageNoNetwork, 21),
    (FailureKind::ImageNoSpace, 22),
    (FailureKind::ImageRateLimit, 23),
    (FailureKind::ImageNotHere, 24),
    (FailureKind::WrongPlatform, 25),
    (FailureKind::LimitRefused, 30),
    (FailureKind::Other, 40),
];

pub(super) const TOPICS: [(Topic, u64); 9] = [
    (Topic::Submission, 0),
    (Topic::StateUpdate, 1),
    (Topic::Scheduling, 2),
    (Topic::Queueing, 3),
    (Topic::JobTimeout, 4),
    (Topic::Execution, 5),
    (Topic::ExecutionTimeout, 6),
    (Topic::Preparing, 7),
    (Topic::Engine, 8),
];

pub(super) const TRIGGERS: [(EvaluationTrigger, u64); 5] = [
    (EvaluationTrigger::JobRegister, 0),
    (EvaluationTrigger::JobCancel, 1),
    (EvaluationTrigger::JobQueue, 2),
    (EvaluationTrigger::ExecutionUpdate, 3),
    (EvaluationTrigger::ExecutionTimeout, 4),
];

pub(super) const STATUSES: [(EvaluationStatus, u64); 3] = [
    (EvaluationStatus::Blocked, 0),
    (EvaluationStatus::Pending, 1),
    (EvaluationStatus::Complete, 2),
];

/// Every reason once, in the order of their numbers.
pub(super) fn reject_reasons() -> Vec<RejectReason> {
    let word = || "w".to_owned();
    vec![
        RejectReason::EngineUnsupported { engine: word() },
        RejectReason::EngineAway { why: word() },
        RejectReason::PublisherUnsupported { publisher: word() },
        RejectReason::StorageUnsupported {
            source_type: word(),
        },
        RejectReason::NetworkUnsupported { network: word() },
        RejectReason::ResultPathsUnsupported,
        RejectReason::JobTypeUnsupported,
        RejectReason::TooLarge {
            dimension: Dimension::Gpu,
            asked: 2,
            limit: 1,
        },
        RejectReason::QueueFull { limit: 3 },
        RejectReason::BadSpec { problem: word() },
        RejectReason::LabelsDoNotMatch,
        RejectReason::AlreadyEnded,
        RejectReason::MemoryLow {
            available: 1,
            asked: 2,
            reserve: 3,
        },
        RejectReason::MemoryPressure,
        RejectReason::TooHot {
            zone: word(),
            millidegrees: 1,
            limit: 2,
        },
        RejectReason::UnderVoltage,
        RejectReason::DiskLow {
            available: 1,
            asked: 2,
            reserve: 3,
        },
        RejectReason::DiskReadOnly,
        RejectReason::MemoryLimitsOff,
        RejectReason::StoreFull,
    ]
}

#[track_caller]
fn is_stored_as<T: Encode<()> + std::fmt::Debug>(value: T, number: u64) {
    let bytes = minicbor::to_vec(&value).unwrap();
    let mut decoder = minicbor::Decoder::new(&bytes);
    // A variant with fields is an array of its number and them.
    if decoder.datatype().unwrap() == minicbor::data::Type::Array {
        decoder.array().unwrap();
    }
    assert_eq!(decoder.u64().unwrap(), number, "{value:?}");
}

#[track_caller]
fn are_stored_as<T: Encode<()> + std::fmt::Debug>(pins: impl IntoIterator<Item = (T, u64)>) {
    for (value, number) in pins {
        is_stored_as(value, number);
    }
}

#[test]
fn the_numbers_of_stored_variants_stay_as_they_are() {
    are_stored_as(FAILURE_KINDS);
    are_stored_as(TOPICS);
    are_stored_as(TRIGGERS);
    are_stored_as(STATUSES);
    are_stored_as(reject_reasons().into_iter().zip(0..));
    are_stored_as(DesiredState::ALL.into_iter().zip(0..));
    are_stored_as(ExecutionState::ALL.into_iter().zip(0..));
    are_stored_as(Dimension::ALL.into_iter().zip(0..));
    are_stored_as([
        (ExecutionState::New, 0),
        (ExecutionState::AskForBid, 1),
        (ExecutionState::AskForBidAccepted, 2),
        (ExecutionState::AskForBidRejected, 3),
        (ExecutionState::BidAccepted, 4),
        (ExecutionState::Running, 5),
        (ExecutionState::Publishing, 6),
        (ExecutionState::BidRejected, 7),
        (ExecutionState::Completed, 8),
        (ExecutionState::Failed, 9),
        (ExecutionState::Cancelled, 10),
    ]);
    are_stored_as([
        (DesiredState::Pending, 0),
        (DesiredState::Running, 1),
        (DesiredState::Stopped, 2),
    ]);
    are_stored_as([
        (JobState::Pending, 0),
        (JobState::Queued, 1),
        (JobState::Running, 2),
        (JobState::Completed, 3),
        (JobState::Failed, 4),
        (JobState::Stopped, 5),
    ]);
    are_stored_as([
        (JobType::Batch, 0),
        (JobType::Service, 1),
        (JobType::Daemon, 2),
        (JobType::Ops, 3),
    ]);
    are_stored_as([
        (NetworkKind::Default, 0),
        (NetworkKind::None, 1),
        (NetworkKind::Host, 2),
        (NetworkKind::Full, 3),
        (NetworkKind::Http, 4),
        (NetworkKind::Bridge, 5),
    ]);
    are_stored_as([(Delivery::Pending, 0), (Delivery::Acknowledged, 1)]);
    are_stored_as([
        (HistoryLevel::Job, 0),
        (HistoryLevel::Execution(ExecutionId::from("e")), 1),
    ]);
}

#[test]
fn the_numbers_of_what_an_execution_does_stay_as_they_are() {
    let container = || ContainerId::from("c");
    let output = RunOutput::default;
    let published = SpecConfig::default();
    is_stored_as(ComputeState::Accepted, 0);
    is_stored_as(
        ComputeState::Running {
            container: container(),
        },
        1,
    );
    is_stored_as(
        ComputeState::Publishing {
            container: container(),
            output: output(),
        },
        2,
    );
    let failure = Failure::new(FailureKind::Timeout, "t");
    let outcomes = [
        Outcome::Completed {
            output: output(),
            published,
        },
        Outcome::Failed {
            failure,
            output: None,
        },
        Outcome::Cancelled { output: None },
    ];
    for (outcome, number) in outcomes.into_iter().zip(0..) {
        is_stored_as(outcome.clone(), number);
        let ended = ComputeState::Ended {
            outcome,
            delivery: Delivery::Pending,
            ended: None,
        };
        is_stored_as(ended, 3);
    }
}
