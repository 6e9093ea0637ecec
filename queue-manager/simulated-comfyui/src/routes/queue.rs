//! `/queue`: what waits and runs, and deleting from it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use crate::reply;
use crate::server::Simulator;

/// `GET /queue`
pub(crate) async fn show(State(simulator): State<Arc<Simulator>>) -> Response {
    reply::json(&simulator.queue.to_json())
}

/// `POST /queue` with `clear` or `delete`.
pub(crate) async fn change(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    let body = match reply::parse(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    if body["clear"] == true {
        simulator.queue.clear();
    }
    simulator.queue.delete(&ids(&body["delete"]));
    reply::empty(StatusCode::OK)
}

/// The texts of a list.
pub(super) fn ids(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}
