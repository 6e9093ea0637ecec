//! `object_info`: the workers' node classes, with one's own uploads in place of a worker's input folder.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::input::Named;
use crate::capabilities::Capabilities;
use crate::files::Files;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};

async fn mine(
    capabilities: &Capabilities,
    files: &Files,
    caller: &Caller,
) -> Result<Map<String, Value>, Trouble> {
    let own: Vec<_> = files.inputs_of(&caller.name)?.into_iter().map(|entry| entry.name).collect();
    Ok(capabilities.known().await?.object_info(&own))
}

pub(super) async fn all(
    State(capabilities): State<Capabilities>,
    State(files): State<Files>,
    caller: Caller,
) -> Result<Json<Map<String, Value>>, SeatTrouble> {
    Ok(Json(mine(&capabilities, &files, &caller).await?))
}

pub(super) async fn one(
    State(capabilities): State<Capabilities>,
    State(files): State<Files>,
    caller: Caller,
    Named(class): Named,
) -> Result<Json<Value>, SeatTrouble> {
    match mine(&capabilities, &files, &caller).await?.remove(&class) {
        Some(about) => Ok(Json(json!({ class: about }))),
        None => Ok(Json(json!({}))),
    }
}
