//! `POST /api/v1/jobs`: submit a workflow.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use queue_protocol::api::Submitted;
use queue_protocol::{JobId, Lane, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::task::block_in_place;

use super::input::is_json;
use crate::bodies;
use crate::identity::Caller;
use crate::identity::guard::Pace;
use crate::problem::Trouble;
use crate::turns::Costly;
use crate::workflow::depth;
use crate::workflow::submit::Door;

/// A workflow to run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submit<'a> {
    /// ComfyUI's API-format graph.
    #[serde(borrow)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    workflow: &'a RawValue,
    /// To make a repeated submit the same job.
    id: Option<JobId>,
    /// Passed on to ComfyUI; `extra_pnginfo` ends up in saved pictures.
    #[serde(borrow)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    extra_data: Option<&'a RawValue>,
    /// Before the own other waiting jobs.
    #[serde(default)]
    front: bool,
}

#[derive(Serialize)]
struct PromptBody<'a> {
    prompt: &'a RawValue,
    prompt_id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    front: bool,
}

/// Whole body of a request that takes no workflow, or the limit's own answer.
pub(crate) fn within_limit(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Trouble> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Trouble::TooLarge(limits::FORM),
        _ => Trouble::BadRequest("The request ended before its body did.".to_owned()),
    })
}

pub(crate) async fn submit(
    State(door): State<Door>,
    State(pace): State<Pace>,
    State(costly): State<Costly>,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<impl IntoResponse, Trouble> {
    pace.submit(&caller.name)?;
    is_json(&headers)?;
    let body = bodies::hold(&costly, &caller.name, request.into_body(), limits::BODY, 1).await?;
    let prompt = block_in_place(|| request_of(&body))?;
    let _room = body.into_room();
    let accepted = door.submit(&caller.name, Lane::Normal, &prompt).await?;
    // Stored is stored: a store that goes away now must not make the client submit it twice.
    let positions = door.broker.positions(&[accepted.id]).await.unwrap_or_default();
    let position = positions.first().copied().flatten();
    let status = if accepted.repeated { StatusCode::OK } else { StatusCode::CREATED };
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", accepted.id))];
    Ok((status, location, Json(Submitted { id: accepted.id, position, repeated: accepted.repeated })))
}

/// What a tab would send for it.
fn request_of(body: &[u8]) -> Result<Bytes, Trouble> {
    depth::check(body)?;
    let submit: Submit<'_> = serde_json::from_slice(body)?;
    let prompt = PromptBody {
        prompt: submit.workflow,
        prompt_id: submit.id.unwrap_or_else(JobId::random),
        extra_data: submit.extra_data,
        front: submit.front,
    };
    Ok(serde_json::to_vec(&prompt)?.into())
}
