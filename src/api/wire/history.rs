//! A job's history as clients read it (rest-api.md 3.8).

use super::Json;
use super::time::rfc3339;
use crate::model::{HistoryItem, HistoryLevel, JobId, Topic};

/// One item.
pub(in crate::api) fn history_item(item: &HistoryItem, job: &JobId) -> Json {
    let (level, execution) = match &item.level {
        HistoryLevel::Job => ("JobLevel", ""),
        HistoryLevel::Execution(id) => ("ExecutionLevel", id.as_str()),
    };
    let time = rfc3339(item.time);
    Json::object()
        .with("SeqNum", item.seq)
        .with("Type", level)
        .with("JobID", job.as_str())
        .with("JobVersion", item.job_version)
        .with_some("ExecutionID", execution)
        .with(
            "Event",
            Json::object()
                .with("Message", item.message.as_str())
                .with("Topic", topic_word(item.topic))
                .with("Timestamp", time.as_str())
                .with_some("Details", &item.details),
        )
        .with("Time", time)
}

/// At most 15 characters, as wide as the CLI's column.
fn topic_word(topic: Topic) -> &'static str {
    match topic {
        Topic::Submission => "Submission",
        Topic::StateUpdate => "State Update",
        Topic::Scheduling => "Scheduling",
        Topic::Queueing => "Queueing",
        Topic::JobTimeout => "Job Timeout",
        Topic::Execution => "Execution",
        Topic::ExecutionTimeout => "Exec Timeout",
        Topic::Preparing => "Preparing",
        Topic::Engine => "Engine",
    }
}
