//! The tables of both files. The version is part of a table's name: a release may add tables and fields, a change that
//! the previous release could not read takes a new table and two releases (design: a fleet must be able to roll back).

use redb::TableDefinition;

/// The newest schema that this release reads. It grows only when an older release must refuse the file.
pub(super) const SCHEMA: u64 = 1;

/// Table: what this file is; both files have it.
/// Key: one of [`META_SCHEMA`], [`META_CONTENT`].
/// Value: a number.
///
/// Written once, when the file is made. Without a version in its name, since it is what tells the version.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// Key of [`META`]: the schema that the file needs.
pub(super) const META_SCHEMA: &str = "schema";
/// Key of [`META`]: which of the two files this is, [`CONTENT_JOBS`] or [`CONTENT_EXECUTIONS`].
pub(super) const META_CONTENT: &str = "content";
/// Value of [`META_CONTENT`] in jobs.db.
pub(super) const CONTENT_JOBS: u64 = 1;
/// Value of [`META_CONTENT`] in executions.db.
pub(super) const CONTENT_EXECUTIONS: u64 = 2;

/// Table: one row per job, in jobs.db.
/// Key: the job id as text; its first 48 bits are the submission time, so key order is creation order.
/// Value: CBOR map `{0: bytes of the submitted JSON kept apart, 1: chunks of executions kept apart, 2: JobRecord,
/// 3: numbers of the earlier versions kept apart}`.
pub(super) const JOBS: TableDefinition<&str, &[u8]> = TableDefinition::new("jobs-v1");

/// Table: the executions of a job beyond the first [`EXECUTIONS_INLINE`], in jobs.db.
/// Key: (job id, 0-based number of the chunk).
/// Value: CBOR map `{0: array of at most EXECUTIONS_INLINE executions}`, in planning order.
pub(super) const JOB_EXECUTIONS: TableDefinition<(&str, u32), &[u8]> =
    TableDefinition::new("job-executions-v1");

/// Table: submitted jobs whose JSON is longer than [`SUBMITTED_INLINE_MAX`], in jobs.db.
/// Key: the job id.
/// Value: the JSON as received.
pub(super) const JOB_SUBMITTED: TableDefinition<&str, &[u8]> =
    TableDefinition::new("job-submitted-v1");

/// Table: the versions of a job before its latest one, in jobs.db.
/// Key: (job id, version).
/// Value: CBOR map of `EarlierVersion`.
///
/// Written once, with the version that takes its place.
pub(super) const JOB_VERSIONS: TableDefinition<(&str, u64), &[u8]> =
    TableDefinition::new("job-versions-v1");

/// Table: one row per execution that this node accepted, in executions.db.
/// Key: the execution id as text.
/// Value: CBOR map of `ExecutionRecord`.
pub(super) const EXECUTIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("executions-v1");

/// Table: the images that this node pulled, in executions.db.
/// Key: [`IMAGES_PULLED`].
/// Value: CBOR map of `PulledImages`, one row, for they are few and change together.
///
/// Made with the first pull.
pub(super) const IMAGES: TableDefinition<&str, &[u8]> = TableDefinition::new("images-v1");

/// Key of [`IMAGES`].
pub(super) const IMAGES_PULLED: &str = "pulled";

/// Executions kept in the job's own row, and in each chunk beyond. Almost every job has one to three; a job of 100
/// replicas whose executions end one by one then rewrites a chunk of 8 instead of all 100.
pub(super) const EXECUTIONS_INLINE: usize = 8;

/// Bytes of submitted JSON kept in the job's own row. The row is written again at every change of the job, the JSON
/// never changes; beyond one page (4,096 bytes) that would cost more than the row of its own.
pub(super) const SUBMITTED_INLINE_MAX: usize = 4_096;
