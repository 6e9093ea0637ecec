//! `object_info`: the workers' node classes, with one's own uploads in place of a worker's input folder, and in a container
//! seat the container's own besides.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::container::{self, Containers};
use super::input::Named;
use crate::capabilities::Capabilities;
use crate::files::Files;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::turns::Costly;

async fn mine(
    capabilities: &Capabilities,
    files: &Files,
    containers: &Containers,
    caller: &Caller,
) -> Result<Map<String, Value>, Trouble> {
    let own: Vec<_> = files.inputs_of(&caller.name).await?.into_iter().map(|entry| entry.name).collect();
    let mut nodes = capabilities.known().await?.object_info(&own);
    container::add_nodes(containers, &caller.name, &mut nodes).await;
    Ok(nodes)
}

pub(super) async fn all(
    State(capabilities): State<Capabilities>,
    State(files): State<Files>,
    State(containers): State<Containers>,
    State(costly): State<Costly>,
    caller: Caller,
) -> Result<Response, SeatTrouble> {
    // Until it is text.
    let _turn = costly.descriptions.take(&caller.name).await?;
    Ok(Json(mine(&capabilities, &files, &containers, &caller).await?).into_response())
}

pub(super) async fn one(
    State(capabilities): State<Capabilities>,
    State(files): State<Files>,
    State(containers): State<Containers>,
    State(costly): State<Costly>,
    caller: Caller,
    Named(class): Named,
) -> Result<Json<Value>, SeatTrouble> {
    let _turn = costly.descriptions.take(&caller.name).await?;
    match mine(&capabilities, &files, &containers, &caller).await?.remove(&class) {
        Some(about) => Ok(Json(json!({ class: about }))),
        None => Ok(Json(json!({}))),
    }
}
