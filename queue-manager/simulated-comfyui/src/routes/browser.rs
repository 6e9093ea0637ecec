//! The little that a browser's frontend asks for at its start.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::locks::hold;
use crate::reply;
use crate::server::Simulator;

/// Where the script of the one custom node is.
pub(super) const BADGE: &str = "/extensions/SimulatedBadge/badge.js";

/// `GET /embeddings`
pub(crate) async fn embeddings() -> Response {
    reply::json(&json!(["simulated"]))
}

/// `GET /extensions`: a script of the frontend itself, which is not served here, and one of a custom node.
pub(crate) async fn extensions() -> Response {
    reply::json(&json!(["/extensions/core/groupNode.js", BADGE]))
}

/// `GET /extensions/SimulatedBadge/badge.js`
pub(crate) async fn badge(State(simulator): State<Arc<Simulator>>) -> Response {
    let script = simulator.control().badge;
    let script = script.unwrap_or_else(|| include_str!("../../assets/badge.js").to_owned());
    ([(CONTENT_TYPE, "text/javascript")], script).into_response()
}

/// `GET /node_replacements`
pub(crate) async fn node_replacements() -> Response {
    let image = json!({"new_id": "image", "old_id": "image"});
    let inverted = json!({
        "new_node_id": "ImageInvert", "old_node_id": "SimulatedInvert", "old_widget_ids": null,
        "input_mapping": [image], "output_mapping": [{"new_idx": 0, "old_idx": 0}],
    });
    reply::json(&json!({"SimulatedInvert": [inverted]}))
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
