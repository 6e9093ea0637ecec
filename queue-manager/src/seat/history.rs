//! `history`: one's own ended jobs in ComfyUI's shape.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_protocol::{JobId, JobState};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::input::{Asked, Named, Sent};
use super::queue::{Change, RECENT};
use super::stored_body::{Item, Reader};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

#[derive(Deserialize)]
pub(super) struct Page {
    max_items: Option<i64>,
    offset: Option<i64>,
}

impl Page {
    /// How many of `total` entries to leave out, and how many to show at most, as ComfyUI counts: `max_items` without
    /// an `offset` means the newest, and so does a negative offset.
    fn window(&self, total: usize) -> (usize, usize) {
        let number = |asked: i64| usize::try_from(asked).ok();
        let most = self.max_items.map_or(total, |most| number(most).unwrap_or(0));
        let newest = if self.max_items.is_some() { total.saturating_sub(most) } else { 0 };
        (self.offset.and_then(number).unwrap_or(newest), most)
    }
}

/// Ended jobs that began; ComfyUI keeps no trace of one that was cancelled while it waited.
pub(super) fn belongs(job: &StoredJob) -> bool {
    job.state.is_end() && (job.state != JobState::Cancelled || job.started_at.is_some())
}

/// Oldest first.
pub(super) async fn list(
    State(door): State<Door>,
    caller: Caller,
    Asked(page): Asked<Page>,
) -> Result<Json<Entries>, SeatTrouble> {
    let mut jobs = door.broker.jobs_of(&caller.name, RECENT).await?;
    jobs.retain(belongs);
    jobs.reverse();
    let (skip, most) = page.window(jobs.len());
    let mut reader = Reader::new(&door).await?;
    let mut entries = BTreeMap::new();
    let mut order = Vec::new();
    for job in jobs.into_iter().skip(skip).take(most) {
        entries.insert(job.id, entry(&door, &mut reader, &job).await?);
        order.push(job.id);
    }
    Ok(Json(Entries { order, entries }))
}

pub(super) async fn one(
    State(door): State<Door>,
    caller: Caller,
    Named(id): Named,
) -> Result<Json<Entries>, SeatTrouble> {
    let mut found = Entries { order: Vec::new(), entries: BTreeMap::new() };
    if let Some(job) = shown(&door.broker, &caller, &id).await?.filter(belongs) {
        let mut reader = Reader::new(&door).await?;
        found.entries.insert(job.id, entry(&door, &mut reader, &job).await?);
        found.order.push(job.id);
    }
    Ok(Json(found))
}

/// One's own job, unless one removed it from one's history.
pub(super) async fn shown(broker: &Broker, caller: &Caller, id: &str) -> Result<Option<StoredJob>, Trouble> {
    let Ok(id) = id.parse::<JobId>() else { return Ok(None) };
    let job = broker.job(id).await?.filter(|job| job.participant == caller.name);
    Ok(if job.is_some() && broker.is_hidden(&caller.name, id).await? { None } else { job })
}

/// Entries by id, in their order.
pub(super) struct Entries {
    order: Vec<JobId>,
    entries: BTreeMap<JobId, Entry>,
}

impl Serialize for Entries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.order.iter().filter_map(|id| Some((id, self.entries.get(id)?))))
    }
}

/// One entry, in ComfyUI's words.
#[derive(Serialize)]
struct Entry {
    prompt: Item,
    outputs: BTreeMap<String, Box<RawValue>>,
    status: Status,
    meta: Box<RawValue>,
}

/// How a job ended, in ComfyUI's words.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "ComfyUI's word")]
pub(super) struct Status {
    status_str: &'static str,
    completed: bool,
    messages: Vec<Box<RawValue>>,
}

impl Status {
    pub(super) fn of(job: &StoredJob, messages: Vec<Box<RawValue>>) -> Self {
        let completed = job.state == JobState::Completed;
        Self { status_str: if completed { "success" } else { "error" }, completed, messages }
    }
}

async fn entry(door: &Door, reader: &mut Reader<'_>, job: &StoredJob) -> Result<Entry, Trouble> {
    let result = door.broker.result(job.id).await?.unwrap_or_default();
    Ok(Entry {
        prompt: reader.item(job).await?,
        outputs: result.outputs,
        status: Status::of(job, result.messages),
        meta: match result.meta {
            Some(meta) => meta,
            None => to_raw_value(&serde_json::json!({}))?,
        },
    })
}

/// Leaves entries out of one's own history from now on. Jobs and files stay.
pub(super) async fn change(
    State(broker): State<Broker>,
    caller: Caller,
    Sent(change, _room): Sent<Change>,
) -> Result<(), SeatTrouble> {
    let jobs = broker.jobs_of(&caller.name, RECENT).await?;
    let ids: Vec<_> = jobs
        .iter()
        .filter(|job| job.state.is_end())
        .filter(|job| change.names(job.id))
        .map(|job| job.id)
        .collect();
    broker.hide(&caller.name, &ids).await?;
    Ok(())
}
