//! What handlers of a seat take from a request, refused in ComfyUI's dialect.

use axum::extract::{FromRef, FromRequest, FromRequestParts, Multipart, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::bodies;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::turns::{Costly, Turn};
use crate::workflow::depth;

/// Bytes of a JSON body that is no workflow: somebody's settings, or a list of jobs.
pub(super) const SENT: usize = 1024 * 1024;

/// So many times its bytes a tree of JSON may take.
const TREE: usize = 10;

/// A JSON body, whatever its content type says: ComfyUI does not look at it. With the room that it takes.
pub(super) struct Sent<T>(pub(super) T, pub(super) Turn);

impl<S, T> FromRequest<S> for Sent<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
    Costly: FromRef<S>,
{
    type Rejection = SeatTrouble;
    async fn from_request(request: Request, state: &S) -> Result<Self, SeatTrouble> {
        let caller = request.extensions().get::<Caller>().cloned().ok_or(Trouble::NotSignedIn)?;
        let costly = Costly::from_ref(state);
        let body = bodies::hold(&costly, &caller.name, request.into_body(), SENT, TREE).await?;
        depth::check(&body)?;
        Ok(Self(serde_json::from_slice(&body)?, body.into_room()))
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
