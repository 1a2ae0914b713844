//! `PUT /jobs/diff`: what a submission would change of the job of its name, without changing it (rest-api.md 2.2 J5).

use super::find::{self, Place};
use super::job::warning_lines;
use crate::api::backend::ApiBackend;
use crate::api::error::ApiError;
use crate::api::wire::{self, Envelope, Json, difference, read_submission};

/// The lines in which the two differ; an empty text where they do not.
pub(super) async fn put(backend: &ApiBackend, body: &[u8]) -> Result<Json, ApiError> {
    let (submission, warnings) = read_submission(body, Envelope::default())?;
    let job = submission.job;
    if job.name.is_empty() {
        let problem = "Job.Name is missing: a job is compared with the one of its name";
        return Err(ApiError::Invalid(vec![problem.to_owned()]));
    }
    let stored = find::record(backend, Place::within(&job.name, &job.namespace)).await?;
    // A name that nothing has may be the beginning of an id.
    if (&stored.job.name, &stored.job.namespace) != (&job.name, &job.namespace) {
        return Err(ApiError::JobNotFound { id: job.name });
    }
    let lines = difference(&wire::spec_of(&stored.job), &wire::spec_of(&job));
    Ok(Json::object()
        .with("Diff", lines.join("\n"))
        .with("Warnings", warning_lines(&warnings)))
}
