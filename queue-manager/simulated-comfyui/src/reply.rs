//! Answers in the forms that `ComfyUI` gives them.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use crate::python_json;

/// 200 with a JSON document.
pub(crate) fn json(value: &Value) -> Response {
    json_status(StatusCode::OK, value)
}

/// A JSON document under another status.
pub(crate) fn json_status(status: StatusCode, value: &Value) -> Response {
    with_type(status, "application/json; charset=utf-8", python_json::dump(value))
}

/// No body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Plain text.
pub(crate) fn text(status: StatusCode, words: &'static str) -> Response {
    with_type(status, "text/plain; charset=utf-8", words.to_owned())
}

/// What aiohttp says after an exception in a handler; malformed JSON is one of them.
pub(crate) fn trouble() -> Response {
    text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error\n\nServer got itself in trouble")
}

/// The body as JSON, or the answer that `ComfyUI` gives when it is none.
#[expect(clippy::result_large_err, reason = "the error is the answer itself")]
pub(crate) fn parse(body: &Bytes) -> Result<Value, Response> {
    serde_json::from_slice(body).map_err(|_| trouble())
}

fn with_type(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
