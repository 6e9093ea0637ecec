//! Our own API under `/api/v1`: JSON in and out, problem+json when something is wrong.

pub mod feed;
pub mod jobs;
pub mod submit;
pub mod view;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use queue_protocol::limits;

use crate::app::App;
use crate::identity::sign_in;
use crate::problem::Trouble;

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/session", post(sign_in::token).delete(sign_in::end))
        .route("/jobs", get(jobs::list).post(submit::submit))
        .route("/jobs/{id}", get(jobs::get).delete(jobs::cancel))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/events", get(feed::events))
        .route("/feed", get(feed::socket))
        .fallback(async || Trouble::NotFound)
        .layer(DefaultBodyLimit::max(limits::BODY))
}
