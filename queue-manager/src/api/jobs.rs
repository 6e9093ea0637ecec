//! `GET /api/v1/jobs`, `GET /api/v1/jobs/{id}`, `DELETE /api/v1/jobs/{id}`: one's own jobs; anyone's for the
//! instructor by id.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_broker::transitions::cancel::Cancelled;
use queue_protocol::api::{Job, JobList, Role};
use queue_protocol::{JobId, JobState};
use serde::{Deserialize, Serialize};

use super::view;
use crate::identity::Caller;
use crate::problem::Trouble;

/// Jobs that one list looks through, newest first.
const MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    state: Option<JobState>,
    limit: Option<usize>,
}

pub(crate) async fn list(
    State(broker): State<Broker>,
    caller: Caller,
    filter: Result<Query<Filter>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<JobList>, Trouble> {
    let Query(filter) = filter.map_err(|error| Trouble::BadRequest(error.body_text()))?;
    let mut stored = broker.jobs_of(&caller.name, MOST).await?;
    stored.retain(|job| filter.state.is_none_or(|state| job.state == state));
    stored.truncate(filter.limit.unwrap_or(100).min(MOST));
    Ok(Json(JobList { jobs: view::jobs(&broker, stored).await? }))
}

pub(crate) async fn get(
    State(broker): State<Broker>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Job>, Trouble> {
    let job = visible(&broker, &caller, id.parse()?).await?;
    view::jobs(&broker, vec![job]).await?.pop().map(Json).ok_or(Trouble::NotFound)
}

/// A job the caller may see: their own, or any for the instructor. Anything else does not exist.
async fn visible(broker: &Broker, caller: &Caller, id: JobId) -> Result<StoredJob, Trouble> {
    let job = broker.job(id).await?.ok_or(Trouble::NotFound)?;
    if job.participant == caller.name || caller.role == Role::Instructor {
        Ok(job)
    } else {
        Err(Trouble::NotFound)
    }
}

/// What a cancel answers.
#[derive(Serialize)]
pub(crate) struct CancelAnswer {
    /// `cancelled`, `stopping`, or the end state it had reached before.
    outcome: String,
}

pub(crate) async fn cancel(
    State(broker): State<Broker>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CancelAnswer>, Trouble> {
    let owner = (caller.role != Role::Instructor).then_some(&caller.name);
    let outcome = match broker.cancel(id.parse()?, owner, Duration::ZERO).await? {
        Cancelled::Cancelled => "cancelled".to_owned(),
        Cancelled::Stopping => "stopping".to_owned(),
        Cancelled::Delayed => "delayed".to_owned(),
        Cancelled::Ended(state) => state.to_string(),
        Cancelled::Unknown => return Err(Trouble::NotFound),
    };
    Ok(Json(CancelAnswer { outcome }))
}
