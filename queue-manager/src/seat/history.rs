//! `history`: one's own ended jobs in ComfyUI's shape.

use axum::Json;
use axum::extract::{Path, Query, State};
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_protocol::{JobId, JobState};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::queue::{Change, RECENT};
use super::stored_body;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

#[derive(Deserialize)]
pub(super) struct Page {
    max_items: Option<usize>,
    offset: Option<usize>,
}

/// Ended jobs that began; ComfyUI keeps no trace of one that was cancelled while it waited.
pub(super) fn belongs(job: &StoredJob) -> bool {
    job.state.is_end() && (job.state != JobState::Cancelled || job.started_at.is_some())
}

/// Oldest first; `max_items` without `offset` means the newest.
pub(super) async fn list(
    State(door): State<Door>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<Value>, SeatTrouble> {
    let mut jobs = door.broker.jobs_of(&caller.name, RECENT).await?;
    jobs.retain(belongs);
    jobs.reverse();
    let most = page.max_items.unwrap_or(jobs.len());
    let skip = page.offset.unwrap_or(jobs.len().saturating_sub(most));
    let mut entries = Map::new();
    for job in jobs.into_iter().skip(skip).take(most) {
        entries.insert(job.id.to_string(), entry(&door, &job).await?);
    }
    Ok(Json(entries.into()))
}

pub(super) async fn one(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, SeatTrouble> {
    let Ok(id) = id.parse::<JobId>() else {
        return Ok(Json(json!({})));
    };
    match door
        .broker
        .job(id)
        .await?
        .filter(|job| job.participant == caller.name && belongs(job))
    {
        Some(job) => Ok(Json(json!({ id.to_string(): entry(&door, &job).await? }))),
        None => Ok(Json(json!({}))),
    }
}

async fn entry(door: &Door, job: &StoredJob) -> Result<Value, Trouble> {
    let body = stored_body::read(door, job).await?;
    let result = door.broker.result(job.id).await?.unwrap_or_default();
    let good = job.state == JobState::Completed;
    Ok(json!({
        "prompt": body.item(door, job).await?,
        "outputs": result.outputs,
        "status": {
            "status_str": if good { "success" } else { "error" },
            "completed": good,
            "messages": result.messages,
        },
        "meta": result.meta.map_or(json!({}), |meta| json!(meta)),
    }))
}

/// Leaves entries out of one's own history from now on. Jobs and files stay.
pub(super) async fn change(
    State(broker): State<Broker>,
    caller: Caller,
    Json(change): Json<Change>,
) -> Result<(), SeatTrouble> {
    let jobs = broker.jobs_of(&caller.name, RECENT).await?;
    let ids: Vec<_> = jobs
        .iter()
        .filter(|job| job.state.is_end())
        .filter(|job| change.clear || change.delete.contains(&job.id.to_string()))
        .map(|job| job.id)
        .collect();
    broker.hide(&caller.name, &ids).await?;
    Ok(())
}
