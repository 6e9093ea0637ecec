//! `/api/jobs`: the list that newer frontends read, and cancelling by id.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::jobs::{STATES, all, one as one_job};
use crate::reply;
use crate::server::Simulator;

type Job = Map<String, Value>;

/// `GET /api/jobs`
pub(crate) async fn list(
    State(simulator): State<Arc<Simulator>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match select(all(&simulator.queue), &query) {
        Ok(page) => reply::json(&page),
        Err(message) => bad_request(&json!({"error": message})),
    }
}

/// `GET /api/jobs/{id}`
pub(crate) async fn one(State(simulator): State<Arc<Simulator>>, Path(id): Path<String>) -> Response {
    match one_job(&simulator.queue, &id) {
        Some(job) => reply::json(&Value::Object(job)),
        None => reply::json_status(StatusCode::NOT_FOUND, &json!({"error": "Job not found"})),
    }
}

/// `POST /api/jobs/{id}/cancel`
pub(crate) async fn cancel_one(State(simulator): State<Arc<Simulator>>, Path(id): Path<String>) -> Response {
    reply::json(&json!({"cancelled": cancel(&simulator, id)}))
}

/// `POST /api/jobs/cancel`
pub(crate) async fn cancel_many(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    let body = match reply::parse(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    let Some(ids) = body["job_ids"].as_array() else {
        return bad_request(&json!({"error": "job_ids must be a list"}));
    };
    let (valid, invalid): (Vec<&Value>, Vec<&Value>) =
        ids.iter().partition(|id| id.as_str().is_some_and(|id| Uuid::try_parse(id).is_ok()));
    if !invalid.is_empty() {
        let invalid: Vec<String> =
            invalid.iter().map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).collect();
        return bad_request(&json!({"error": "job_ids contains invalid id(s)", "invalid_ids": invalid}));
    }
    let ids = valid.iter().filter_map(|id| id.as_str());
    let cancelled = ids.filter(|id| cancel(&simulator, (*id).to_owned())).count();
    reply::json(&json!({"cancelled": cancelled > 0}))
}

fn cancel(simulator: &Simulator, id: String) -> bool {
    simulator.queue.interrupt(Some(&id)) || simulator.queue.delete(&[id])
}

fn bad_request(body: &Value) -> Response {
    reply::json_status(StatusCode::BAD_REQUEST, body)
}

fn select(mut jobs: Vec<Job>, query: &HashMap<String, String>) -> Result<Value, String> {
    if let Some(wanted) = query.get("status") {
        let wanted: Vec<&str> = wanted.split(',').map(str::trim).filter(|state| !state.is_empty()).collect();
        let unknown: Vec<&str> = wanted.iter().copied().filter(|state| !STATES.contains(state)).collect();
        if !unknown.is_empty() {
            let (unknown, known) = (unknown.join(", "), STATES.join(", "));
            return Err(format!("Invalid status value(s): {unknown}. Valid values: {known}"));
        }
        jobs.retain(|job| job["status"].as_str().is_some_and(|state| wanted.contains(&state)));
    }
    if let Some(workflow) = query.get("workflow_id") {
        jobs.retain(|job| job.get("workflow_id").and_then(Value::as_str) == Some(workflow));
    }
    sort(&mut jobs, query)?;
    let limit = whole_number(query, "limit")?;
    let offset = whole_number(query, "offset")?.unwrap_or(0);
    let total = jobs.len();
    let page: Vec<Job> = jobs.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
    let has_more = offset + page.len() < total;
    let pagination = json!({"offset": offset, "limit": limit, "total": total, "has_more": has_more});
    Ok(json!({"jobs": page, "pagination": pagination}))
}

fn sort(jobs: &mut [Job], query: &HashMap<String, String>) -> Result<(), String> {
    let time = |job: &Job, key: &str| job.get(key).and_then(Value::as_u64).unwrap_or(0);
    let key: &dyn Fn(&Job) -> u64 = match query.get("sort_by").map_or("created_at", String::as_str) {
        "created_at" => &|job| time(job, "create_time"),
        "execution_duration" => {
            &|job| time(job, "execution_end_time").saturating_sub(time(job, "execution_start_time"))
        }
        _ => return Err("sort_by must be 'created_at' or 'execution_duration'".to_owned()),
    };
    match query.get("sort_order").map_or("desc", String::as_str) {
        "asc" => jobs.sort_by_key(|job| key(job)),
        "desc" => jobs.sort_by_key(|job| Reverse(key(job))),
        _ => return Err("sort_order must be 'asc' or 'desc'".to_owned()),
    }
    Ok(())
}

fn whole_number(query: &HashMap<String, String>, name: &str) -> Result<Option<usize>, String> {
    let parsed = query.get(name).map(|text| text.parse());
    parsed.transpose().map_err(|_| format!("{name} must be an integer"))
}
