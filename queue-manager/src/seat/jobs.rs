//! `api/jobs`: one's own jobs as the newer frontends list them. The frontend checks every field, and one wrong field
//! empties its whole list.

use std::collections::HashSet;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_broker::transitions::cancel::Cancelled;
use queue_protocol::link::JobResult;
use queue_protocol::{JobId, JobState};
use serde_json::{Map, Value, json};

use super::history;
use super::input::{Asked, Named};
use super::job_filter;
use super::notices;
use super::queue::{RECENT, outstanding};
use super::stored_body::Reader;
use crate::api::submit::within_limit;
use crate::api::view::references;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

const fn status(state: JobState) -> &'static str {
    match state {
        JobState::Running => "in_progress",
        other => other.word(),
    }
}

fn bad(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response()
}

pub(super) async fn list(
    State(broker): State<Broker>,
    caller: Caller,
    Asked(asked): Asked<job_filter::Asked>,
) -> Result<Response, SeatTrouble> {
    let filter = match asked.read() {
        Ok(filter) => filter,
        Err(error) => return Ok(bad(&error)),
    };
    let mut jobs = broker.jobs_of(&caller.name, RECENT).await?;
    jobs.retain(|job| (!job.state.is_end() || history::belongs(job)) && filter.shows(job, status(job.state)));
    filter.sort(&mut jobs);
    let total = jobs.len();
    let page: Vec<_> = jobs.into_iter().skip(filter.offset).take(filter.limit.unwrap_or(total)).collect();
    let mut list = Vec::with_capacity(page.len());
    for job in &page {
        let result = if job.state.is_end() { broker.result(job.id).await? } else { None };
        list.push(Value::from(shape(job, result.as_ref())));
    }
    let more = filter.offset.saturating_add(page.len()) < total;
    let pagination =
        json!({"offset": filter.offset, "limit": filter.limit, "total": total, "has_more": more});
    Ok(Json(json!({"jobs": list, "pagination": pagination})).into_response())
}

fn shape(job: &StoredJob, result: Option<&JobResult>) -> Map<String, Value> {
    let files = result.map(references).unwrap_or_default();
    let mut shape = Map::new();
    let mut put = |name: &str, value: Value| drop(shape.insert(name.to_owned(), value));
    put("id", json!(job.id));
    put("status", json!(status(job.state)));
    put("priority", json!(job.seq));
    put("create_time", json!(job.submitted_at));
    put("outputs_count", json!(files.len()));
    if job.state.is_end() {
        put("execution_start_time", json!(job.started_at.unwrap_or(job.submitted_at)));
        put("execution_end_time", json!(job.ended_at));
    }
    if let Some(result) = result.filter(|result| job.state == JobState::Failed && result.error.is_some()) {
        put("execution_error", notices::execution_error(job.id, result, job.ended_at));
    }
    let preferred = files.iter().find(|(_, _, file)| file.kind == "output").or_else(|| files.first());
    if let Some((node, list, file)) = preferred {
        put(
            "preview_output",
            json!({
                "filename": file.filename, "subfolder": file.subfolder, "type": file.kind,
                "nodeId": node, "mediaType": list,
            }),
        );
    }
    if let Some(workflow) = &job.workflow {
        put("workflow_id", json!(workflow));
    }
    shape
}

pub(super) async fn one(
    State(door): State<Door>,
    caller: Caller,
    Named(id): Named,
) -> Result<Response, SeatTrouble> {
    let Some(job) = history::shown(&door.broker, &caller, &id).await? else {
        return Ok((StatusCode::NOT_FOUND, Json(json!({"error": "Job not found"}))).into_response());
    };
    let result = if job.state.is_end() { door.broker.result(job.id).await? } else { None };
    let mut shape = shape(&job, result.as_ref());
    if let Some(result) = result {
        shape.insert("outputs".to_owned(), json!(result.outputs));
        shape.insert("execution_status".to_owned(), json!(history::Status::of(&job, result.messages)));
    }
    let body = Reader::new(&door).await?.body(&job).await?;
    shape.insert("workflow".to_owned(), json!({"prompt": body.prompt, "extra_data": body.extra(&job)?}));
    Ok(Json(shape).into_response())
}

async fn stop(broker: &Broker, caller: &Caller, id: JobId) -> Result<bool, Trouble> {
    let outcome = broker.cancel(id, Some(&caller.name), Duration::ZERO).await?;
    Ok(matches!(outcome, Cancelled::Cancelled | Cancelled::Stopping))
}

pub(super) async fn cancel(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named,
) -> Result<Json<Value>, SeatTrouble> {
    let stopped = match id.parse() {
        Ok(id) => stop(&broker, &caller, id).await?,
        Err(_) => false,
    };
    Ok(Json(json!({"cancelled": stopped})))
}

/// Stops each of one's own that is named; ids of others and of ended ones do nothing.
pub(super) async fn cancel_many(
    State(broker): State<Broker>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, SeatTrouble> {
    let Ok(body) = serde_json::from_slice::<Value>(&within_limit(body)?) else {
        return Ok(bad("Request body must be valid JSON"));
    };
    let Some(ids) = body["job_ids"].as_array() else {
        return Ok(bad("job_ids must be a list"));
    };
    let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), ToOwned::to_owned);
    let is_id = |id: &&Value| id.as_str().is_some_and(|id| id.parse::<JobId>().is_ok());
    let invalid: Vec<_> = ids.iter().filter(|id| !is_id(id)).map(text).collect();
    if !invalid.is_empty() {
        let error = json!({"error": "job_ids contains invalid id(s)", "invalid_ids": invalid});
        return Ok((StatusCode::BAD_REQUEST, Json(error)).into_response());
    }
    let named: HashSet<_> = ids.iter().map(text).collect();
    let mut any = false;
    for job in outstanding(&broker, &caller.name).await? {
        if named.contains(&job.id.to_string()) {
            any |= stop(&broker, &caller, job.id).await?;
        }
    }
    Ok(Json(json!({"cancelled": any})).into_response())
}
