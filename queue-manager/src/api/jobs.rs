//! Jobs: lists, one, and cancel. One's own; anyone's for the instructor.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_broker::transitions::cancel::Cancelled;
use queue_protocol::api::{Cancel, CancelOutcome, Job, JobFilter, JobList, Role};
use queue_protocol::{AccountName, JobId};

use super::input::{Asked, Body, Named, page};
use super::{audit, view};
use crate::capabilities::Capabilities;
use crate::identity::Caller;
use crate::problem::Trouble;

/// Jobs that one request looks through; the cursor goes on from there.
const MOST: usize = 2_000;
const AT_ONCE: usize = 200;

/// The owner a job must have: nobody in particular for the instructor.
pub(super) fn owner(caller: &Caller) -> Option<&AccountName> {
    (caller.role != Role::Instructor).then_some(&caller.name)
}

fn matches(filter: &JobFilter, job: &StoredJob) -> bool {
    filter.state.is_none_or(|state| job.state == state)
        && filter.reason.is_none_or(|reason| job.reason == Some(reason))
        && filter.lane.is_none_or(|lane| job.lane == lane)
        && filter.worker.as_ref().is_none_or(|worker| job.worker.as_ref() == Some(worker))
}

pub(crate) async fn list(
    State(broker): State<Broker>,
    State(capabilities): State<Capabilities>,
    caller: Caller,
    Asked(filter): Asked<JobFilter>,
) -> Result<Json<JobList>, Trouble> {
    let limit = page(filter.limit)?;
    let whose = match (owner(&caller), &filter.participant) {
        (Some(own), Some(other)) if own != other => return Err(Trouble::NotFound),
        (Some(own), _) => Some(own),
        (None, other) => other.as_ref(),
    };
    let (mut found, mut cursor, mut seen) = (Vec::new(), filter.cursor, 0);
    loop {
        let batch = broker.jobs_before(whose, cursor, AT_ONCE).await?;
        let last = batch.len() < AT_ONCE;
        seen += batch.len();
        for (number, job) in batch {
            cursor = Some(number);
            found.extend(Some(job).filter(|job| matches(&filter, job)));
            if found.len() == limit {
                return Ok(Json(JobList {
                    jobs: view::listed(&broker, &capabilities, &caller, found).await?,
                    cursor,
                }));
            }
        }
        if last || seen >= MOST {
            let cursor = cursor.filter(|_| !last);
            return Ok(Json(JobList {
                jobs: view::listed(&broker, &capabilities, &caller, found).await?,
                cursor,
            }));
        }
    }
}

pub(crate) async fn get(
    State(broker): State<Broker>,
    State(capabilities): State<Capabilities>,
    caller: Caller,
    Named(id): Named<JobId>,
) -> Result<Json<Job>, Trouble> {
    let job = visible(&broker, &caller, id).await?;
    Ok(Json(view::one(&broker, &capabilities, &caller, job).await?))
}

/// A job the caller may see. Anything else does not exist.
pub(super) async fn visible(broker: &Broker, caller: &Caller, id: JobId) -> Result<StoredJob, Trouble> {
    let job = broker.job(id).await?.ok_or(Trouble::NotFound)?;
    if owner(caller).is_none_or(|own| *own == job.participant) { Ok(job) } else { Err(Trouble::NotFound) }
}

pub(crate) async fn cancel(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<JobId>,
    Body(wanted): Body<Cancel>,
) -> Result<Json<CancelOutcome>, Trouble> {
    let after_ms = wanted.after_ms.unwrap_or_default();
    if after_ms > 60_000 {
        return Err(Trouble::BadRequest("after_ms must be at most 60000.".to_owned()));
    }
    let after = Duration::from_millis(after_ms.into());
    let outcome = match broker.cancel(id, owner(&caller), after).await? {
        Cancelled::Cancelled => "cancelled".to_owned(),
        Cancelled::Stopping => "stopping".to_owned(),
        Cancelled::Delayed => "delayed".to_owned(),
        Cancelled::Ended(state) => state.to_string(),
        Cancelled::Unknown => return Err(Trouble::NotFound),
    };
    audit::job(&broker, &caller, id, "job.cancel", &outcome).await;
    Ok(Json(CancelOutcome { outcome }))
}

pub(crate) async fn cancel_now(
    broker: State<Broker>,
    caller: Caller,
    id: Named<JobId>,
) -> Result<Json<CancelOutcome>, Trouble> {
    cancel(broker, caller, id, Body(Cancel::default())).await
}
