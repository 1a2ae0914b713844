//! A job's history and its own state, changed together.

use crate::model::{
    ExecutionId, HistoryItem, HistoryLevel, JobRecord, JobState, Now, PullNews, Topic,
};
use std::collections::BTreeMap;

/// How many items a job keeps: a plain job has 6, one that is retried everywhere some dozens; beyond it the oldest go.
const HISTORY_MAX: usize = 64;

/// Adds an item about the job.
pub(super) fn note_job(
    record: &mut JobRecord,
    topic: Topic,
    message: &str,
    details: &[(&str, &str)],
    now: Now,
) {
    note(record, HistoryLevel::Job, topic, message, details, now);
}

/// Adds an item about one of its executions.
pub(super) fn note_execution(
    record: &mut JobRecord,
    id: &ExecutionId,
    topic: Topic,
    message: &str,
    details: &[(&str, &str)],
    now: Now,
) {
    note(
        record,
        HistoryLevel::Execution(id.clone()),
        topic,
        message,
        details,
        now,
    );
}

/// Adds an item about the pull of an execution's image. It has two at most: that it began, and the latest news, which
/// takes the place of the news before under a number of its own, so that whoever reads on sees it.
pub(super) fn note_pull(record: &mut JobRecord, id: &ExecutionId, news: &PullNews, now: Now) {
    let is_of_it = |item: &HistoryItem| {
        item.topic == Topic::Preparing
            && matches!(&item.level, HistoryLevel::Execution(execution) if execution == id)
    };
    let mut told = (0..)
        .zip(&record.history)
        .filter(|(_, item)| is_of_it(item));
    let latest = told.next().and(told.last()).map(|(index, _)| index);
    if let Some(index) = latest {
        record.history.remove(index);
    }
    note_execution(record, id, Topic::Preparing, &news.to_string(), &[], now);
}

/// Adds an item about the engine that an execution needs, which has one at most: whoever reads on sees the latest news
/// under a number of its own, and an engine that comes and goes for days pushes nothing else out.
pub(super) fn note_engine(record: &mut JobRecord, id: &ExecutionId, message: &str, now: Now) {
    record.history.retain(|item| {
        item.topic != Topic::Engine
            || !matches!(&item.level, HistoryLevel::Execution(execution) if execution == id)
    });
    note_execution(record, id, Topic::Engine, message, &[], now);
}

/// Moves the job to a state; a terminal one is never left.
pub(super) fn change_state(record: &mut JobRecord, state: JobState, message: &str, now: Now) {
    let job = &mut record.job;
    if job.state.is_terminal() || job.state == state {
        return;
    }
    job.state = state;
    message.clone_into(&mut job.state_message);
    job.revision += 1;
    job.modified = now.wall;
    let name = format!("{state:?}");
    let text = if message.is_empty() { &name } else { message };
    note_job(
        record,
        Topic::StateUpdate,
        text,
        &[("NewState", &name)],
        now,
    );
}

fn note(
    record: &mut JobRecord,
    level: HistoryLevel,
    topic: Topic,
    message: &str,
    details: &[(&str, &str)],
    now: Now,
) {
    let details: BTreeMap<String, String> = details
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let item = HistoryItem {
        seq: record.next_seq,
        level,
        job_version: record.job.version,
        topic,
        message: message.to_owned(),
        details,
        time: now.wall,
    };
    record.next_seq += 1;
    record.history.push(item);
    if record.history.len() > HISTORY_MAX {
        record.history.remove(0);
    }
}
