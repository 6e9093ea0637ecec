//! `prompt` (GET), `queue`, `interrupt`: one's own line, and nobody else's.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_protocol::{AccountName, JobId, JobState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::input::Sent;
use super::stored_body::{Item, Reader};
use crate::api::submit::within_limit;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

/// Ended jobs of one participant that a list looks through, besides all that wait or run.
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

pub(super) async fn outstanding(
    broker: &Broker,
    participant: &AccountName,
) -> Result<Vec<StoredJob>, Trouble> {
    let mut jobs = broker.outstanding_jobs(participant).await?;
    // One may have ended since it was named.
    jobs.retain(|job| !job.state.is_end());
    jobs.sort_by_key(|job| job.seq);
    Ok(jobs)
}

/// What `POST queue` and `POST history` take.
#[derive(Deserialize, Default)]
pub(super) struct Change {
    #[serde(default)]
    clear: bool,
    /// Ids; whatever else is in the list names nothing.
    #[serde(default)]
    delete: Vec<Value>,
}

impl Change {
    /// Whether it is about this job.
    pub(super) fn names(&self, id: JobId) -> bool {
        self.clear || self.delete.iter().any(|named| *named == id.to_string())
    }
}

/// Takes waiting jobs out. Unknown and foreign ids are passed over, as ComfyUI does; a running one goes on.
pub(super) async fn change(
    State(broker): State<Broker>,
    caller: Caller,
    Sent(change, _room): Sent<Change>,
) -> Result<(), SeatTrouble> {
    for job in outstanding(&broker, &caller.name).await? {
        if job.state == JobState::Pending && change.names(job.id) {
            broker.cancel(job.id, Some(&caller.name), Duration::ZERO).await?;
        }
    }
    Ok(())
}

/// Stops one's own running job: the one named, or whichever runs. Never anybody else's.
pub(super) async fn interrupt(
    State(broker): State<Broker>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(), SeatTrouble> {
    // What is no JSON names nothing.
    let body: Value = serde_json::from_slice(&within_limit(body)?).unwrap_or_default();
    let whichever = body["prompt_id"].is_null() || body["prompt_id"] == "";
    for job in outstanding(&broker, &caller.name).await? {
        let named = whichever || body["prompt_id"] == job.id.to_string();
        if named && job.state == JobState::Running {
            broker.cancel(job.id, Some(&caller.name), Duration::ZERO).await?;
        }
    }
    Ok(())
}
