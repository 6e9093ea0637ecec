//! Outputs: `outputs/<participant>/<job>/<token>/<kind>/…`. Those of the attempt that holds the lease, then of the one
//! that won, are visible; others never are.

use queue_broker::jobs::StoredJob;
use queue_protocol::{AccountName, FileHash, JobId, LeaseToken};

use super::StorePath;
use crate::problem::Trouble;

/// Where a file of one attempt lies.
///
/// # Errors
/// [`Trouble::BadPath`] when the kind is not `output` or `temp`, or the rest is no plain path.
pub fn path(
    participant: &AccountName,
    job: JobId,
    token: LeaseToken,
    kind: &str,
    rest: &str,
) -> Result<StorePath, Trouble> {
    if !matches!(kind, "output" | "temp") {
        return Err(Trouble::BadPath);
    }
    StorePath::new(&["outputs", participant.as_str(), &job.to_string(), &token.to_string(), kind, rest])
}

/// Where a visible file of a job lies.
///
/// # Errors
/// [`Trouble::NotFound`] while the job shows no files.
pub fn visible(job: &StoredJob, kind: &str, rest: &str) -> Result<StorePath, Trouble> {
    if !job.shows_files() {
        return Err(Trouble::NotFound);
    }
    path(&job.participant, job.id, job.token, kind, rest)
}

/// Where a body too large for the queue store lies. By content: a second submit with the same id and another body must
/// not replace the first one's.
///
/// # Errors
/// Never for valid ids.
pub fn body_path(participant: &AccountName, body: &FileHash) -> Result<StorePath, Trouble> {
    StorePath::new(&["bodies", participant.as_str(), body.as_str()])
}
