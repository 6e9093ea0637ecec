//! `/history`: finished prompts, and forgetting them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::queue::ids;
use crate::reply;
use crate::server::Simulator;

/// Which part of the history.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    max_items: Option<usize>,
    offset: Option<usize>,
}

/// `GET /history`
pub(crate) async fn page(State(simulator): State<Arc<Simulator>>, Query(page): Query<Page>) -> Response {
    let entries = simulator.queue.with_history(|history| history.to_json(None, page.max_items, page.offset));
    reply::json(&entries)
}

/// `GET /history/{id}`
pub(crate) async fn one(State(simulator): State<Arc<Simulator>>, Path(id): Path<String>) -> Response {
    reply::json(&simulator.queue.with_history(|history| history.to_json(Some(&id), None, None)))
}

/// `POST /history` with `clear` or `delete`.
pub(crate) async fn change(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    let body = match reply::parse(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    simulator.queue.with_history(|history| {
        if body["clear"] == true {
            history.clear();
        }
        history.forget(&ids(&body["delete"]));
    });
    reply::empty(StatusCode::OK)
}
