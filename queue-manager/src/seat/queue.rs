//! `prompt` (GET), `queue`, `interrupt`: one's own line, and nobody else's.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_protocol::{AccountName, JobId, JobState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::stored_body::{Item, Reader};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

/// Jobs of one participant that a list looks through: more than may wait and run.
pub(super) const RECENT: usize = 1_000;

pub(super) async fn remaining(
    State(broker): State<Broker>,
    caller: Caller,
) -> Result<Json<Value>, SeatTrouble> {
    let remaining = broker.outstanding(&caller.name).await?;
    Ok(Json(json!({"exec_info": {"queue_remaining": remaining}})))
}

/// What `GET queue` answers.
#[derive(Serialize, Default)]
pub(super) struct Lists {
    queue_running: Vec<Item>,
    queue_pending: Vec<Item>,
}

pub(super) async fn list(State(door): State<Door>, caller: Caller) -> Result<Json<Lists>, SeatTrouble> {
    let mut reader = Reader::new(&door).await?;
    let mut lists = Lists::default();
    for job in outstanding(&door.broker, &caller.name).await? {
        let item = reader.item(&job).await?;
        if job.state == JobState::Running { &mut lists.queue_running } else { &mut lists.queue_pending }
            .push(item);
    }
    Ok(Json(lists))
}

async fn outstanding(broker: &Broker, participant: &AccountName) -> Result<Vec<StoredJob>, Trouble> {
    let mut jobs = broker.jobs_of(participant, RECENT).await?;
    jobs.retain(|job| !job.state.is_end());
    jobs.sort_by_key(|job| job.seq);
    Ok(jobs)
}

/// What `POST queue` and `POST history` take.
#[derive(Deserialize, Default)]
pub(super) struct Change {
    #[serde(default)]
    pub(super) clear: bool,
    #[serde(default)]
    pub(super) delete: Vec<String>,
}

/// Takes waiting jobs out. Unknown and foreign ids are passed over, as ComfyUI does; a running one goes on.
pub(super) async fn change(
    State(broker): State<Broker>,
    caller: Caller,
    Json(change): Json<Change>,
) -> Result<(), SeatTrouble> {
    let mut ids: Vec<JobId> = change.delete.iter().filter_map(|id| id.parse().ok()).collect();
    if change.clear {
        ids.extend(outstanding(&broker, &caller.name).await?.iter().map(|job| job.id));
    }
    for id in ids {
        if broker.job(id).await?.is_some_and(|job| job.state == JobState::Pending) {
            broker.cancel(id, Some(&caller.name), Duration::ZERO).await?;
        }
    }
    Ok(())
}

#[derive(Deserialize, Default)]
struct Interrupt {
    prompt_id: Option<String>,
}

/// Stops one's own running job: the one named, or whichever runs. Never anybody else's.
pub(super) async fn interrupt(
    State(broker): State<Broker>,
    caller: Caller,
    body: Bytes,
) -> Result<(), SeatTrouble> {
    let interrupt: Interrupt = serde_json::from_slice(&body).unwrap_or_default();
    for job in outstanding(&broker, &caller.name).await? {
        let named = interrupt.prompt_id.as_ref().is_none_or(|id| *id == job.id.to_string());
        if named && job.state == JobState::Running {
            broker.cancel(job.id, Some(&caller.name), Duration::ZERO).await?;
        }
    }
    Ok(())
}
