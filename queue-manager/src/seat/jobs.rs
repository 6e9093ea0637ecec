//! `api/jobs`: one's own jobs as the newer frontends list them. The frontend checks every field, and one wrong field
//! empties its whole list.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_broker::transitions::cancel::Cancelled;
use queue_protocol::link::JobResult;
use queue_protocol::{JobId, JobState};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::history;
use super::queue::RECENT;
use super::stored_body::Reader;
use crate::api::view::references;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

const STATUSES: [&str; 5] = ["pending", "in_progress", "completed", "failed", "cancelled"];

#[derive(Deserialize)]
pub(super) struct Filter {
    status: Option<String>,
    workflow_id: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

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
    Query(filter): Query<Filter>,
) -> Result<Response, SeatTrouble> {
    let wanted: Vec<&str> =
        filter.status.as_deref().map(|text| text.split(',').map(str::trim).collect()).unwrap_or_default();
    if let Some(unknown) = wanted.iter().find(|word| !STATUSES.contains(word)) {
        return Ok(bad(&format!(
            "Invalid status value(s): {unknown}. Valid values: {}",
            STATUSES.join(", ")
        )));
    }
    let mut jobs = broker.jobs_of(&caller.name, RECENT).await?;
    jobs.retain(|job| {
        (!job.state.is_end() || history::belongs(job))
            && (wanted.is_empty() || wanted.contains(&status(job.state)))
            && (filter.workflow_id.is_none() || filter.workflow_id == job.workflow)
    });
    sort(&mut jobs, &filter);
    let total = jobs.len();
    let page: Vec<_> = jobs.into_iter().skip(filter.offset).take(filter.limit.unwrap_or(total)).collect();
    let shown = page.len();
    let mut list = Vec::with_capacity(shown);
    for job in &page {
        let result = if job.state.is_end() { broker.result(job.id).await? } else { None };
        list.push(Value::from(shape(job, result.as_ref())));
    }
    let pagination = json!({
        "offset": filter.offset, "limit": filter.limit, "total": total, "has_more": filter.offset + shown < total,
    });
    Ok(Json(json!({"jobs": list, "pagination": pagination})).into_response())
}

fn sort(jobs: &mut [StoredJob], filter: &Filter) {
    let took =
        |job: &StoredJob| job.ended_at.zip(job.started_at).map(|(end, start)| end.saturating_sub(start));
    if filter.sort_by.as_deref() == Some("execution_duration") {
        jobs.sort_by_key(|job| std::cmp::Reverse(took(job)));
    } else {
        jobs.sort_by_key(|job| std::cmp::Reverse((job.submitted_at, job.seq)));
    }
    if filter.sort_order.as_deref() == Some("asc") {
        jobs.reverse();
    }
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
    if let Some(error) =
        result.and_then(|result| result.error.as_ref()).filter(|_| job.state == JobState::Failed)
    {
        put(
            "execution_error",
            json!({
                "prompt_id": job.id, "node_id": error.node_id, "node_type": error.node_type, "executed": [],
                "exception_message": error.exception_message, "exception_type": error.exception_type,
                "traceback": error.traceback, "current_inputs": {}, "current_outputs": [],
                "timestamp": job.ended_at,
            }),
        );
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
    Path(id): Path<String>,
) -> Result<Response, SeatTrouble> {
    let found = match id.parse::<JobId>() {
        Ok(id) => door.broker.job(id).await?.filter(|job| job.participant == caller.name),
        Err(_) => None,
    };
    let Some(job) = found else {
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
    Path(id): Path<String>,
) -> Result<Json<Value>, SeatTrouble> {
    let stopped = match id.parse() {
        Ok(id) => stop(&broker, &caller, id).await?,
        Err(_) => false,
    };
    Ok(Json(json!({"cancelled": stopped})))
}

#[derive(Deserialize)]
pub(super) struct Many {
    job_ids: Vec<String>,
}

pub(super) async fn cancel_many(
    State(broker): State<Broker>,
    caller: Caller,
    Json(many): Json<Many>,
) -> Result<Response, SeatTrouble> {
    let (good, bad): (Vec<_>, Vec<_>) = many.job_ids.iter().partition(|id| id.parse::<JobId>().is_ok());
    if !bad.is_empty() {
        let error = json!({"error": "Invalid job ids", "invalid_ids": bad});
        return Ok((StatusCode::BAD_REQUEST, Json(error)).into_response());
    }
    let mut any = false;
    for id in good.iter().filter_map(|id| id.parse().ok()) {
        any |= stop(&broker, &caller, id).await?;
    }
    Ok(Json(json!({"cancelled": any})).into_response())
}
