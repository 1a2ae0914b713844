//! Rows of jobs.db: written, read, listed and scanned.

use super::codec::{self, JobHead};
use super::error::Trouble;
use super::tables::{
    EXECUTIONS_INLINE, JOB_EXECUTIONS, JOB_SUBMITTED, JOB_VERSIONS, JOBS, SUBMITTED_INLINE_MAX,
};
use crate::model::{
    EarlierVersion, EndedJob, Execution, IdempotencyKey, Job, JobId, JobNames, JobRange, JobRecord,
    JobSummary, ListOrder, Now, Write,
};
use redb::{ReadTransaction, ReadableTable, Table, TableHandle, WriteTransaction};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// Rows that one read copies: one page of the API's largest lists, and a fraction of a millisecond.
pub const READ_ROWS_MAX: usize = 256;
/// Encoded bytes that one read copies before it stops; a single row may be larger and is still returned.
pub const READ_BYTES_MAX: usize = 256 * 1024;
/// How long a token returns the ids of its first use.
pub const TOKEN_AGE_MAX_MS: u64 = 24 * 60 * 60 * 1_000;
/// Tokens of ended jobs that a scan keeps, the newest: as many as the agent remembers.
pub const TOKENS_MAX: usize = 1_000;

/// What a scan of jobs.db found.
#[derive(Debug, Default)]
pub(super) struct ScannedJobs {
    pub(super) live: Vec<JobRecord>,
    pub(super) ended: VecDeque<JobSummary>,
    pub(super) retained: Vec<EndedJob>,
    pub(super) names: JobNames,
    pub(super) last: Option<JobId>,
}

impl ScannedJobs {
    /// Keeps the tokens of an ended job that are young enough.
    fn remember<'a>(
        &mut self,
        id: JobId,
        tokens: impl Iterator<Item = &'a IdempotencyKey>,
        now: Now,
    ) {
        let tokens = tokens.filter(|token| is_remembered(token, now));
        let tokens: Vec<IdempotencyKey> = tokens.cloned().collect();
        if !tokens.is_empty() {
            if self.ended.len() >= TOKENS_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back(JobSummary { id, tokens });
        }
    }
}

/// A bounded stretch of rows.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<Job>,
    pub(super) more: bool,
}

pub(super) fn make_tables(txn: &WriteTransaction) -> Result<(), Trouble> {
    txn.open_table(JOBS)?;
    txn.open_table(JOB_EXECUTIONS)?;
    txn.open_table(JOB_SUBMITTED)?;
    Ok(())
}

pub(super) fn apply(
    txn: &WriteTransaction,
    writes: BTreeMap<JobId, Write<Box<JobRecord>>>,
) -> Result<(), Trouble> {
    let mut jobs = txn.open_table(JOBS)?;
    for (id, write) in writes {
        let key = id.as_str();
        let before = match jobs.get(key)? {
            Some(row) => codec::decode_job_head(key, row.value())?,
            None => JobHead::default(),
        };
        match write {
            Write::Put(record) => put(txn, &mut jobs, key, *record, before)?,
            Write::Delete => {
                put_chunks(txn, key, &[], before.chunks)?;
                put_submitted(txn, key, None, &before, 0)?;
                put_versions(txn, key, Vec::new(), &before)?;
                jobs.remove(key)?;
            }
        }
    }
    Ok(())
}

fn put(
    txn: &WriteTransaction,
    jobs: &mut Table<'_, &'static str, &'static [u8]>,
    key: &str,
    mut record: JobRecord,
    before: JobHead,
) -> Result<(), Trouble> {
    let beyond = match record.executions.len() {
        0..=EXECUTIONS_INLINE => Vec::new(),
        _ => record.executions.split_off(EXECUTIONS_INLINE),
    };
    let submitted = match record.submitted.len() {
        0..=SUBMITTED_INLINE_MAX => None,
        _ => Some(std::mem::take(&mut record.submitted)),
    };
    let earlier = std::mem::take(&mut record.earlier);
    let version = record.job.version;
    let head = JobHead {
        chunks: put_chunks(txn, key, &beyond, before.chunks)?,
        submitted_apart: put_submitted(txn, key, submitted, &before, version)?,
        versions: put_versions(txn, key, earlier, &before)?,
        version,
    };
    let row = codec::encode_job(head, &record)?;
    jobs.insert(key, row.as_slice())?;
    Ok(())
}

/// Writes the chunks whose bytes changed and removes those beyond the last. Returns how many there are.
fn put_chunks(
    txn: &WriteTransaction,
    key: &str,
    executions: &[Execution],
    before: Option<u32>,
) -> Result<Option<u32>, Trouble> {
    if executions.is_empty() && before.is_none() {
        return Ok(None);
    }
    let mut table = txn.open_table(JOB_EXECUTIONS)?;
    let mut count = 0;
    for chunk in executions.chunks(EXECUTIONS_INLINE) {
        let bytes = codec::encode_chunk(key, chunk)?;
        let same = table
            .get((key, count))?
            .is_some_and(|stored| stored.value() == bytes);
        if !same {
            table.insert((key, count), bytes.as_slice())?;
        }
        count += 1;
    }
    for number in count..before.unwrap_or(0) {
        table.remove((key, number))?;
    }
    Ok((count > 0).then_some(count))
}

/// Writes the versions that are not there yet, for they never change, and removes those that the job has no more.
fn put_versions(
    txn: &WriteTransaction,
    key: &str,
    versions: Vec<EarlierVersion>,
    before: &JobHead,
) -> Result<Option<Vec<u64>>, Trouble> {
    let before = before.versions.as_deref().unwrap_or_default();
    let numbers: Vec<u64> = versions.iter().map(|one| one.job.version).collect();
    if numbers != before {
        let mut table = txn.open_table(JOB_VERSIONS)?;
        for version in versions
            .iter()
            .filter(|one| !before.contains(&one.job.version))
        {
            let bytes = codec::encode_version(key, version)?;
            table.insert((key, version.job.version), bytes.as_slice())?;
        }
        for number in before.iter().filter(|number| !numbers.contains(number)) {
            table.remove((key, *number))?;
        }
    }
    Ok((!numbers.is_empty()).then_some(numbers))
}

/// Writes the submitted JSON once: it only changes with the version, so a row of the same version and length is that row.
fn put_submitted(
    txn: &WriteTransaction,
    key: &str,
    submitted: Option<Vec<u8>>,
    before: &JobHead,
    version: u64,
) -> Result<Option<u64>, Trouble> {
    let length = submitted
        .as_ref()
        .map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    let is_other = submitted.is_some() && before.version != version;
    if length != before.submitted_apart || is_other {
        let mut table = txn.open_table(JOB_SUBMITTED)?;
        match submitted {
            Some(bytes) => table.insert(key, bytes.as_slice())?,
            None => table.remove(key)?,
        };
    }
    Ok(length)
}

/// Whether there is such a job.
pub(super) fn holds(txn: &ReadTransaction, id: &JobId) -> Result<bool, Trouble> {
    Ok(txn.open_table(JOBS)?.get(id.as_str())?.is_some())
}

/// One job, or none.
pub(super) fn read(txn: &ReadTransaction, id: &JobId) -> Result<Option<JobRecord>, Trouble> {
    let key = id.as_str();
    match txn.open_table(JOBS)?.get(key)? {
        Some(row) => whole(txn, key, row.value()).map(Some),
        None => Ok(None),
    }
}

/// The jobs of a range, in its order, up to its limit and the bounds of one read.
pub(super) fn list(txn: &ReadTransaction, range: &JobRange) -> Result<Page, Trouble> {
    let mut page = Page {
        rows: Vec::new(),
        more: false,
    };
    // No key that starts with the prefix is greater: U+10FFFF is the last character.
    let prefix_end = format!("{}\u{10FFFF}", range.prefix);
    let mut from = Bound::Included(range.prefix.as_str());
    let mut to = match range.prefix.as_str() {
        "" => Bound::Unbounded,
        _ => Bound::Included(prefix_end.as_str()),
    };
    if let Some(after) = range.after.as_ref().map(JobId::as_str) {
        match range.order {
            ListOrder::OldestFirst if after >= range.prefix.as_str() => {
                from = Bound::Excluded(after);
            }
            ListOrder::NewestFirst if after <= prefix_end.as_str() || range.prefix.is_empty() => {
                to = Bound::Excluded(after);
            }
            ListOrder::OldestFirst | ListOrder::NewestFirst => {}
        }
    }
    if is_empty(from, to) {
        return Ok(page);
    }
    let limit = range.limit.min(READ_ROWS_MAX);
    let mut bytes = 0_usize;
    let mut rows = txn.open_table(JOBS)?.range::<&str>((from, to))?;
    loop {
        let next = match range.order {
            ListOrder::OldestFirst => rows.next(),
            ListOrder::NewestFirst => rows.next_back(),
        };
        let Some(next) = next else { break };
        let (key, row) = next?;
        if page.rows.len() >= limit || bytes >= READ_BYTES_MAX {
            page.more = true;
            break;
        }
        let row = row.value();
        bytes = bytes.saturating_add(row.len());
        page.rows.push(codec::decode_job_only(key.value(), row)?);
    }
    Ok(page)
}

/// One pass over all jobs. What is kept is what the agent keeps; a row that is not kept is dropped before the next.
pub(super) fn scan(txn: &ReadTransaction, now: Now) -> Result<ScannedJobs, Trouble> {
    let mut scanned = ScannedJobs::default();
    let table = txn.open_table(JOBS)?;
    for next in table.range::<&str>(..)? {
        let (key, row) = next?;
        if let Some((outline, bytes)) = codec::decode_ended_job(key.value(), row.value())? {
            let job = outline.job;
            let (namespace, name) = (&job.namespace, &job.name);
            scanned
                .names
                .note_as(namespace, name, &job.id, job.version, job.revision);
            scanned.retained.push(EndedJob {
                id: job.id.clone(),
                ended: job.modified,
                bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            });
            scanned.remember(job.id, outline.idempotency.iter(), now);
            continue;
        }
        let record = whole(txn, key.value(), row.value())?;
        scanned.names.note(&record);
        if record.is_live() {
            scanned.live.push(record);
            continue;
        }
        scanned.retained.push(EndedJob::of(&record));
        scanned.remember(record.job.id.clone(), record.tokens(), now);
    }
    scanned.last = table.last()?.map(|(key, _)| JobId::from(key.value()));
    Ok(scanned)
}

/// A token of unknown age counts as young: `Now::until` says that nothing has passed.
fn is_remembered(token: &IdempotencyKey, now: Now) -> bool {
    token.seen.until(&now) < TOKEN_AGE_MAX_MS
}

/// A record with what is kept apart.
pub(super) fn whole(txn: &ReadTransaction, key: &str, row: &[u8]) -> Result<JobRecord, Trouble> {
    let (head, mut record) = codec::decode_job(key, row)?;
    if let Some(chunks) = head.chunks {
        let table = txn.open_table(JOB_EXECUTIONS)?;
        for number in 0..chunks {
            let chunk = table.get((key, number))?.ok_or_else(|| {
                Trouble::record(
                    JOB_EXECUTIONS.name(),
                    key,
                    format!("chunk {number} is missing"),
                )
            })?;
            record
                .executions
                .extend(codec::decode_chunk(key, chunk.value())?);
        }
    }
    for version in head.versions.unwrap_or_default() {
        let table = txn.open_table(JOB_VERSIONS)?;
        let row = table.get((key, version))?.ok_or_else(|| {
            Trouble::record(
                JOB_VERSIONS.name(),
                key,
                format!("version {version} is missing"),
            )
        })?;
        record
            .earlier
            .push(codec::decode_version(key, row.value())?);
    }
    if head.submitted_apart.is_some() {
        let table = txn.open_table(JOB_SUBMITTED)?;
        let submitted = table
            .get(key)?
            .ok_or_else(|| Trouble::record(JOB_SUBMITTED.name(), key, "it is missing"))?;
        record.submitted = submitted.value().to_vec();
    }
    Ok(record)
}

/// Whether no key can lie between the bounds. Also keeps an inverted range away from redb.
fn is_empty(from: Bound<&str>, to: Bound<&str>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from >= to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
