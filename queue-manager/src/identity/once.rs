//! Actions that carry an id (`Idempotency-Key`) happen once: said again within ten minutes, they answer what the first
//! one did, without its body, and change nothing.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_broker::once::Action;
use queue_protocol::limits;
use sha2::{Digest, Sha256};

use super::caller::Caller;
use crate::api::submit::within_limit;
use crate::bodies;
use crate::problem::Trouble;

const HEADER: &str = "idempotency-key";

/// What the action is known by: its id, and all of what it is about but a workflow, so that an id which is used again for
/// something else is another action. `None` where it carries no id. The request comes back whole.
pub(super) async fn key(request: Request) -> Result<(Request, Option<String>), Trouble> {
    let Some(value) = request.headers().get(HEADER) else { return Ok((request, None)) };
    if *request.method() == Method::GET {
        return Ok((request, None));
    }
    let id = value.to_str().unwrap_or_default();
    if !(8..=64).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Trouble::BadRequest("Idempotency-Key must be 8 to 64 of A-Z a-z 0-9 -.".to_owned()));
    }
    let what = format!("{id} {} {}\n", request.method(), request.uri().path());
    let digest = Sha256::new_with_prefix(what);
    let (parts, body) = request.into_parts();
    // Only a workflow may be so large: it is taken in when there is room for it, and has an id of its own.
    if bodies::size(&body, limits::FORM + 1) > limits::FORM {
        return Ok((Request::from_parts(parts, body), Some(name_of(digest))));
    }
    let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await;
    let body = within_limit(body)?;
    let digest = digest.chain_update(&body);
    Ok((Request::from_parts(parts, Body::from(body)), Some(name_of(digest))))
}

fn name_of(digest: Sha256) -> String {
    hex::encode(digest.finalize())[..32].to_owned()
}

/// Runs it, unless it ran before.
pub(super) async fn run(
    broker: &Broker,
    caller: &Caller,
    key: &str,
    action: impl Future<Output = Response>,
) -> Response {
    match broker.begin_action(&caller.name, key).await {
        Ok(Action::New) => {}
        Ok(Action::UnderWay) => {
            return Trouble::WrongState("This very action is under way.".to_owned()).into_response();
        }
        Ok(Action::Done(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT);
            let repeated = [("idempotent-replay", HeaderValue::from_static("true"))];
            return (status, repeated).into_response();
        }
        Err(error) => return Trouble::from(error).into_response(),
    }
    let answer = action.await;
    let status = Some(answer.status()).filter(StatusCode::is_success).map(|status| status.as_u16());
    if let Err(error) = broker.end_action(&caller.name, key, status).await {
        tracing::warn!(%error, "how an action ended could not be noted");
    }
    answer
}
