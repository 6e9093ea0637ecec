//! What handlers take from a request, with our own answers when it is not what it should be.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::submit::within_limit;
use crate::problem::Trouble;
use crate::workflow::depth;

/// A JSON body. An empty one is an object without fields.
pub(crate) struct Body<T>(pub(crate) T);

/// Refuses a body that does not say it is JSON: a form of another site cannot say so.
pub(crate) fn is_json(headers: &HeaderMap) -> Result<(), Trouble> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Trouble::NotJson) }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Trouble;
    async fn from_request(request: Request, state: &S) -> Result<Self, Trouble> {
        let headers = request.headers().clone();
        let body = within_limit(Bytes::from_request(request, state).await)?;
        if body.is_empty() {
            return Ok(Self(serde_json::from_str("{}")?));
        }
        is_json(&headers)?;
        depth::check(&body)?;
        Ok(Self(serde_json::from_slice(&body)?))
    }
}

/// A query whose every name is known.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Trouble;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(query)| Self(query)).map_err(|error| Trouble::BadRequest(error.body_text()))
    }
}

/// The id or name in a path. One that cannot exist does not exist.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: std::str::FromStr + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Trouble;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| Trouble::NotFound)?;
        text.parse().map(Self).map_err(|_| Trouble::NotFound)
    }
}

/// A page's length.
pub(crate) fn page(limit: Option<u32>) -> Result<usize, Trouble> {
    match limit.unwrap_or(100) {
        n @ 1..=1_000 => Ok(n as usize),
        _ => Err(Trouble::BadRequest("limit must be 1 to 1000.".to_owned())),
    }
}
