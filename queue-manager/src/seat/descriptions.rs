//! What the frontend asks about the server: features, users, devices, and lists that are empty in a light seat.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_protocol::api::Worker;
use queue_protocol::limits;
use serde_json::{Value, json};

use super::input::Named;
use crate::files::Files;
use crate::identity::Caller;
use crate::parts::Parts;
use crate::problem::SeatTrouble;

/// What this server can do, in `features` and on the websocket. Text metadata is not announced: the frames it would
/// change come from workers as they are. The manager and assets do not exist in a seat.
pub(super) fn feature_flags() -> Value {
    json!({
        "supports_preview_metadata": true,
        "supports_model_type_tags": true,
        "max_upload_size": limits::UPLOAD,
        "extension": {"manager": {"supports_v4": false}},
        "node_replacements": true,
        "assets": false,
    })
}

pub(super) async fn features() -> Json<Value> {
    Json(feature_flags())
}

/// One user per seat: whoever signed in.
pub(super) async fn users() -> Json<Value> {
    Json(json!({"storage": "server", "migrated": true}))
}

pub(super) async fn nothing() -> Json<Value> {
    Json(json!({}))
}

/// Workflows in the editor's own store of subgraphs, headers of model files, their pictures: a worker's affair.
pub(super) async fn absent() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// As ComfyUI answers without its asset store.
pub(super) async fn no_assets() -> Response {
    let error =
        json!({"code": "SERVICE_DISABLED", "message": "There is no asset store in a seat.", "details": {}});
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": error}))).into_response()
}

pub(super) async fn embeddings(State(parts): State<Parts>) -> Result<Json<Vec<String>>, SeatTrouble> {
    Ok(Json(parts.shown().await?.lists.embeddings.clone()))
}

pub(super) async fn i18n(State(parts): State<Parts>) -> Result<Response, SeatTrouble> {
    Ok(Json(&parts.shown().await?.lists.i18n).into_response())
}

pub(super) async fn node_replacements(State(parts): State<Parts>) -> Result<Response, SeatTrouble> {
    Ok(Json(&parts.shown().await?.lists.node_replacements).into_response())
}

pub(super) async fn logs() -> Json<Value> {
    Json(json!(""))
}

pub(super) async fn raw_logs() -> Json<Value> {
    Json(json!({"entries": [], "size": {"cols": 80, "rows": 24}}))
}

pub(super) async fn subscribed() {}

/// Freeing a GPU's memory would slow everyone down: not a participant's to ask.
pub(super) async fn refuse_free() -> Response {
    let error = json!({"error": "Memory of a shared GPU is managed by the workshop."});
    (StatusCode::FORBIDDEN, Json(error)).into_response()
}

/// The pool of workers in ComfyUI's words: each that is here is a device. What only one machine has is left empty.
pub(super) async fn system_stats(State(broker): State<Broker>) -> Result<Json<Value>, SeatTrouble> {
    let mut workers = broker.worker_list().await?;
    workers.retain(|worker| worker.active);
    workers.sort_by(|one, other| one.name.cmp(&other.name));
    let device = |(index, worker): (usize, &Worker)| {
        let (total, free) = (worker.vram_total, worker.vram_free);
        json!({
            "name": format!("{}: {}", worker.name, worker.gpu), "type": "cuda", "index": index,
            "vram_total": total, "vram_free": free, "torch_vram_total": total, "torch_vram_free": free,
        })
    };
    let version = workers.first().map_or("", |worker| &worker.comfyui_version);
    Ok(Json(json!({
        "system": {
            "os": "linux", "ram_total": 0, "ram_free": 0, "comfyui_version": version,
            "required_frontend_version": "", "installed_templates_version": "",
            "required_templates_version": "", "comfy_package_versions": [], "python_version": "",
            "pytorch_version": "", "embedded_python": false, "deploy_environment": "atelier", "argv": ["atelier"],
        },
        "devices": workers.iter().enumerate().map(device).collect::<Vec<_>>(),
    })))
}

/// `internal/files/input`: one's own uploads, newest first. Outputs are in the history.
pub(super) async fn files(
    State(files): State<Files>,
    caller: Caller,
    Named(kind): Named,
) -> Result<Response, SeatTrouble> {
    if !matches!(kind.as_str(), "input" | "output" | "temp") {
        let error = json!({"error": "Invalid directory type"});
        return Ok((StatusCode::BAD_REQUEST, Json(error)).into_response());
    }
    let mut entries = if kind == "input" { files.inputs_of(&caller.name).await? } else { Vec::new() };
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.modified_ms));
    let names: Vec<_> = entries.iter().map(|entry| format!("{} [input]", entry.name)).collect();
    Ok(Json(names).into_response())
}
