//! The little that a browser's frontend asks for at its start.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::locks::hold;
use crate::reply;
use crate::server::Simulator;

/// `GET /embeddings` and `GET /extensions`: there are none.
pub(crate) async fn nothing_listed() -> Response {
    reply::json(&json!([]))
}

/// `GET /users`
pub(crate) async fn users() -> Response {
    reply::json(&json!({"storage": "server", "migrated": true}))
}

/// `GET /settings`
pub(crate) async fn settings(State(simulator): State<Arc<Simulator>>) -> Response {
    let settings = hold(&simulator.preferences).clone();
    reply::json(&Value::Object(settings))
}

/// `GET /settings/{id}`
pub(crate) async fn setting(State(simulator): State<Arc<Simulator>>, Path(id): Path<String>) -> Response {
    let value = hold(&simulator.preferences).get(&id).cloned();
    reply::json(&value.unwrap_or_default())
}

/// `POST /settings`: merges.
pub(crate) async fn change_settings(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    match reply::parse(&body) {
        Ok(Value::Object(settings)) => {
            hold(&simulator.preferences).extend(settings);
            reply::empty(StatusCode::OK)
        }
        Ok(_) => reply::trouble(),
        Err(response) => response,
    }
}

/// `POST /settings/{id}`
pub(crate) async fn change_setting(
    State(simulator): State<Arc<Simulator>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    match reply::parse(&body) {
        Ok(value) => {
            hold(&simulator.preferences).insert(id, value);
            reply::empty(StatusCode::OK)
        }
        Err(response) => response,
    }
}
