//! The page of a container seat. The first visit begins as in a light seat: with the workshop's default workflow, and without
//! ComfyUI's tour of models that no GPU here has.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Redirect, Response};
use queue_protocol::AccountName;
use serde_json::{Map, Value};

use super::Containers;
use super::forward::forward;
use super::nodes::ask;
use crate::identity::Caller;
use crate::problem::SeatTrouble;
use crate::seat::settings;
use crate::seat::templates::Templates;

const SETTINGS: &str = "/settings";

pub(in crate::seat) async fn page(
    State(containers): State<Containers>,
    State(templates): State<Templates>,
    caller: Caller,
    request: Request,
) -> Result<Response, SeatTrouble> {
    if request.uri().query().is_none()
        && is_first_visit(&containers, &caller.name).await
        && let Some(query) = templates.first_visit()
    {
        return Ok(Redirect::to(&format!("/{}/?{query}", caller.name)).into_response());
    }
    forward(State(containers), caller, request).await
}

/// Whether the container has no settings of a visit yet; it gets those that a light seat begins with. One that does not answer
/// has been visited: its page says that it is away.
async fn is_first_visit(containers: &Containers, participant: &AccountName) -> bool {
    let Some(saved) = ask::<Map<String, Value>>(containers, participant, SETTINGS).await else {
        return false;
    };
    if saved.contains_key(settings::SEEN) {
        return false;
    }
    let mut first = settings::defaults();
    // What somebody put there before the first visit stays.
    first.extend(saved);
    let Some(address) = containers.address(participant, &PathAndQuery::from_static(SETTINGS)) else {
        return false;
    };
    let request = Request::post(address)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(Value::Object(first).to_string()));
    let Ok(request) = request else { return false };
    containers.client.request(request).await.is_ok_and(|answer| answer.status().is_success())
}
