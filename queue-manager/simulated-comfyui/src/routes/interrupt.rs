//! `/interrupt` and `/free`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use crate::reply;
use crate::server::Simulator;

/// `POST /interrupt`: with a `prompt_id` only that prompt, without one whatever runs.
pub(crate) async fn interrupt(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    simulator.queue.interrupt(body["prompt_id"].as_str());
    reply::empty(StatusCode::OK)
}

/// `POST /free`: drops what is cached before the next prompt.
pub(crate) async fn free(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    match reply::parse(&body) {
        Ok(body) => {
            if body["free_memory"] == true {
                simulator.free_memory.store(true, Ordering::Relaxed);
            }
            reply::empty(StatusCode::OK)
        }
        Err(response) => response,
    }
}
