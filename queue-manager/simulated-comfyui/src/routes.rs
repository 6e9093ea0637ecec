//! The routes: `ComfyUI`'s, most of them twice (bare and under `/api`), and `/simulation`.

mod browser;
mod describe;
mod guard;
mod history;
mod interrupt;
mod jobs;
mod prompt;
mod queue;
mod simulation;
mod upload;
mod view;
mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use crate::server::Simulator;

/// The largest body, as the real server's default; it is announced as `max_upload_size`.
const LARGEST_BODY: usize = 100 * 1024 * 1024;

/// All routes.
pub(crate) fn router(simulator: Arc<Simulator>) -> Router {
    let only_api = Router::new()
        .route("/jobs", get(jobs::list))
        .route("/jobs/cancel", post(jobs::cancel_many))
        .route("/jobs/{id}", get(jobs::one))
        .route("/jobs/{id}/cancel", post(jobs::cancel_one));
    Router::new()
        .merge(twice())
        .nest("/api", twice().merge(only_api))
        .route("/internal/files/{kind}", get(describe::files))
        .route(browser::BADGE, get(browser::badge))
        .route("/simulation", get(simulation::show).post(simulation::change))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(guard::same_origin))
        .layer(from_fn_with_state(Arc::clone(&simulator), simulation::be_silent))
        .with_state(simulator)
}

fn twice() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/ws", get(websocket::open))
        .route("/prompt", get(prompt::remaining).post(prompt::submit))
        .route("/queue", get(queue::show).post(queue::change))
        .route("/interrupt", post(interrupt::interrupt))
        .route("/free", post(interrupt::free))
        .route("/history", get(history::page).post(history::change))
        .route("/history/{id}", get(history::one))
        .route("/upload/image", post(upload::image))
        .route("/upload/mask", post(upload::mask))
        .route("/view", get(view::view))
        .route("/object_info", get(describe::object_info))
        .route("/object_info/{class}", get(describe::one_class))
        .route("/system_stats", get(describe::system_stats))
        .route("/features", get(describe::features))
        .route("/models", get(describe::models))
        .route("/models/{folder}", get(describe::model_files))
        .route("/embeddings", get(browser::embeddings))
        .route("/extensions", get(browser::extensions))
        .route("/node_replacements", get(browser::node_replacements))
        .route("/users", get(browser::users))
        .route("/settings", get(browser::settings).post(browser::change_settings))
        .route("/settings/{id}", get(browser::setting).post(browser::change_setting))
}
