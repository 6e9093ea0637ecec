//! `object_info`: the workers' node classes, with one's own uploads in place of a worker's input folder, and in a container
//! seat the container's own besides.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::container::{self, Containers};
use super::input::Named;
use crate::capabilities::Capabilities;
use crate::files::Files;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};

async fn mine(
    capabilities: &Capabilities,
    files: &Files,
    containers: &Containers,
    caller: &Caller,
) -> Result<Map<String, Value>, Trouble> {
    let own: Vec<_> = files.inputs_of(&caller.name)?.into_iter().map(|entry| entry.name).collect();
    let mut nodes = capabilities.known().await?.object_info(&own);
    container::add_nodes(containers, &caller.name, &mut nodes).await;
    Ok(nodes)
}

pub(super) async fn all(
    State(capabilities): State<Capabilities>,
    State(files): State<Files>,
    State(containers): State<Containers>,
    caller: Caller,
) -> Result<Json<Map<String, Value>>, SeatTrouble> {
    Ok(Json(mine(&capabilities, &files, &containers, &caller).await?))
}

pub(super) async fn one(
    State(capabilities): State<Capabilities>,
    State(files): State<Files>,
    State(containers): State<Containers>,
    caller: Caller,
    Named(class): Named,
) -> Result<Json<Value>, SeatTrouble> {
    match mine(&capabilities, &files, &containers, &caller).await?.remove(&class) {
        Some(about) => Ok(Json(json!({ class: about }))),
        None => Ok(Json(json!({}))),
    }
}
