//! What handlers of a seat take from a request, refused in ComfyUI's dialect.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Path, Query, Request};
use axum::http::request::Parts;
use queue_protocol::limits;
use serde::de::DeserializeOwned;

use crate::api::submit::within_limit;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::{Refusal, depth};

/// A JSON body, whatever its content type says: ComfyUI does not look at it.
pub(super) struct Sent<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = SeatTrouble;
    async fn from_request(request: Request, state: &S) -> Result<Self, SeatTrouble> {
        let body = within_limit(Bytes::from_request(request, state).await)?;
        if depth::exceeds(&body, limits::DEPTH) {
            return Err(SeatTrouble(Trouble::Workflow(Refusal::TooDeep)));
        }
        Ok(Self(serde_json::from_slice(&body)?))
    }
}

/// A query; names nobody knows pass.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = SeatTrouble;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SeatTrouble> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(query)| Self(query))
            .map_err(|error| SeatTrouble(Trouble::BadRequest(error.body_text())))
    }
}

/// The segments of a path that a route names: one text, or several. What is no text names nothing.
pub(super) struct Named<T = String>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = SeatTrouble;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SeatTrouble> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments)).map_err(|_| SeatTrouble(Trouble::NotFound))
    }
}

/// A form without files.
pub(super) struct Filled<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Filled<T> {
    type Rejection = SeatTrouble;
    async fn from_request(request: Request, state: &S) -> Result<Self, SeatTrouble> {
        let form = axum::extract::Form::<T>::from_request(request, state).await;
        form.map(|form| Self(form.0)).map_err(|error| SeatTrouble(Trouble::BadRequest(error.body_text())))
    }
}

/// A form with a file.
pub(super) struct Form(pub(super) Multipart);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = SeatTrouble;
    async fn from_request(request: Request, state: &S) -> Result<Self, SeatTrouble> {
        let form = Multipart::from_request(request, state).await;
        form.map(Self).map_err(|error| SeatTrouble(Trouble::BadRequest(error.body_text())))
    }
}
