//! What it has to offer: node classes, models, files, and what it runs on.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::LARGEST_BODY;
use crate::VERSION;
use crate::folder::Kind;
use crate::reply;
use crate::server::Simulator;

const GIB: u64 = 1 << 30;

/// The model folders that the real server has without custom nodes.
const MODEL_FOLDERS: [&str; 26] = [
    "checkpoints",
    "configs",
    "loras",
    "vae",
    "text_encoders",
    "diffusion_models",
    "clip_vision",
    "style_models",
    "embeddings",
    "diffusers",
    "vae_approx",
    "controlnet",
    "gligen",
    "upscale_models",
    "latent_upscale_models",
    "custom_nodes",
    "hypernetworks",
    "photomaker",
    "classifiers",
    "model_patches",
    "audio_encoders",
    "background_removal",
    "frame_interpolation",
    "geometry_estimation",
    "optical_flow",
    "detection",
];

/// `GET /object_info`
pub(crate) async fn object_info(State(simulator): State<Arc<Simulator>>) -> Response {
    reply::json(&Value::Object(simulator.catalogue.describe(&simulator.folder)))
}

/// `GET /object_info/{class}`
pub(crate) async fn one_class(
    State(simulator): State<Arc<Simulator>>,
    Path(class): Path<String>,
) -> Response {
    let mut classes = simulator.catalogue.describe(&simulator.folder);
    let one: Map<String, Value> = classes.remove_entry(&class).into_iter().collect();
    reply::json(&Value::Object(one))
}

/// `GET /system_stats`
pub(crate) async fn system_stats() -> Response {
    reply::json(&json!({
        "system": {
            "os": std::env::consts::OS,
            "ram_total": 16 * GIB,
            "ram_free": 12 * GIB,
            "comfyui_version": VERSION,
            "required_frontend_version": "1.45.21",
            "installed_templates_version": null,
            "required_templates_version": null,
            "comfy_package_versions": [],
            "python_version": "none (simulated)",
            "pytorch_version": "none (simulated)",
            "embedded_python": false,
            "deploy_environment": "simulated",
            "argv": ["simulated-comfyui"],
        },
        "devices": [{
            "name": "simulated GPU",
            "type": "simulated",
            "index": 0,
            "vram_total": 8 * GIB,
            "vram_free": 7 * GIB,
            "torch_vram_total": GIB,
            "torch_vram_free": GIB / 2,
        }],
    }))
}

/// `GET /features`
pub(crate) async fn features() -> Response {
    reply::json(&server_features())
}

/// What the server understands; the same words go over the websocket.
pub(super) fn server_features() -> Value {
    json!({
        "supports_preview_metadata": true,
        "supports_model_type_tags": true,
        "max_upload_size": LARGEST_BODY,
        "extension": {"manager": {"supports_v4": true}},
        "node_replacements": true,
        "assets": false,
    })
}

/// `GET /models`
pub(crate) async fn models() -> Response {
    reply::json(&json!(MODEL_FOLDERS))
}

/// `GET /models/{folder}`
pub(crate) async fn model_files(
    State(simulator): State<Arc<Simulator>>,
    Path(folder): Path<String>,
) -> Response {
    if folder == "checkpoints" {
        let inputs = simulator.catalogue.inputs("CheckpointLoaderSimple");
        let files = inputs.first().and_then(|spec| spec.choices());
        return reply::json(&json!(files));
    }
    if MODEL_FOLDERS.contains(&folder.as_str()) {
        return reply::json(&json!([]));
    }
    reply::empty(StatusCode::NOT_FOUND)
}

/// `GET /internal/files/{kind}`
pub(crate) async fn files(State(simulator): State<Arc<Simulator>>, Path(kind): Path<String>) -> Response {
    let Some(kind) = Kind::parse(&kind) else {
        return reply::json_status(StatusCode::BAD_REQUEST, &json!({"error": "Invalid directory type"}));
    };
    let names = simulator.folder.newest_first(kind);
    let names: Vec<String> = names.iter().map(|name| format!("{name} [{}]", kind.word())).collect();
    reply::json(&json!(names))
}
