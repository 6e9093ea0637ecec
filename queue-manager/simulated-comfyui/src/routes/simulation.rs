//! `/simulation`: how it behaves. This route is its own; the real server has none.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;
use tracing::info;

use crate::control::Change;
use crate::reply;
use crate::server::Simulator;

/// `GET /simulation`
pub(crate) async fn show(State(simulator): State<Arc<Simulator>>) -> Response {
    reply::json(&simulator.control().to_json())
}

/// `POST /simulation`: changes the fields that the body names.
pub(crate) async fn change(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Change>(&body) {
        Ok(change) => {
            simulator.change_control(|control| control.apply(&change));
            reply::json(&simulator.control().to_json())
        }
        Err(error) => reply::json_status(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
    }
}

/// Holds a request back as long as it is told to.
pub(crate) async fn be_silent(
    State(simulator): State<Arc<Simulator>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let mut control = simulator.watch_control();
    if control.borrow().is_silent_on(&path) {
        info!(path, "told not to answer");
        // The sender lives as long as the simulator, so waiting cannot fail.
        let _ = control.wait_for(|control| !control.is_silent_on(&path)).await;
    }
    next.run(request).await
}
