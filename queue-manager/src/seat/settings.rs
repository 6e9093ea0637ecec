//! `settings`: one's own, over the workshop's defaults.

use axum::Json;
use axum::extract::State;
use queue_protocol::AccountName;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::input::{Named, Sent};
use crate::files::{Files, StorePath};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};

/// Two tabs that save at once must not lose each other's change.
static WRITING: Mutex<()> = Mutex::const_new(());

/// Bytes of one participant's settings. A person who sets everything there is has a tenth of it.
const MOST: usize = 1024 * 1024;

/// Where the frontend keeps that somebody has seen its tour.
pub(super) const SEEN: &str = "Comfy.TutorialCompleted";

/// What a first visit starts with: the editor instead of a tour, previews while sampling, no calls to other hosts.
pub(super) fn defaults() -> Map<String, Value> {
    let defaults = json!({
        SEEN: true,
        "Comfy.Queue.MaxHistoryItems": 64,
        "Comfy.Execution.PreviewMethod": "auto",
        "Comfy.Workflow.ShowMissingModelsWarning": false,
    });
    defaults.as_object().cloned().unwrap_or_default()
}

fn path(participant: &AccountName) -> Result<StorePath, Trouble> {
    StorePath::new(&["settings", participant.as_str(), "comfy.settings.json"])
}

async fn saved(files: &Files, participant: &AccountName) -> Result<Map<String, Value>, Trouble> {
    match files.read(&path(participant)?).await {
        Ok(json) => Ok(serde_json::from_slice(&json)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(error.into()),
    }
}

async fn effective(files: &Files, participant: &AccountName) -> Result<Map<String, Value>, Trouble> {
    let mut settings = defaults();
    settings.extend(saved(files, participant).await?);
    Ok(settings)
}

async fn add(files: &Files, participant: &AccountName, more: Map<String, Value>) -> Result<(), Trouble> {
    let _one_at_a_time = WRITING.lock().await;
    let mut settings = saved(files, participant).await?;
    settings.extend(more);
    let json = serde_json::to_vec(&settings)?;
    if json.len() > MOST {
        return Err(Trouble::TooLarge(MOST));
    }
    files.write(&path(participant)?, json).await?;
    Ok(())
}

/// Whether a participant opens their seat for the first time, which from now on they have done.
pub(super) async fn is_first_visit(files: &Files, participant: &AccountName) -> Result<bool, Trouble> {
    if saved(files, participant).await?.contains_key(SEEN) {
        return Ok(false);
    }
    add(files, participant, Map::from_iter([(SEEN.to_owned(), Value::Bool(true))])).await?;
    Ok(true)
}

pub(super) async fn all(
    State(files): State<Files>,
    caller: Caller,
) -> Result<Json<Map<String, Value>>, SeatTrouble> {
    Ok(Json(effective(&files, &caller.name).await?))
}

pub(super) async fn merge(
    State(files): State<Files>,
    caller: Caller,
    Sent(more, _room): Sent<Map<String, Value>>,
) -> Result<(), SeatTrouble> {
    Ok(add(&files, &caller.name, more).await?)
}

pub(super) async fn one(
    State(files): State<Files>,
    caller: Caller,
    Named(id): Named,
) -> Result<Json<Value>, SeatTrouble> {
    Ok(Json(effective(&files, &caller.name).await?.remove(&id).unwrap_or_default()))
}

pub(super) async fn set(
    State(files): State<Files>,
    caller: Caller,
    Named(id): Named,
    Sent(value, _room): Sent<Value>,
) -> Result<(), SeatTrouble> {
    Ok(add(&files, &caller.name, Map::from_iter([(id, value)])).await?)
}
