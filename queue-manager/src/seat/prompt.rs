//! `POST prompt`: Run. 200 exactly, once the job is stored.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use queue_protocol::{JobId, Lane};
use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::api::submit::within_limit;
use crate::identity::Caller;
use crate::identity::guard::Pace;
use crate::problem::SeatTrouble;
use crate::workflow::submit::Door;

#[derive(Serialize)]
pub(super) struct Accepted {
    prompt_id: JobId,
    number: Number,
    node_errors: Map<String, Value>,
}

pub(super) async fn submit(
    State(door): State<Door>,
    State(pace): State<Pace>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Accepted>, SeatTrouble> {
    pace.submit(&caller.name)?;
    let accepted = door.submit(&caller.name, Lane::Normal, &within_limit(body)?).await?;
    Ok(Json(Accepted { prompt_id: accepted.id, number: accepted.number, node_errors: accepted.node_errors }))
}
