//! `POST prompt`: Run. 200 exactly, once the job is stored.

use axum::Json;
use axum::extract::{Request, State};
use queue_protocol::{JobId, Lane, limits};
use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::bodies;
use crate::identity::Caller;
use crate::identity::guard::Pace;
use crate::problem::SeatTrouble;
use crate::turns::Costly;
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
    State(costly): State<Costly>,
    caller: Caller,
    request: Request,
) -> Result<Json<Accepted>, SeatTrouble> {
    pace.submit(&caller.name)?;
    let body = bodies::hold(&costly, &caller.name, request.into_body(), limits::BODY, 1).await?;
    let accepted = door.submit(&caller.name, Lane::Normal, &body).await?;
    Ok(Json(Accepted { prompt_id: accepted.id, number: accepted.number, node_errors: accepted.node_errors }))
}
